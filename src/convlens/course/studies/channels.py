"""Channels: whether two ways to a 1x1 convolution agree, and what block-diagonal weights save.

Source: d2l 7.4, exercises 4 and 7a; Higham (2002), "Accuracy and Stability of Numerical
Algorithms", https://doi.org/10.1137/1.9780898718027, section 3.1 (the bound on rounding);
block-diagonal weights are the groups of Krizhevsky et al. (2012), section 3.5.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from convlens.course.study import Claim, Finding, Setup, Study
from convlens.inspection.ledger import reconcile

Image = Float[Tensor, "c h w"]
Kernel = Float[Tensor, "o c 1 1"]
Way = Callable[[Image, Kernel], Float[Tensor, "o h w"]]
FEW, MANY = (3, 2, 3), (64, 8, 8)  # channels in, channels out, height and width
TOLERANCE = 1e-6  # of the sum of differences, in the book's own check


def by_product(x: Image, kernel: Kernel) -> Float[Tensor, "o h w"]:
    """A 1x1 convolution as one matrix product over the channels, the notebook's Y1."""
    return (kernel.flatten(1) @ x.flatten(1)).unflatten(1, x.shape[1:])


def by_sums(x: Image, kernel: Kernel) -> Float[Tensor, "o h w"]:
    """The same as a sum of one-channel correlations, one after another: the notebook's Y2."""
    maps = torch.zeros(len(kernel), *x.shape[1:], dtype=x.dtype)
    for image, taps in zip(x, kernel.unbind(1), strict=True):
        maps = maps + taps * image  # of one tap a correlation is a product
    return maps


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """How far two ways agreed on some random cases."""

    equal_cases: int  # in every bit
    equal_numbers: float  # the share of all results
    greatest_sum: float  # of a case's absolute differences
    rounding: float  # the greatest difference, over what rounding can explain


def compare(one: Way, other: Way, sizes: tuple[int, int, int], cases: int) -> Agreement:
    """Both ways on random numbers; rounding explains `2 n u sum |k| |x|` for n channels."""
    equal_cases, shares, sums, parts = 0, 0.0, 0.0, 0.0
    channels, outputs, side = sizes
    unit = torch.finfo(torch.float32).eps / 2
    for _ in range(cases):
        x, kernel = torch.randn(channels, side, side), torch.randn(outputs, channels, 1, 1)
        y1, y2 = one(x, kernel), other(x, kernel)
        differences = (y1 - y2).abs().double()
        bound = 2 * channels * unit * by_product(x.abs().double(), kernel.abs().double())
        equal_cases += torch.equal(y1, y2)
        shares += float((y1 == y2).double().mean()) / cases
        sums = max(sums, float(differences.sum()))
        parts = max(parts, float((differences / bound).max()))
    return Agreement(
        equal_cases=equal_cases, equal_numbers=shares, greatest_sum=sums, rounding=parts
    )


def order(setup: Setup, *, product: Way = by_product, many: tuple[int, int, int] = MANY) -> Finding:
    """How often Y1 == Y2 in every bit, with few and with many channels.

    Whole numbers show whether the two are equal where nothing is rounded.
    """
    cases = 100 if setup.quick else 1_500
    few, lots = (compare(product, by_sums, sizes, cases) for sizes in (FEW, many))
    exact = sum(_exact(product, many) for _ in range(cases))
    return Finding(
        numbers={
            "cases of each kind": cases,
            "equal with whole numbers": exact,
            f"equal with {FEW[0]} channels in": few.equal_cases,
            f"equal with {many[0]} channels in": lots.equal_cases,
            f"share of equal numbers with {many[0]} channels": lots.equal_numbers,
            f"greatest sum of differences with {many[0]} channels": lots.greatest_sum,
            "greatest difference, as a part of what rounding explains": lots.rounding,
        },
        text=f"With whole numbers {exact} of {cases} cases are equal; with random numbers "
        f"{few.equal_cases} for {FEW[0]} channels and {lots.equal_cases} for {many[0]}, where "
        f"{lots.equal_numbers:.0%} of the numbers agree and the differences of a case add up to "
        f"{lots.greatest_sum:.1e} at most.",
        claims=(
            Claim("said", "both compute the same where nothing is rounded", exact == cases),
            Claim("mistaken", "so their bits are always the same", lots.equal_cases == cases),
            Claim(
                "missed",
                "they differ by no more than sums in another order do",
                0 < lots.rounding <= 1 and few.rounding <= 1,
            ),
            Claim(
                "besides",
                f"with many channels the book's check, a sum below {TOLERANCE:g}, fails",
                lots.greatest_sum > TOLERANCE,
            ),
        ),
    )


def _exact(product: Way, sizes: tuple[int, int, int]) -> bool:
    """Whether the two are equal on whole numbers, whose sums float32 holds exactly."""
    channels, outputs, side = sizes
    x = torch.randint(-9, 10, (channels, side, side)).float()
    kernel = torch.randint(-9, 10, (outputs, channels, 1, 1)).float()
    return torch.equal(product(x, kernel), by_sums(x, kernel))


