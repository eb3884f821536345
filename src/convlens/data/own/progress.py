"""How far the reading of a person's own images is, told to whoever listens.

They are read where a recipe is resolved, many rooms below the command that was typed. So the
listener is not handed down through all of these; it holds inside a `with`, for the thread that
entered it. A listener reads and never steers.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from convlens.core.errors import DataError

T = TypeVar("T")
Doing = Literal["looking at", "decoding"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """So many of the pictures have been read."""

    doing: Doing  # looking at sizes and kinds, or decoding pixels
    source: Path  # the folder, or the table
    done: int  # 0 before the first one; those that cannot be read count too
    total: int
    unreadable: int  # of those done


Listener = Callable[[Reading], None]
_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener | None) -> Generator[None]:
    """Inside, `listener` is told of each picture that is read; nobody if it is None."""
    before = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(before)


def told(
    results: Iterable[T | DataError], *, doing: Doing, source: Path, total: int
) -> Iterator[T | DataError]:
    """The `results` as they come, each of them told."""
    listener, unreadable = _LISTENER.get() or _nobody, 0
    listener(Reading(doing=doing, source=source, done=0, total=total, unreadable=0))
    for done, result in enumerate(results, start=1):
        unreadable += isinstance(result, DataError)
        listener(Reading(doing=doing, source=source, done=done, total=total, unreadable=unreadable))
        yield result


def _nobody(reading: Reading) -> None:
    del reading
