"""`convlens data`, as a user meets it."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from convlens.core.names import Table
from convlens.data import catalog
from convlens.data.fetch import Download
from convlens.data.sets import mnist
from tests.cli.conftest import Convlens
from tests.idx_files import write_small_fashion_mnist
from tests.pictures import write_shapes


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and no mirror."""
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVLENS_MIRROR", raising=False)
    return tmp_path / "cache"


def test_the_data_sets_are_listed(convlens: Convlens) -> None:
    found = convlens("data", "list", "--json").json["data_sets"]
    assert list(found) == ["cifar-10", "cifar-100", "fashion-mnist", "kmnist", "mnist"]
    assert found["fashion-mnist"]["where"] == "inside the package"
    assert found["mnist"]["where"] == "to be downloaded, 11.6 MB"
    assert convlens("data", "--json").json["data_sets"] == found
    assert convlens("data").out == convlens("data", "list").out
    assert "to be downloaded, 170.1 MB" in convlens("data").out


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


def test_a_folder_of_ones_own_is_shown_with_its_notes(convlens: Convlens, tmp_path: Path) -> None:
    photos = write_shapes(tmp_path / "photos", num_each=5)
    (photos / "disc" / "0.png").write_bytes(b"damaged")
    png = tmp_path / "sheet.png"
    refused = convlens("data", "show", photos, "--png", png)
    assert refused.code == 3
    assert "disc/0.png: not a picture" in refused.err
    assert "--set data.corrupt=skip" in refused.err
    shown = convlens("data", "show", photos, "--png", png, "--set", "data.corrupt=skip")
    assert shown.code == 0
    assert "3x32x32" in shown.out
    assert "note: 1 pictures cannot be read and are left out:" in shown.err
    assert f"next: convlens train --data {photos}" in shown.out
    result = convlens(
        "data", "show", photos, "--png", png, "--json",
        "--set", "data.corrupt=skip", "--set", "data.image_size=20",
    ).json  # fmt: skip
    assert result["data_set"] == "photos"
    assert result["splits"]["train"]["shape"] == [3, 20, 20]
    assert sum(result["splits"]["train"]["classes"].values()) in (11, 12)
    assert result["files"][0]["official"] is None
    assert any("no test folder" in note for note in result["notes"])
    with Image.open(png) as sheet:
        assert sheet.width > 500


def test_images_to_validate_on_are_a_column(convlens: Convlens, tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        write_shapes(tmp_path / "photos" / part, num_each=2)
    shown = convlens("data", "show", tmp_path / "photos", "--png", tmp_path / "a.png")
    assert "validation" in shown.out


@pytest.fixture
def school(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with a small MNIST that is taken for the published one."""
    folder = tmp_path / "school" / "mnist"
    folder.mkdir(parents=True)
    write_small_fashion_mnist(folder, zipped=True)
    files = tuple(
        Download(
            name=file.name,
            urls=(f"http://127.0.0.1:9/{file.name}",),
            num_bytes=(folder / file.name).stat().st_size,
            sha256=hashlib.sha256((folder / file.name).read_bytes()).hexdigest(),
        )
        for file in mnist.MNIST_FILES
    )
    monkeypatch.setattr(mnist, "MNIST_FILES", files)
    entry = replace(catalog.DATA_SETS["mnist"], downloads=files)
    monkeypatch.setattr(catalog, "DATA_SETS", Table("data set", ("mnist", entry)))
    return tmp_path / "school"


def test_a_data_set_is_fetched_from_a_mirror_shown_and_trained(
    convlens: Convlens,
    school: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONVLENS_MIRROR", school.as_uri())
    fetched = convlens("data", "fetch", "mnist")
    assert fetched.code == 0
    assert fetched.out.splitlines() == [
        f"mnist: {cache / 'mnist'}", "next: convlens train --data mnist",
    ]  # fmt: skip
    assert fetched.err.count("downloaded ") == 4
    assert convlens("data", "fetch", "mnist").err == ""
    shown = convlens("data", "show", "mnist", "--png", tmp_path / "a.png", "--json").json
    assert all(file["official"] for file in shown["files"])
    result = convlens(
        "train", "--data", "mnist", "--epochs", "1", "--out", tmp_path / "runs", "--json"
    )
    assert result.json["status"] == "finished"


def test_without_a_connection_it_is_said_what_to_get_and_where_to_put_it(
    convlens: Convlens, school: Path, cache: Path
) -> None:
    result = convlens("data", "fetch", "mnist", "--json")
    assert result.code == 3
    assert "cannot download train-images-idx3-ubyte.gz: 127.0.0.1:9: " in result.err
    assert result.err.count("http://127.0.0.1:9/") == 4
    assert f"put them into {cache / 'mnist'}" in result.err
    assert school.exists()


def test_a_misspelt_data_set_is_not_fetched(convlens: Convlens) -> None:
    result = convlens("data", "fetch", "fashion-mnist", "mnits")
    assert result.code == 2
    assert "'mnist'" in result.err
