"""Every implementation of a correlation on five geometries, beside torch's own and SciPy's.

The implementations are those of `ops/catalog.py`, all of them: one that is added there is
measured here, or listed with the reason that it gives.
"""

import importlib
import sys
import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor

from benchmarks.benchmark import SPREAD_HEADER, Grid, Options, Report
from benchmarks.measure import ratios, spread, take_turns
from benchmarks.operations_figure import FORWARD, PASSES, TRAINING, draw
from convlens.core.errors import ShapeError
from convlens.ops.catalog import IMPLEMENTATIONS, refusal
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.geometry import Geometry

TURN_SECONDS = 0.05  # a turn is as many calls as take about this long, at least one
SLOW_SECONDS = 1.0  # a call that takes longer than this makes a contestant slow
SLOW_TURNS = {FORWARD: 3, TRAINING: 1}  # of a slow contestant; the others have all rounds
TOLERANCE = 1e-4  # of the largest output, that a contestant may differ from torch's conv2d
TORCH, SCIPY = "torch conv2d", "scipy correlate2d"
NO_SCIPY = (
    "SciPy is not installed: `make bench` installs it, or pip install -c constraints.txt scipy"
)
ABOUT = f"""\
One correlation in float32 on the CPU, without bias: milliseconds per call, all in one process.
forward: the output, under `no_grad`. forward+backward: the same with autograd recording, and the
gradients by the images and by the kernel.
{TORCH}: `torch.nn.functional.conv2d`. {SCIPY}: `scipy.signal.correlate2d` on NumPy
arrays, one thread, where the geometry is one plain matrix and one kernel. The others are
`cross_correlation2d(implementation=...)`, its checks included; `matrix` builds its matrix anew in
each call. A turn is the mean of as many calls as fill {TURN_SECONDS * 1e3:.0f} ms, at least one.
Where a call takes longer than {SLOW_SECONDS:.0f} s, a contestant has turns in the first rounds
only: {SLOW_TURNS[FORWARD]} forward, {SLOW_TURNS[TRAINING]} forward+backward.
Before anything is timed, each output is compared with that of `conv2d`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A correlation that has a size: square images, square kernels."""

    batch: int = 1
    in_channels: int = 1
    side: int  # of the images
    out_channels: int = 1
    kernel: int
    stride: int = 1
    padding: int = 0

    @property
    def geometry(self) -> Geometry:
        """What the catalog is asked about."""
        return Geometry.of(self.kernel, stride=self.stride, padding=self.padding)

    @property
    def words(self) -> str:
        """The sizes in a line.

        >>> Problem(side=128, kernel=5).words
        '1x1x128x128, 5x5 1->1'
        """
        shape = f"{self.batch}x{self.in_channels}x{self.side}x{self.side}"
        said = [shape, f"{self.kernel}x{self.kernel} {self.in_channels}->{self.out_channels}"]
        said += [f"stride {self.stride}"] if self.stride > 1 else []
        said += [f"padding {self.padding}"] if self.padding else []
        return ", ".join(said)

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Normal images, and kernels scaled so that outputs are about 1; always the same."""
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(self.batch, self.in_channels, self.side, self.side, generator=generator)
        taps = self.in_channels, self.kernel, self.kernel
        kernel = torch.randn(self.out_channels, *taps, generator=generator)
        return x, kernel / kernel[0].numel() ** 0.5


PROBLEMS: Mapping[str, Problem] = {
    "teaching": Problem(side=128, kernel=5),
    "LeNet first": Problem(batch=128, side=28, out_channels=6, kernel=5, padding=2),
    "LeNet second": Problem(batch=128, in_channels=6, side=14, out_channels=16, kernel=5),
    "ResNet": Problem(batch=8, in_channels=64, side=24, out_channels=64, kernel=3, padding=1),
    "ResNet strided": Problem(
        batch=8, in_channels=64, side=24, out_channels=128, kernel=3, stride=2, padding=1
    ),
}
# The claim: how many times longer the first takes than the second, forward on this geometry.
SLOWEST, FASTER, CLAIMED_ON, CLAIMED = "reference", "unfold", "teaching", 1_000
# What autograd could do but a usual machine could not, by implementation and problem.
NO_BACKWARD: Mapping[tuple[str, str], str] = {
    ("matrix", "ResNet"): "a gradient for each of 21 million entries takes 7 GB of memory",
}

Correlate = Callable[[Tensor, Tensor], Tensor]
Seconds = Callable[[Callable[[], object], int], float]


@dataclass(kw_only=True, slots=True)
class Measured:
    """What came out on one problem: for each pass, by contestant, milliseconds or a reason."""

    milliseconds: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: {name: {} for name in PASSES}
    )
    refusals: dict[str, dict[str, str]] = field(
        default_factory=lambda: {name: {} for name in PASSES}
    )

    def ratios(self, part: str, name: str, base: str = "native") -> list[float]:
        """How many times longer `name` takes than `base`, in each round that had both."""
        longer, shorter = self.milliseconds[part][name], self.milliseconds[part][base]
        n = min(len(longer), len(shorter))  # slow ones have the first rounds
        return ratios(longer[:n], shorter[:n])


def run(options: Options) -> Report:
    """Problem after problem, forward and then with backward."""
    if scipy_signal() is None:
        print(f"  {NO_SCIPY}", file=sys.stderr)
    measured: dict[str, Measured] = {}
    for name, problem in PROBLEMS.items():
        measured[name] = measure(name, problem, options.rounds)
        _tell(name, measured[name])
    return report(measured)


def scipy_signal() -> ModuleType | None:
    """`scipy.signal`, where it is installed."""
    try:
        return importlib.import_module("scipy.signal")
    except ImportError:
        return None


def correlations(problem: Problem) -> tuple[dict[str, Correlate], dict[str, str]]:
    """What computes `problem`, by contestant; and why the other contestants do not."""
    able: dict[str, Correlate] = {}
    refusals: dict[str, str] = {}
    settings = {"stride": problem.stride, "padding": problem.padding}
    for name in IMPLEMENTATIONS:
        if reason := refusal(name, problem.geometry):
            refusals[name] = reason
        else:
            able[name] = partial(cross_correlation2d, **settings, implementation=name)
    able[TORCH] = partial(F.conv2d, **settings)
    signal = scipy_signal()
    if signal is None:
        refusals[SCIPY] = NO_SCIPY
    elif reason := scipy_refusal(problem):
        refusals[SCIPY] = reason
    else:
        able[SCIPY] = partial(_scipy_correlate, signal)
    return able, refusals


def scipy_refusal(problem: Problem) -> str:
    """Why `scipy.signal.correlate2d` cannot do this in one call, or ""."""
    if max(problem.batch, problem.in_channels, problem.out_channels) > 1:
        return "it takes one matrix and one kernel, no batch and no channels"
    if problem.stride > 1 or problem.padding:
        return "it has no stride, and padding only up to the size of the input or the output"
    return ""


def measure(problem_name: str, problem: Problem, rounds: int) -> Measured:
    """All contestants on one problem, taking turns."""
    able, refusals = correlations(problem)
    x, kernel = problem.tensors()
    exact = F.conv2d(x, kernel, stride=problem.stride, padding=problem.padding)
    found = Measured(refusals={part: dict(refusals) for part in PASSES})
    calls: dict[str, Callable[[], object]] = {}
    slow: set[str] = set()
    with torch.no_grad():
        for name, correlate in able.items():
            try:
                check_same(name, correlate(x, kernel), exact)
            except ShapeError as error:  # refused by size, not by geometry
                found.refusals[FORWARD][name] = str(error).splitlines()[0]
                found.refusals[TRAINING][name] = found.refusals[FORWARD][name]
                continue
            calls[name] = partial(correlate, x, kernel)
            if is_slow(calls[name]):
                slow.add(name)
        found.milliseconds[FORWARD] = turns(calls, rounds, SLOW_TURNS[FORWARD], slow)

    x, kernel = x.requires_grad_(), kernel.requires_grad_()
    gradient = torch.ones_like(exact)
    calls = {}
    for name, correlate in ((name, able[name]) for name in found.milliseconds[FORWARD]):
        if reason := _no_backward(name, problem_name):
            found.refusals[TRAINING][name] = reason
            continue
        calls[name] = partial(forward_and_backward, correlate, x, kernel, gradient)
        if name not in slow and is_slow(calls[name]):
            slow.add(name)
    found.milliseconds[TRAINING] = turns(calls, rounds, SLOW_TURNS[TRAINING], slow)
    return found


def check_same(name: str, y: Tensor, exact: Tensor) -> None:
    """Stop where a contestant computes something else, which no timing could excuse."""
    error = float((y - exact).abs().max() / exact.abs().max())
    if not error <= TOLERANCE:
        raise AssertionError(f"{name} differs from conv2d by {error:.1e} of the largest output")


def forward_and_backward(
    correlate: Correlate, x: Tensor, kernel: Tensor, gradient: Tensor
) -> tuple[Tensor, ...]:
    """The gradients by `x` and `kernel` that autograd finds."""
    return torch.autograd.grad(correlate(x, kernel), (x, kernel), gradient)


def turns(
    calls: Mapping[str, Callable[[], object]], rounds: int, slow_rounds: int, slow: Set[str]
) -> dict[str, list[float]]:
    """The milliseconds of each call, all taking turns; the slow ones in the first rounds only."""
    contestants = {
        name: partial(_milliseconds, call, 1 if name in slow else calls_per_turn(call))
        for name, call in calls.items()
    }
    first = min(rounds, slow_rounds)
    found = take_turns(contestants, first)
    fast = {name: turn for name, turn in contestants.items() if name not in slow}
    for name, values in take_turns(fast, rounds - first).items():
        found[name] += values
    return found


def is_slow(call: Callable[[], object]) -> bool:
    """Whether it takes long; one call may be slow by accident, unless it is very slow."""
    first = _seconds(call, 1)
    return first > 5 * SLOW_SECONDS or (first > SLOW_SECONDS and _seconds(call, 1) > SLOW_SECONDS)


def calls_per_turn(call: Callable[[], object]) -> int:
    """How many calls fill a turn, as the faster of two calls tells."""
    return max(1, round(TURN_SECONDS / min(_seconds(call, 1), _seconds(call, 1))))


def report(measured: Mapping[str, Measured]) -> Report:
    """The ratios in short, the claim, and each problem's table."""
    title = "One correlation, all implementations"
    signal = scipy_signal()
    version = "" if signal is None else importlib.import_module("scipy").__version__
    return Report(
        title=title,
        about=ABOUT,
        grids=(
            *(ratio_table(measured, part) for part in PASSES),
            claim_table(measured[CLAIMED_ON]),
            *(problem_table(name, found) for name, found in measured.items()),
        ),
        notes=(
            *refusal_notes(measured),
            "times native, ratio: the median over the rounds, each by `native` of the same round",
            *([f"SciPy {version}"] if version else []),
        ),
        data={
            "milliseconds": {name: found.milliseconds for name, found in measured.items()},
            "refusals": {name: found.refusals for name, found in measured.items()},
            "problems": {name: PROBLEMS[name].words for name in measured},
            "scipy": version or None,
        },
        figure=draw(
            {f"{name}\n{PROBLEMS[name].words}": f.milliseconds for name, f in measured.items()},
            contestants(),
            title=title,
        ),
    )


