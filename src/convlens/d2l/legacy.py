"""Functions of the book's earlier edition that its readers still call.

Source: d2l 0.17, the chapters before 1.0's classes, and https://github.com/d2l-ai/d2l-en.
Differs from d2l: accuracy is over images, and `train_ch6` runs through the trainer.
"""

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from convlens.d2l.board import ProgressBoard
from convlens.d2l.data import DataModule, FashionMNIST, ResidentLoader
from convlens.d2l.module import Classifier, device_of, only_looking
from convlens.d2l.networks import init_cnn
from convlens.d2l.trainer import History, Trainer


@final
class Accumulator:
    """Sums of `n` numbers that grow together.

    >>> sums = Accumulator(2)
    >>> sums.add(1, 10)
    >>> sums.add(2, 20)
    >>> sums[0], sums[1]
    (3.0, 30.0)
    """

    def __init__(self, n: int) -> None:
        self.data = [0.0] * n

    def add(self, *args: Any) -> None:
        """Add one number to each sum."""
        self.data = [total + float(x) for total, x in zip(self.data, args, strict=True)]

    def reset(self) -> None:
        """Start again at zero."""
        self.data = [0.0] * len(self.data)

    def __getitem__(self, index: int) -> float:
        return self.data[index]


@final
class Animator:
    """The earlier board: `add(x, (y1, y2))` puts a point on the curve of each label."""

    def __init__(
        self,
        xlabel: str | None = None,
        ylabel: str | None = None,
        legend: Sequence[str] = (),
        xlim: Any = None,
        ylim: Any = None,
        **more: Any,
    ) -> None:
        known = ("xscale", "yscale", "figsize")  # the rest, such as fmts, the board has its own of
        settings = {key: more[key] for key in known if key in more}
        self.board = ProgressBoard(xlabel, ylabel, xlim, ylim, **settings)
        self.legend = list(legend)

    def add(self, x: float | int, y: Any) -> None:
        """A point at `x` for each of `y`; where that is None, none."""
        values = y if hasattr(y, "__len__") else [y]
        for index, value in enumerate(values):
            label = self.legend[index] if index < len(self.legend) else f"curve {index + 1}"
            if value is not None:
                self.board.draw(x, value, label)


def accuracy(y_hat: Tensor, y: Tensor) -> float:
    """How many rows have their largest logit, or their class, right.

    >>> accuracy(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
    1.0
    """
    classes = y_hat.argmax(1) if y_hat.ndim > 1 and y_hat.shape[1] > 1 else y_hat
    return float((classes.to(y.dtype) == y).sum())


def evaluate_accuracy_gpu(
    net: nn.Module, data_iter: Any, device: torch.device | None = None
) -> float:
    """The share of images that `net` gets right, on `device` or where the net is."""
    device = device or device_of(net)
    right, seen = 0.0, 0
    with only_looking(net):
        for *inputs, y in data_iter:
            right += accuracy(net(*(x.to(device) for x in inputs)), y.to(device))
            seen += len(y)
    return right / seen


def get_dataloader_workers() -> int:
    """None: batches are made in this process."""
    return 0


def load_data_fashion_mnist(
    batch_size: int, resize: int | tuple[int, int] | None = None
) -> tuple[ResidentLoader, ResidentLoader]:
    """The batches to train on and to test on, resized if asked."""
    data = FashionMNIST(batch_size, resize or (28, 28))
    return data.get_dataloader(True), data.get_dataloader(False)


def train_ch6(
    net: nn.Module,
    train_iter: Any,
    test_iter: Any,
    num_epochs: int,
    lr: float | int,
    device: torch.device | str,
) -> History:
    """Train `net`, started by Xavier's rule, with plain gradient descent on `device`."""
    model = Classifier()
    model.net, model.lr = net, lr
    model.apply(init_cnn)
    model.to(device)
    return Trainer(num_epochs).fit(model, _Loaders(train_iter, test_iter))


@final
class _Loaders(DataModule):
    """Two loaders that are there already."""

    def __init__(self, train: Any, test: Any) -> None:
        super().__init__()
        self.loaders = {True: train, False: test}

    def get_dataloader(self, train: bool) -> Any:
        """One of the two."""
        return self.loaders[train]
