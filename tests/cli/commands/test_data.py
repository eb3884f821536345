"""`convlens data`, as a user meets it."""

from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Convlens


def test_the_data_sets_are_listed(convlens: Convlens) -> None:
    assert "fashion-mnist" in convlens("data", "--json").json["data_sets"]
    assert "fashion-mnist" in convlens("data").out


def test_the_packaged_data_set_is_shown_in_full(convlens: Convlens, tmp_path: Path) -> None:
    png = tmp_path / "sheet.png"
    result = convlens("data", "show", "fashion-mnist", "--png", png, "--json")
    train, test = result.json["splits"]["train"], result.json["splits"]["test"]
    assert (train["num_images"], test["num_images"]) == (60_000, 10_000)
    assert train["shape"] == [1, 28, 28]
    assert train["mean"] == [pytest.approx(0.2860, abs=5e-5)]
    assert train["std"] == [pytest.approx(0.3530, abs=5e-5)]
    assert set(train["classes"].values()) == {6_000}
    assert all(file["official"] for file in result.json["files"])
    with Image.open(png) as sheet:
        assert sheet.width > 500


def test_a_folder_of_other_files_is_shown_as_differing(
    convlens: Convlens, small_folder: Path, tmp_path: Path
) -> None:
    png = tmp_path / "sheet.png"
    result = convlens("data", "show", "--folder", small_folder, "--png", png)
    assert result.code == 0
    assert result.out.count("differs") == 4
    assert f"sheet of images: {png}" in result.out


def test_a_sheet_of_no_known_format_is_refused(
    convlens: Convlens, small_folder: Path, tmp_path: Path
) -> None:
    result = convlens("data", "show", "--folder", small_folder, "--png", tmp_path / "sheet.doc")
    assert result.code == 2
    assert ".png" in result.err


def test_an_unknown_data_set_gives_the_nearest(convlens: Convlens) -> None:
    result = convlens("data", "show", "fashion-mnst")
    assert result.code == 2
    assert "'fashion-mnist'" in result.err


def test_a_sheet_of_augmented_images_is_another_and_repeats(
    convlens: Convlens, small_folder: Path, tmp_path: Path
) -> None:
    sheets: list[bytes] = []
    settings = ("--augment", "flip=alternating", "--augment", "translate=2")
    for number, more in enumerate([(), settings, settings, (*settings, "--seed", "1")]):
        png = tmp_path / f"{number}.png"
        result = convlens("data", "show", "--folder", small_folder, "--png", png, *more)
        assert result.code == 0
        sheets.append(png.read_bytes())
    assert sheets[1] == sheets[2]
    assert len(set(sheets)) == 3


@pytest.mark.parametrize(
    ("setting", "told"),
    [("flp=random", "augment.flp: unknown setting"), ("flip", "not a setting")],
)
def test_a_wrong_setting_of_the_augmentation_is_told(
    convlens: Convlens, small_folder: Path, tmp_path: Path, setting: str, told: str
) -> None:
    where = ("--folder", small_folder, "--png", tmp_path / "sheet.png")
    result = convlens("data", "show", *where, "--augment", setting)
    assert result.code == 2
    assert told in result.err
