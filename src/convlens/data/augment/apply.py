"""The augmentation that the settings ask for, drawn from a seed, an epoch and a step.

The same step draws the same, so a training repeats, and goes on where it stopped. Each kind of
change has chance of its own: to turn one off leaves what the others draw.

Source of the alternating flip: Jordan (2024), https://arxiv.org/abs/2404.00498, section 3.6.
"""

import math
from typing import final

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from convlens.core.seed import derive
from convlens.core.shapes import Batch, Labels, Pixels, SoftLabels
from convlens.data.augment.cover import erase, rectangles, squares
from convlens.data.augment.mix import cutmix, mixup, soft
from convlens.data.augment.moves import mirror, rotate, shift
from convlens.data.augment.settings import AugmentConfig

_FLIP, _ROTATE, _TRANSLATE, _ERASE, _MIX = range(5)  # what chance is used for
_SHAPES = (0.3, 1 / 0.3)  # least and largest height over width of a random rectangle


@final
class Augment:
    """Changes training images of a set of `num_images` as `config` says, repeatably."""

    def __init__(
        self, config: AugmentConfig, *, seed: int, num_images: int, num_classes: int
    ) -> None:
        self.config = config
        self.seed = seed
        self.num_classes = num_classes
        generator = torch.Generator().manual_seed(derive(seed, _FLIP))
        # Whether an image is mirrored in epochs of an even number; in the others the opposite.
        self._mirrored = torch.rand(num_images, generator=generator) < 0.5

    def pixels(self, images: Pixels, index: Int64[Tensor, "n"], epoch: int, step: int) -> Pixels:
        """The images of a step flipped, turned, shifted and erased; `index` is which they are."""
        images = self._flip(images, index, epoch, step)
        images = self._move(images, epoch, step)
        return self._erase(images, epoch, step)

    def mix(
        self, x: Batch, labels: Labels, epoch: int, step: int
    ) -> tuple[Batch, Labels | SoftLabels]:
        """The batch with its images mixed in pairs; if there is no mixing, the very same batch."""
        config = self.config
        if not config.mixes:
            return x, labels
        rng = np.random.default_rng(derive(self.seed, epoch, step, _MIX))
        pasting = bool(config.cutmix) and (not config.mixup or rng.random() < 0.5)
        alpha = config.cutmix if pasting else config.mixup
        share = rng.beta(alpha, alpha)
        partner = torch.from_numpy(rng.permutation(len(x))).to(x.device)
        targets = soft(labels, self.num_classes)
        if pasting:
            return cutmix(x, targets, partner, share, (rng.random(), rng.random()))
        return mixup(x, targets, partner, share)

    def _flip(self, images: Pixels, index: Int64[Tensor, "n"], epoch: int, step: int) -> Pixels:
        if self.config.flip == "none":
            return images
        if self.config.flip == "random":
            chosen = torch.rand(len(images), generator=self._chance(epoch, step, _FLIP)) < 0.5
        else:
            chosen = self._mirrored[index.cpu()] ^ bool(epoch % 2)
        return mirror(images, chosen.to(images.device))

    def _move(self, images: Pixels, epoch: int, step: int) -> Pixels:
        config, num = self.config, len(images)
        if config.rotate:
            turn = 2 * torch.rand(num, generator=self._chance(epoch, step, _ROTATE)) - 1
            images = rotate(images, (config.rotate * turn).to(images.device), fill=config.fill)
        if far := config.translate:
            generator = self._chance(epoch, step, _TRANSLATE)
            moves = torch.randint(-far, far + 1, (2, num), generator=generator)
            down, right = moves.to(images.device)
            fill = config.fill if config.padding == "fill" else None
            images = shift(images, down, right, fill=fill)
        return images

    def _erase(self, images: Pixels, epoch: int, step: int) -> Pixels:
        config = self.config
        if config.erase == "none":
            return images
        num, _, height, width = images.shape
        generator = self._chance(epoch, step, _ERASE)
        # All numbers are drawn on the CPU, so that every device sees the same.
        drawn = torch.rand(5, num, generator=generator, dtype=torch.float64).to(images.device)
        if config.erase == "square":
            row, col = (drawn[0] * height).long(), (drawn[1] * width).long()
            where = squares(row, col, config.erase_size)
            return erase(images, where, torch.ones_like(row, dtype=torch.bool), fill=config.fill)
        least, largest = config.erase_area
        area = least + (largest - least) * drawn[2]
        low, high = map(math.log, _SHAPES)  # so that tall and wide are drawn as often
        shape = (low + (high - low) * drawn[3]).exp()
        where = rectangles(area, shape, drawn[:2].T, height=height, width=width)
        return erase(images, where, drawn[4] < config.erase_probability, fill=config.fill)

    def _chance(self, epoch: int, step: int, use: int) -> torch.Generator:
        return torch.Generator().manual_seed(derive(self.seed, epoch, step, use))
