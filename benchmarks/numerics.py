"""How exact each implementation is: the error of one correlation.

    python -m benchmarks.numerics             the tables of docs/numerics.md
    python -m benchmarks.numerics --repeats 5 quicker

For each size it draws `repeats` images and kernels from a normal distribution, computes the
correlation in float32 (and once in half precision) by every implementation, and compares with
torch's own in float64. The error of one repeat is `max |y - exact| / max |exact|`; the tables have
the median of the repeats and the worst. The images and kernels are rounded to the tested type
before the exact result is computed, so only the algorithm's own rounding is counted.
"""

import argparse
import platform
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from convlens.ops.catalog import IMPLEMENTATIONS
from convlens.ops.correlation import cross_correlation2d

NAMES = [name for name in IMPLEMENTATIONS if name != "reference"]  # too slow for these sizes
CHANNELS = (1, 4, 16, 64, 256)
SIDES = (8, 32, 128)
UNITS = {torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}


@dataclass(frozen=True, slots=True)
class Point:
    """What one line of a table is about."""

    label: str
    channels: int
    side: int
    size: int = 3  # of the kernel
    dtype: torch.dtype = torch.float32


def draw(point: Point, seed: int) -> tuple[Tensor, Tensor]:
    """A random image and four random kernels, scaled so that outputs are about 1."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, point.channels, point.side, point.side, generator=generator)
    kernel = torch.randn(4, point.channels, point.size, point.size, generator=generator)
    kernel = kernel / (point.channels * point.size**2) ** 0.5
    return x.to(point.dtype), kernel.to(point.dtype)


def errors(name: str, point: Point, repeats: int) -> list[float]:
    """The relative error of each repeat, in units of the roundoff."""
    found: list[float] = []
    for seed in range(repeats):
        x, kernel = draw(point, seed)
        exact = cross_correlation2d(x.double(), kernel.double(), padding=point.size // 2)
        y = cross_correlation2d(x, kernel, padding=point.size // 2, implementation=name)
        error = float((y.double() - exact).abs().max() / exact.abs().max())
        found.append(error / UNITS[point.dtype])
    return found


def print_table(head: str, points: list[Point], repeats: int, names: list[str]) -> None:
    """One line per point: the median and the worst error of each implementation."""
    print(f"| {head} | {' | '.join(names)} |")
    print("|" + " --- |" * (len(names) + 1))
    for point in points:
        cells: list[str] = []
        for name in names:
            found = errors(name, point, repeats)
            cells.append(f"{median(found):.1f} ({max(found):.1f})")
        print(f"| {point.label} | {' | '.join(cells)} |")
    print()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="the error of each implementation in float32")
    parser.add_argument("--repeats", type=int, default=20)
    repeats: int = parser.parse_args().repeats
    print(
        f"torch {torch.__version__}, {platform.machine()}, {torch.get_num_threads()} threads, "
        f"n = {repeats}; median (worst) of max|error| / max|y| in units of the roundoff\n"
    )
    others = [name for name in NAMES if not name.startswith("winograd")]
    with torch.no_grad():
        points = [Point(str(channels), channels, 32) for channels in CHANNELS]
        print_table("channels, 32x32, 3x3", points, repeats, NAMES)
        points = [Point(str(side), 16, side) for side in SIDES]
        print_table("side, 16 channels, 3x3", points, repeats, NAMES)
        points = [Point(str(size), 16, 32, size) for size in (1, 3, 7, 15)]
        print_table("kernel, 16 channels, 32x32", points, repeats, others)
        points = [
            Point(str(dtype).removeprefix("torch."), 16, 32, dtype=dtype) for dtype in list(UNITS)
        ]
        print_table("type, 16 channels, 32x32, 3x3", points, repeats, NAMES)


if __name__ == "__main__":
    main()
