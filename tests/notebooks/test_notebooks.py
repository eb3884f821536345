"""The notebooks: each pair agrees, is committed with its outputs, and runs from top to bottom."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from notebooks.sync import FOLDER, execute, read_script, scripts

SCRIPTS = scripts()
# Where a person's files lie, and what an object without a repr shows of itself.
PRIVATE = re.compile(r"/(?:home|root|tmp|work|opt|usr|mnt|Users)/|\bat 0x[0-9a-f]{6,}")

each_notebook = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


def committed(script: Path) -> Any:
    return nbformat.read(script.with_suffix(".ipynb"), as_version=4)


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def texts(output: Any) -> list[str]:
    """What a reader sees of an output, pictures left out."""
    data = output.get("data", {})
    return [output.get("text", ""), *(data[kind] for kind in data if kind.startswith("text/"))]


@each_notebook
def test_the_notebook_has_the_cells_of_its_script(script: Path) -> None:
    made, kept = read_script(script), committed(script)
    expected = [(cell.id, cell.cell_type, cell.source) for cell in made.cells]
    assert [(cell.id, cell.cell_type, cell.source) for cell in kept.cells] == expected, (
        "the pair differs; write it anew: make notebooks"
    )
    assert kept.metadata == made.metadata


def test_there_is_no_notebook_without_a_script() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == [path.stem for path in SCRIPTS]


@each_notebook
def test_the_notebook_was_executed_in_order_and_shows_its_results(script: Path) -> None:
    notebook = committed(script)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    kinds = {kind for output in outputs(notebook) for kind in output.get("data", {})}
    assert "image/png" in kinds


@each_notebook
def test_no_output_is_an_error_a_warning_or_names_this_machine(script: Path) -> None:
    for output in outputs(committed(script)):
        assert output.output_type != "error"
        assert output.get("name") != "stderr"
        for text in texts(output):
            assert not PRIVATE.search(text), text


@each_notebook
def test_the_notebook_opens_with_its_section_and_needs_and_ends_with_the_next_step(
    script: Path,
) -> None:
    cells = committed(script).cells
    opening, closing = cells[0].source, cells[-1].source
    assert opening.startswith("# ")
    assert re.search(r"\bneeds?\b", opening, re.IGNORECASE)
    assert "https://d2l.ai/" in opening
    assert script.stem.partition("-")[0] in opening
    assert closing.startswith("## Where to go next")
    assert "convlens " in closing


@each_notebook
def test_the_notebook_opens_in_colab(script: Path) -> None:
    cells = committed(script).cells
    address = "https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/"
    assert f"]({address}{script.stem}.ipynb)" in cells[0].source
    first = next(cell.source for cell in cells if cell.cell_type == "code")
    assert "%pip install -q convlens" in first
    assert "google.colab" in first


@each_notebook
def test_the_list_of_notebooks_names_it(script: Path) -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"]({script.stem}.ipynb)" in page


@each_notebook
def test_the_notebook_runs_from_top_to_bottom(script: Path, tmp_path: Path) -> None:
    notebook = execute(script, tmp_path, short=True)  # which raises where a cell fails
    assert all(output.output_type != "error" for output in outputs(notebook))
    assert all(output.get("name") != "stderr" for output in outputs(notebook))
