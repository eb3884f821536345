import json
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from benchmarks.benchmark import Grid, Report
from benchmarks.measure import Machine
from benchmarks.results import Origin, grid_lines, save, section, update_section

MACHINE = Machine(
    cpu="Fast chip",
    cores=2,
    capability="AVX2",
    threads=2,
    system="Linux x86_64",
    python="3.11.7",
    torch="2.13.0",
    load=0.01,
)
ORIGIN = Origin(
    machine=MACHINE, command="python -m benchmarks step", commit="abc", date="2026-01-02"
)


def report(value: float) -> Report:
    return Report(
        title="A step",
        about="What was compared.",
        grids=(Grid(("ms", "median"), (("plain", f"{value}"),)),),
        notes=("a note",),
        data={"milliseconds": {"plain": [value]}},
    )


def test_every_line_of_a_grid_is_as_wide() -> None:
    lines = grid_lines(Grid(("a", "much wider"), (("a long name", "1"), ("b", "2"))))
    assert len({len(line) for line in lines}) == 1
    assert [line.count("|") for line in lines] == [3] * 4


def test_a_section_says_where_it_comes_from() -> None:
    text = section(report(1.5), ORIGIN)
    for said in ("## A step", "What was compared.", " 1.5 |", "a note", "2026-01-02", "2.13.0",
                 "3.11.7", "2 threads", "`python -m benchmarks step`", "abc", "0.01"):  # fmt: skip
        assert said in text


def test_a_new_section_goes_to_the_end() -> None:
    page = update_section(update_section("# Page\n", "one", "1"), "two", "2")
    assert page.index("<!-- one -->") < page.index("<!-- two -->")
    assert page.endswith("<!-- end of two -->\n")


def test_a_section_is_replaced_in_its_place_and_the_rest_is_kept() -> None:
    page = update_section(update_section("# Page\n", "one", "old"), "two", "2")
    written = page.replace("# Page", "# Page\n\nA word by hand.")
    new = update_section(written, "one", "new")
    assert new == written.replace("old", "new")
    assert update_section(new, "one", "new") == new


def test_a_section_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="never closed"):
        update_section("<!-- one -->\nlost\n", "one", "new")


def test_a_name_that_begins_another_is_another() -> None:
    page = update_section(update_section("", "step-long", "kept"), "step", "new")
    assert "kept" in page
    assert "new" in page


def test_saving_writes_a_page_and_its_numbers(tmp_path: Path) -> None:
    page = save("step", report(1.5), ORIGIN, tmp_path)
    save("other", report(3.5), ORIGIN, tmp_path)
    assert save("step", report(2.5), ORIGIN, tmp_path) == page
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "fast-chip-2-cores-avx2.json", "fast-chip-2-cores-avx2.md",
    ]  # fmt: skip
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Fast chip, 2 cores, AVX2\n")
    assert "2.5" in text
    assert "3.5" in text
    assert "1.5" not in text
    numbers = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert numbers["step"]["milliseconds"] == {"plain": [2.5]}
    assert numbers["step"]["machine"]["cpu"] == "Fast chip"
    assert numbers["other"]["milliseconds"] == {"plain": [3.5]}


def test_a_picture_is_saved_beside_the_page_and_shown_by_it(tmp_path: Path) -> None:
    page = save("step", replace(report(1.5), figure=Figure()), ORIGIN, tmp_path)
    picture = tmp_path / "fast-chip-2-cores-avx2-step.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"![A step]({picture.name})" in page.read_text(encoding="utf-8")
