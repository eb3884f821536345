"""A task: what the loop takes steps in, without knowing what a batch or its loss is.

for each epoch:
    for each batch of epoch(n, start=0):
        learning_rate, gradient (of the loss), before_update, the optimiser's step, after_step
    evaluate
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from convlens.core.seed import derive
from convlens.core.shapes import Batch, Labels, SoftLabels
from convlens.data.batches import Batches, Shard
from convlens.nn.auxiliary import classification_loss
from convlens.train.evaluate import Evaluation, evaluate
from convlens.train.machine.precision import computed_in
from convlens.train.optim import TrainConfig, build_optimizer, learning_rate
from convlens.train.optim.average import WeightAverage
from convlens.train.optim.build import set_learning_rate
from convlens.train.optim.lookahead import Lookahead
from convlens.train.parallel.replica import Replica, no_loss
from convlens.train.parallel.world import ALONE, World
from convlens.train.stopping import Stopping

_CHANCE = 3  # what the seed is used for here; 0 to 2 are taken where a training is put together
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
    def epoch(self, epoch: int, start: int = 0) -> Iterable[Any]:
        """The batches of an epoch, counted from 1, from its step `start` on; the model is in
        training mode then."""

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

    def total(self, losses: Float[Tensor, "steps"]) -> Float[Tensor, "steps"]:
        """What `gradient` has given in some steps, summed over processes if there are several."""
        return losses

    def before_update(self) -> None:  # noqa: B027 - nothing, unless a task says so
        """Called when the gradients are there."""

    def after_step(self) -> None:  # noqa: B027 - the same
        """Called when the weights have changed."""

    def out_of_time(self, epoch_seconds: float) -> bool:
        """Whether the epoch ends after this step, after so long a time of training in it."""
        return False

    def stop(self, accuracy: float | None, epoch_seconds: float) -> str:
        """Why the training ends after this epoch, in words, or "" if it goes on."""
        return ""

    @abstractmethod
    def evaluate(self) -> Evaluation | None:
        """The averages over the validation images, or None where the loop need not know them."""


@final
class Classification(Task):
    """A model, images and settings: what a recipe trains.

    A batch of `train` is what one step sees. It goes through the network in parts of
    `config.batch_size` images, and only one part's maps are in memory at a time. If `world` has
    several processes, each has a share of each part, and the steps are those of one process.
    """

    def __init__(
        self,
        model: nn.Module,
        train: Batches,
        validation: Batches,
        config: TrainConfig,
        world: World = ALONE,
    ) -> None:
        self.model, self.train, self.validation, self.config = model, train, validation, config
        self.sgd = self.optimizer = build_optimizer(model, config)
        self.device = train.data.images.device
        self.num_steps, self.num_images = len(train), len(train.data)
        self.network: Callable[[Batch], Any] = model  # what a step calls
        self.average = WeightAverage(model, config.average) if config.average else None
        self.lookahead = (
            Lookahead(model.parameters(), every=config.lookahead, share=config.lookahead_share)
            if config.lookahead
            else None
        )
        self.stopping = Stopping(patience=config.patience, seconds=config.time_limit)
        self._step = 0  # of the training, from 1: the one being taken
        self.memory_format = (
            torch.channels_last if config.channels_last else torch.contiguous_format
        )
        # Now, and not in `epoch`: a training that goes on may have its evaluation alone before it.
        model.to(memory_format=self.memory_format)  # type: ignore[call-overload]
        self.world, self.replica = world, None
        if not world.alone:
            shard = Shard(rank=world.rank, size=world.size, part_size=config.batch_size)
            self.train = train.sharded(shard)
            self.replica = Replica(model, shard, world)
            self.network = self.replica.model

    def epoch(self, epoch: int, start: int = 0) -> Iterable[LabelledBatch]:
        """The batches in the order of this epoch, from step `start` on."""
        if self.average is not None:
            self.average.hide()
        self.model.train()
        return self.train.epoch(epoch, start=start)

    def learning_rate(self, epoch: int, step: int) -> float:
        """The learning rate of the schedule."""
        self._step = (epoch - 1) * self.num_steps + step
        done = self._step - 1
        lr = learning_rate(self.config, done, self.config.epochs * self.num_steps)
        set_learning_rate(self.sgd, lr)
        return lr

    def gradient(self, batch: LabelledBatch) -> Float[Tensor, ""]:
        """That of the mean loss over the whole batch, added up part by part."""
        size, part = self.size(batch), self.config.batch_size
        if self.replica is not None:
            # So that dropout differs from process to process, and goes on the same after a stop.
            torch.manual_seed(derive(self.config.seed, _CHANCE, self.world.rank, self._step))
            self.optimizer.zero_grad()
            return self.replica.gradient(self.loss, batch, size)
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
        with computed_in(self.config.precision, self.device):
            output = self.network(x.contiguous(memory_format=self.memory_format))
            if not len(y):
                return no_loss(output)
            return classification_loss(output, y, label_smoothing=self.config.label_smoothing)

    def size(self, batch: LabelledBatch) -> int:
        """The number of labels, of all processes."""
        if self.replica is None:
            return len(batch[1])
        return self.train.num_images((self._step - 1) % self.num_steps)

    def total(self, losses: Float[Tensor, "steps"]) -> Float[Tensor, "steps"]:
        """The sum over processes of their shares."""
        return self.world.sum(losses.clone()) if len(losses) and self.replica else losses

    def before_update(self) -> None:
        """Make the gradients shorter if together they are longer than `config.clip`."""
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)

    def after_step(self) -> None:
        """Let slow and averaged weights follow."""
        if self.lookahead is not None:
            self.lookahead.update(self._step)
        if self.average is not None:
            self.average.update(self._step)

    def out_of_time(self, epoch_seconds: float) -> bool:
        """Whether `config.time_limit` is over."""
        over = self.stopping.after_step(epoch_seconds)
        return self.world.any(over)[0] if self.stopping.seconds else over

    def stop(self, accuracy: float | None, epoch_seconds: float) -> str:
        """Why it ends: `config.time_limit` or `config.patience` is over."""
        reason = self.stopping.after_epoch(accuracy, epoch_seconds)
        return self.world.first(lambda: reason)  # the processes' clocks differ

    def evaluate(self) -> Evaluation | None:
        """Exact averages over the validation images; None if there are none.

        Until the next epoch the model has the weights that were evaluated: with lookahead the slow
        ones, with an average the averaged ones.
        """
        if self.lookahead is not None:
            self.lookahead.end_round()
        if self.average is not None:
            self.average.show()
        if not len(self.validation.data):
            return None
        with computed_in(self.config.precision, self.device):
            return evaluate(self.model, self.validation, self.world)

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """What a training needs to go on, beside the model, the optimiser, and its position.

        Tensors and plain numbers only.
        """
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """What `state_dict` gave, after the model's weights of that time have been loaded."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, WeightAverage | Lookahead | Stopping]:
        parts = {"average": self.average, "lookahead": self.lookahead, "stopping": self.stopping}
        return {name: part for name, part in parts.items() if part is not None}
