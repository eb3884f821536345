"""Settings of a training, moved to where a small set of images can be learned with them.

A recipe's batch of 128 is made for tens of thousands of images. A hundred of them are one step an
epoch, and ten steps teach nothing.

Source: Goyal et al. (2017), https://arxiv.org/abs/1706.02677, 2.1: the learning rate goes with the
batch size.
"""

import math
from collections.abc import Set as AbstractSet
from dataclasses import replace

from convlens.train.optim import TrainConfig

STEPS_AN_EPOCH = 8  # at least; the batch is halved until there are as many
SMALLEST_BATCH = 8  # images
STEPS = 240  # at least, in all epochs together


def suited(train: TrainConfig, num_images: int, fixed: AbstractSet[str]) -> TrainConfig:
    """`train` with smaller batches, a smaller learning rate and more epochs, as far as needed.

    >>> small = suited(TrainConfig(lr=0.1, batch_size=128, epochs=10), 132, frozenset())
    >>> small.batch_size, small.lr, small.epochs
    (16, 0.0125, 27)

    Args:
        fixed: the settings that stay as they are.
    """
    batch_size, lr, epochs = train.batch_size, train.lr, train.epochs
    if "batch_size" not in fixed:
        while math.ceil(num_images / batch_size) < STEPS_AN_EPOCH and batch_size > SMALLEST_BATCH:
            batch_size = max(batch_size // 2, SMALLEST_BATCH)
    if "lr" not in fixed:
        lr *= batch_size / train.batch_size
    if "epochs" not in fixed:
        epochs = max(epochs, math.ceil(STEPS / math.ceil(num_images / batch_size)))
    return replace(train, batch_size=batch_size, lr=lr, epochs=epochs)


def difference(recipe: TrainConfig, used: TrainConfig) -> str:
    """What was changed, in a sentence; "" if nothing was.

    >>> difference(TrainConfig(epochs=10), TrainConfig(epochs=27))
    'for so few images: 27 epochs (the recipe: 10)'
    """
    words = {"epochs": "{} epochs", "batch_size": "batches of {}", "lr": "lr {:g}"}
    said = [
        f"{word.format(getattr(used, name))} (the recipe: {getattr(recipe, name):g})"
        for name, word in words.items()
        if getattr(used, name) != getattr(recipe, name)
    ]
    return f"for so few images: {', '.join(said)}" if said else ""
