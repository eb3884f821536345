"""Section 7.3: sizes, and what a stride does to a signal.

Source: d2l 7.3, exercises 1 and 2; Shannon (1949), https://doi.org/10.1109/JRPROC.1949.232969.
"""

from itertools import product

import torch
from torch import nn

from convlens.course.study import Finding, Setup, Study
from convlens.ops.geometry import Geometry


def shape(setup: Setup) -> Finding:
    """The size by the formula, and by torch on a grid of settings."""
    geometry = Geometry.of((3, 5), padding=(0, 1), stride=(3, 4))
    asked = geometry.output_size(8, 8)
    sizes = (5, 6, 8, 13) if setup.quick else range(5, 40)
    agreed = tried = 0
    for size, kernel, stride, padding in product(sizes, range(1, 6), range(1, 5), range(3)):
        layer = nn.Conv2d(1, 1, kernel, stride=stride, padding=padding, device="meta")
        theirs = tuple(layer(torch.empty(1, 1, size, size, device="meta")).shape[2:])
        ours = Geometry.of(kernel, stride=stride, padding=padding).output_size(size, size)
        tried, agreed = tried + 1, agreed + (ours == theirs)
    return Finding(
        numbers={"rows": asked[0], "columns": asked[1], "settings tried": tried, "agreed": agreed},
        text=f"The output is {asked[0]}x{asked[1]}; the formula agrees with torch on {agreed} of "
        f"{tried} settings.",
        holds=asked == (2, 2) and agreed == tried,
    )


def aliasing(setup: Setup) -> Finding:
    """A tone above a quarter of the rate, kept every second sample."""
    del setup
    rate, tone, seconds = 8000, 3000, 1
    time = torch.arange(rate * seconds, dtype=torch.float64) / rate
    wave = torch.sin(2 * torch.pi * tone * time)
    halved = wave[::2]
    smoothed = torch.nn.functional.avg_pool1d(wave[None, None], 2, stride=2)[0, 0]

    def peak(signal: torch.Tensor, rate: int) -> tuple[int, float]:
        spectrum = torch.fft.rfft(signal).abs() / (len(signal) / 2)
        place = int(spectrum.argmax())
        return round(place * rate / len(signal)), float(spectrum[place])

    before, (after, strength) = peak(wave, rate)[0], peak(halved, rate // 2)
    _, left = peak(smoothed, rate // 2)
    return Finding(
        numbers={
            "tone, Hz": before,
            "highest that stride 2 can keep, Hz": rate // 4,
            "tone after stride 2, Hz": after,
            "its strength": round(strength, 3),
            "its strength after averaging two": round(left, 3),
        },
        text=f"A tone of {before} Hz at {rate} samples a second is heard at {after} Hz after "
        f"stride 2, at full strength: it is folded about {rate // 4} Hz. Averaging neighbours "
        f"first leaves {left:.2f} of it.",
        holds=(before, after) == (tone, rate // 2 - tone) and strength > 0.99 and left < 0.5,
    )


STUDIES = (
    Study(
        name="7.3-shape",
        question="Which size has the output of a 3x5 kernel with padding (0, 1) and stride (3, 4) "
        "on 8x8?",
        notebook="2x2.",
        verdict="right",
        answer="2x2: floor((8 - 3 + 0) / 3) + 1 rows and floor((8 - 5 + 2) / 4) + 1 columns.",
        experiment=shape,
    ),
    Study(
        name="7.3-stride",
        question="What does a stride of 2 mean for sound?",
        notebook="Half the sampling rate, and details are lost.",
        verdict="partly",
        answer="Every second sample is kept: half the rate, half the highest frequency. What lies "
        "above is not lost but folded down, as a tone that was not there, unless it is smoothed "
        "away before.",
        experiment=aliasing,
    ),
)
