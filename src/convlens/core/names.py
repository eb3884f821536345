"""Tables of named things, and the nearest name to a misspelt one.

Every choice by name (model, data set, recipe, layer initialiser) is one literal `Table`,
so there is one way to list, to look up and to fail.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import TypeVar

from convlens.core.errors import UnknownName

T = TypeVar("T")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, whatever its capitals, or None if none is near.

    >>> nearest("epoch", ["epochs", "lr"])
    'epochs'
    """
    by_lower = {some.lower(): some for some in known}
    matches = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """A question with the nearest name, else the list of what there is."""
    known = sorted(known, key=natural_key)
    near = nearest(name, known)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"there is: {', '.join(known)}" if known else "there is none yet"


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """A sorting key that counts: vgg2 before vgg11.

    >>> sorted(["vgg11", "vgg2"], key=natural_key)
    ['vgg2', 'vgg11']
    """
    parts = re.findall(r"\d+|\D+", name)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


class Table(Mapping[str, T]):
    """Things by name, in natural order or as given; an unknown or a doubled name is an error.

    >>> Table("colour", ("red", 1), ("green", 2))["gren"]
    Traceback (most recent call last):
    convlens.core.errors.UnknownName: no colour 'gren'; did you mean 'green'?
    """

    def __init__(self, kind: str, *rows: tuple[str, T], as_given: bool = False) -> None:
        self.kind = kind
        self._rows = dict(rows if as_given else sorted(rows, key=lambda row: natural_key(row[0])))
        assert len(self._rows) == len(rows), f"a name stands twice in the table of {kind}s"

    def __getitem__(self, name: str) -> T:
        try:
            return self._rows[name]
        except KeyError:
            message = f"no {self.kind} {name!r}; {suggestion(name, self._rows)}"
            raise UnknownName(message) from None

    def __contains__(self, name: object) -> bool:
        return name in self._rows  # Mapping would look up and wait for a KeyError

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
