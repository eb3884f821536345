"""What the settings of the process are worth: large buffers kept or not, by memory layout."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import product

from benchmarks.benchmark import SPREAD_HEADER, Grid, Options, Report, ratio_grid, spread_cells
from benchmarks.measure import spread, take_turns
from benchmarks.pipe import ROOT
from convlens.core.allocator import SWITCH

# Recipe, steps in a turn, images in a step.
TRAININGS = (("lenet", 50, 128), ("resnet18-d2l", 4, 32))
BUFFERS = {"given back": "0", "kept": "1"}
LAYOUTS = {"contiguous": "false", "channels last": "true"}
ABOUT = """\
Steps of a recipe (gather, forward, backward, update), each turn in a fresh process: the median of
50 steps of LeNet (batch 128, 28x28), of 4 steps of ResNet-18 (batch 32, 96x96).
given back: glibc's malloc as it is, which gives large buffers back to the system at each step.
kept: as ConvLens sets it (`core/allocator.py`). A page fault is a page of 4 KiB that is filled with
zeros and mapped; other programs do not change their number. The memory is the most that the process
had in RAM, torch and the images included."""

Found = dict[str, float]


def run(options: Options) -> Report:
    """Four processes a round for each training, taking turns."""
    milliseconds: dict[str, list[float]] = {}
    faults: dict[str, list[float]] = {}
    megabytes: dict[str, list[float]] = {}
    pairs: list[tuple[str, str]] = []
    for recipe, num_steps, batch_size in TRAININGS:
        turns: dict[str, Callable[[], Found]] = {
            f"{recipe}, {layout}, {buffers}": partial(
                _process, BUFFERS[buffers], recipe, LAYOUTS[layout], str(num_steps), str(batch_size)
            )
            for layout, buffers in product(LAYOUTS, BUFFERS)
        }
        for name, found in take_turns(turns, options.rounds).items():
            milliseconds[name] = [each["milliseconds"] for each in found]
            faults[name] = [each["faults"] for each in found]
            megabytes[name] = [each["megabytes"] for each in found]
        first, *others = turns
        pairs += [(first, other) for other in others]
        pairs.append((f"{recipe}, channels last, given back", f"{recipe}, channels last, kept"))
    ratio, all_ratios = ratio_grid(milliseconds, pairs)
    return Report(
        title="Large buffers kept, by memory layout",
        about=ABOUT,
        grids=(
            _grid("milliseconds per step", milliseconds, ".2f"),
            ratio,
            _grid("page faults per step", faults, ".0f"),
            _grid("MB in RAM at most", megabytes, ".0f"),
        ),
        data={
            "milliseconds": milliseconds,
            "faults": faults,
            "megabytes": megabytes,
            "ratios": all_ratios,
        },
    )


def _process(keep: str, *arguments: str) -> Found:
    command = [sys.executable, "-m", "benchmarks.workers.steps", *arguments]
    environment = {**os.environ, SWITCH: keep}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    found: Found = json.loads(done.stdout)
    return found


def _grid(what: str, values: dict[str, list[float]], number: str) -> Grid:
    rows = tuple((name, *spread_cells(spread(v), number)) for name, v in values.items())
    return Grid((what, *SPREAD_HEADER), rows)
