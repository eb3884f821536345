"""Sequences: sound and text, on which a convolution slides along one axis.

Source: d2l 7.1, exercises 2 and 4; equivariance is that of Cohen and Welling (2016),
https://arxiv.org/abs/1602.07576, section 2; doubled dilation that of van den Oord et al. (2016),
https://arxiv.org/abs/1609.03499, section 2.1.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from jaxtyping import Float
from torch import Tensor, nn

from convlens.course.study import Claim, Finding, Setup, Study
from convlens.ops.window import Window

LENGTH, EVENT, SHIFT = 64, 8, 5  # samples: a sound, what happens in it, how far it is moved
FRAME, PARTIALS, PITCH = 128, 4, 4  # samples; tones of a note; cycles of its lowest in a frame
TINY = 1e-5  # of numbers near 1: the rounding of float32
Layer = Callable[[Tensor], Tensor]


def detector(event: Float[Tensor, " k"]) -> Layer:
    """A convolution that has the event itself as its kernel; the ends of the sound are joined."""

    def layer(x: Float[Tensor, "n 1 w"]) -> Float[Tensor, "n 1 w"]:
        return F.conv1d(torch.cat([x, x[..., : len(event) - 1]], -1), event[None, None])

    return layer


def shift_error(layer: Layer, x: Tensor, shift: int) -> float:
    """`max |layer(shifted x) - shifted layer(x)|` along the last axis, which is a ring.

    >>> shift_error(torch.abs, torch.tensor([[-1.0, 0.0, 2.0]]), 1)
    0.0
    """
    moved, expected = layer(x.roll(shift, -1)), layer(x).roll(shift, -1)
    return float((moved - expected).abs().max())


def spectrum(pitch: int, partials: int = PARTIALS) -> Float[Tensor, " frequencies"]:
    """The strength of each frequency in one frame of a note, of length 1.

    >>> spectrum(4).topk(4).indices.sort().values
    tensor([ 4,  8, 12, 16])
    """
    time = torch.arange(FRAME) / FRAME
    tones = [torch.sin(2 * math.pi * n * pitch * time) for n in range(1, partials + 1)]
    return F.normalize(torch.fft.rfft(torch.stack(tones).sum(0)).abs(), dim=0)


def audio(setup: Setup, *, layer: Callable[[Tensor], Layer] = detector) -> Finding:
    """A short event is moved in time: what a convolution and a dense layer make of it.

    `layer` makes of the event the layer that is meant to find it. Besides, a note is raised by an
    octave: no shift along the frequencies makes one spectrum of the other.
    """
    del setup
    with torch.no_grad():
        event, noise = torch.randn(EVENT), 0.1 * torch.randn(LENGTH)
        find, dense = layer(event), nn.Linear(LENGTH, LENGTH)
        x = torch.cat([event, torch.zeros(LENGTH - EVENT)])[None, None]
        followed, lost = shift_error(find, x, SHIFT), shift_error(dense, x, SHIFT)
        found = sum(int(find(x.roll(k, -1) + noise).argmax()) == k for k in range(LENGTH))
        told_apart = float((find(x).amax(-1) - find(x.roll(SHIFT, -1)).amax(-1)).abs().max())
    low, high = spectrum(PITCH), spectrum(2 * PITCH)
    alike = max(float(low.roll(k) @ high) for k in range(len(low)))
    return Finding(
        numbers={
            "samples": LENGTH,
            "samples of the event": EVENT,
            "weights, convolution": EVENT,
            "weights, dense layer": dense.weight.numel(),
            "places where the event is found": found,
            f"error after a shift of {SHIFT}, convolution": followed,
            f"error after a shift of {SHIFT}, dense layer": lost,
            "change of the greatest output over time": told_apart,
            "likeness of a note and its octave, best shift": alike,
        },
        text=f"With {EVENT} weights a convolution finds the event at {found} of {LENGTH} places, "
        f"and its output moves with the sound (error {followed:.1e}, dense layer {lost:.2f}). A "
        f"note shifted along the frequencies is like its octave by {alike:.2f} at most, not by 1.",
        claims=(
            Claim("said", "an event is found by a window as short as it", found == LENGTH),
            Claim("said", "it means the same wherever in time it comes", followed < TINY),
            Claim("besides", "a layer without shared weights does not see that", lost > 0.01),
            Claim(
                "besides",
                "the greatest output over all time does not tell when the event was",
                told_apart < TINY,
            ),
            Claim("besides", "along the frequencies a higher note is no shifted one", alike < 0.9),
        ),
    )


AUDIO = Study(
    name="7.1-audio",
    section="7.1",
    exercise="2a",
    question="For which sounds is it sensible that a layer looks at short stretches only, and "
    "in the same way at all times?",
    notebook="When a pattern is short and means the same wherever in time it comes.",
    answer="For events that are short and mean the same whenever they come, such as phonemes or "
    "notes: along time. Not along the frequencies of a spectrogram, and not where the time itself "
    "matters: a convolution with a global maximum does not know it.",
    experiment=audio,
)

KERNEL = 3  # tokens that one layer sees


def stack(dilations: Sequence[int]) -> Layer:
    """Convolutions of three taps along a text, one after another; each looks back only."""
    kernels = [torch.rand(1, 1, KERNEL, dtype=torch.float64) + 0.5 for _ in dilations]

    def layer(x: Float[Tensor, "n 1 w"]) -> Float[Tensor, "n 1 w"]:
        for kernel, dilation in zip(kernels, dilations, strict=True):
            back = F.pad(x, (dilation * (KERNEL - 1), 0))
            x = F.conv1d(back, kernel / kernel.sum(), dilation=dilation)
        return x

    return layer


def sees(dilations: Sequence[int]) -> int:
    """Tokens that the last output of the stack depends on: `1 + (k - 1) sum of dilations`.

    >>> sees([1, 1, 1, 1]), sees([1, 2, 4, 8])
    (9, 31)
    """
    return reduce(Window.then, [Window(KERNEL, dilation=d) for d in dilations], Window(1)).extent


def text(
    setup: Setup, *, layers: Callable[[Sequence[int]], Layer] = stack, distance: int = 20
) -> Finding:
    """What a stack of four layers sees of a text, and how deep it must be to see farther.

    Measured by gradients through the stack; the formula is only compared to them.
    """
    del setup
    few, doubled = [1] * 4, [2**i for i in range(9)]
    seen = _reach(layers, few)
    depths = {d: _depth(layers, d, [1] * d) for d in (10, 100, 500)}
    deep = _depth(layers, 500, doubled)
    x, read = torch.randn(1, 1, 60, dtype=torch.float64), layers(few)
    near, far = _exchanged(read, x, 59, 58), _exchanged(read, x, 20, 19)
    lengths = [torch.allclose(read(x[..., :n]), read(x)[..., :n]) for n in (20, 40)]
    return Finding(
        numbers={
            "layers": len(few),
            "tokens seen, by gradients": seen,
            "tokens seen, by formula": sees(few),
            **{f"layers to see {d} tokens back": depth for d, depth in depths.items()},
            "layers to see 500 back, dilation doubled": deep,
            "change of the output if its last two tokens are exchanged": near,
            "change if two tokens 40 before are exchanged": far,
        },
        text=f"{len(few)} layers of kernel size {KERNEL} see {seen} tokens. To see 10, 100 and 500 "
        f"back takes {depths[10]}, {depths[100]} and {depths[500]} layers, with dilation doubled "
        f"{deep} for 500.",
        claims=(
            Claim("said", "a convolution along the text reads neighbouring tokens", seen > 1),
            Claim("said", "a sentence far away has an influence that it misses", seen <= distance),
            Claim("said", "so has the order of words, if it is far away", near > 0 == far),
            Claim("besides", "the stack sees 1 + L (k - 1) tokens", seen == sees(few)),
            Claim(
                "besides",
                "the depth grows with the distance",
                all(2 * depth == d for d, depth in depths.items()),
            ),
            Claim("besides", "with its logarithm if the dilation doubles", 0 < deep < 10),
            Claim("besides", "the same weights read texts of any length", all(lengths)),
        ),
    )


def _reach(layers: Callable[[Sequence[int]], Layer], dilations: Sequence[int]) -> int:
    """Tokens, back from the last, up to the first with an influence on the last output."""
    x = torch.rand(1, 1, sees(dilations) + 50, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(layers(dilations)(x)[0, 0, -1], x)
    touched = gradient[0, 0].nonzero()
    return x.shape[-1] - int(touched.min()) if len(touched) else 0


def _depth(
    layers: Callable[[Sequence[int]], Layer], distance: int, dilations: Sequence[int]
) -> int:
    """The fewest of these layers whose last output sees so far back; 0 if none does."""
    least, most = 1, len(dilations)
    if _reach(layers, dilations) <= distance:
        return 0
    while least < most:
        middle = (least + most) // 2
        if _reach(layers, dilations[:middle]) > distance:
            most = middle
        else:
            least = middle + 1
    return most


def _exchanged(layer: Layer, x: Tensor, one: int, other: int) -> float:
    """The change of the last output if two tokens change places."""
    order = list(range(x.shape[-1]))
    order[one], order[other] = order[other], order[one]
    return abs(float(layer(x)[0, 0, -1] - layer(x[..., order])[0, 0, -1]))


TEXT = Study(
    name="7.1-text",
    section="7.1",
    exercise="4",
    question="Can convolutions be used on text, and what about language makes it hard for them?",
    notebook="Yes, in one dimension; but sentences far away have an influence too, and the order "
    "of words.",
    answer="Yes, along the one axis of the text, whatever its length. But what is needed may stand "
    "far away: a stack of L layers of size k sees 1 + L (k - 1) tokens, so the depth grows with "
    "the distance, or with its logarithm if the dilation doubles from layer to layer.",
    experiment=text,
)
