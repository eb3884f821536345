"""Padding and stride: the size of the output, and what a stride does to a sound.

Source: d2l 7.3, exercises 1 and 2; Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285
(sizes); Shannon (1949), https://doi.org/10.1109/JRPROC.1949.232969 (sampling).
"""

import math
from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from jaxtyping import Float
from torch import Tensor, nn

from convlens.core.errors import ShapeError
from convlens.course.study import Claim, Finding, Setup, Study
from convlens.ops.window import Window

OutputSize = Callable[[int, int, int, int], int]  # of size, kernel, padding, stride
SIDE = 8
KERNEL, PADDING, STRIDES = (3, 5), (0, 1), (3, 4)


def by_window(size: int, kernel: int, padding: int, stride: int) -> int:
    """`floor((size - kernel + 2 padding + stride) / stride)`, by our window.

    >>> by_window(8, 5, 1, 4)
    2
    """
    return Window(kernel, stride, padding).output_size(size)


def shape(setup: Setup, *, output_size: OutputSize = by_window) -> Finding:
    """The exercise's shape by formula and by `nn.Conv2d`, then a grid of other settings."""
    sides = zip(KERNEL, PADDING, STRIDES, strict=True)
    formula = tuple(output_size(SIDE, *side) for side in sides)
    layer = nn.Conv2d(1, 1, KERNEL, stride=STRIDES, padding=PADDING, device="meta")
    torch_says = tuple(layer(torch.zeros(1, 1, SIDE, SIDE, device="meta")).shape[2:])
    sizes = range(5, 10) if setup.quick else range(5, 40)
    grid = list(product(sizes, range(1, 6), range(3), range(1, 5)))
    equal = sum(_agrees(output_size, *setting) for setting in grid)
    return Finding(
        numbers={
            "by formula": _times(formula),
            "by nn.Conv2d": _times(torch_says),
            "other settings": len(grid),
            "of them equal": equal,
        },
        text=f"The formula says {_times(formula)}, nn.Conv2d {_times(torch_says)}; they agree "
        f"on {equal} of {len(grid)} other settings.",
        claims=(
            Claim("said", "the output is 2 x 2", torch_says == (2, 2)),
            Claim("said", "the formula says what comes out", formula == torch_says),
            Claim("besides", "it does so for every setting tried", equal == len(grid)),
        ),
    )


def _agrees(output_size: OutputSize, size: int, kernel: int, padding: int, stride: int) -> bool:
    x = torch.zeros(1, 1, size, size, device="meta")
    layer = nn.Conv2d(1, 1, kernel, stride=stride, padding=padding, device="meta")
    try:
        return output_size(size, kernel, padding, stride) == layer(x).shape[2]
    except ShapeError:  # our window does not fit, torch's did
        return False


