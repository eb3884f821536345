"""Sections 7.1 and 7.2: when to slide a kernel, and what it finds.

Source: d2l 7.1, exercises 2 and 4; d2l 7.2, exercise 1.
"""

from functools import reduce

import torch
from torch import Tensor, nn

from convlens.course.study import Finding, Setup, Study
from convlens.inspection.support import measured_support
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.window import Window

EXACT = 1e-12  # of sums in float64, relative to numbers of about 1


def audio(setup: Setup) -> Finding:
    """Shift a signal: a convolution's output shifts with it, a linear layer's does not."""
    del setup
    length, shift, border = 64, 5, 2
    signal = torch.randn(1, 1, length, dtype=torch.float64)
    conv = nn.Conv1d(1, 1, 5, padding=border, dtype=torch.float64)
    dense = nn.Linear(length, length, dtype=torch.float64)

    def error(layer: nn.Module) -> float:
        """How far layer(shifted) is from shifted layer, where both saw the same samples."""
        with torch.no_grad():
            late = layer(signal.roll(shift, -1))
            expected = layer(signal).roll(shift, -1)
        inside = slice(shift + border, length - border)
        return float((late - expected)[..., inside].abs().max())

    of_conv, of_dense = error(conv), error(dense)
    return Finding(
        numbers={"largest error, convolution": of_conv, "largest error, linear": of_dense},
        text=f"Shifted by {shift} of {length} samples, the convolution's output is its old output "
        f"shifted, to {of_conv:.1e}; the linear layer's is off by up to {of_dense:.2f}.",
        holds=of_conv < EXACT < 0.1 < of_dense,
    )


def text(setup: Setup) -> Finding:
    """How many layers of kernel 3 see two words that stand `distance` apart."""
    del setup
    plain, dilated = (
        Window(3, padding=1),
        [Window(3, dilation=2**i, padding=2**i) for i in range(9)],
    )
    layers: dict[int, int] = {}
    for distance in (10, 100, 500):
        layers[distance] = next(
            count
            for count in range(1, 501)
            if reduce(Window.then, [plain] * count).extent > distance
        )
    least = next(
        count for count in range(1, 10) if reduce(Window.then, dilated[:count]).extent > 500
    )
    stack = nn.Sequential(*(nn.Conv2d(1, 1, (1, 3), padding=(0, 1)) for _ in range(layers[10])))
    for parameter in stack.parameters():
        nn.init.ones_(parameter)
    box = measured_support(stack, torch.ones(1, 1, 1, 41), "", (0, 20))
    seen = 0 if box is None else box[3] - box[1]
    predicted = reduce(Window.then, [plain] * layers[10]).extent
    return Finding(
        numbers={
            **{f"layers for {distance} words apart": n for distance, n in layers.items()},
            "layers for 500 words, dilation doubled": least,
            f"words that {layers[10]} layers see, by gradient": seen,
            f"words that {layers[10]} layers see, by windows": predicted,
        },
        text=f"Words 10, 100 and 500 apart meet after {layers[10]}, {layers[100]} and "
        f"{layers[500]} layers of kernel 3; with doubled dilation after {least} even at 500.",
        holds=seen == predicted and layers == {10: 5, 100: 50, 500: 250} and least < 10,
    )


def edges(setup: Setup) -> Finding:
    """The kernel [1, -1] on a diagonal edge, and what transposing image or kernel does."""
    del setup
    kernel = torch.tensor([[1.0, -1.0]])
    eye, filled = torch.eye(6), torch.tril(torch.ones(6, 6))

    def correlate(image: Tensor, kernel: Tensor) -> Tensor:
        return cross_correlation2d(image[None, None], kernel[None, None])[0, 0]

    on_line = correlate(eye, kernel)
    beside = torch.diagonal(on_line, -1)
    edge, turned = correlate(filled, kernel), correlate(filled.T, kernel)
    random, other = torch.randint(-4, 5, (5, 8)).float(), torch.randint(-4, 5, (2, 3)).float()
    transposes = torch.equal(correlate(random.T, other.T), correlate(random, other).T)
    values = {
        "on a diagonal line": float(torch.diagonal(on_line)[0]),
        "just below it": float(beside[0]),
        "on a filled edge": float(edge.max()),
        "on the filled edge transposed": float(turned.min()),
    }
    holds = (
        bool((torch.diagonal(on_line) == 1).all() and (beside == -1).all())
        and torch.equal(correlate(eye.T, kernel), on_line)
        and torch.equal(correlate(eye, kernel.T), on_line.T)
        and bool((torch.diagonal(edge) == 1).all() and edge.sum() == 5)
        and bool((torch.diagonal(turned, -1) == -1).all() and turned.sum() == -5)
        and transposes
    )
    return Finding(
        numbers=values,
        text="A diagonal line answers 1 on the line and -1 beside it; a filled edge answers "
        f"{values['on a filled edge']:+.0f}, transposed {turned.min():+.0f}. Transposing image and "
        "kernel transposes the result, on a random image too.",
        holds=holds,
    )


STUDIES = (
    Study(
        name="7.1-audio",
        question="Audio is a sequence in one dimension. When are locality and the same weights "
        "everywhere the right thing for it?",
        notebook="Along time, since sounds mean the same whenever they are heard.",
        verdict="right",
        answer="Where events are short and mean the same whenever they occur: along time. Not "
        "along the frequencies of a spectrogram, and not where the absolute time matters.",
        experiment=audio,
    ),
    Study(
        name="7.1-text",
        question="Can convolutions work on text?",
        notebook="Yes, in one dimension, but far dependence is hard.",
        verdict="right",
        answer="Yes, along one axis; but words that depend on each other can be far apart, and a "
        "stack of small kernels sees far only after many layers.",
        experiment=text,
    ),
    Study(
        name="7.2-edges",
        question="What does the kernel [1, -1] make of a diagonal edge, and what if the image or "
        "the kernel is transposed?",
        notebook="Pictures that did not survive.",
        verdict="unreadable",
        answer="It answers on the edge, +1 or -1 by the side. Correlating the transposes gives the "
        "transpose; a diagonal line is its own transpose, so only the kernel's matters there.",
        experiment=edges,
    ),
)
