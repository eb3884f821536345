"""Section 7.4: one number of two sums, and matrices in blocks.

Source: d2l 7.4, exercises 4 and 7.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from convlens.course.study import Finding, Setup, Study
from convlens.inspection.trace import trace


def order(setup: Setup) -> Finding:
    """How often the sum over channels and the product of matrices agree to the last bit."""
    generator = torch.Generator().manual_seed(setup.seed)
    cases = 200 if setup.quick else 1500

    def both(x: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """The same result by one product, and channel after channel as the definition adds."""
        by_channel = torch.zeros(len(kernel), *x.shape[1:], dtype=x.dtype)
        for channel in range(len(x)):
            by_channel += kernel[:, channel, None, None] * x[channel]
        return (kernel @ x.flatten(1)).reshape_as(by_channel), by_channel

    def compare(channels: int, outputs: int, size: int) -> tuple[float, float]:
        """The share of cases with equal bits, and the largest sum of differences."""
        equal, largest = 0, 0.0
        for _ in range(cases):
            x = torch.randn(channels, size, size, generator=generator)
            one, other = both(x, torch.randn(outputs, channels, generator=generator))
            equal += torch.equal(one, other)
            largest = max(largest, float((one - other).abs().sum()))
        return equal / cases, largest

    few, few_sum = compare(3, 2, 3)
    many, many_sum = compare(64, 8, 8)
    whole = (torch.randint(-9, 10, size, generator=generator) for size in ((64, 8, 8), (8, 64)))
    one, other = both(*(numbers.double() for numbers in whole))
    exact = torch.equal(one, other)
    return Finding(
        numbers={
            "random cases": cases,
            "share with equal bits, 3 channels": few,
            "share with equal bits, 64 channels": many,
            "largest sum of differences, 3 channels": few_sum,
            "largest sum of differences, 64 channels": many_sum,
            "equal on whole numbers": str(exact),
        },
        text=f"With 3 channels {few:.0%} of {cases} cases are equal to the last bit, with 64 "
        f"channels {many:.0%}, where the differences add up to as much as {many_sum:.1e}. On whole "
        "numbers, whose sums are exact in any order, they are equal.",
        holds=exact and many < 1 and 0 < many_sum < 1e-2 and few_sum < 1e-4,
    )


def blocks(setup: Setup) -> Finding:
    """A matrix of c x c on the diagonal of which stand b blocks, against the full one."""
    del setup
    channels, batch = 512, 128
    x = torch.zeros(batch, channels, 1, 1, device="meta")

    def costs(groups: int) -> tuple[int, int, int]:
        """MACs by torch's counter and by the trace, and weights."""
        layer = nn.Conv2d(channels, channels, 1, groups=groups, bias=False, device="meta")
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            layer(x)
        return counter.get_total_flops() // 2, trace(layer, x).whole.macs, layer.weight.numel()

    full = costs(1)
    numbers: dict[str, int | float | str] = {"MACs, full": full[0], "weights, full": full[2]}
    holds = full[0] == full[1] == batch * channels**2
    for count in (2, 4, 8, 16, 32):
        counted, traced, weights = costs(count)
        numbers[f"MACs, {count} blocks: times fewer"] = full[0] / counted
        holds &= counted * count == full[0] and counted == traced and weights * count == full[2]
    dense, blocked = torch.randn(channels, channels), torch.randn(8, channels // 8, channels // 8)
    right = torch.randn(channels, channels)
    faster = round(
        _seconds(lambda: dense @ right)
        / _seconds(lambda: torch.bmm(blocked, right.reshape(8, channels // 8, channels))),
        1,
    )
    numbers["clock, 8 blocks: times faster"] = faster
    return Finding(
        numbers=numbers,
        text="b blocks on the diagonal take 1/b of the MACs and hold 1/b of the weights, for every "
        f"b tried. By the clock 8 blocks were {faster} times faster, here and now.",
        holds=holds,
    )


def _seconds(product: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(7):
        started = time.perf_counter()
        product()
        times.append(time.perf_counter() - started)
    return sorted(times)[len(times) // 2]


STUDIES = (
    Study(
        name="7.4-order",
        question="Are the results of the 1x1 convolution and of the product of matrices the same "
        "numbers?",
        notebook="The same, because the kernel is 1x1.",
        verdict="partly",
        answer="The same in exact arithmetic; in floating point they add in another order, and "
        "differ by rounding.",
        experiment=order,
    ),
    Study(
        name="7.4-blocks",
        question="How much faster is a product if the matrix has b blocks on its diagonal and "
        "zeros elsewhere?",
        notebook="By the square root of b.",
        verdict="wrong",
        answer="b times: each block is c/b wide, so b (c/b)^2 = c^2/b weights instead of c^2. The "
        "square root came of tiling the whole matrix with blocks, not its diagonal.",
        experiment=blocks,
    ),
)
