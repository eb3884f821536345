"""The learning rate of each step, as a function of the step alone.

So a training can be taken up again at any step, and a schedule is drawn or tested without one.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence

from convlens.train.optim.settings import Knot, TrainConfig


def learning_rate(config: TrainConfig, step: int, num_steps: int) -> float:
    """The learning rate of step `step` of `num_steps`, counted from 0: `lr` times a share.

    "one-cycle" rises in a straight line over the warm-up and falls in a straight line to
    zero after the last step; "cosine" falls by half a wave instead. "step" is multiplied by
    `gamma` at each milestone that lies behind. "knots" joins its knots by straight lines.

    >>> config = TrainConfig(lr=1.0, schedule="one-cycle", warmup=0.5)
    >>> [learning_rate(config, step, 4) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    match config.schedule:
        case "constant":
            return config.lr
        case "step":
            at = step + 1e-9  # a share such as 0.55 times 100 is a little above 55
            passed = sum(at >= share * num_steps for share in config.milestones)
            return config.lr * config.gamma**passed
        case "knots":
            return config.lr * height(config.knots, (step + 0.5) / num_steps)
        case "one-cycle" | "cosine":
            rising = math.ceil(config.warmup * num_steps)
            if step < rising:
                return config.lr * (step + 1) / rising
            if config.schedule == "one-cycle":
                return config.lr * (num_steps - step) / (num_steps - rising)
            fallen = (step - rising) / (num_steps - rising)
            return config.lr * (1 + math.cos(math.pi * fallen)) / 2


def height(knots: Sequence[Knot], share: float) -> float:
    """The line through `knots` at `share`; of two knots at one share the later one counts.

    A step asks for the height at its middle. So a line that starts or ends at zero has no step
    of rate zero, and the mean rate of the steps between two knots is the line's own.

    >>> line = [(0.0, 0.0), (0.2, 1.0), (1.0, 0.0)]
    >>> [height(line, share) for share in (0.1, 0.2, 0.6)]
    [0.5, 1.0, 0.5]
    """
    after = min(bisect_right(knots, share, key=lambda knot: knot[0]), len(knots) - 1)
    (left, low), (right, high) = knots[after - 1], knots[after]
    if right == left:
        return high
    return low + (high - low) * (share - left) / (right - left)
