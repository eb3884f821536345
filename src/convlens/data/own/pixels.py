"""A person's images, decoded once and kept: bytes in memory-mapped files of the cache.

    own/<name>-<hash of its path>/looks.json         sizes and kinds, for the settings' defaults
    own/<name>-<hash of its path>/64x64x3-crop.npy   the pixels, one picture a row
    own/<name>-<hash of its path>/64x64x3-crop.json  of which files: names, sizes, times

What is kept counts as long as the names, sizes and times of the files are the same.
"""

import hashlib
import json
import os
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import __version__ as pillow

from convlens.core.errors import DataError
from convlens.core.shapes import Pixels
from convlens.data.cache import cache_folder, keep, locked, made
from convlens.data.own.listing import Listing
from convlens.data.own.progress import told
from convlens.data.picture import Fit, Look, look_at, read_pictures

VERSION = 1  # of what is kept; another version is made anew
SMALLEST, LARGEST = 28, 64  # pixels: what LeNet needs, and what a CPU trains in minutes


@dataclass(frozen=True, slots=True)
class Looks:
    """What the pictures have in common."""

    channels: int  # 1 if all are grey, else 3
    image_size: int  # the median of their shorter sides, at least 28 and at most 64


@dataclass(frozen=True, slots=True)
class Decoded:
    """The pixels of a listing's pictures, and which could not be read."""

    images: Pixels
    rows: dict[str, int]  # by name
    corrupt: dict[str, str]  # why, by name
    md5: str  # of all pixels, in order


def looks(listing: Listing) -> Looks:
    """Channels and size that suit the pictures.

    Raises:
        DataError: none of them can be read, or the cache cannot be written.
    """
    folder = _folder(listing.source)
    key = _key(listing)
    kept = _read_json(folder / "looks.json")
    if kept is None or kept["key"] != key:
        paths = listing.paths()
        looked = told(look_at(paths), doing="looking at", source=listing.source, total=len(paths))
        found = [look for look in looked if isinstance(look, Look)]
        if not found:
            raise DataError(f"{listing.source}: not one of its files is a picture that can be read")
        side = int(statistics.median(min(look.width, look.height) for look in found))
        suitable = Looks(
            channels=1 if all(look.grey for look in found) else 3,
            image_size=min(max(side, SMALLEST), LARGEST),
        )
        _write_json(made(folder) / "looks.json", {"key": key, **asdict(suitable)})
        return suitable
    return Looks(kept["channels"], kept["image_size"])


def decode(listing: Listing, *, channels: int, size: int, fit: Fit) -> Decoded:
    """The pictures as `size` x `size` pixels, from the cache if they are there.

    Raises:
        DataError: the cache cannot be written.
    """
    stem = made(_folder(listing.source)) / f"{size}x{size}x{channels}-{fit}"
    key = _key(listing)
    with locked(stem.parent):
        decoded = _kept(stem, key)
        if decoded is None:
            _make(stem, key, listing, channels, size, fit)
            decoded = _kept(stem, key)
    assert decoded is not None, f"{stem} was written and cannot be read"
    return decoded


def _make(
    stem: Path,
    key: dict[str, Any],
    listing: Listing,
    channels: int,
    size: int,
    fit: Fit,
) -> None:
    names: list[str] = []
    corrupt: dict[str, str] = {}
    pixels = np.empty((len(listing.items), channels, size, size), np.uint8)
    paths = listing.paths()
    pictures = told(
        read_pictures(paths, channels=channels, size=size, fit=fit),
        doing="decoding",
        source=listing.source,
        total=len(paths),
    )
    for item, picture in zip(listing.items, pictures, strict=True):
        if isinstance(picture, DataError):
            corrupt[item.name] = picture.what.removeprefix(f"{listing.root / item.name}: ")
        else:
            pixels[len(names)] = picture.pixels.numpy()
            names.append(item.name)
    pixels = pixels[: len(names)]

    def write(stream: BinaryIO) -> None:
        np.save(stream, pixels, allow_pickle=False)

    keep(stem.with_suffix(".npy"), write)
    md5 = hashlib.md5(pixels.data, usedforsecurity=False).hexdigest()
    _write_json(
        stem.with_suffix(".json"), {"key": key, "rows": names, "corrupt": corrupt, "md5": md5}
    )


def _kept(stem: Path, key: dict[str, Any]) -> Decoded | None:
    about = _read_json(stem.with_suffix(".json"))
    if about is None or about["key"] != key:
        return None
    try:
        # "c": pages that are written to are copied, so that nobody can change the file.
        pixels = np.load(stem.with_suffix(".npy"), mmap_mode="c", allow_pickle=False)
    except (OSError, EOFError, ValueError):
        return None
    if len(pixels) != len(about["rows"]):
        return None
    rows = {name: row for row, name in enumerate(about["rows"])}
    return Decoded(torch.from_numpy(pixels), rows, about["corrupt"], about["md5"])


def _key(listing: Listing) -> dict[str, Any]:
    """What decides the pixels, apart from size, channels and fit."""
    files = [[item.name, item.num_bytes, item.mtime_ns] for item in listing.items]
    return {"version": VERSION, "pillow": pillow, "files": sorted(files)}


def _folder(source: Path) -> Path:
    mark = hashlib.sha256(os.fsencode(source.absolute())).hexdigest()[:12]
    return cache_folder("own", f"{source.name[:40]}-{mark}")


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and "key" in content else None


def _write_json(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=True)
    keep(path, lambda stream: stream.write(text.encode()))
