"""The book's models: a module that knows its loss, its optimiser and its board.

The classes here are open, since the book's readers derive from them.

Source: d2l 3.2 (Module, HyperParameters), 4.3 (Classifier),
https://d2l.ai/chapter_linear-regression/oo-design.html.
Differs from d2l: functions applied to lazy layers, by the module or its `net`, are remembered, a
summary works on any device and moves no statistics, a metric is weighted by the images of its
batch.
"""

import inspect
import re
import weakref
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar, final, no_type_check

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's own name for it

from convlens.core.errors import ConfigError
from convlens.d2l.board import Number, ProgressBoard
from convlens.nn.init import start_when_real

Anything = TypeVar("Anything")
IMAGE_AXES = 4  # of a batch of images


def add_to_class(Class: type) -> Callable[[Anything], Anything]:  # noqa: N803 - the book's name
    """A decorator that makes a function a method of `Class`, of its present objects too.

    >>> class Cat: ...
    >>> @add_to_class(Cat)
    ... def says(self):
    ...     return "miaow"
    >>> Cat().says()
    'miaow'
    """

    def add(method: Anything) -> Anything:
        setattr(Class, getattr(method, "__name__"), method)  # noqa: B009 - unknown to the type
        return method

    return add


class HyperParameters:
    """A class whose constructor's arguments become attributes."""

    hparams: dict[str, Any]

    @no_type_check  # a check would wrap it, and stand between it and its caller
    def save_hyperparameters(self, ignore: Sequence[str] = ()) -> None:
        """Keep each local name of the caller as an attribute and in `hparams`.

        Call it in a constructor. Names in `ignore`, and those that begin with `_`, are left out.
        """
        frame = inspect.currentframe()
        assert frame is not None and frame.f_back is not None
        names = frame.f_back.f_locals
        del frame  # which holds itself and its callers, so that the model would not be freed
        left_out = {"self", *ignore}
        self.hparams = {
            name: value
            for name, value in names.items()
            if name not in left_out and not name.startswith("_")
        }
        for name, value in self.hparams.items():
            setattr(self, name, value)


