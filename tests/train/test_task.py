"""A task of one's own goes through the same loop."""

from collections.abc import Iterable
from copy import deepcopy
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
    run(task, epochs=2, log_every=3, listeners=[events.append], checkpoint=lambda *_: True)
    assert task.x.item() == pytest.approx(3 - 3 / 2**8)
    epoch = ["before", "after"] * 4 + ["evaluate"]
    assert task.calls == ["epoch 1", *epoch, "epoch 2", *epoch]
    assert [(e.epoch, e.step) for e in events if isinstance(e, StepsFinished)] == [
        (1, 3), (1, 4), (2, 3), (2, 4),
    ]  # fmt: skip
    first = next(e for e in events if isinstance(e, EpochFinished))
    assert first.loss == pytest.approx(sum(9 / 4**step for step in range(4)) / 4)
    assert first.images_per_second * first.seconds == pytest.approx(8)


def test_a_task_without_an_evaluation_tells_none() -> None:
    events = list[Event]()
    run(Descent(), epochs=1, log_every=3, listeners=[events.append], checkpoint=lambda *_: True)
    assert not any(isinstance(event, Evaluated) for event in events)
    assert Checkpointed(epoch=1, best=True) in events


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
    found = evaluated(task)
    assert (found.loss, found.num_correct) == (again.loss, again.num_correct)


def test_bfloat16_is_near_float32_and_the_weights_stay_float32(small_splits: Splits) -> None:
    exact = classification(small_splits, TrainConfig(batch_size=20))
    rough = classification(small_splits, TrainConfig(batch_size=20, precision="bfloat16"))
    batch = next(iter(exact.epoch(1)))
    rough.model.train()
    expected, found = exact.gradient(batch), rough.gradient(batch)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2)
    assert not torch.equal(found, expected)
    for one, other in zip(exact.model.parameters(), rough.model.parameters(), strict=True):
        assert other.dtype == torch.float32
        assert one.grad is not None and other.grad is not None
        assert (one.grad - other.grad).norm() < 0.05 * one.grad.norm()
    assert evaluated(rough).loss == pytest.approx(evaluated(exact).loss, rel=1e-2)
    assert evaluated(rough).loss != evaluated(exact).loss


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 5, stride=3), nn.Flatten(), nn.Linear(256, 10))


def classification(splits: Splits, config: TrainConfig, num_images: int = 90) -> Classification:
    train = Batches(splits.train[:num_images], config.images_per_step, Prepare(28), shuffle_seed=0)
    return Classification(small_network(), train, Batches(splits.test, 50, Prepare(28)), config)


def parameters_after(task: Classification, epochs: int) -> list[Tensor]:
    run(task, epochs=epochs, log_every=10)
    return [parameter.detach() for parameter in task.model.parameters()]


@pytest.mark.parametrize("accumulate", [2, 3, 7])
def test_accumulated_batches_are_one_larger_batch(small_splits: Splits, accumulate: int) -> None:
    """Also the last, uneven one: of 90 images, parts of 8 leave one of 2."""
    config = TrainConfig(lr=0.1, momentum=0.9, epochs=2, schedule="one-cycle")
    parts = replace(config, batch_size=8, accumulate=accumulate)
    whole = replace(config, batch_size=8 * accumulate)
    assert parts.images_per_step == whole.images_per_step
    found = parameters_after(classification(small_splits, parts), 2)
    expected = parameters_after(classification(small_splits, whole), 2)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_the_loss_of_accumulated_batches_is_the_mean_over_their_images(
    small_splits: Splits,
) -> None:
    task = classification(small_splits, TrainConfig(batch_size=8, accumulate=4))
    batch = list(task.epoch(1))[2]
    assert task.size(batch) == 26
    expected = nn.functional.cross_entropy(task.model(batch[0]), batch[1])
    torch.testing.assert_close(task.gradient(batch), expected)


def lengths(task: Classification) -> Tensor:
    gradients = [p.grad for p in task.model.parameters() if p.grad is not None]
    return torch.cat([gradient.flatten() for gradient in gradients])


