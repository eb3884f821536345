"""What a folder of a person's own images holds: files, classes, and parts.

    photos/cat/1.jpg                   one folder per class, in any depth below it
    photos/train/cat/1.jpg             or those in train/, beside test/ or val/ or both
    photos/test/cat/2.jpg

A folder is read as parts only if it holds nothing but parts, so a class may be called train.
val/ without test/ is what is tested on. Hidden files and folders are left out, and files that
by their ending are no pictures.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from PIL import Image

from convlens.core.errors import DataError
from convlens.core.names import natural_key, suggestion

Part = Literal["train", "validation", "test"]
PARTS: dict[str, Part] = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
_ONE_FOLDER_PER_CLASS = "make one folder per class, with its pictures inside: photos/cat/1.jpg"


@dataclass(frozen=True, slots=True)
class Item:
    """One picture file."""

    name: str  # its path below the root, with slashes
    label: str
    part: Part | None  # None: not said
    num_bytes: int
    mtime_ns: int  # when it was last changed


@dataclass(frozen=True, slots=True)
class Listing:
    """The picture files below a root, by name."""

    source: Path  # the folder, or the table
    root: Path  # what the names are below
    items: tuple[Item, ...]
    class_names: tuple[str, ...]
    notes: tuple[str, ...]

    def paths(self) -> list[Path]:
        """Where the files are, in order."""
        return [self.root / item.name for item in self.items]


def list_folder(root: Path) -> Listing:
    """The pictures below `root`.

    Raises:
        DataError: no such folder, or it cannot be learned from; says which rule is broken.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    parts = _parts(root)
    items: list[Item] = []
    skipped: list[str] = []
    for folder, part in parts.items():
        for name in _class_folders(folder):
            found = [
                item_of(path, _below(root, path), name, part)
                for path in _pictures(folder / name, skipped)
            ]
            if not found:
                raise DataError(
                    f"{folder / name}: no pictures in this class",
                    fix="put pictures in, or take the folder away",
                )
            items += found
    loose = sum(is_picture(path.name) for folder in parts for path in folder.iterdir())
    notes = _notes(loose, skipped)
    return finished(root, root, items, notes)


def finished(source: Path, root: Path, items: list[Item], notes: tuple[str, ...]) -> Listing:
    """The listing of these items, if its classes can be learned.

    Parts without a test are made to have one: val is, or if all are train, it is not said yet.

    Raises:
        DataError: fewer than two classes, names too like each other, or classes to test on that
            are not there to learn.
    """
    trained = sorted(
        {item.label for item in items if item.part in (None, "train")}, key=natural_key
    )
    if len(trained) < 2:
        raise DataError(
            f"{source}: {f'one class only, {trained[0]!r}' if trained else 'nothing to train on'}; "
            "to tell classes apart, there must be two",
            fix=_ONE_FOLDER_PER_CLASS,
        )
    alike = Counter(_folded(name) for name in trained)
    for name in trained:
        if alike[_folded(name)] > 1:
            same = ", ".join(repr(other) for other in trained if _folded(other) == _folded(name))
            raise DataError(f"{source}: class names that look the same: {same}", fix="rename one")
    for item in items:
        if item.label not in trained:
            raise DataError(
                f"{source}: {item.name} is of class {item.label!r}, which has no pictures to "
                f"train on; {suggestion(item.label, trained)}"
            )
    ordered = sorted(_tested(items), key=lambda item: natural_key(item.name))
    return Listing(source, root, tuple(ordered), tuple(trained), notes)


def _tested(items: list[Item]) -> list[Item]:
    said = {item.part for item in items}
    if "test" in said:
        return items
    others: Part | None = "train" if "validation" in said else None
    return [replace(item, part="test" if item.part == "validation" else others) for item in items]


def is_picture(name: str) -> bool:
    """A file of this name is a picture that Pillow can read, by its ending, and not hidden.

    >>> is_picture("a.JPG"), is_picture(".a.jpg"), is_picture("a.txt")
    (True, False, False)
    """
    stem, dot, ending = name.rpartition(".")
    return stem != "" and not name.startswith(".") and dot + ending.lower() in _endings()


@cache
def _endings() -> frozenset[str]:
    kinds = Image.registered_extensions()
    return frozenset(ending for ending, kind in kinds.items() if kind in Image.OPEN)


def _parts(root: Path) -> Mapping[Path, Part | None]:
    names = _folders(root)
    found: dict[str, Part] = {name: PARTS[name.lower()] for name in names if name.lower() in PARTS}
    if len(found) < len(names) or not found:
        return {root: None}
    for part, count in Counter(found.values()).items():
        if count > 1:
            same = ", ".join(name for name in names if found[name] == part)
            raise DataError(f"{root}: {same} mean the same", fix="keep one of them")
    if "train" not in found.values():
        raise DataError(f"{root}: has {', '.join(found)} but no train", fix="add a folder train")
    return {root / name: part for name, part in found.items()}


def _class_folders(folder: Path) -> list[str]:
    names = _folders(folder)
    if not names:
        count = sum(is_picture(path.name) for path in folder.iterdir())
        raise DataError(
            f"{folder}: no folders of classes in it, but {count:,} pictures",
            fix=f"{_ONE_FOLDER_PER_CLASS}, or name a .csv of path,label",
        )
    return names


def _folders(folder: Path) -> list[str]:
    names = [
        path.name
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith((".", "__"))  # __MACOSX, __pycache__
    ]
    return sorted(names, key=natural_key)


def _pictures(folder: Path, skipped: list[str]) -> Iterator[str]:
    """The paths of the pictures in any depth; as text, since there may be many."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(files):
            path = f"{place}{os.sep}{name}"
            if is_picture(name):
                yield path
            elif not name.startswith("."):
                skipped.append(path)


def _below(root: Path, path: str) -> str:
    return path.removeprefix(str(root)).replace(os.sep, "/").lstrip("/")


def item_of(path: str, name: str, label: str, part: Part | None) -> Item:
    """The item of the file at `path`; one that cannot be looked at is found out when it is read."""
    try:
        state = Path(path).stat()
    except OSError:
        return Item(name, label, part, num_bytes=-1, mtime_ns=0)
    return Item(name, label, part, state.st_size, state.st_mtime_ns)


def _notes(loose: int, skipped: list[str]) -> tuple[str, ...]:
    notes: list[str] = []
    if loose:
        notes.append(f"{loose:,} pictures lie beside the folders of classes and are of no class")
    if skipped:
        notes.append(f"{len(skipped):,} files are no pictures by their ending: {skipped[0]}")
    return tuple(notes)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()
