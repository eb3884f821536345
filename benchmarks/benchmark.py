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
    only: tuple[str, ...] = ()  # names out of the benchmark's `choices`; none: all of them


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
    choices: tuple[str, ...] = ()  # what `--only` can choose from


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
Pair = tuple[str, str]  # who is slower, we think, and who is faster


def ratio_grid(
    seconds: Mapping[str, Sequence[float]],
    pairs: Sequence[Pair],
    goals: Mapping[Pair, float] | None = None,
) -> tuple[Grid, dict[str, list[float]]]:
    """How many times longer the first of each pair takes than the second; and all the ratios.

    Args:
        goals: the ratios that are aimed at, in a last column; a pair without one has it empty.
    """
    all_ratios = {f"{slow} / {fast}": ratios(seconds[slow], seconds[fast]) for slow, fast in pairs}
    wanted = [f"{goals[pair]:g}" if pair in goals else "" for pair in pairs] if goals else None
    rows = tuple(
        (name, *spread_cells(spread(found), ".2f"), *((wanted[row],) if wanted else ()))
        for row, (name, found) in enumerate(all_ratios.items())
    )
    header = ("ratio, round by round", *SPREAD_HEADER, *(("target",) if wanted else ()))
    return Grid(header, rows), all_ratios


def version_list(versions: Mapping[str, str]) -> str:
    """Packages and their versions in a line.

    >>> version_list({"d2l": "1.0.3", "torch": "2.14.1"})
    'd2l 1.0.3, torch 2.14.1'
    """
    return ", ".join(f"{package} {number}" for package, number in versions.items())


def tell_round(rounds: int, unit: str = "s") -> Callable[[int, Mapping[str, float]], None]:
    """Something for `take_turns` that prints a line per round, beside the results."""

    def tell(number: int, latest: Mapping[str, float]) -> None:
        results = ", ".join(f"{name} {value:.4g} {unit}" for name, value in latest.items())
        print(f"  round {number}/{rounds}: {results}", file=sys.stderr, flush=True)

    return tell
