"""The book's trainer: it leads a model and its data through the loop of `train/loop.py`.

Source: d2l 3.2, 3.4 and 6.7, https://d2l.ai/chapter_linear-regression/oo-design.html.
Differs from d2l: `fit` gives back its history and prints a line per epoch, metrics are means over
images, a GPU of Apple's is one too, and a training whose loss is no longer finite stops.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, final

import torch
from torch import Tensor, nn

from convlens.core.allocator import keep_buffers
from convlens.core.errors import ConfigError, Diverged
from convlens.d2l.board import Number, mean
from convlens.d2l.data import DataModule, ResidentLoader
from convlens.d2l.devices import gpu, num_gpus
from convlens.d2l.drawing import notebook
from convlens.d2l.module import (
    IMAGE_AXES,
    HyperParameters,
    Module,
    device_of,
    one_image,
    only_looking,
)
from convlens.train.events import EpochFinished, Event
from convlens.train.loop import run
from convlens.train.task import Task

Format = torch.memory_format


@dataclass(kw_only=True, slots=True)
class History:
    """What `fit` gives back: a number per epoch in each list."""

    train_loss: list[float] = field(default_factory=list[float])  # mean over images
    val_loss: list[float | None] = field(default_factory=list[float | None])  # mean over images;
    # None where nothing is validated, or where validation_step plots no loss
    val_accuracy: list[float | None] = field(default_factory=list[float | None])  # in [0, 1]
    seconds: list[float] = field(default_factory=list[float])  # training and validation

    def __len__(self) -> int:
        return len(self.train_loss)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Below a notebook's cell, where the epochs' lines are printed already, only the names."""
        del cycle
        names = ", ".join(f.name for f in fields(self))
        printer.text(f"History of {len(self)} epochs: {names}")


