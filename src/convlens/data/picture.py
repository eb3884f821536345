"""Any picture file made into what a data set's network was trained on.

Every change is reported in a note, since a silent conversion is how a good network gets a
bad name: colour to grey, transparency to a background, dark-on-light to light-on-dark,
rectangles to squares, and the size.
"""

import os
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from convlens.core.errors import DataError

T = TypeVar("T")
Fit = Literal["crop", "pad", "squeeze"]  # how a rectangle becomes a square
MAX_PIXELS = 64_000_000  # more than any camera's useful picture; refuses decompression bombs


@dataclass(frozen=True, slots=True)
class Picture:
    """A converted picture, and what was done to it."""

    pixels: UInt8[Tensor, "c h w"]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture file says of itself, before it is decoded."""

    width: int
    height: int
    grey: bool  # of a kind that has no colours; a grey picture may be stored as colour


def read_picture(
    path: Path, *, channels: int, size: int, light_on_dark: bool, fit: Fit = "pad"
) -> Picture:
    """The picture at `path` with `channels` (1 grey, 3 colour), `size` x `size` pixels.

    A light border where the data set's is dark means the picture is inverted. A rectangle is
    scaled to lie in the square, on the colour of its corner (pad), or to cover the square, its
    long side cut on both ends (crop), or each side by itself (squeeze).

    Raises:
        DataError: the file is missing, too large, or not a picture.
    """
    with _quiet():
        return _read_picture(path, channels, size, light_on_dark, fit)


def read_pictures(
    paths: Sequence[Path], *, channels: int, size: int, fit: Fit
) -> Iterator[Picture | DataError]:
    """Each picture in turn, as `read_picture` gives it, or why there is none; several threads."""
    return _each(paths, lambda path: _read_picture(path, channels, size, False, fit))


def look_at(paths: Sequence[Path]) -> Iterator[Look | DataError]:
    """Size and kind of each picture in turn, or why it has none; several threads."""
    return _each(paths, _look)


def _each(paths: Sequence[Path], read: Callable[[Path], T]) -> Iterator[T | DataError]:
    def attempt(path: Path) -> T | DataError:
        try:
            return read(path)
        except DataError as error:
            return error

    # Pillow lets go of Python while it decodes, so threads gain what the cores have.
    with _quiet(), ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads:
        yield from threads.map(attempt, paths)


@contextmanager
def _quiet() -> Generator[None]:
    """Inside, no warnings, of tags that no pixel depends on; not to be entered by two threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _look(path: Path) -> Look:
    with _reasons(path), Image.open(path) as image:
        width, height = image.size
        if image.getexif().get(ExifTags.Base.Orientation, 1) in range(5, 9):  # lies on its side
            width, height = height, width
        return Look(width, height, image.mode in ("1", "L", "LA") or image.mode[0] in "IF")


def _read_picture(path: Path, channels: int, size: int, light_on_dark: bool, fit: Fit) -> Picture:
    notes: list[str] = []
    image = _to_8_bits(_open(path, notes), notes)
    image = _without_alpha(image, light_on_dark, notes)
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        notes.append("colour to grey" if mode == "L" else f"{image.mode} to colour")
        image = image.convert("RGB").convert(mode)  # Pillow knows no way from LAB to grey
    if light_on_dark and _border_level(image) > 127:
        notes.append("inverted, since its border is light and the training images are dark there")
        image = ImageOps.invert(image)
    if image.size != (size, size):
        notes.append(f"{image.width}x{image.height} to {size}x{size}")
        image = _SQUARES[fit](image, size)
    array = np.asarray(image).reshape(size, size, channels)
    return Picture(torch.from_numpy(array.copy()).permute(2, 0, 1).contiguous(), tuple(notes))


