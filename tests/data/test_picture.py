"""Any picture becomes what the network knows, every change is noted, and damage is refused."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convlens.core.errors import DataError
from convlens.data.picture import (
    MAX_PIXELS,
    Fit,
    Look,
    Picture,
    look_at,
    read_picture,
    read_pictures,
    read_pixels,
)

INVERTED = "inverted, since its border is light and the training images are dark there"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path to write to, again and again."""
    return tmp_path_factory.mktemp("pictures") / "picture"


def read(path: Path, *, channels: int = 1, size: int = 28, light_on_dark: bool = True) -> Picture:
    picture = read_picture(path, channels=channels, size=size, light_on_dark=light_on_dark)
    assert picture.pixels.shape == (channels, size, size)
    assert picture.pixels.is_contiguous()
    return picture


def read_saved(
    path: Path, image: Image.Image, format: str = "PNG", *, channels: int = 1, **saving: Any
) -> Picture:
    image.save(path, format, **saving)
    return read(path, channels=channels, size=image.width if image.width < 5 else 28)


def grey(*, seed: int = 0, shape: tuple[int, ...] = (28, 28)) -> Image.Image:
    """Noise, black at the border as the training images are."""
    array = np.zeros(shape, np.uint8)
    inner = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    array[1:-1, 1:-1] = inner[1:-1, 1:-1]
    return Image.fromarray(array)


def one_colour(mode: str, colour: Any, size: tuple[int, int] = (4, 4)) -> Image.Image:
    return Image.new(mode, size, colour)


@given(st.integers(0, 2**32))
def test_a_picture_like_the_training_images_is_not_changed(file: Path, seed: int) -> None:
    image = grey(seed=seed)
    picture = read_saved(file, image)
    assert picture.notes == ()
    assert np.array_equal(picture.pixels[0].numpy(), np.asarray(image))


@given(st.integers(0, 2**32))
def test_a_negative_is_the_same_picture(file: Path, seed: int) -> None:
    image = grey(seed=seed)
    picture = read_saved(file, image.point(lambda level: 255 - level))
    assert picture.notes == (INVERTED,)
    assert np.array_equal(picture.pixels[0].numpy(), np.asarray(image))


def test_a_light_border_is_left_where_the_data_sets_is_light_too(tmp_path: Path) -> None:
    one_colour("L", 200).save(tmp_path / "a.png")
    picture = read(tmp_path / "a.png", size=4, light_on_dark=False)
    assert picture.notes == ()
    assert picture.pixels.unique().tolist() == [200]


def noted(image: Image.Image, *notes: str, level: int, **options: Any) -> Any:
    """One row of the table below; the picture is of one colour before and after."""
    return pytest.param(image, notes, level, options, id=f"{image.mode}-{'-'.join(notes)}")


SEE_THROUGH = (100, 100, 100, 0)
PALETTE = one_colour("P", 1)
PALETTE.putpalette([0, 0, 0, 90, 90, 90])
WITH_TAG = {"format": "PNG", "transparency": 100}
WIDE = np.full((4, 4), 100 * 257, np.uint16)
CONVERSIONS = [
    noted(one_colour("L", 100), level=100),
    noted(one_colour("1", 0), level=0),
    noted(one_colour("1", 1), INVERTED, level=0),
    noted(one_colour("RGB", (100, 100, 100)), "colour to grey", level=100),
    noted(one_colour("RGB", (255, 0, 0)), "colour to grey", level=76),
    noted(one_colour("RGBA", (100, 100, 100, 255)), "colour to grey", level=100),
    noted(one_colour("RGBA", SEE_THROUGH), "transparency over black", "colour to grey", level=0),
    noted(one_colour("LA", (100, 255)), level=100),
    noted(one_colour("LA", (100, 51)), "transparency over black", level=20),
    noted(one_colour("L", 100), "transparency over black", level=0, transparency=100),
    noted(PALETTE, "colour to grey", level=90),
    noted(PALETTE, "transparency over black", "colour to grey", level=0, transparency=1),
    noted(one_colour("CMYK", (0, 0, 0, 155)), "colour to grey", level=100, format="TIFF"),
    noted(one_colour("LAB", (0, 128, 128)), "colour to grey", level=0, format="TIFF"),
    noted(Image.fromarray(WIDE), "I;16 levels 0..65535 to 0..255", level=100),
    noted(
        Image.fromarray(np.full((4, 4), 100_000, np.int32)),
        "I levels 0..100000 to 0..255",
        INVERTED,
        level=0,
        format="TIFF",
    ),
    noted(
        Image.fromarray(np.full((4, 4), -7, np.int32)),
        "I levels 0..65535 to 0..255",
        level=0,
        format="TIFF",
    ),
    *(
        noted(
            Image.fromarray(np.full((4, 4), level, np.float32)),
            f"F levels 0..{top} to 0..255",
            *([INVERTED] if top != "0" else []),
            level=0,
            format="TIFF",
        )
        for level, top in ((0.5, "0.5"), (-3, "0"), (np.inf, "0"), (np.nan, "0"))
    ),
]


