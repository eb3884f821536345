"""Any picture file made into what a data set's network was trained on.

Every change is reported in a note, since a silent conversion is how a good network gets a
bad name: colour to grey, transparency to a background, dark-on-light to light-on-dark,
rectangles to squares, and the size.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from convlens.core.errors import DataError

MAX_PIXELS = 64_000_000  # more than any camera's useful picture; refuses decompression bombs


@dataclass(frozen=True, slots=True)
class Picture:
    """A converted picture, and what was done to it."""

    pixels: UInt8[Tensor, "c h w"]
    notes: tuple[str, ...]


def read_picture(path: Path, *, channels: int, size: int, light_on_dark: bool) -> Picture:
    """The picture at `path` with `channels` (1 grey, 3 colour), `size` x `size` pixels.

    A light border where the data set's is dark means the picture is inverted.

    Raises:
        DataError: the file is missing, too large, or not a picture.
    """
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
        image = _square(image, size)
    array = np.asarray(image).reshape(size, size, channels)
    return Picture(torch.from_numpy(array.copy()).permute(2, 0, 1).contiguous(), tuple(notes))


def _square(image: Image.Image, size: int) -> Image.Image:
    """The whole picture, scaled to fit and centred on the colour of its corner."""
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    square = Image.new(image.mode, (size, size), _edge(image))
    fitted = image.resize((width, height), Image.Resampling.BILINEAR)
    square.paste(fitted, ((size - width) // 2, (size - height) // 2))
    return square


def read_pixels(path: Path, *, grey: bool = False) -> Picture:
    """The picture at `path` in its own size: one channel if it is grey, or made so, else three.

    Raises:
        DataError: the file is missing, too large, or not a picture.
    """
    notes: list[str] = []
    image = _without_alpha(_to_8_bits(_open(path, notes), notes), False, notes)
    mode = "L" if grey or image.mode == "L" else "RGB"
    if image.mode != mode:
        notes.append("colour to grey" if mode == "L" else f"{image.mode} to colour")
        image = image.convert("RGB").convert(mode)
    array = np.asarray(image).reshape(image.height, image.width, -1)
    return Picture(torch.from_numpy(array.copy()).permute(2, 0, 1).contiguous(), tuple(notes))


def _open(path: Path, notes: list[str]) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags that no pixel depends on
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise DataError(f"{path}: {image.width}x{image.height} pixels are too many")
                if getattr(image, "n_frames", 1) > 1:
                    notes.append("first frame of an animation")
                image.load()
                if image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9):
                    notes.append("turned upright as its EXIF tag says")
                return ImageOps.exif_transpose(image)
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
