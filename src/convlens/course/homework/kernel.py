"""Kernel: the one that section 7.2 learns, from the notebook's start and from many others.

A step multiplies the error along (1, 1) by 1 - 60 lr and along (1, -1) by 1 - 12 lr, as the image's
products have the sums 18 and 12. So from every start that torch can draw, the ten steps end within
a bound that can be computed, and what does not is not this gradient descent.

Source: d2l 7.2, "Learning a Kernel".
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from convlens.ops.correlation import cross_correlation2d
from convlens.ops.steps.learn import START, LearningStep, edge_image, learn_kernel, random_start

TRUTH = (1.0, -1.0)
LR, NUM_STEPS = 3e-2, 10
FURTHEST = 1 / math.sqrt(2)  # of an entry of a start from 0


@dataclass(frozen=True, kw_only=True, slots=True)
class LearnedKernel:
    """What ten steps of gradient descent gave."""

    steps: tuple[LearningStep, ...]  # from the notebook's start
    num_starts: int  # others, at random
    num_within: int  # of them ended within the bounds
    error_bound: float  # of an entry
    loss_bound: float  # before the last step

    @property
    def kernel(self) -> tuple[float, ...]:
        """The learned entries."""
        return self.steps[-1].kernel[0][0]

    @property
    def agrees(self) -> bool:
        """Whether every start ended within the bounds."""
        return self.num_within == self.num_starts


def learn(seeds: Iterable[int]) -> LearnedKernel:
    """The kernel from the notebook's start, and how the starts of `seeds` end.

    >>> [round(entry, 4) for entry in learn(range(2)).kernel]
    [1.0383, -0.943]
    """
    error_bound, loss_bound = bounds()
    runs = [_steps(random_start(seed)) for seed in seeds]
    within = sum(
        steps[-1].loss < loss_bound
        and all(
            abs(entry - wanted) < error_bound
            for entry, wanted in zip(steps[-1].kernel[0][0], TRUTH, strict=True)
        )
        for steps in runs
    )
    return LearnedKernel(
        steps=_steps(torch.tensor([[START]])),
        num_starts=len(runs),
        num_within=within,
        error_bound=error_bound,
        loss_bound=loss_bound,
    )


def bounds() -> tuple[float, float]:
    """The greatest error of an entry after all steps, and the greatest loss before the last.

    >>> [round(bound, 3) for bound in bounds()]
    [0.096, 0.552]
    """
    along, across = 1 - 60 * LR, 1 - 12 * LR  # (1, 1) and (1, -1)
    sides = FURTHEST, 1 + FURTHEST  # the start's greatest parts of them
    error = abs(along) ** NUM_STEPS * sides[0] + abs(across) ** NUM_STEPS * sides[1]
    before = abs(along) ** (NUM_STEPS - 1) * sides[0], abs(across) ** (NUM_STEPS - 1) * sides[1]
    return error, 60 * before[0] ** 2 + 12 * before[1] ** 2


def _steps(start: torch.Tensor) -> tuple[LearningStep, ...]:
    image = edge_image()
    target = cross_correlation2d(image[None, None], torch.tensor([[[TRUTH]]]))[0, 0]
    return tuple(learn_kernel(image[None], target, start, lr=LR, num_epochs=NUM_STEPS))