ORDER = Study(
    name="7.4-order",
    section="7.4",
    exercise="4",
    question="A 1x1 convolution computed as a matrix product and as a sum of correlations: are the "
    "two results the same, and why?",
    notebook="The same, because the kernel is 1x1.",
    answer="The same number, as a 1x1 convolution is a matrix product over the channels; but not "
    "always the same bits. The terms may be added in another order, and float sums depend on it: "
    "with few channels the bits often agree, with many they often do not.",
    experiment=order,
)


@final
class BlockDiagonal(nn.Module):
    """`block_diag(weight) @ x`, without the blocks of zeros."""

    def __init__(self, size: int, num_blocks: int) -> None:
        super().__init__()
        side = size // num_blocks
        self.weight = nn.Parameter(torch.randn(num_blocks, side, side))

    def forward(self, x: Float[Tensor, "c columns"]) -> Float[Tensor, "c columns"]:
        """Each block times its own rows of x."""
        return torch.bmm(self.weight, x.unflatten(0, (len(self.weight), -1))).flatten(0, 1)


Product = Callable[[int, int], nn.Module]  # of the size and the number of blocks
COUNTS = (2, 4, 8, 16, 32)  # of blocks


def blocks(setup: Setup, *, product: Product = BlockDiagonal, size: int = 512) -> Finding:
    """What a product with a block-diagonal matrix of `size` saves, by the number of blocks.

    MACs are counted by our trace and by torch's flop counter, for matrices and for the 1x1
    convolution of as many groups. Clock times are information only.
    """
    with torch.device("meta"):
        x = torch.zeros(size, size)
        ledgers = {b: reconcile(product(size, b), x) for b in (1, *COUNTS)}
        grouped = {b: _grouped_macs(size, b) for b in (1, *COUNTS)}
    macs = {b: ledger.traced_macs for b, ledger in ledgers.items()}
    counted = {b: ledger.counted_flops // 2 for b, ledger in ledgers.items()}
    weights = {b: ledger.num_parameters for b, ledger in ledgers.items()}
    ratios = {b: macs[1] / macs[b] for b in COUNTS}
    with torch.no_grad():
        small, columns = product(32, 4), torch.randn(32, 5)
        matrix = torch.block_diag(*small.get_parameter("weight"))
        same = torch.allclose(small(columns), matrix @ columns, atol=1e-4)
        clock = {
            b: _seconds(product(size, b), torch.randn(size, size), 3 if setup.quick else 20)
            for b in (1, *COUNTS)
        }
    last = COUNTS[-1]
    return Finding(
        numbers={
            "size of the matrices": size,
            "MACs, dense": macs[1],
            "weights, dense": weights[1],
            **{f"MACs saved by {b} blocks, times": ratio for b, ratio in ratios.items()},
            f"weights, {last} blocks": weights[last],
        },
        text=f"{last} blocks take {ratios[last]:g} times fewer MACs ({macs[last]:,} instead of "
        f"{macs[1]:,}) and hold {weights[1] // weights[last]} times fewer weights.",
        claims=(
            Claim(
                "mistaken",
                "b blocks save a factor of the square root of b",
                all(abs(ratios[b] - b**0.5) < 0.01 for b in COUNTS),
            ),
            Claim("missed", "b blocks save a factor of b", all(ratios[b] == b for b in COUNTS)),
            Claim("besides", "torch's own counter says the same", counted == macs),
            Claim(
                "besides",
                "the weights are 1/b too",
                all(weights[b] * b == weights[1] for b in COUNTS),
            ),
            Claim(
                "besides",
                "a 1x1 convolution of b groups saves as much",
                all(grouped[1] == b * grouped[b] for b in COUNTS) and grouped[1] == macs[1],
            ),
            Claim("besides", "the blocks give what the whole matrix gives", same),
        ),
        seconds={f"{b} blocks" if b > 1 else "dense": seconds for b, seconds in clock.items()},
    )


def _grouped_macs(size: int, groups: int) -> int:
    """MACs of a 1x1 convolution from and to `size` channels, on as many pixels."""
    conv = nn.Conv2d(size, size, 1, groups=groups, bias=False)
    return reconcile(conv, torch.zeros(1, size, size, 1)).traced_macs


def _seconds(module: nn.Module, x: Tensor, repeats: int) -> float:
    """The shortest of some passes."""
    times: list[float] = []
    for _ in range(repeats):
        started = time.perf_counter()
        module(x)
        times.append(time.perf_counter() - started)
    return min(times)


BLOCKS = Study(
    name="7.4-blocks",
    section="7.4",
    exercise="7a",
    question="How much faster is the product of two c x c matrices if one of them has b blocks on "
    "its diagonal and zeros elsewhere?",
    notebook="By the square root of b, with blocks of side c over the square root of b.",
    answer="b times. The blocks lie on the diagonal, so their side is c/b: b products of c (c/b)^2 "
    "MACs are c^3/b, and there are c^2/b weights. What the clock gains depends "
    "on the machine, which small products use well or badly.",
    experiment=blocks,
)
