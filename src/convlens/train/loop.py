"""The training loop, on one screen.

It takes steps, watches the loss and tells `events`; what a step's loss is, and of which batch, a
`Task` says. It knows no files and no terminal. It can start at any `Position` and tells its own
to `keep`, so a training goes on where another process left it.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from convlens.core.errors import Diverged
from convlens.data.batches import Batches
from convlens.train.events import (
    Checkpointed,
    EpochFinished,
    EpochStarted,
    Evaluated,
    Event,
    FitFinished,
    FitStarted,
    Listener,
    StepsFinished,
    Stopped,
)
from convlens.train.machine.denormals import flushing_denormals
from convlens.train.optim import TrainConfig
from convlens.train.position import START, Keep, Position
from convlens.train.task import Classification, Task

# Writes the weights of an epoch, counted from 1; tells whether they are the best so far.
Checkpoint = Callable[[int, Evaluated | None], bool]


def fit(
    model: nn.Module,
    train: Batches,
    validation: Batches,
    config: TrainConfig,
    *,
    listeners: Sequence[Listener] = (),
    checkpoint: Checkpoint | None = None,
) -> None:
    """Train `model` in place by stochastic gradient descent on the cross-entropy.

    The model, and the images of both `Batches`, are on one device already. A model that gives
    auxiliary logits while it trains has them added to its loss; the validation's is the plain one.

    Raises:
        Diverged: the loss is no longer finite; says where.
    """
    task = Classification(model, train, validation, config)
    with flushing_denormals(config.flush_denormal):
        run(
            task,
            epochs=config.epochs,
            log_every=config.log_every,
            listeners=listeners,
            checkpoint=checkpoint,
        )


def run(
    task: Task,
    *,
    epochs: int,
    log_every: int,
    listeners: Sequence[Listener] = (),
    checkpoint: Checkpoint | None = None,
    keep: Keep = lambda step, position: None,
    start: Position = START,
) -> None:
    """Take the steps of `task` from `start` on, epoch by epoch, and evaluate it after each.

    Raises:
        Diverged: the loss is no longer finite; says where.
    """
    began, at = time.perf_counter() - start.seconds, start
    _tell(
        listeners,
        FitStarted(
            num_epochs=epochs,
            steps_per_epoch=task.num_steps,
            num_images=task.num_images,
            device=str(task.device),
        ),
    )
    epoch = start.epoch - 1
    for epoch in range(start.epoch, epochs + 1):
        _tell(listeners, EpochStarted(epoch=epoch))
        trained, whole = _train_epoch(task, at, log_every, listeners, keep)
        evaluated = _evaluate_epoch(task, epoch)
        if evaluated is not None:
            _tell(listeners, evaluated)
        _tell(listeners, trained)
        if checkpoint is not None:
            _tell(listeners, Checkpointed(epoch=epoch, best=checkpoint(epoch, evaluated)))
        reason = task.stop(evaluated and evaluated.accuracy, trained.seconds)
        stopped = bool(reason) and not (whole and epoch == epochs)
        if stopped:
            _tell(listeners, Stopped(epoch=epoch, reason=reason))
        at = Position(
            epoch=(epochs if stopped else epoch) + 1,
            train_seconds=at.train_seconds + trained.seconds,
            seconds=time.perf_counter() - began,
        )
        keep(0, partial(replace, at))
        if stopped:
            break
    seconds = time.perf_counter() - began
    _tell(
        listeners,
        FitFinished(num_epochs=epoch, seconds=seconds, train_seconds=at.train_seconds),
    )


def _train_epoch(
    task: Task, start: Position, log_every: int, listeners: Sequence[Listener], keep: Keep
) -> tuple[EpochFinished, bool]:
    epoch, began, late = start.epoch, time.perf_counter() - start.epoch_seconds, False
    losses = LossMeter(epoch, min(log_every, task.num_steps), task.device, task.total)
    losses.go_on(start)
    for step, batch in enumerate(task.epoch(epoch, start.step), start=start.step + 1):
        lr = task.learning_rate(epoch, step)
        loss = task.gradient(batch)
        with torch.no_grad():
            task.before_update()
            task.optimizer.step()
        losses.add(loss, task.size(batch))
        task.after_step()
        late = step < task.num_steps and task.out_of_time(time.perf_counter() - began)
        if losses.full or late or step == task.num_steps:
            event = StepsFinished(epoch=epoch, step=step, loss=losses.flush(step), lr=lr)
            _tell(listeners, event)
        paused = time.perf_counter()
        keep(step, partial(losses.position, start, step, paused - began))
        began += time.perf_counter() - paused  # what is kept is no training
        if late:
            break
    seconds = time.perf_counter() - began
    finished = EpochFinished(
        epoch=epoch,
        loss=losses.epoch_mean,
        seconds=seconds,
        images_per_second=losses.num_images / seconds,
    )
    return finished, not late


def _evaluate_epoch(task: Task, epoch: int) -> Evaluated | None:
    result = task.evaluate()
    if result is None:
        return None
    if not math.isfinite(result.loss):  # the last step's loss was finite, its weights are not
        raise _diverged(f"the validation loss is {result.loss} after epoch {epoch}")
    return Evaluated(
        epoch=epoch,
        loss=result.loss,
        accuracy=result.accuracy,
        num_images=result.num_images,
        seconds=result.seconds,
    )


def _tell(listeners: Sequence[Listener], event: Event) -> None:
    for listener in listeners:
        listener(event)


def _diverged(what: str) -> Diverged:
    return Diverged(what, fix="try a lower learning rate: --lr")


@final
class LossMeter:
    """Losses of an epoch's steps, kept on the device and fetched once per `capacity` steps.

    To ask a GPU for every loss would make it wait for the CPU at every step.
    """

    def __init__(
        self,
        epoch: int,
        capacity: int,
        device: torch.device,
        total: Callable[[Tensor], Tensor] = lambda losses: losses,
    ) -> None:
        self.epoch = epoch
        self.total = total  # over processes
        self._losses = torch.empty(capacity, device=device)
        self._sizes: list[int] = []
        self._total = 0.0
        self.num_images = 0  # so far flushed

    @property
    def full(self) -> bool:
        """There is no room for another step before `flush`."""
        return len(self._sizes) == len(self._losses)

    @property
    def epoch_mean(self) -> float:
        """The mean loss of the images so far flushed."""
        return self._total / self.num_images

    def add(self, loss: Tensor, batch_size: int) -> None:
        """Keep the mean loss of one batch."""
        self._losses[len(self._sizes)] = loss.detach()
        self._sizes.append(batch_size)

    def flush(self, last_step: int) -> float:
        """The mean loss of the images since the last flush, up to step `last_step`.

        Raises:
            Diverged: one of the losses is not finite.
        """
        losses = self._fetch(last_step)
        total = math.fsum(loss * size for loss, size in zip(losses, self._sizes, strict=True))
        num_images = sum(self._sizes)
        self._total += total
        self.num_images += num_images
        self._sizes.clear()
        return total / num_images

    def go_on(self, position: Position) -> None:
        """Take over the losses of the epoch's steps before `position`."""
        self._losses[: len(position.losses)] = torch.tensor(position.losses)
        self._sizes = list(position.sizes)
        self._total, self.num_images = position.told_loss, position.told_images

    def position(self, start: Position, step: int, epoch_seconds: float) -> Position:
        """After `step`, in a training that went on from `start` in this epoch.

        Raises:
            Diverged: one of the losses that have not been told is not finite.
        """
        return replace(
            start,
            step=step,
            losses=tuple(self._fetch(step)),
            sizes=tuple(self._sizes),
            told_loss=self._total,
            told_images=self.num_images,
            epoch_seconds=epoch_seconds,
            seconds=start.seconds + epoch_seconds - start.epoch_seconds,
        )

    def _fetch(self, last_step: int) -> list[float]:
        losses = self.total(self._losses[: len(self._sizes)]).tolist()
        for step, loss in enumerate(losses, start=last_step - len(losses) + 1):
            if not math.isfinite(loss):
                raise _diverged(f"the loss became {loss} at step {step} of epoch {self.epoch}")
        return losses
