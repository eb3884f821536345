"""What a benchmark is given, and what it hands back: `run(options) -> Report`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.measure import Spread, ratios, spread


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line decides."""

    rounds: int  # turns of each contestant
    peers: Path | None = None  # an interpreter that has the peers; default: one of our own


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of words."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What was compared, and what came out."""

    title: str
    about: str  # what each contestant does, in full sentences
    grids: tuple[Grid, ...]
    notes: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])  # all measurements, for JSON
    figure: Figure | None = None  # saved beside the page


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """A line of the table of benchmarks."""

    run: Callable[[Options], Report]
    rounds: int  # unless the command line says otherwise
    about: str


def spread_cells(found: Spread, number: str) -> tuple[str, str, str, str]:
    """Median, quartiles, extremes and n, each number in the format `number`.

    >>> spread_cells(spread([1.0, 2.0, 3.0]), ".1f")
    ('2.0', '1.5 to 2.5', '1.0 to 3.0', '3')
    """
    return (
        f"{found.median:{number}}",
        f"{found.q1:{number}} to {found.q3:{number}}",
        f"{found.low:{number}} to {found.high:{number}}",
        str(found.n),
    )


SPREAD_HEADER = ("median", "quartiles", "min to max", "n")


def ratio_grid(
    seconds: Mapping[str, Sequence[float]], pairs: Sequence[tuple[str, str]]
) -> tuple[Grid, dict[str, list[float]]]:
    """How many times longer the first of each pair takes than the second; and all the ratios."""
    all_ratios = {f"{slow} / {fast}": ratios(seconds[slow], seconds[fast]) for slow, fast in pairs}
    rows = tuple((name, *spread_cells(spread(r), ".2f")) for name, r in all_ratios.items())
    return Grid(("ratio, round by round", *SPREAD_HEADER), rows), all_ratios


def tell_round(rounds: int, unit: str = "s") -> Callable[[int, Mapping[str, float]], None]:
    """Something for `take_turns` that prints a line per round, beside the results."""

    def tell(number: int, latest: Mapping[str, float]) -> None:
        results = ", ".join(f"{name} {value:.4g} {unit}" for name, value in latest.items())
        print(f"  round {number}/{rounds}: {results}", file=sys.stderr, flush=True)

    return tell
