"""The sheet shows each class's first image, and then what a training would be shown."""

import numpy as np
import torch
from torch import Tensor

from convlens.data.augment.apply import Augment
from convlens.data.augment.settings import AugmentConfig
from convlens.data.image_set import DataSet
from convlens.report.augmented import augmented_sheet


def strips(data: DataSet, config: AugmentConfig) -> list[Tensor]:
    """The images of each row."""
    figure = augmented_sheet(data.train, config, title="changed", seed=3, num_epochs=2)
    found: list[Tensor] = []
    for axes in figure.axes:
        (strip,) = axes.images
        pixels = strip.get_array()
        assert pixels is not None
        found.append(torch.from_numpy(np.array(pixels)).reshape(28, 3, 28).permute(1, 0, 2))
    return found


def test_without_a_setting_each_column_is_the_image(small: DataSet) -> None:
    rows = strips(small, AugmentConfig())
    assert len(rows) == len(small.train.class_names)
    for label, row in enumerate(rows):
        first = small.train.images[small.train.labels == label][0, 0]
        assert all(torch.equal(image, first) for image in row)


def test_the_columns_are_what_the_epochs_show(small: DataSet) -> None:
    config = AugmentConfig(flip="alternating", translate=2)
    rows = torch.stack(strips(small, config))
    index = torch.stack([(small.train.labels == k).nonzero()[0, 0] for k in range(len(rows))])
    images = small.train.images[index]
    augment = Augment(config, seed=3, num_images=len(small.train), num_classes=10)
    assert torch.equal(rows[:, 0], images[:, 0])
    for epoch in (1, 2):
        assert torch.equal(rows[:, epoch], augment.pixels(images, index, epoch, 0)[:, 0])


def test_mixed_images_hold_two(small: DataSet) -> None:
    rows = torch.stack(strips(small, AugmentConfig(cutmix=1.0)))
    originals = rows[:, 0]
    for row in rows:
        for image in row[1:]:
            assert (image == originals).any(0).all()  # each pixel is one of theirs
