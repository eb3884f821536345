"""The two checkpoints of a run: the newer one, and the one before it.

They take turns, so while one is being written the other lies untouched. Both are read to go on:
the newer of those that are whole counts, and damage is told of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from torch import Tensor

from convlens.core.errors import RunError
from convlens.runs.seal import read_sealed, write_sealed

VERSION = 1
NAMES = ("checkpoint-a.safetensors", "checkpoint-b.safetensors")


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """What a checkpoint holds."""

    name: str  # of the file
    tensors: dict[str, Tensor]  # on the CPU
    note: dict[str, Any]


@final
class CheckpointPair:
    """The checkpoints in a run folder, of which this process alone writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damage: list[str] = []  # what `newest` could not read, and why
        self._number = 0  # of the newest, counted from 1
        self._next = NAMES[0]

    def newest(self) -> Saved | None:
        """The newest checkpoint that is whole; None if none was ever written.

        Raises:
            RunError: there are only damaged ones, or those of another version.
        """
        found = [saved for saved in map(self._read, NAMES) if saved is not None]
        if not found:
            if self.damage:
                raise RunError("\n".join(self.damage))
            return None
        newest = max(found, key=lambda saved: saved.note["number"])
        self._number = newest.note["number"]
        self._next = NAMES[1 - NAMES.index(newest.name)]
        return newest

    def write(self, tensors: Mapping[str, Tensor], note: Mapping[str, Any]) -> None:
        """Write over the older one; the newer one stays until this one is whole.

        Raises:
            OSError: it cannot be written; the newer one is as it was.
        """
        number = self._number + 1
        about = {"version": VERSION, "number": number, **note}
        write_sealed(self.folder / self._next, tensors, about)
        self._number, self._next = number, NAMES[1 - NAMES.index(self._next)]

    def remove(self) -> None:
        """Delete both: the training is over."""
        for name in NAMES:
            (self.folder / name).unlink(missing_ok=True)

    def _read(self, name: str) -> Saved | None:
        try:
            tensors, note = read_sealed(self.folder / name)
        except FileNotFoundError:
            return None
        except RunError as error:
            self.damage.append(error.what)
            return None
        if note.get("version") != VERSION:
            self.damage.append(f"{self.folder / name}: written by another version of ConvLens")
            return None
        return Saved(name=name, tensors=tensors, note=note)
