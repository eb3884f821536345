"""A task of one's own goes through the same loop."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from convlens.data.batches import Batches
from convlens.data.catalog import Splits
from convlens.data.transform import Prepare
from convlens.train.evaluate import Evaluation, evaluate
from convlens.train.events import Checkpointed, EpochFinished, Evaluated, Event, StepsFinished
from convlens.train.loop import run
from convlens.train.optim import TrainConfig
from convlens.train.task import Classification, Task


class Descent(Task):
    """Halve the distance of a number to 3 at each step; four steps of two images an epoch."""

    def __init__(self) -> None:
        self.x = nn.Parameter(torch.zeros(()))
        self.optimizer = torch.optim.SGD([self.x], lr=0.25)
        self.device = torch.device("cpu")
        self.num_steps, self.num_images = 4, 8
        self.calls: list[str] = []

    def epoch(self, epoch: int, start: int = 0) -> Iterable[int]:
        self.calls.append(f"epoch {epoch}")
        return range(start, 4)

    def learning_rate(self, epoch: int, step: int) -> float:
        return 0.25

    def loss(self, batch: int) -> Tensor:
        return (self.x - 3) ** 2

    def size(self, batch: int) -> int:
        return 2

    def before_update(self) -> None:
        assert self.x.grad is not None and not torch.is_grad_enabled()
        self.calls.append("before")

    def after_step(self) -> None:
        self.calls.append("after")

    def evaluate(self) -> Evaluation | None:
        self.calls.append("evaluate")
        return None


def test_any_task_is_stepped_and_told_of() -> None:
    task, events = Descent(), list[Event]()
    run(task, epochs=2, log_every=3, listeners=[events.append], checkpoint=lambda _: True)
    assert task.x.item() == pytest.approx(3 - 3 / 2**8)
    epoch = ["before", "after"] * 4 + ["evaluate"]
    assert task.calls == ["epoch 1", *epoch, "epoch 2", *epoch]
    assert [(e.epoch, e.step) for e in events if isinstance(e, StepsFinished)] == [
        (1, 3), (1, 4), (2, 3), (2, 4),
    ]  # fmt: skip
    first = next(e for e in events if isinstance(e, EpochFinished))
    assert first.loss == pytest.approx(sum(9 / 4**step for step in range(4)) / 4)
    assert first.images_per_second * first.seconds == pytest.approx(8)


def test_a_task_without_an_evaluation_tells_none_and_writes_no_checkpoint() -> None:
    events = list[Event]()
    run(Descent(), epochs=1, log_every=3, listeners=[events.append], checkpoint=lambda _: True)
    assert not any(isinstance(event, Evaluated | Checkpointed) for event in events)


@pytest.mark.parametrize("channels_last", [True, False])
def test_a_classification_is_a_model_with_images_and_settings(
    small_splits: Splits, channels_last: bool
) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 5, stride=3), nn.Flatten(), nn.Linear(256, 10)).eval()
    validation = Batches(small_splits.test, 50, Prepare(28))
    config = replace(
        TrainConfig(epochs=2, lr=1.0, schedule="one-cycle", warmup=0.5),
        channels_last=channels_last,
    )
    train = Batches(small_splits.train, 200, Prepare(28), shuffle_seed=0)
    task = Classification(model, train, validation, config)
    assert (task.num_steps, task.num_images) == (3, 600)
    batches = list(task.epoch(1))
    assert model.training and task.size(batches[0]) == 200
    assert task.learning_rate(1, 3) == 1.0
    assert task.sgd.param_groups[0]["lr"] == 1.0
    expected = nn.functional.cross_entropy(model(batches[0][0]), batches[0][1])
    torch.testing.assert_close(task.loss(batches[0]), expected)
    again = evaluate(model, validation)
    assert (task.evaluate().loss, task.evaluate().num_correct) == (again.loss, again.num_correct)