class Module(nn.Module, HyperParameters):
    """A network `net` with its loss, its steps and its optimiser."""

    trainer: Any  # the Trainer that fits it
    net: Any
    lr: float | int
    plot_train_per_epoch: float | int
    plot_valid_per_epoch: float | int

    def __init__(
        self, plot_train_per_epoch: float | int = 2, plot_valid_per_epoch: float | int = 1
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.board = ProgressBoard()

    def __setattr__(self, name: str, value: Any) -> None:
        """As in torch; and `apply` of a part that is set, such as `net`, reaches lazy layers."""
        super().__setattr__(name, value)
        if isinstance(value, nn.Module):
            _LateApply.on(value)

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """As in torch; and `apply` of the part reaches lazy layers."""
        super().add_module(name, module)
        if module is not None:
            _LateApply.on(module)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """What `to` and `cuda` go through, with an error that says what to do without CUDA."""
        try:
            return super()._apply(fn, recurse)
        except (AssertionError, RuntimeError) as error:
            if torch.cuda.is_available() or not re.search("CUDA|NVIDIA", str(error)):
                raise
            raise ConfigError(
                f"{type(self).__name__} cannot be moved to CUDA: there is none here",
                fix="leave the line away, since Trainer(..., num_gpus=1) moves the model and its"
                " batches where there is a GPU; or write d2l.try_gpu() for the device",
            ) from None

    def loss(self, y_hat: Tensor, y: Tensor) -> Tensor:
        """The mean loss of a batch."""
        raise NotImplementedError(f"{type(self).__name__} has no loss")

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803 - the book's name
        """What `net` makes of the batch."""
        if not hasattr(self, "net"):
            raise ConfigError(
                f"{type(self).__name__} has neither a net nor a forward",
                fix="set self.net in the constructor, or define forward",
            )
        return self.net(X)

    def plot(self, key: str, value: Tensor | Number, train: bool) -> None:
        """Add `value` to the curve of `key`, and a validation's to the trainer's history."""
        trainer = getattr(self, "trainer", None)
        if trainer is None:
            raise ConfigError(
                f"{type(self).__name__} is in no training, so that there is no epoch to plot",
                fix="Trainer(...).fit(model, data)",
            )
        self.board.xlabel = "epoch"
        if train:
            x = trainer.train_batch_idx / trainer.num_train_batches
            every_n = trainer.num_train_batches / self.plot_train_per_epoch
        else:
            x = trainer.epoch + 1
            every_n = trainer.num_val_batches / self.plot_valid_per_epoch
            trainer.note(key, value)
        label = f"{'train' if train else 'val'}_{key}"
        self.board.draw(x, value, label, every_n=max(1, int(every_n)), weight=trainer.batch_size)

    def training_step(self, batch: Sequence[Tensor]) -> Tensor:
        """The loss of a batch, the last of whose tensors is what should come out."""
        loss = self.loss(self(*batch[:-1]), batch[-1])
        self.plot("loss", loss, train=True)
        return loss

    def validation_step(self, batch: Sequence[Tensor]) -> None:
        """Plot the loss of a batch."""
        self.plot("loss", self.loss(self(*batch[:-1]), batch[-1]), train=False)

    def configure_optimizers(self) -> Any:
        """Stochastic gradient descent with the learning rate `lr`."""
        return torch.optim.SGD(self.parameters(), lr=self.lr)

    def apply(self, fn: Callable[[nn.Module], object]) -> "Module":
        """Call `fn` on every part; on a lazy layer when its first input has made it real."""
        return super().apply(partial(start_when_real, start=fn))

    def apply_init(
        self, inputs: Iterable[Any], init: Callable[[nn.Module], object] | None = None
    ) -> None:
        """Make lazy layers real by one pass of `inputs`, then call `init` on every part of `net`.

        One image of a batch is enough, on any device; the pass changes no running statistics.
        """
        device = device_of(self)
        with only_looking(self):
            self.forward(*(one_image(x, device) for x in inputs))
        if init is not None:
            self.net.apply(init)

    def layer_summary(self, X_shape: Sequence[int]) -> None:  # noqa: N803 - the book's name
        """Print each layer of `net` with the shape of its output for an input of `X_shape`."""
        first = next(self.parameters(), torch.empty(0))
        x = torch.zeros(*X_shape, dtype=first.dtype, device=first.device)
        with only_looking(self):
            for layer in self.net:
                x = layer(x)
                print(type(layer).__name__, "output shape:\t", x.shape)


class Classifier(Module):
    """A module whose output are logits, one for each class."""

    def validation_step(self, batch: Sequence[Tensor]) -> None:
        """Plot the loss and the accuracy of a batch."""
        y_hat = self(*batch[:-1])
        self.plot("loss", self.loss(y_hat, batch[-1]), train=False)
        self.plot("acc", self.accuracy(y_hat, batch[-1]), train=False)

    def accuracy(
        self,
        Y_hat: Tensor,  # noqa: N803 - the book's names
        Y: Tensor,  # noqa: N803
        averaged: bool = True,
    ) -> Tensor:
        """The share of rows whose largest logit is the right one, or a 1 or 0 for each."""
        right = (Y_hat.reshape(-1, Y_hat.shape[-1]).argmax(1) == Y.reshape(-1)).float()
        return right.mean() if averaged else right

    def loss(  # pyright: ignore[reportIncompatibleMethodOverride] - the book's names
        self,
        Y_hat: Tensor,  # noqa: N803 - the book's names
        Y: Tensor,  # noqa: N803
        averaged: bool = True,
    ) -> Tensor:
        """The cross-entropy, its mean or that of each row."""
        logits = Y_hat.reshape(-1, Y_hat.shape[-1])
        return F.cross_entropy(logits, Y.reshape(-1), reduction="mean" if averaged else "none")


class SoftmaxRegression(Classifier):
    """One linear layer on the pixels."""

    def __init__(self, num_outputs: int, lr: float | int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(num_outputs))


@final
class _LateApply:
    """The `apply` of a part of a module, which waits for lazy layers as `Module.apply` does.

    It is an attribute of the part, whose type stays torch's, and holds it weakly: a network of
    half a gigabyte is to be freed when its last name goes.
    """

    def __init__(self, part: nn.Module) -> None:
        self.part = weakref.ref(part)

    @classmethod
    def on(cls, part: nn.Module) -> None:
        if not isinstance(part, Module):
            vars(part)["apply"] = cls(part)

    def __call__(self, fn: Callable[[nn.Module], object]) -> nn.Module:
        part = self.part()
        assert part is not None
        return type(part).apply(part, partial(start_when_real, start=fn))

    def __reduce__(self) -> tuple[Any, ...]:
        return _LateApply, (self.part(),)


def device_of(model: nn.Module) -> torch.device:
    """Where the first of the model's parameters is; the CPU if it has none.

    >>> device_of(nn.Linear(1, 1, device="meta"))
    device(type='meta')
    """
    return next((p.device for p in model.parameters()), torch.device("cpu"))


@contextmanager
def only_looking(model: nn.Module) -> Generator[None]:
    """Inside, `model` is in evaluation mode and no graph is built; then each part as before."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        with torch.no_grad():  # not inference mode: what a layer keeps of it may be trained with
            yield
    finally:
        for part, training in modes:
            part.training = training


def one_image(x: Any, device: torch.device) -> Any:
    """The first of a batch of images, or all of another tensor, on `device`; else `x` itself."""
    if not isinstance(x, Tensor):
        return x
    return (x[:1] if x.ndim == IMAGE_AXES else x).to(device)