@pytest.mark.parametrize(("image", "notes", "level", "options"), CONVERSIONS)
def test_every_kind_of_picture_becomes_grey_and_says_how(
    tmp_path: Path, image: Image.Image, notes: tuple[str, ...], level: int, options: dict[str, Any]
) -> None:
    picture = read_saved(tmp_path / "picture", image, **options)
    assert picture.notes == notes
    assert picture.pixels.unique().tolist() == [level]


def test_grey_becomes_colour_by_three_equal_channels(tmp_path: Path) -> None:
    picture = read_saved(tmp_path / "a", grey(), channels=3)
    assert picture.notes == ("L to colour",)
    for channel in picture.pixels:
        assert np.array_equal(channel.numpy(), np.asarray(grey()))


def test_colour_stays_colour(tmp_path: Path) -> None:
    picture = read_saved(tmp_path / "a", one_colour("RGB", (10, 20, 30)), channels=3)
    assert picture.notes == ()
    assert picture.pixels[:, 0, 0].tolist() == [10, 20, 30]


def test_transparency_shows_white_where_the_data_sets_background_is(tmp_path: Path) -> None:
    one_colour("RGBA", SEE_THROUGH).save(tmp_path / "a.png")
    picture = read(tmp_path / "a.png", size=4, light_on_dark=False)
    assert picture.notes == ("transparency over white", "colour to grey")
    assert picture.pixels.unique().tolist() == [255]


@pytest.mark.parametrize("width_and_height", [(1, 1), (1, 3_000), (3_000, 1), (60, 20), (5, 5)])
def test_any_shape_becomes_a_square(tmp_path: Path, width_and_height: tuple[int, int]) -> None:
    width, height = width_and_height
    one_colour("L", 9, width_and_height).save(tmp_path / "a.png")
    picture = read(tmp_path / "a.png")
    assert picture.notes == (f"{width}x{height} to 28x28",)
    assert picture.pixels.unique().tolist() == [9]  # the rest is filled with the corner's colour


def test_a_rectangle_keeps_its_proportions(tmp_path: Path) -> None:
    array = np.zeros((28, 56), np.uint8)
    array[7:21, 21:35] = 200
    Image.fromarray(array).save(tmp_path / "a.png")
    bright = np.argwhere(read(tmp_path / "a.png").pixels[0].numpy() > 100)
    height, width = bright.max(0) - bright.min(0) + 1
    assert height == width == pytest.approx(7, abs=1)  # half of 14


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(1, False), (2, True), (3, True), (4, True), (5, True), (6, True), (7, True), (8, True)],
)
def test_a_photograph_is_turned_as_its_exif_tag_says(
    tmp_path: Path, orientation: int, turned: bool
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = grey()
    picture = read_saved(tmp_path / "a", image, exif=exif)
    assert picture.notes == (("turned upright as its EXIF tag says",) if turned else ())
    assert np.array_equal(picture.pixels[0].numpy(), np.asarray(image)) != turned


def test_a_quarter_turn_to_the_left_is_turned_back(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned; the picture must be turned 90 degrees clockwise
    turned = grey().transpose(Image.Transpose.ROTATE_90)
    picture = read_saved(tmp_path / "a", turned, exif=exif)
    assert np.array_equal(picture.pixels[0].numpy(), np.asarray(grey()))


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(tmp_path: Path, format: str) -> None:
    frames = [one_colour("L", level, (28, 28)) for level in (0, 90, 120)]
    picture = read_saved(
        tmp_path / "a", frames[0], format, save_all=True, append_images=frames[1:], lossless=True
    )
    assert picture.notes[0] == "first frame of an animation"
    assert picture.pixels.unique().tolist() == [0]


def test_what_is_not_a_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.png"
    for data in (b"", b"not a picture", bytes(1_000)):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"text\.png: not a picture in a format that Pillow"):
            read(path)
    with pytest.raises(DataError, match=r"missing\.png: no such file"):
        read(tmp_path / "missing.png")
    with pytest.raises(DataError, match="is a directory"):
        read(tmp_path)


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    ihdr = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", zlib.compress(b"\0"))


@pytest.mark.parametrize("side", [8_001, 10_000, 60_000])
def test_a_picture_with_too_many_pixels_is_refused_before_it_is_unpacked(
    tmp_path: Path, side: int
) -> None:
    assert side**2 > MAX_PIXELS
    (tmp_path / "a.png").write_bytes(png_that_claims(side, side))
    with pytest.raises(DataError, match=r"a\.png: .* pixels"):
        read(tmp_path / "a.png")


def encoded(format: str, **saving: Any) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, format, **saving)
    return stream.getvalue()


