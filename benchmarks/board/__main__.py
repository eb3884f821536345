"""The command line of the board."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.board.table import MARKS, Entry, page, save
from benchmarks.board.turn import Turn, take_turn
from benchmarks.measure import this_machine
from benchmarks.results import today
from convlens.core.errors import UnknownName
from convlens.experiment.recipe import shipped_recipes
from convlens.runs.provenance import commit

FOLDER = Path(__file__).parent
ABOUT = """\
examples:
  python -m benchmarks.board                          all marks, as many seeds as each asks for
  python -m benchmarks.board fast-90 --seeds 3        one recipe, seeds 0 to 2
  python -m benchmarks.board lenet --seeds 3 --save   write benchmarks/board/<hardware>.md
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what `arguments` name; 0 if all went well, 2 for a wrong name, 3 if one failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.board",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="shipped ones; default: fast")
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds 0 to N - 1 of each")
    parser.add_argument("--save", action="store_true", help="write the results beside this file")
    args = parser.parse_args(arguments)
    names: list[str] = args.recipes or list(MARKS)
    try:
        for name in names:
            shipped_recipes()[name]
    except UnknownName as error:
        print(error, file=sys.stderr)
        return 2
    counts = {name: args.seeds or (MARKS[name].seeds if name in MARKS else 3) for name in names}
    machine = this_machine()
    try:
        taken = turns(counts)
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        return 3
    entries = {
        name: Entry(
            turns=tuple(each),
            software=machine.software,
            commit=commit() or "unknown",
            date=today(),
        )
        for name, each in taken.items()
    }
    print(page(machine, entries))
    if args.save:
        print(f"saved in {save(FOLDER, machine, entries)}", file=sys.stderr)
    return 0


def turns(counts: dict[str, int]) -> dict[str, list[Turn]]:
    """So many turns of each recipe, the recipes taking turns too."""
    taken: dict[str, list[Turn]] = {name: [] for name in counts}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(max(counts.values())):
            for name in (name for name, count in counts.items() if seed < count):
                turn = take_turn(name, seed, Path(folder))
                taken[name].append(turn)
                print(
                    f"{name}, seed {seed}: {100 * turn.accuracy:.2f} %, "
                    f"{turn.train_seconds:.1f} s of training, others {turn.others or 0:.2f} cores",
                    file=sys.stderr,
                    flush=True,
                )
    return taken


if __name__ == "__main__":
    sys.exit(main())