def contestants() -> tuple[str, ...]:
    """All of them, the catalog's first."""
    return (*IMPLEMENTATIONS, TORCH, SCIPY)


def ratio_table(measured: Mapping[str, Measured], part: str) -> Grid:
    """The median ratio to `native`, a line per contestant and a column per problem."""

    def cell(found: Measured, name: str) -> str:
        if name not in found.milliseconds[part]:
            return "no"
        return figures(spread(found.ratios(part, name)).median)

    return Grid(
        (f"{part}, times native", *measured),
        tuple(
            (name, *(cell(found, name) for found in measured.values())) for name in contestants()
        ),
    )


def claim_table(found: Measured) -> Grid:
    """How much longer the loops take than unfold, whatever comes out."""
    told = spread(found.ratios(FORWARD, SLOWEST, FASTER))
    cells = (
        figures(told.median),
        f"{figures(told.q1)} to {figures(told.q3)}",
        f"{figures(told.low)} to {figures(told.high)}",
        str(told.n),
    )
    verdict = "reached" if told.median >= CLAIMED else "missed"
    return Grid(
        (f"{CLAIMED_ON}, {FORWARD}", *SPREAD_HEADER, f"at least {CLAIMED:,}"),
        ((f"{SLOWEST} / {FASTER}", *cells, verdict),),
    )


