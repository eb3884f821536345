"""Pooling: the average is a convolution, the maximum is none.

Source: d2l 7.5, exercises 1 and 2.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from jaxtyping import Float
from torch import Tensor

from convlens.core.shapes import Batch, Maps
from convlens.course.study import Claim, Finding, Setup, Study
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.pooling import max_pool2d

WINDOWS = ((2, 2), (3, 2), (2, 3), (1, 4))
CHANNELS, SIDE = 3, 12
EXACT = 1e-12  # of sums in float64, relative to numbers of about 1
Taps = Callable[[int, int], Float[Tensor, "kh kw"]]


def equal_taps(rows: int, columns: int) -> Float[Tensor, "kh kw"]:
    """Ones, divided by the number of the window's cells.

    >>> equal_taps(2, 2).tolist()
    [[0.25, 0.25], [0.25, 0.25]]
    """
    return torch.ones(rows, columns, dtype=torch.float64) / (rows * columns)


def average(setup: Setup, *, taps: Taps = equal_taps) -> Finding:
    """Average pooling by torch, and a convolution with these taps: their greatest difference."""
    one = several = padded = without = 0.0
    images = 2 if setup.quick else 200
    for window in WINDOWS:
        x = torch.rand(images, CHANNELS, SIDE, SIDE, dtype=torch.float64)
        single = taps(*window)[None, None]
        kernel = single.expand(CHANNELS, 1, *window)

        def conv(padding: tuple[int, int], *, kernel: Tensor = kernel, x: Tensor = x) -> Tensor:
            stride = (kernel.shape[2], kernel.shape[3])
            return cross_correlation2d(x, kernel, stride=stride, padding=padding, groups=CHANNELS)

        by_one = cross_correlation2d(x[:, :1], single, stride=window)
        one = max(one, _distance(by_one, F.avg_pool2d(x[:, :1], window)))
        several = max(several, _distance(conv((0, 0)), F.avg_pool2d(x, window)))
        margin = (window[0] // 2, window[1] // 2)
        counted, uncounted = (
            F.avg_pool2d(x, window, padding=margin, count_include_pad=count)
            for count in (True, False)
        )
        padded = max(padded, _distance(conv(margin), counted))
        without = max(without, _distance(conv(margin), uncounted))
    return Finding(
        numbers={
            "windows tried": len(WINDOWS),
            "difference on one channel": one,
            f"difference on {CHANNELS} channels in groups": several,
            "difference with padding that counts": padded,
            "difference with padding that does not count": without,
        },
        text=f"With {len(WINDOWS)} windows a convolution of equal taps differs from average "
        f"pooling by {one:.0e} on one channel and {several:.0e} on {CHANNELS}; with padding by "
        f"{padded:.0e} if its zeros count as cells, {without:.2f} if not.",
        claims=(
            Claim("said", "equal taps, divided by the window's cells, do it", one < EXACT),
            Claim("besides", "for each channel apart with groups = channels", several < EXACT),
            Claim("besides", "with padding too, if its zeros are counted", padded < EXACT),
            Claim("besides", "but not if they are not counted", without > 0.01),
        ),
    )


def _distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


AVERAGE = Study(
    name="7.5-average",
    section="7.5",
    exercise="1",
    question="How is average pooling done by a convolution?",
    notebook="A kernel of ones as large as the window, divided by the number of its cells.",
    answer="So it is: taps of 1/(ph pw), the stride as large as the window, one group for each "
    "channel and no bias. Padding is the same only where its zeros count as cells.",
    experiment=average,
)

Pool = Callable[[Batch], Maps]


def maximum_of_two(x: Batch) -> Maps:
    """Max-pooling of 2 x 2 windows."""
    return max_pool2d(x, 2)


def maximum(setup: Setup, *, pool: Pool = maximum_of_two) -> Finding:
    """Whether pooling is linear: `f(x) + f(-x)` must be 0, and `f(x + y) = f(x) + f(y)`.

    Every convolution without a bias passes both. With one, `f(x) + f(-x)` is twice the bias: the
    same for each x.
    """
    cases = 100 if setup.quick else 10_000
    x = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    up, down = float(pool(x)), float(pool(-x))
    of_zeros = 2 * float(pool(0 * x))
    pairs = torch.randint(-9, 10, (cases, 2, 1, 1, 8, 8)).float()
    kernel = torch.randint(-9, 10, (1, 1, 2, 2)).float()

    def conv(images: Batch) -> Maps:
        return cross_correlation2d(images, kernel, stride=2)

    winners = {_tap_of(pool, a) for a, _ in pairs} - {None}
    additive, conv_additive = (
        sum(torch.equal(f(a + b), f(a) + f(b)) for a, b in pairs) for f in (pool, conv)
    )
    return Finding(
        numbers={
            "f(x)": up,
            "f(-x)": down,
            "f(x) + f(-x)": up + down,
            "f(0) + f(-0)": of_zeros,
            "random cases": cases,
            "additive, pooling": additive,
            "additive, a convolution": conv_additive,
            "cells of the window that needed the tap 1": len(winners),
        },
        text=f"On x = (1 0; 0 0) f(x) + f(-x) = {up + down:g}, and for a convolution it is 0. "
        f"Pooling a sum gave the sum of the poolings in {additive} of {cases:,} random cases, a "
        f"convolution in {conv_additive:,}.",
        claims=(
            Claim("said", "the cell that needs the tap 1 changes with the image", len(winners) > 1),
            Claim(
                "missed",
                "f(x) + f(-x) is not 0, as it is for every linear map: a proof",
                up + down != 0,
            ),
            Claim("besides", "nor is it the same for each x, twice a bias", up + down != of_zeros),
            Claim("besides", "convolutions are additive", conv_additive == cases),
            Claim("besides", "pooling is not", additive < cases),
        ),
    )


def _tap_of(pool: Pool, image: Batch) -> int | None:
    """The one cell of the first window that the pooling gives, or None."""
    cells = image[0, 0, :2, :2].flatten()
    given = (cells == pool(image)[0, 0, 0, 0]).nonzero()
    return int(given) if len(given) == 1 else None


MAXIMUM = Study(
    name="7.5-maximum",
    section="7.5",
    exercise="2",
    question="Why can no convolution alone do max-pooling?",
    notebook="Its kernel would have to change with the image, so no fixed one does it.",
    answer="A convolution is linear, so f(x) + f(-x) = 0. The maximum over (1 0; 0 0) is 1 and "
    "over its negative 0, and 1 + 0 is not 0. That the kernel would depend on the data is the "
    "idea; this pair is the proof.",
    experiment=maximum,
)