def _padded(image: Image.Image, size: int) -> Image.Image:
    """The whole picture, scaled to fit and centred on the colour of its corner."""
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    square = Image.new(image.mode, (size, size), _edge(image))
    fitted = image.resize((width, height), Image.Resampling.BILINEAR)
    square.paste(fitted, ((size - width) // 2, (size - height) // 2))
    return square


def _cropped(image: Image.Image, size: int) -> Image.Image:
    """The middle of the picture, as large a square as it holds."""
    side = min(image.size)
    left, top = ((length - side) / 2 for length in image.size)
    middle = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=middle)


def _squeezed(image: Image.Image, size: int) -> Image.Image:
    """The whole picture, each side scaled by itself."""
    return image.resize((size, size), Image.Resampling.BILINEAR)


_SQUARES: dict[Fit, Callable[[Image.Image, int], Image.Image]] = {
    "crop": _cropped,
    "pad": _padded,
    "squeeze": _squeezed,
}


def read_pixels(path: Path, *, grey: bool = False) -> Picture:
    """The picture at `path` in its own size: one channel if it is grey, or made so, else three.

    Raises:
        DataError: the file is missing, too large, or not a picture.
    """
    notes: list[str] = []
    with _quiet():
        image = _without_alpha(_to_8_bits(_open(path, notes), notes), False, notes)
    mode = "L" if grey or image.mode == "L" else "RGB"
    if image.mode != mode:
        notes.append("colour to grey" if mode == "L" else f"{image.mode} to colour")
        image = image.convert("RGB").convert(mode)
    array = np.asarray(image).reshape(image.height, image.width, -1)
    return Picture(torch.from_numpy(array.copy()).permute(2, 0, 1).contiguous(), tuple(notes))


def _open(path: Path, notes: list[str]) -> Image.Image:
    with _reasons(path), Image.open(path) as image:
        if image.width * image.height > MAX_PIXELS:
            raise DataError(f"{path}: {image.width}x{image.height} pixels are too many")
        if getattr(image, "n_frames", 1) > 1:
            notes.append("first frame of an animation")
        image.load()
        if image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9):
            notes.append("turned upright as its EXIF tag says")
        return ImageOps.exif_transpose(image)


@contextmanager
def _reasons(path: Path) -> Generator[None]:
    """Inside, whatever goes wrong with the file at `path` becomes a DataError that says what."""
    try:
        yield
    except UnidentifiedImageError:
        raise DataError(f"{path}: not a picture in a format that Pillow knows") from None
    except Image.DecompressionBombError:
        raise DataError(f"{path}: claims far more pixels than a picture has") from None
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise anything that damage leads them to
        reason = getattr(error, "strerror", None)
        damage = f"damaged picture: {str(error) or type(error).__name__}"
        raise DataError(f"{path}: {(reason or damage).lower()}") from None


def _to_8_bits(image: Image.Image, notes: list[str]) -> Image.Image:
    """1-bit pictures, and 16-bit and float greys stretched over 0..255; Pillow would clip them."""
    if image.mode == "1":
        return image.convert("L")
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image, dtype=np.float64)
    values = np.nan_to_num(values, posinf=0, neginf=0).clip(0)
    top = 65535.0 if image.mode.startswith("I") and values.max() <= 65535 else values.max()
    notes.append(f"{image.mode} levels 0..{top:g} to 0..255")
    return Image.fromarray((values / (top or 1.0) * 255).round().astype(np.uint8))


def _without_alpha(image: Image.Image, light_on_dark: bool, notes: list[str]) -> Image.Image:
    mode = "L" if image.mode in ("L", "LA") else "RGB"
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA")
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    if image.getchannel("A").getextrema() == (255, 255):  # nothing is see-through
        return image.convert(mode)
    notes.append("transparency over " + ("black" if light_on_dark else "white"))
    background = Image.new("RGBA", image.size, "black" if light_on_dark else "white")
    return Image.alpha_composite(background, image).convert(mode)


def _border_level(image: Image.Image) -> float:
    """The mean level, 0..255, of the outermost pixels."""
    levels = np.asarray(image.convert("L"), dtype=np.float64)
    inner = levels[1:-1, 1:-1]
    count = levels.size - inner.size
    return float((levels.sum() - inner.sum()) / count)


def _edge(image: Image.Image) -> int | tuple[int, ...]:
    """The colour of a corner, to fill what a rectangle lacks of a square."""
    corner = image.getpixel((0, 0))
    assert isinstance(corner, int | tuple)
    return corner