class Trainer(HyperParameters):
    """Trains for `max_epochs`, on the first GPU if one is wanted, else where the model is.

    Open to subclasses and to `add_to_class`; `prepare_data`, `prepare_model`, `prepare_batch` and
    `clip_gradients` are called as in the book. A subclass's `fit_epoch` is refused: the loop is one
    for all trainings.
    """

    max_epochs: int
    # Defaults, for a constructor of the reader's own that sets what the book's sets.
    gradient_clip_val: float | int = 0
    gpus: Sequence[torch.device] = ()
    device = torch.device("cpu")
    batch_size = 1  # of the batch that is being looked at
    quiet: bool = False
    picture: str | None = None
    epoch_started = 0.0  # on time.perf_counter

    def __init__(
        self,
        max_epochs: int,
        num_gpus: int = 0,
        gradient_clip_val: float | int = 0,
        *,
        quiet: bool = False,
        picture: str | None = None,
    ) -> None:
        """`quiet` prints nothing; `picture` is where a script's curves are saved."""
        self.save_hyperparameters()
        self.gpus = [gpu(index) for index in range(min(num_gpus, count_gpus()))]
        self.device = self.gpus[0] if self.gpus else torch.device("cpu")
        keep_buffers()
        self.history = History()
        self.epoch = self.train_batch_idx = self.val_batch_idx = 0

    def prepare_data(self, data: DataModule) -> None:
        """Take the batches of `data`, to train on and to validate on."""
        self.train_dataloader = data.train_dataloader()
        self.val_dataloader = data.val_dataloader()
        self.num_train_batches = len(self.train_dataloader)
        self.num_val_batches = 0 if self.val_dataloader is None else len(self.val_dataloader)

    def prepare_model(self, model: Module) -> None:
        """Bring `model` to the device."""
        model.trainer = self
        model.board.xlim = [0, self.max_epochs]
        if self.gpus:
            model.to(self.gpus[0])
        self.model = model

    def prepare_batch(self, batch: Sequence[Tensor]) -> Sequence[Tensor]:
        """The batch on the device."""
        return [tensor.to(self.device, non_blocking=True) for tensor in batch]

    def clip_gradients(self, grad_clip_val: float | int, model: nn.Module) -> None:
        """Shorten the gradient of all parameters together to the length `grad_clip_val`."""
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        scale = (grad_clip_val / nn.utils.get_total_norm(gradients)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(scale)

    def fit(self, model: Module, data: DataModule) -> History:
        """Train `model` on `data`; the losses and accuracies of each epoch.

        Raises:
            Diverged: the loss is no longer finite; what came before is in `history`.
            ConfigError: there is no batch to train on, or a loop of the reader's own.
        """
        if hasattr(self, "fit_epoch"):
            raise ConfigError(
                "fit_epoch is not called: every training goes through the same loop",
                fix="override training_step, prepare_batch or clip_gradients instead",
            )
        self.history = History()
        self.epoch = self.train_batch_idx = self.val_batch_idx = 0
        self._noted: dict[str, list[tuple[Tensor | Number, int]]] = defaultdict(list)
        self.prepare_data(data)
        if self.num_train_batches == 0:
            raise ConfigError(
                "there is no batch to train on", fix="look at len(get_dataloader(True))"
            )
        self.prepare_model(model)
        self.device = self.gpus[0] if self.gpus else device_of(model)
        for loader in (self.train_dataloader, self.val_dataloader):
            if isinstance(loader, ResidentLoader):
                loader.to(self.device)
        self._make_real(model)
        self.optim = model.configure_optimizers()
        task = _BookTask(self)
        try:
            run(task, epochs=self.max_epochs, log_every=50, listeners=[self._listen])
        except Diverged as error:
            raise Diverged(error.what, fix="try a lower learning rate, lr") from None
        finally:
            task.lay_out(torch.contiguous_format)
        self._save_picture()
        return self.history

    def note(self, key: str, value: Tensor | Number) -> None:
        """Keep a validation batch's metric until the epoch's end; `Module.plot` calls it."""
        value = value.detach() if isinstance(value, Tensor) else value
        self._noted[key].append((value, self.batch_size))

    def validate(self) -> None:
        """Show the model every validation batch, in evaluation mode."""
        self._noted.clear()
        self.model.eval()
        with torch.no_grad():
            for batch in self.val_dataloader or ():
                prepared = self.prepare_batch(batch)
                self.batch_size = len(prepared[-1])
                self.model.validation_step(prepared)
                self.val_batch_idx += 1

    def _make_real(self, model: Module) -> None:
        """Pass one image through a network with lazy layers, so that an optimiser finds weights."""
        if any(nn.parameter.is_lazy(parameter) for parameter in model.parameters()):
            with only_looking(model):
                inputs = self.prepare_batch(next(iter(self.train_dataloader)))[:-1]
                model(*(one_image(x, self.device) for x in inputs))

    def _listen(self, event: Event) -> None:
        if not isinstance(event, EpochFinished):
            return
        history, noted = self.history, self._noted
        metrics = {key: mean(*zip(*pairs, strict=True)) for key, pairs in noted.items()}
        history.train_loss.append(event.loss)
        history.val_loss.append(metrics.get("loss"))
        num_images = sum(size for _, size in noted.get("acc", ()))
        history.val_accuracy.append(_as_count(metrics.get("acc"), num_images))
        history.seconds.append(time.perf_counter() - self.epoch_started)
        self.epoch += 1
        if not self.quiet:
            print(_line(history, self.max_epochs), flush=True)

    def _save_picture(self) -> None:
        board = self.model.board
        if not board.display or not board.data or notebook() is not None:
            return
        try:
            place = board.save(self.picture or f"{type(self.model).__name__}-curves.png")
        except ConfigError as error:  # the training is worth more than its picture
            print(error)
            return
        if not self.quiet:
            print(f"curves: {place}")


def count_gpus() -> int:
    """As `num_gpus`, which is the name of a parameter of the trainer."""
    return num_gpus()


def _as_count(accuracy: float | None, num_images: int) -> float | None:
    """The share of a whole number of images, where the batches' float32 has rounded it."""
    if accuracy is None:
        return None
    exact = round(accuracy * num_images) / num_images
    return exact if abs(exact - accuracy) < 1e-6 else accuracy


def _line(history: History, max_epochs: int) -> str:
    """The last epoch in words."""
    parts = [f"train loss {history.train_loss[-1]:.3f}"]
    loss, accuracy = history.val_loss[-1], history.val_accuracy[-1]
    if loss is not None:
        parts.append(f"validation loss {loss:.3f}")
    if accuracy is not None:
        parts.append(f"validation accuracy {100 * accuracy:.2f} %")
    parts.append(f"{history.seconds[-1]:.1f} s")
    return f"epoch {len(history)}/{max_epochs}: {', '.join(parts)}"


@final
class _BookTask(Task):
    """A trainer's model and batches, as the loop takes them."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.model = trainer, trainer.model
        self.optimizer = trainer.optim
        self.device = trainer.device
        self.num_steps = trainer.num_train_batches
        self.num_images = len(getattr(trainer.train_dataloader, "dataset", ()))
        volumes = any(parameter.ndim == IMAGE_AXES + 1 for parameter in self.model.parameters())
        self.lay_out(torch.contiguous_format if volumes else torch.channels_last)

    def lay_out(self, memory_format: Format) -> None:
        """Keep filters, and images from now on, in this layout."""
        self.memory_format = memory_format
        self.model.to(memory_format=memory_format)  # pyright: ignore[reportCallIssue]

    def epoch(self, epoch: int, start: int = 0) -> Iterable[Any]:
        assert start == 0, "a reader's batches come in an order of their own"
        self.trainer.epoch_started = time.perf_counter()
        self.model.train()
        return map(self.trainer.prepare_batch, self.trainer.train_dataloader)

    def learning_rate(self, epoch: int, step: int) -> float:
        del epoch, step
        groups = getattr(self.optimizer, "param_groups", None)
        return groups[0]["lr"] if groups else getattr(self.optimizer, "lr", float("nan"))

    def size(self, batch: Any) -> int:
        return len(batch[-1])

    def loss(self, batch: Any) -> Tensor:
        self.trainer.batch_size = self.size(batch)
        try:
            return self.model.training_step(self._laid_out(batch))
        except RuntimeError as error:
            if self.memory_format == torch.contiguous_format or "view size" not in str(error):
                raise
        self.lay_out(torch.contiguous_format)  # a layer takes a view of its maps
        return self.model.training_step(self._laid_out(batch))

    def _laid_out(self, batch: Any) -> list[Any]:
        return [
            x.contiguous(memory_format=self.memory_format)
            if isinstance(x, Tensor) and x.ndim == IMAGE_AXES
            else x
            for x in batch
        ]

    def before_update(self) -> None:
        if self.trainer.gradient_clip_val > 0:
            self.trainer.clip_gradients(self.trainer.gradient_clip_val, self.model)

    def after_step(self) -> None:
        self.trainer.train_batch_idx += 1

    def evaluate(self) -> None:
        self.trainer.validate()
