"""`convlens lr-find`, as a user meets it."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tests.cli.conftest import Convlens


def test_it_suggests_a_rate_and_draws_the_sweep(
    convlens: Convlens, small_folder: Path, tmp_path: Path
) -> None:
    png = tmp_path / "sweep.png"
    where = ("--set", f"data.folder={small_folder}", "--set", "data.validation=test")
    options: Sequence[str | Path] = ("--steps", "12", "--low", "1e-4", "--png", png, *where)
    result = convlens("lr-find", "lenet-modern", *options, "--json")
    assert result.code == 0
    assert result.json["suggestion"] == float(f"{result.json['lowest'] / 10:.1e}")
    assert len(result.json["rates"]) == len(result.json["losses"]) <= 12
    with Image.open(png) as picture:
        assert picture.width > 500
    table = convlens("lr-find", "lenet-modern", *options)
    assert f"--lr {result.json['suggestion']:g}" in table.out
    assert "a tenth of that" in table.out


def test_rates_that_do_not_rise_are_refused(convlens: Convlens, small_folder: Path) -> None:
    where = ("--set", f"data.folder={small_folder}", "--set", "data.validation=test")
    result = convlens("lr-find", "lenet-modern", "--low", "1", "--high", "0.1", *where)
    assert result.code == 2
    assert "must rise" in result.err
