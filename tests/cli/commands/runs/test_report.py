"""`convlens report`, as a user meets it."""

import shutil
from pathlib import Path

from tests.cli.conftest import Convlens
from tests.report.test_page import read


def test_a_trained_run_is_reported_whole(convlens: Convlens, trained: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    found = convlens("report", trained, "-o", page, "--json").json
    assert found == {"page": str(page), "runs": [str(trained)], "missing": []}
    reader = read(page.read_text(encoding="utf-8"))
    assert "Run lenet-modern-1" in reader.texts
    assert reader.tags.count("img") in {2, 3}  # without a sheet if no image was mistaken


def test_what_is_missing_is_said(convlens: Convlens, trained: Path, tmp_path: Path) -> None:
    copy = tmp_path / "lenet-modern-1"
    shutil.copytree(trained, copy)
    for name in ("predictions.npz", "summary.json"):
        (copy / name).unlink()
    result = convlens("report", copy, "-o", tmp_path / "report.html")
    assert result.code == 0
    assert "missing: lenet-modern-1: there are no predictions" in result.err
    assert f"page: {tmp_path / 'report.html'}" in result.out


def test_a_page_that_cannot_be_written_is_an_error(convlens: Convlens, trained: Path) -> None:
    result = convlens("report", trained, "-o", trained / "recipe.toml" / "report.html")
    assert result.code == 2
    assert "recipe.toml" in result.err
