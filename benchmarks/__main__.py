"""The command line of the benchmarks, and the one table of them."""

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import epoch, loader, operations, settings, step
from benchmarks.benchmark import Benchmark, Options
from benchmarks.measure import this_machine
from benchmarks.pipe import WorkerError
from benchmarks.results import Origin, save, section, today
from convlens.core.errors import ConvLensError, UnknownName
from convlens.core.names import Table
from convlens.runs.provenance import commit

BENCHMARKS: Table[Benchmark] = Table(
    "benchmark",
    (
        "epoch",
        Benchmark(
            run=epoch.run,
            rounds=5,
            about="a LeNet epoch, beside d2l, PyTorch, Lightning, Keras and fastai",
            choices=tuple(epoch.CONTESTANTS),
        ),
    ),
    (
        "loader",
        Benchmark(
            run=loader.run,
            rounds=3,
            about="batches, beside torchvision",
            choices=tuple(map(str, loader.GOALS)),
        ),
    ),
    ("operations", Benchmark(run=operations.run, rounds=10, about="correlation, all ways")),
    ("settings", Benchmark(run=settings.run, rounds=7, about="large buffers kept, by layout")),
    (
        "step",
        Benchmark(
            run=step.run,
            rounds=10,
            about="a step of LeNet, ResNet-18 and VGG, beside plain PyTorch",
            choices=tuple(step.NETWORKS),
        ),
    ),
)
FORMER = {"d2l-epoch": "epoch"}  # names that once were, and what they are now
EXAMPLES = """\
examples:
  python -m benchmarks                         all of them, one after the other
  python -m benchmarks step --only lenet       one, a part of it; needs no peers, takes a minute
  python -m benchmarks epoch --rounds 10       more turns of each contestant
  python -m benchmarks epoch --only d2l,keras  ConvLens beside these two alone
  python -m benchmarks --save                  also write benchmarks/results/<hardware>.md
  python -m benchmarks epoch --peers /path/to/python
                                               take the peers from there, not from .venv-peers
  make bench ARGS="step --save"                the same by make

benchmarks:
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what `arguments` name; 0 if all ran, 2 for a wrong name, 3 if one could not run."""
    args = parser().parse_args(arguments)
    try:
        names: list[str] = args.names or list(BENCHMARKS)
        chosen = {now: BENCHMARKS[now] for now in (FORMER.get(name, name) for name in names)}
        only = parts(args.only, chosen)
    except UnknownName as error:
        print(error, file=sys.stderr)
        return 2
    machine = this_machine()
    print(f"{machine.hardware}\n{machine.software}\n", flush=True)
    if machine.busy:
        print(
            f"warning: the load average is {machine.load:.2f}: something ran in the last minute;\n"
            "expect noise if it still does\n",
            file=sys.stderr,
        )
    status = 0
    for name, benchmark in chosen.items():
        rounds: int = args.rounds or benchmark.rounds
        print(f"{name}, {rounds} rounds", file=sys.stderr)
        try:
            report = benchmark.run(Options(rounds=rounds, peers=args.peers, only=only))
        except (ConvLensError, WorkerError) as error:
            print(f"{name} could not run: {error}\n", file=sys.stderr)
            status = 3
            continue
        typed = command(name, rounds, only)
        origin = Origin(machine=machine, command=typed, commit=commit(), date=today())
        print(section(report, origin), end="\n\n", flush=True)
        if args.save:
            print(f"saved in {save(name, report, origin)}\n", file=sys.stderr)
    return status


def parser() -> argparse.ArgumentParser:
    """The options, after examples."""
    lines = (
        f"  {name:10} {entry.about} ({entry.rounds} rounds)"
        + (f"\n  {'':10} --only: {', '.join(entry.choices)}" if entry.choices else "")
        for name, entry in BENCHMARKS.items()
    )
    made = argparse.ArgumentParser(
        prog="python -m benchmarks",
        usage="python -m benchmarks [NAME...] [--only PART,...] [--rounds N] [--peers PYTHON] "
        "[--save]",
        description=EXAMPLES + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="which; default: all")
    made.add_argument(
        "--only", default="", metavar="PART,...", help="parts of a benchmark; default: all of it"
    )
    made.add_argument(
        "--rounds", type=_positive, metavar="N", help="turns of each contestant; default: as above"
    )
    made.add_argument(
        "--peers", type=Path, metavar="PYTHON", help="an interpreter that has the peers"
    )
    made.add_argument("--save", action="store_true", help="write the results under benchmarks/")
    return made


def parts(only: str, chosen: Mapping[str, Benchmark]) -> tuple[str, ...]:
    """The names in `only`, which each chosen benchmark must have among its choices.

    Raises:
        UnknownName: one has none of that name; says the nearest.
    """
    names = tuple(filter(None, only.split(",")))
    for name, benchmark in chosen.items():
        table = Table(f"choice of {name}", *((choice, None) for choice in benchmark.choices))
        for wanted in names:
            table[wanted]
    return names


def command(name: str, rounds: int, only: Sequence[str] = ()) -> str:
    """What to type to measure this again; no paths of this machine.

    >>> command("step", 20)
    'python -m benchmarks step --rounds 20'
    """
    chosen = ["--only", ",".join(only)] if only else []
    return shlex.join(["python", "-m", "benchmarks", name, *chosen, "--rounds", str(rounds)])


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