def problem_table(name: str, found: Measured) -> Grid:
    """The milliseconds and the ratio of each contestant that can."""
    rows: list[tuple[str, ...]] = []
    for contestant in contestants():
        for part in PASSES:
            if contestant not in found.milliseconds[part]:
                continue
            values = found.milliseconds[part][contestant]
            told = spread(values)
            rows.append((
                contestant,
                part,
                figures(told.median),
                f"{figures(told.q1)} to {figures(told.q3)}",
                f"{figures(told.low)} to {figures(told.high)}",
                str(told.n),
                figures(spread(found.ratios(part, contestant)).median),
            ))  # fmt: skip
    return Grid(
        (f"{name}: {PROBLEMS[name].words}, ms", "pass", *SPREAD_HEADER, "ratio"), tuple(rows)
    )


def refusal_notes(measured: Mapping[str, Measured]) -> list[str]:
    """A line for each reason, with the contestants, problems and passes that it holds for."""
    places: dict[tuple[str, str], list[str]] = {}
    for name, found in measured.items():
        for part in PASSES:
            for contestant, reason in found.refusals[part].items():
                if part == TRAINING and reason == found.refusals[FORWARD].get(contestant):
                    continue  # who has no output has no gradient
                where = name if part == FORWARD else f"{name} ({part})"
                places.setdefault((contestant, reason), []).append(where)
    who: dict[tuple[str, str], list[str]] = {}
    for (contestant, reason), where in places.items():
        who.setdefault((", ".join(where), reason), []).append(contestant)
    return [f"no {', '.join(names)} on {where}: {reason}" for (where, reason), names in who.items()]


