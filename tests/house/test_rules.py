"""The rules of the house (docs/architecture.md), as tests."""

import ast
import inspect
import re
import tomllib
from pathlib import Path

import pytest

from convlens.experiment.recipe import claim, shipped_recipes
from convlens.models.catalog import MODELS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "convlens"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path.name != "__init__.py")
ROOMS = sorted({path.parent for path in SOURCE.rglob("*.py")} - {SOURCE})
# One file per paper; what is left in models/ serves them all.
PAPERS = sorted(
    set((SOURCE / "models").glob("*.py"))
    - {SOURCE / "models" / name for name in ("__init__.py", "catalog.py", "pretrained.py")}
)
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "manager"}
# No test of their own: the annotations in shapes.py are checked wherever they are used, and
# __main__.py is one line, which tests/cli/test_main.py runs.
UNMIRRORED = {"core/shapes.py", "__main__.py"}


def relative(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_has_at_most_400_lines_and_a_function_50(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            docstring = ast.get_docstring(node, clean=False) or ""
            length = node.end_lineno - node.lineno + 1 - len(docstring.splitlines())
            assert length <= 50, f"{node.name} has {length} lines besides its docstring"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_says_what_it_is_about(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", ROOMS, ids=relative)
def test_a_room_has_at_most_ten_modules(path: Path) -> None:
    """Papers are not counted: each is a text of its own (docs/decisions/0008-papers.md)."""
    modules = [module for module in path.glob("*.py") if module.name != "__init__.py"]
    assert len(set(modules) - set(PAPERS)) <= 10


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_has_a_mirrored_test(path: Path) -> None:
    if relative(path) in UNMIRRORED:
        pytest.skip("listed as having no test of its own, with the reason, above")
    folder = ROOT / "tests" / path.parent.relative_to(SOURCE)
    assert (folder / f"test_{path.name}").is_file()


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = {path.stem for path in MODULES} | {path.name for path in ROOMS}
    assert not names & FORBIDDEN_NAMES


@pytest.mark.parametrize("path", PAPERS, ids=relative)
def test_a_model_names_its_source(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert re.search(r"^Source: .*https?://", docstring, re.MULTILINE)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_one_file_one_catalog_line_and_one_golden_row(name: str) -> None:
    config = MODELS[name].preset
    for setting in ("in_channels", "num_classes", "image_size"):  # which follow the data
        assert isinstance(getattr(config, setting), int)
    assert Path(inspect.getfile(type(config))) in PAPERS
    assert Path(inspect.getfile(MODELS[name].paper.build)) == Path(inspect.getfile(type(config)))
    rows = tomllib.loads((ROOT / "tests" / "golden" / "models.toml").read_text(encoding="utf-8"))
    assert set(rows[name]) == {"num_parameters", "macs", "from"}
    text = (SOURCE / "models" / "catalog.py").read_text(encoding="utf-8")
    assert text.count(f'"{name}"') == 1


@pytest.mark.parametrize("path", PAPERS, ids=relative)
def test_a_paper_is_in_the_catalog(path: Path) -> None:
    assert path in {Path(inspect.getfile(entry.paper.build)) for entry in MODELS.values()}


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_recipe_opens_with_its_claim(name: str) -> None:
    number = r"\d+(\.\d+)?"
    measured = (
        rf"{number} \+- {number} % test accuracy, n=\d+, "
        rf"{number} s on .+, torch \d+\.\d+\.\d+"
    )
    said = claim(shipped_recipes()[name])
    assert said == "not yet measured" or re.match(measured, said), said


def test_the_pages_name_no_module_that_is_not_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for found in re.findall(r"`(\w+/[\w/]+\.py)`", page):
        assert (SOURCE / found).exists(), found