FORMATS: dict[str, Callable[[], bytes]] = {
    "png": lambda: encoded("PNG"),
    "jpeg": lambda: encoded("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
    "gif": lambda: encoded("GIF", save_all=True, append_images=[one_colour("L", 5, (9, 12))]),
    "bmp": lambda: encoded("BMP"),
    "tiff": lambda: encoded("TIFF", compression="tiff_deflate"),
    "webp": lambda: encoded("WEBP"),
    "ppm": lambda: encoded("PPM"),
}


@pytest.mark.parametrize("format", FORMATS)
def test_a_truncated_picture_is_refused_wherever_it_is_cut(file: Path, format: str) -> None:
    data = FORMATS[format]()
    file.write_bytes(data)
    assert read(file, channels=3).notes[-1] == "9x12 to 28x28"
    refused = 0
    for cut in range(0, len(data), 3):
        file.write_bytes(data[:cut])
        try:
            read(file)
        except DataError as error:
            assert str(file) in error.what
            refused += 1
    # Some formats end in bytes that no pixel depends on.
    assert refused >= 0.6 * len(range(0, len(data), 3))


@given(st.sampled_from(sorted(FORMATS)), st.data())
def test_a_damaged_picture_is_read_or_refused_and_nothing_else(
    file: Path, format: str, data: st.DataObject
) -> None:
    damaged = bytearray(FORMATS[format]())
    for _ in range(data.draw(st.integers(1, 3), label="damages")):
        place = data.draw(st.integers(0, min(len(damaged), 120) - 1), label="place")
        damaged[place] = data.draw(st.integers(0, 255), label="byte")
    file.write_bytes(damaged)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            read(file)
        except DataError as error:
            assert str(file) in error.what


def test_pixels_are_read_in_the_pictures_own_size(file: Path) -> None:
    image = Image.new("RGB", (5, 3), (255, 0, 0))
    image.save(file, "PNG")
    colour = read_pixels(file)
    assert colour.pixels.shape == (3, 3, 5)
    assert colour.pixels[:, 0, 0].tolist() == [255, 0, 0]
    assert colour.notes == ()
    grey = read_pixels(file, grey=True)
    assert grey.pixels.shape == (1, 3, 5)
    assert grey.pixels.unique().tolist() == [76]  # Pillow's weight of red, 0.299
    assert grey.notes == ("colour to grey",)


def stripes(width: int, height: int) -> Image.Image:
    """Black, white and black from left to right, each a third."""
    array = np.zeros((height, width), np.uint8)
    array[:, width // 3 : 2 * width // 3] = 255
    return Image.fromarray(array)


@pytest.mark.parametrize(
    ("fit", "white"),
    [("crop", 1.0), ("squeeze", 1 / 3), ("pad", 1 / 9)],  # of a picture of three squares
)
def test_a_rectangle_is_cropped_squeezed_or_padded(file: Path, fit: Fit, white: float) -> None:
    stripes(90, 30).save(file, "PNG")
    picture = read_picture(file, channels=1, size=30, light_on_dark=False, fit=fit)
    assert (picture.pixels.float() / 255).mean().item() == pytest.approx(white, abs=0.02)


def test_a_crop_is_of_the_middle_and_of_all_that_is_there(file: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (30, 41), dtype=np.uint8)
    Image.fromarray(array).save(file, "PNG")
    picture = read_picture(file, channels=1, size=31, light_on_dark=False, fit="crop")
    whole = read_picture(file, channels=1, size=30, light_on_dark=False, fit="crop")
    assert picture.pixels.shape == (1, 31, 31)
    middle = (array[:, 5:35].astype(float) + array[:, 6:36]) / 2  # between two pixels
    assert np.abs(whole.pixels[0].numpy() - middle).max() <= 1


def test_many_pictures_come_in_order_with_what_is_wrong_in_its_place(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(20)]
    for number, path in enumerate(paths):
        Image.new("L", (8 + number, 8), number).save(path)
    paths[3].write_bytes(b"damaged")
    paths[7].unlink()
    pictures = list(read_pictures(paths, channels=1, size=8, fit="crop"))
    looks = list(look_at(paths))
    for number, (picture, look) in enumerate(zip(pictures, looks, strict=True)):
        if number in (3, 7):
            assert isinstance(picture, DataError) and isinstance(look, DataError)
            assert str(paths[number]) in picture.what
        else:
            assert isinstance(picture, Picture)
            assert picture.pixels.unique().tolist() == [number]
            assert look == Look(8 + number, 8, grey=True)


def test_warnings_of_many_pictures_are_quiet_and_the_filters_as_before(tmp_path: Path) -> None:
    before = list(warnings.filters)
    path = tmp_path / "a.gif"
    Image.new("RGB", (8, 8)).save(path)
    list(read_pictures([path] * 50, channels=3, size=4, fit="crop"))
    assert warnings.filters == before


def test_a_picture_on_its_side_is_looked_at_upright(file: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(file, "PNG", exif=exif)
    assert list(look_at([file])) == [Look(20, 30, grey=False)]
