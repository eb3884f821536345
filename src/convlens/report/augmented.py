"""A picture of what augmentation does to training images."""

import torch
from matplotlib.figure import Figure

from convlens.data.augment.apply import Augment
from convlens.data.augment.settings import AugmentConfig
from convlens.data.image_set import ImageSet
from convlens.data.transform import Prepare
from convlens.report.figures import image_rows


def augmented_sheet(
    data: ImageSet, config: AugmentConfig, *, title: str, seed: int = 0, num_epochs: int = 9
) -> Figure:
    """The first image of each class as it is, then as each of `num_epochs` epochs would show it.

    The images of all classes are one batch, so what is mixed in is one of the others.
    """
    firsts = [torch.nonzero(data.labels == k)[:1, 0] for k in range(len(data.class_names))]
    index = torch.cat(firsts)
    images, labels = data.images[index], data.labels[index]
    augment = Augment(config, seed=seed, num_images=len(data), num_classes=len(data.class_names))
    prepare = Prepare((images.shape[2], images.shape[3]))
    columns = [images]
    for epoch in range(1, num_epochs + 1):
        x = prepare(augment.pixels(images, index, epoch, 0))
        x, _ = augment.mix(x, labels, epoch, 0)
        columns.append((x * 255).round().to(torch.uint8))
    names = [data.class_names[int(label)] for label in labels]
    rows = list(zip(names, torch.stack(columns, 1), strict=True))
    return image_rows(rows, title=title, per_row=len(columns))