def _times(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


SHAPE = Study(
    name="7.3-shape",
    section="7.3",
    exercise="1",
    question="An 8 x 8 image, kernel 3 x 5, padding (0, 1), stride (3, 4): what shape comes out?",
    notebook="2 x 2, by running it.",
    answer="2 x 2: floor((8 - 3 + 0 + 3) / 3) = 2 rows and floor((8 - 5 + 2 + 4) / 4) = 2 columns.",
    experiment=shape,
)

Wave = Float[Tensor, " samples"]  # float64
Hertz = int | float
Filter = Callable[[Hertz, int], Wave]  # the taps that keep what is below so many Hz at this rate


def sine(frequency: Hertz, rate: int) -> Wave:
    """One second of a tone of `frequency` Hz.

    >>> sine(1, 4).round(decimals=6) + 0
    tensor([ 0.,  1.,  0., -1.], dtype=torch.float64)
    """
    return torch.sin(2 * math.pi * frequency / rate * torch.arange(rate, dtype=torch.float64))


def peak(wave: Wave, rate: int) -> float:
    """The strongest frequency of a sound, in Hz.

    >>> peak(sine(10, 80), 80)
    10.0
    """
    return int(torch.fft.rfft(wave).abs().argmax()) * rate / len(wave)


def low_pass(cutoff: Hertz, rate: int, size: int = 101) -> Wave:
    """A sinc under a Hann window: lets through what is below `cutoff` Hz.

    >>> abs(float(low_pass(1000, 8000).sum()) - 1) < 1e-6
    True
    """
    time = torch.arange(size, dtype=torch.float64) - size // 2
    taps = torch.sinc(2 * cutoff / rate * time) * torch.hann_window(
        size, periodic=False, dtype=torch.float64
    )
    return taps / taps.sum()


def folded(frequency: Hertz, rate: Hertz) -> float:
    """The frequency that a sampled tone looks like, between 0 and half the rate.

    >>> folded(3000, 4000)
    1000.0
    """
    return abs(frequency - rate * round(frequency / rate)) * 1.0


def conv(wave: Wave, taps: Float[Tensor, " taps"], stride: int) -> Float[Tensor, " kept"]:
    """The sound by a convolution with these taps, as a layer would do it."""
    return F.conv1d(wave[None, None], taps[None, None], stride=stride)[0, 0]


def aliasing(
    setup: Setup, *, tone: int = 3000, rate: int = 8000, stride: int = 2, smooth: Filter = low_pass
) -> Finding:
    """One second of a tone through a convolution of stride `stride`, and its strongest frequency.

    The kernel is the single tap 1, then a low-pass filter below the new limit.
    """
    del setup
    wave, one = sine(tone, rate), torch.ones(1, dtype=torch.float64)
    plain = conv(wave, one, stride)
    new_rate, limit = len(plain), rate / stride / 2
    after = peak(plain, new_rate)
    double = conv(sine(after, rate), one, stride)
    same = min(float((plain - sign * double).abs().max()) for sign in (1, -1))
    taps = smooth(0.8 * limit, rate)
    left, kept = (float(conv(sine(f, rate), taps, stride).abs().max()) for f in (tone, limit / 4))
    pair = torch.full((stride,), 1 / stride, dtype=torch.float64)
    averaged = float(conv(wave, pair, stride).abs().max())
    return Finding(
        numbers={
            "rate, Hz": rate,
            "rate after the stride, Hz": new_rate,
            "highest frequency then, Hz": limit,
            "tone, Hz": peak(wave, rate),
            "heard after the stride, Hz": after,
            "its amplitude": float(plain.abs().max()),
            f"difference from a tone of {after:g} Hz after the stride": same,
            f"amplitude, averaged over {stride} first": averaged,
            "amplitude, low-pass filter first": left,
            f"amplitude of a tone of {limit / 4:g} Hz by the same filter": kept,
        },
        text=f"A tone of {tone:,} Hz at {rate:,} Hz, stride {stride}: {new_rate:,} samples a "
        f"second and a tone of {after:g} Hz; after a low-pass filter its amplitude is {left:.1e}, "
        f"after averaging {stride} samples still {averaged:.2f}.",
        claims=(
            Claim("said", "the rate is divided by the stride", new_rate * stride == rate),
            Claim("said", "something is lost: two tones become one", same < 1e-9 and after != tone),
            Claim(
                "missed",
                "a tone above the new limit comes back as a lower one that was not there",
                tone > limit and abs(after - folded(tone, new_rate)) < 1,
            ),
            Claim(
                "missed",
                "a low-pass filter before the stride removes it, and keeps what is low",
                left < 0.01 < averaged and kept > 0.95,
            ),
        ),
    )


STRIDE = Study(
    name="7.3-stride",
    section="7.3",
    exercise="2",
    question="What does a stride of 2 do to a sound?",
    notebook="It halves the rate; quality drops and fine detail may disappear.",
    answer="Every second sample is kept, so the rate and the highest frequency that it can hold "
    "are halved. What lies above does not disappear: it comes back as a lower tone (aliasing), "
    "unless a low-pass filter removes it first.",
    experiment=aliasing,
)