def figures(value: float) -> str:
    """A number with three figures, and no exponent.

    >>> [figures(v) for v in (0.01234, 1.2345, 99.96, 1234.5, 0.0)]
    ['0.0123', '1.23', '100', '1,234', '0.00']
    """
    rounded = float(f"{value:.3g}")
    decimals = next(
        (d for d, least in ((0, 100), (1, 10), (2, 1), (3, 0.1), (4, 0.01)) if rounded >= least),
        5 if rounded else 2,
    )
    return f"{value:,.{decimals}f}"


def _no_backward(name: str, problem_name: str) -> str:
    if name == SCIPY:
        return "it has no gradients"
    return NO_BACKWARD.get((name, problem_name), "")


def _scipy_correlate(signal: ModuleType, x: Tensor, kernel: Tensor) -> Tensor:
    y = signal.correlate2d(x.numpy()[0, 0], kernel.numpy()[0, 0], mode="valid")
    return torch.from_numpy(y)[None, None]


def _seconds(call: Callable[[], object], times: int) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - begun) / times


def _milliseconds(call: Callable[[], object], times: int) -> float:
    return _seconds(call, times) * 1e3


def _tell(name: str, found: Measured) -> None:
    for part in PASSES:
        medians = {n: spread(values).median for n, values in found.milliseconds[part].items()}
        told = ", ".join(f"{n} {figures(value)}" for n, value in medians.items())
        print(f"  {name}, {part}, ms: {told}", file=sys.stderr, flush=True)
