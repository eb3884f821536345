"""The book's data: loaders of (x, y) batches, and Fashion-MNIST.

The classes here are open, since the book's readers derive from them.

Source: d2l 3.2 (DataModule) and 4.2 (FashionMNIST),
https://d2l.ai/chapter_linear-classification/image-classification-dataset.html.
Differs from d2l: the images travel with the package, stay bytes until a batch is made of them, and
are resized as a batch; there are no worker processes unless asked for.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from convlens.core.shapes import Batch, Labels
from convlens.d2l.drawing import show_images
from convlens.d2l.module import HyperParameters
from convlens.data.batches import Batches
from convlens.data.image_set import ImageSet
from convlens.data.sets.fashion_mnist import load_fashion_mnist
from convlens.data.transform import Prepare


class DataModule(HyperParameters):
    """Where batches to train on, and to validate on, come from."""

    batch_size: int
    num_workers: int

    def __init__(self, root: str | Path = "../data", num_workers: int = 0) -> None:
        self.save_hyperparameters()

    def get_dataloader(self, train: bool) -> Any:
        """The batches to train on, or to validate on: anything with a length to iterate over."""
        raise NotImplementedError(f"{type(self).__name__} has no get_dataloader")

    def train_dataloader(self) -> Any:
        """The batches to train on."""
        return self.get_dataloader(train=True)

    def val_dataloader(self) -> Any:
        """The batches to validate on, or None."""
        return self.get_dataloader(train=False)

    def get_tensorloader(
        self, tensors: Sequence[Tensor], train: bool, indices: slice = slice(0, None)
    ) -> DataLoader[Any]:
        """Batches of the chosen rows of `tensors`, shuffled to train on."""
        rows = TensorDataset(*(tensor[indices] for tensor in tensors))
        return DataLoader(rows, self.batch_size, shuffle=train)


@final
class Examples(Dataset[tuple[Tensor, int]]):
    """Images as floats in [0, 1] with their labels, one by one, for a loader of the reader's."""

    def __init__(self, images: ImageSet, prepare: Prepare) -> None:
        self.images, self.prepare = images, prepare
        self.data, self.targets = images.images.squeeze(1), images.labels
        self.classes = list(images.class_names)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """The image of shape (channels, height, width) and its label."""
        index = range(len(self))[index]
        return self.prepare(self.images.images[index : index + 1])[0], int(self.targets[index])


@final
class ResidentLoader:
    """The batches of examples that stay in memory; shuffled anew in each iteration, or in order.

    The order follows from torch's seed at the time the loader is made.
    """

    def __init__(self, dataset: Examples, batch_size: int, *, shuffle: bool) -> None:
        self.dataset, self.batch_size = dataset, batch_size
        self.shuffle_seed = int(torch.randint(2**62, ()).item()) if shuffle else None
        self._batches = Batches(
            dataset.images, batch_size, dataset.prepare, shuffle_seed=self.shuffle_seed
        )
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[Batch, Labels]]:
        self._epoch += 1
        return self._batches.epoch(self._epoch)

    def to(self, device: torch.device) -> "ResidentLoader":
        """The same loader, its images on `device`, so that its batches are made there."""
        self._batches.data = self._batches.data.to(device)
        return self


class FashionMNIST(DataModule):
    """70,000 grey pictures of clothes in ten classes, as floats in [0, 1].

    Raises:
        DataError: the files in `root` cannot be used; without a root those of the package are.
    """

    def __init__(
        self,
        batch_size: int = 64,
        resize: int | tuple[int, int] = (28, 28),
        *,
        root: str | Path | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        prepare = Prepare(resize)
        published = load_fashion_mnist(None if root is None else Path(root))
        self.train = Examples(published.train, prepare)
        self.val = Examples(published.test, prepare)
        self.labels = self.train.classes

    def get_dataloader(self, train: bool) -> Any:
        """The batches of the training images, shuffled, or of the test images, in order."""
        if train:
            return ResidentLoader(self.train, self.batch_size, shuffle=True)
        return ResidentLoader(self.val, self.batch_size, shuffle=False)

    def text_labels(self, indices: Any) -> list[str]:
        """The names of these classes."""
        return [self.labels[int(index)] for index in indices]

    def visualize(
        self,
        batch: Sequence[Tensor],
        nrows: int = 1,
        ncols: int = 8,
        labels: Sequence[str] = (),
    ) -> None:
        """Show the first images of a batch under the names of their classes."""
        images, classes = batch
        show_images(images.squeeze(1), nrows, ncols, titles=labels or self.text_labels(classes))
