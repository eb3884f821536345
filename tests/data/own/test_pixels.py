"""Pictures are decoded once, as `predict` would convert them, and again when a file changes."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convlens.core.errors import DataError
from convlens.data.own import pixels
from convlens.data.own.listing import list_folder
from convlens.data.own.pixels import Decoded, Looks, decode, looks
from convlens.data.picture import read_picture
from tests.pictures import write_shapes


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine small pictures."""
    return write_shapes(tmp_path / "photos", num_each=3)


def decoded(photos: Path, *, channels: int = 3, size: int = 16) -> Decoded:
    return decode(list_folder(photos), channels=channels, size=size, fit="crop")


def no_decoding(*_: object, **__: object) -> None:
    raise AssertionError("decoded again")


@pytest.mark.parametrize("channels", [1, 3])
def test_the_pixels_are_those_that_predict_makes(photos: Path, channels: int) -> None:
    found = decoded(photos, channels=channels)
    assert found.images.shape == (9, channels, 16, 16)
    for name, row in found.rows.items():
        picture = read_picture(
            photos / name, channels=channels, size=16, light_on_dark=False, fit="crop"
        )
        assert found.images[row].equal(picture.pixels)


def test_a_second_start_decodes_nothing(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = decoded(photos)
    monkeypatch.setattr(pixels, "read_pictures", no_decoding)
    again = decoded(photos)
    assert again.images.equal(first.images)
    assert (again.rows, again.corrupt, again.md5) == (first.rows, first.corrupt, first.md5)
    with pytest.raises(AssertionError, match="decoded again"):
        decoded(photos, size=17)


def test_what_is_kept_cannot_be_changed_through_it(photos: Path) -> None:
    first = decoded(photos)
    before = first.images.clone()
    first.images.zero_()
    assert decoded(photos).images.equal(before)


@pytest.mark.parametrize("change", ["touched", "added", "taken"])
def test_a_changed_folder_is_decoded_again(photos: Path, change: str) -> None:
    before = decoded(photos)
    if change == "touched":
        Image.new("RGB", (40, 32), "red").save(photos / "disc" / "0.png")
        os.utime(photos / "disc" / "0.png", ns=(1, 1))
    elif change == "added":
        Image.new("RGB", (40, 32), "red").save(photos / "disc" / "9.png")
    else:
        (photos / "disc" / "0.png").unlink()
    after = decoded(photos)
    assert len(after.images) == {"touched": 9, "added": 10, "taken": 8}[change]
    assert after.md5 != before.md5


@pytest.mark.parametrize("ending", [".npy", ".json"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"\x93NUMPY damaged"])
def test_a_damaged_cache_is_made_again(
    photos: Path, cache: Path, ending: str, damage: bytes
) -> None:
    before = decoded(photos).images.clone()
    (kept,) = cache.glob(f"own/photos-*/16x16x3-crop{ending}")
    kept.unlink()
    kept.write_bytes(damage)
    assert decoded(photos).images.equal(before)


def test_damaged_pictures_are_told_with_the_reason(photos: Path) -> None:
    whole = (photos / "disc" / "1.png").read_bytes()
    (photos / "disc" / "1.png").write_bytes(whole[: len(whole) // 2])
    (photos / "disc" / "2.png").write_bytes(b"no picture")
    found = decoded(photos)
    assert len(found.images) == len(found.rows) == 7
    assert found.corrupt.keys() == {"disc/1.png", "disc/2.png"}
    assert found.corrupt["disc/1.png"].startswith("damaged picture")
    assert found.corrupt["disc/2.png"] == "not a picture in a format that pillow knows".replace(
        "pillow", "Pillow"
    )


def save(folder: Path, name: str, image: Image.Image) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    image.save(folder / name)


@pytest.mark.parametrize(
    ("mode", "size", "expected"),
    [
        ("RGB", (100, 50), Looks(channels=3, image_size=50)),
        ("L", (100, 50), Looks(channels=1, image_size=50)),
        ("LA", (40, 41), Looks(channels=1, image_size=40)),
        ("I;16", (40, 41), Looks(channels=1, image_size=40)),
        ("1", (5, 5), Looks(channels=1, image_size=28)),
        ("P", (3000, 400), Looks(channels=3, image_size=64)),
    ],
)
def test_channels_and_size_follow_from_what_there_is(
    tmp_path: Path, mode: str, size: tuple[int, int], expected: Looks
) -> None:
    for label in "ab":
        save(tmp_path / "photos" / label, "1.png", Image.new(mode, size))
    assert looks(list_folder(tmp_path / "photos")) == expected


def test_one_coloured_picture_makes_all_coloured(photos: Path) -> None:
    for label in ("disc", "square"):
        for number in range(4):
            save(photos / label, f"{number}.png", Image.new("L", (30, 30)))
    assert looks(list_folder(photos)) == Looks(channels=3, image_size=30)


def test_the_looks_are_kept_until_a_file_changes(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = list_folder(photos)
    first = looks(listing)
    monkeypatch.setattr(pixels, "look_at", no_decoding)
    assert looks(listing) == first
    (photos / "disc" / "0.png").unlink()
    with pytest.raises(AssertionError, match="decoded again"):
        looks(list_folder(photos))


def test_a_folder_without_one_good_picture_is_refused(photos: Path) -> None:
    for path in photos.rglob("*.png"):
        path.write_bytes(b"damaged")
    with pytest.raises(DataError, match="not one of its files is a picture"):
        looks(list_folder(photos))


def test_the_array_on_disk_is_one_that_anybody_can_open(photos: Path, cache: Path) -> None:
    found = decoded(photos)
    (kept,) = cache.glob("own/photos-*/16x16x3-crop.npy")
    assert np.array_equal(np.load(kept, allow_pickle=False), found.images.numpy())
