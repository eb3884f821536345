"""The command line of the benchmarks, and the one table of them."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import d2l_epoch, loader, operations, settings, step
from benchmarks.benchmark import Benchmark, Options, Report
from benchmarks.measure import Machine, this_machine
from benchmarks.pipe import WorkerError
from benchmarks.results import Origin, save, section, today
from convlens.core.errors import ConvLensError, UnknownName
from convlens.core.names import Table
from convlens.runs.provenance import commit

BENCHMARKS: Table[Benchmark] = Table(
    "benchmark",
    ("d2l-epoch", Benchmark(run=d2l_epoch.run, rounds=5, about="LeNet epoch, beside d2l")),
    ("loader", Benchmark(run=loader.run, rounds=3, about="batches, beside torchvision")),
    ("operations", Benchmark(run=operations.run, rounds=10, about="correlation, all ways")),
    ("settings", Benchmark(run=settings.run, rounds=7, about="large buffers kept, by layout")),
    ("step", Benchmark(run=step.run, rounds=20, about="LeNet step, beside plain PyTorch")),
)
EXAMPLES = """\
examples:
  python -m benchmarks                         all of them, one after the other
  python -m benchmarks step                    one; needs no peers, takes a minute
  python -m benchmarks d2l-epoch --rounds 10   more turns of each contestant
  python -m benchmarks --save                  also write benchmarks/results/<hardware>.md
  python -m benchmarks d2l-epoch --peers /path/to/python
                                               take the peers from there, not from .venv-peers
  make bench ARGS="step --save"                the same by make

benchmarks:
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what `arguments` name; 0 if all ran, 2 for a wrong name, 3 if one could not run."""
    args = parser().parse_args(arguments)
    try:
        chosen = {name: BENCHMARKS[name] for name in args.names or BENCHMARKS}
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
            report = benchmark.run(Options(rounds=rounds, peers=args.peers))
        except (ConvLensError, WorkerError) as error:
            print(f"{name} could not run: {error}\n", file=sys.stderr)
            status = 3
            continue
        _show(name, report, machine, rounds, saving=args.save)
    return status


def parser() -> argparse.ArgumentParser:
    """The options, after examples."""
    lines = (
        f"  {name:10} {entry.about} ({entry.rounds} rounds)" for name, entry in BENCHMARKS.items()
    )
    made = argparse.ArgumentParser(
        prog="python -m benchmarks",
        usage="python -m benchmarks [NAME...] [--rounds N] [--peers PYTHON] [--save]",
        description=EXAMPLES + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="which; default: all")
    made.add_argument(
        "--rounds", type=_positive, metavar="N", help="turns of each contestant; default: as above"
    )
    made.add_argument(
        "--peers", type=Path, metavar="PYTHON", help="an interpreter that has d2l and torchvision"
    )
    made.add_argument("--save", action="store_true", help="write the results under benchmarks/")
    return made


def command(name: str, rounds: int) -> str:
    """What to type to measure this again; no paths of this machine.

    >>> command("step", 20)
    'python -m benchmarks step --rounds 20'
    """
    return shlex.join(["python", "-m", "benchmarks", name, "--rounds", str(rounds)])


def _show(name: str, report: Report, machine: Machine, rounds: int, *, saving: bool) -> None:
    origin = Origin(machine=machine, command=command(name, rounds), commit=commit(), date=today())
    print(section(report, origin), end="\n\n", flush=True)
    if saving:
        print(f"saved in {save(name, report, origin)}\n", file=sys.stderr)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
