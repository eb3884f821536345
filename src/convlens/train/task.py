"""A task: what the loop takes steps in, without knowing what a batch or its loss is.

for each epoch:
    for each batch of epoch(n):
        learning_rate, gradient (of the loss), before_update, the optimiser's step, after_step
    evaluate
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Protocol, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from convlens.core.shapes import Batch, Labels, SoftLabels
from convlens.data.batches import Batches
from convlens.nn.auxiliary import classification_loss
from convlens.train.evaluate import Evaluation, evaluate
from convlens.train.optim import TrainConfig, build_optimizer, learning_rate
from convlens.train.optim.build import set_learning_rate

LabelledBatch = tuple[Batch, Labels | SoftLabels]


class Stepper(Protocol):
    """What the loop needs of an optimiser; each of torch's has it."""

    def zero_grad(self) -> None:
        """Forget the gradients."""
        ...

    def step(self) -> object:
        """Change the weights by their gradients."""
        ...


class Task(ABC):
    """Batches, their loss and what changes the weights, for `train.loop.run`."""

    optimizer: Stepper
    device: torch.device  # where the losses are
    num_steps: int  # in an epoch
    num_images: int  # in an epoch

    @abstractmethod
    def epoch(self, epoch: int) -> Iterable[Any]:
        """The batches of an epoch, counted from 1; the model is in training mode then."""

    @abstractmethod
    def learning_rate(self, epoch: int, step: int) -> float:
        """The learning rate of this step, counted from 1, which the optimiser has from now on."""

    @abstractmethod
    def loss(self, batch: Any) -> Float[Tensor, ""]:
        """The mean loss of a batch."""

    def gradient(self, batch: Any) -> Float[Tensor, ""]:
        """The mean loss of a batch; the parameters have its gradient from now on."""
        loss = self.loss(batch)
        self.optimizer.zero_grad()
        loss.backward()
        return loss.detach()

    @abstractmethod
    def size(self, batch: Any) -> int:
        """The number of images in a batch."""

    def before_update(self) -> None:  # noqa: B027 - nothing, unless a task says so
        """Called when the gradients are there."""

    def after_step(self) -> None:  # noqa: B027 - the same
        """Called when the weights have changed."""

    @abstractmethod
    def evaluate(self) -> Evaluation | None:
        """The averages over the validation images, or None where the loop need not know them."""


@final
class Classification(Task):
    """A model, images and settings: what a recipe trains.

    A batch of `train` is what one step sees. It goes through the network in parts of
    `config.batch_size` images, and only one part's maps are in memory at a time.
    """

    def __init__(
        self, model: nn.Module, train: Batches, validation: Batches, config: TrainConfig
    ) -> None:
        self.model, self.train, self.validation, self.config = model, train, validation, config
        self.sgd = self.optimizer = build_optimizer(model, config)
        self.device = train.data.images.device
        self.num_steps, self.num_images = len(train), len(train.data)
        channels_last = config.channels_last
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format

    def epoch(self, epoch: int) -> Iterable[LabelledBatch]:
        """The batches in the order of this epoch."""
        self.model.train().to(memory_format=self.memory_format)  # type: ignore[call-overload]
        return self.train.epoch(epoch)

    def learning_rate(self, epoch: int, step: int) -> float:
        """The learning rate of the schedule."""
        done = (epoch - 1) * self.num_steps + step - 1
        lr = learning_rate(self.config, done, self.config.epochs * self.num_steps)
        set_learning_rate(self.sgd, lr)
        return lr

    def gradient(self, batch: LabelledBatch) -> Float[Tensor, ""]:
        """That of the mean loss over the whole batch, added up part by part."""
        size, part = self.size(batch), self.config.batch_size
        if size <= part:
            return super().gradient(batch)
        self.optimizer.zero_grad()
        total = torch.zeros((), device=self.device)
        for x, y in zip(batch[0].split(part), batch[1].split(part), strict=True):
            loss = self.loss((x, y)) * (len(y) / size)
            loss.backward()
            total += loss.detach()
        return total

    def loss(self, batch: LabelledBatch) -> Float[Tensor, ""]:
        """The cross-entropy, with that of auxiliary logits if there are any."""
        x, y = batch
        output = self.model(x.contiguous(memory_format=self.memory_format))
        return classification_loss(output, y, label_smoothing=self.config.label_smoothing)

    def size(self, batch: LabelledBatch) -> int:
        """The number of labels."""
        return len(batch[1])

    def before_update(self) -> None:
        """Make the gradients shorter if together they are longer than `config.clip`."""
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)

    def evaluate(self) -> Evaluation:
        """Exact averages over the validation images."""
        return evaluate(self.model, self.validation)