@pytest.mark.parametrize("share", [0.1, 0.5, 2.0])
def test_a_longer_gradient_is_shortened_to_the_clip_and_a_shorter_one_left(
    small_splits: Splits, share: float
) -> None:
    probe = classification(small_splits, TrainConfig())
    probe.gradient(next(iter(probe.epoch(1))))
    before = lengths(probe).clone()
    clip = share * before.norm().item()
    task = classification(small_splits, TrainConfig(clip=clip))
    task.gradient(next(iter(task.epoch(1))))
    task.before_update()
    torch.testing.assert_close(lengths(task), before * min(1.0, share))


def test_without_a_clip_the_gradient_is_left(small_splits: Splits) -> None:
    task = classification(small_splits, TrainConfig())
    task.gradient(next(iter(task.epoch(1))))
    before = lengths(task).clone() * 1e6
    for parameter in task.model.parameters():
        assert parameter.grad is not None
        parameter.grad.mul_(1e6)
    task.before_update()
    assert torch.equal(lengths(task), before)


def evaluated(task: Classification) -> Evaluation:
    """What the task makes of its validation images, which it has."""
    found = task.evaluate()
    assert found is not None
    return found


def test_smoothed_labels_are_trained_on_and_not_validated_on(small_splits: Splits) -> None:
    task = classification(small_splits, TrainConfig(label_smoothing=0.2))
    x, y = next(iter(task.epoch(1)))
    expected = nn.functional.cross_entropy(task.model(x), y, label_smoothing=0.2)
    torch.testing.assert_close(task.loss((x, y)), expected)
    assert evaluated(task).loss == evaluate(task.model, task.validation).loss


def test_the_average_is_evaluated_and_training_goes_on_from_the_weights(
    small_splits: Splits,
) -> None:
    config = TrainConfig(lr=0.1, batch_size=20, epochs=3)
    averaged = classification(small_splits, replace(config, average=0.9))
    plain = classification(small_splits, config)
    found, expected = parameters_after(averaged, 3), parameters_after(plain, 3)
    assert not any(map(torch.equal, found, expected))
    assert evaluated(averaged).loss == evaluate(averaged.model, averaged.validation).loss
    assert averaged.average is not None
    averaged.average.hide()
    assert all(map(torch.equal, [p.detach() for p in averaged.model.parameters()], expected))


def test_lookahead_evaluates_and_keeps_the_slow_weights(small_splits: Splits) -> None:
    """Of five steps in an epoch: rounds end after 2, 4 and, with the epoch, 5."""
    config = TrainConfig(lr=0.1, batch_size=20, lookahead=2, lookahead_share=0.25)
    task, by_hand = classification(small_splits, config), small_network()
    slow = [p.detach().clone() for p in by_hand.parameters()]
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    for step, (x, y) in enumerate(task.train.epoch(1), start=1):
        optimizer.zero_grad()
        nn.functional.cross_entropy(by_hand(x), y).backward()
        optimizer.step()
        if step in (2, 4, 5):
            with torch.no_grad():
                for s, p in zip(slow, by_hand.parameters(), strict=True):
                    s.add_(0.25 * (p - s))
                    p.copy_(s)
    for found, expected in zip(parameters_after(task, 1), slow, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_saved_task_goes_on_to_the_same_bits(small_splits: Splits, epochs: int) -> None:
    """With all that a task remembers: optimiser, slow and averaged weights, patience."""
    config = TrainConfig(
        optimizer="muon", lr=0.05, batch_size=20, epochs=3, schedule="cosine", lookahead=2,
        average=0.9, patience=5, channels_last=False,
    )  # fmt: skip
    straight = classification(small_splits, config)
    halted, again = classification(small_splits, config), classification(small_splits, config)
    run(straight, epochs=3, log_every=10)
    run(halted, epochs=epochs, log_every=10)
    again.model.load_state_dict(deepcopy(halted.model.state_dict()))
    again.sgd.load_state_dict(deepcopy(halted.sgd.state_dict()))
    again.load_state_dict(deepcopy(halted.state_dict()))
    for epoch in range(epochs + 1, 4):
        for step, batch in enumerate(again.epoch(epoch), start=1):
            again.learning_rate(epoch, step)
            again.gradient(batch)
            again.sgd.step()
            again.after_step()
        again.evaluate()
    pairs = zip(again.model.parameters(), straight.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert again.state_dict().keys() == {"average", "lookahead", "stopping"}
