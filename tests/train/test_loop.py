"""The loop tells what happens in the order that is documented, repeats itself, and stops
where the loss is no longer finite."""

import re
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, replace
from itertools import groupby

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor, nn

from convlens.core.errors import ConfigError, Diverged
from convlens.data.batches import Batches
from convlens.data.catalog import Splits
from convlens.data.image_set import ImageSet
from convlens.data.transform import Prepare
from convlens.nn.auxiliary import AuxiliaryLogits, classification_loss
from convlens.runs.record import without_times
from convlens.train.evaluate import evaluate
from convlens.train.events import (
    Checkpointed,
    EpochFinished,
    Evaluated,
    Event,
    FitFinished,
    FitStarted,
    Listener,
    StepsFinished,
    Stopped,
)
from convlens.train.loop import Checkpoint, LossMeter, fit, run
from convlens.train.optim import TrainConfig, learning_rate
from convlens.train.position import Keep, Position
from convlens.train.state import State, capture, restore
from convlens.train.task import Classification

CPU = torch.device("cpu")
NUM_IMAGES = 90  # of which a batch of 20 leaves a last batch of 10, the fifth
CONFIG = TrainConfig(epochs=2, batch_size=20, lr=0.1, log_every=2)


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 8, 10)
    )


def train(
    model: nn.Module,
    splits: Splits,
    config: TrainConfig = CONFIG,
    *,
    listeners: Sequence[Listener] = (),
    checkpoint: Checkpoint | None = None,
    num_images: int = NUM_IMAGES,
) -> list[Event]:
    """Train on the first images and watch others; gives the events."""
    events: list[Event] = []
    fit(
        model,
        Batches(
            splits.train[:num_images], config.batch_size, Prepare(28), shuffle_seed=config.seed
        ),
        Batches(splits.test[:30], 20, Prepare(28)),
        config,
        listeners=[events.append, *listeners],
        checkpoint=checkpoint,
    )
    return events


def weights(model: nn.Module) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in model.state_dict().values()]


def told(event: Event) -> str:
    """An event as `Name epoch step`."""
    table = asdict(event)
    return " ".join(
        [type(event).__name__, *(str(table[key]) for key in ("epoch", "step") if key in table)]
    )


def test_events_come_in_the_order_that_is_drawn(small_splits: Splits) -> None:
    events = train(network(), small_splits, checkpoint=lambda epoch, _: epoch == 1)
    assert [told(event) for event in events] == [
        "FitStarted",
        "EpochStarted 1",
        "StepsFinished 1 2", "StepsFinished 1 4", "StepsFinished 1 5",
        "Evaluated 1", "EpochFinished 1", "Checkpointed 1",
        "EpochStarted 2",
        "StepsFinished 2 2", "StepsFinished 2 4", "StepsFinished 2 5",
        "Evaluated 2", "EpochFinished 2", "Checkpointed 2",
        "FitFinished",
    ]  # fmt: skip
    assert events[0] == FitStarted(num_epochs=2, steps_per_epoch=5, num_images=90, device="cpu")
    assert [asdict(e)["best"] for e in events if told(e).startswith("Check")] == [True, False]


def test_without_validation_images_the_weights_of_each_epoch_are_kept_all_the_same(
    small_splits: Splits,
) -> None:
    kept: list[tuple[int, Evaluated | None]] = []

    def keep(epoch: int, evaluated: Evaluated | None) -> bool:
        kept.append((epoch, evaluated))
        return True

    events: list[Event] = []
    fit(
        network(),
        Batches(small_splits.train[:40], 20, Prepare(28), shuffle_seed=0),
        Batches(small_splits.test[:0], 20, Prepare(28)),
        CONFIG,
        listeners=[events.append],
        checkpoint=keep,
    )
    assert kept == [(1, None), (2, None)]
    assert not any(isinstance(event, Evaluated) for event in events)
    assert [event for event in events if isinstance(event, Checkpointed)] == [
        Checkpointed(epoch=1, best=True), Checkpointed(epoch=2, best=True),
    ]  # fmt: skip


def test_without_a_checkpoint_none_is_told(small_splits: Splits) -> None:
    assert not any(told(e).startswith("Check") for e in train(network(), small_splits))


@pytest.mark.parametrize("log_every", [1, 2, 5, 10**30])
def test_steps_are_told_every_so_often_and_at_the_epochs_end(
    small_splits: Splits, log_every: int
) -> None:
    events = train(network(), small_splits, replace(CONFIG, log_every=log_every))
    expected = [step for step in range(1, 6) if step % log_every == 0 or step == 5]
    told_steps = [(e.epoch, e.step) for e in events if isinstance(e, StepsFinished)]
    assert told_steps == [(epoch, step) for epoch in (1, 2) for step in expected]


def test_a_training_step_is_gradient_descent_on_the_cross_entropy(small_splits: Splits) -> None:
    config = replace(CONFIG, momentum=0.9, nesterov=True, schedule="one-cycle", channels_last=False)
    trained, expected = network(), network()
    train(trained, small_splits, config)
    optimizer = torch.optim.SGD(expected.parameters(), lr=1, momentum=0.9, nesterov=True)
    batches = Batches(small_splits.train[:NUM_IMAGES], 20, Prepare(28), shuffle_seed=config.seed)
    steps = [batch for epoch in (1, 2) for batch in batches.epoch(epoch)]
    for step, (x, y) in enumerate(steps):
        optimizer.param_groups[0]["lr"] = learning_rate(config, step, len(steps))
        optimizer.zero_grad()
        F.cross_entropy(expected(x), y).backward()
        optimizer.step()
    for found, wanted in zip(trained.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


class WithAuxiliary(nn.Module):
    """Two linear layers; in training mode the first one's output is graded too."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(28 * 28, 10)
        self.second = nn.Linear(10, 10)
        self.classifier = nn.Linear(10, 10)

    def forward(self, x: Tensor) -> Tensor | AuxiliaryLogits:
        y = self.first(x.flatten(1)).relu()
        main: Tensor = self.second(y)
        return AuxiliaryLogits(main, (self.classifier(y),)) if self.training else main


def test_auxiliary_logits_are_trained_by_their_loss_and_left_out_of_the_validation(
    small_splits: Splits,
) -> None:
    torch.manual_seed(0)
    trained = WithAuxiliary()
    expected = deepcopy(trained)
    started = weights(trained)
    config = replace(CONFIG, epochs=1, batch_size=NUM_IMAGES)  # one step
    events = train(trained, small_splits, config)
    (batch,) = Batches(
        small_splits.train[:NUM_IMAGES], NUM_IMAGES, Prepare(28), shuffle_seed=config.seed
    ).epoch(1)
    loss = classification_loss(expected(batch[0]), batch[1])
    loss.backward()
    assert all(new != old for new, old in zip(weights(trained), started, strict=True))
    with torch.no_grad():
        for found, wanted in zip(trained.parameters(), expected.parameters(), strict=True):
            assert wanted.grad is not None
            torch.testing.assert_close(found, wanted - config.lr * wanted.grad)
    step = next(e for e in events if isinstance(e, StepsFinished))
    assert step.loss == pytest.approx(loss.item())
    evaluated = next(e for e in events if isinstance(e, Evaluated))
    again = evaluate(trained, Batches(small_splits.test[:30], 20, Prepare(28)))
    assert evaluated.loss == again.loss


def test_the_learning_rate_told_is_the_schedules(small_splits: Splits) -> None:
    config = replace(CONFIG, schedule="one-cycle", log_every=1)
    events = train(network(), small_splits, config)
    found = [e.lr for e in events if isinstance(e, StepsFinished)]
    assert found == [learning_rate(config, step, 10) for step in range(10)]


def test_losses_are_means_over_images_with_an_uneven_last_batch(small_splits: Splits) -> None:
    """At a vanishing learning rate the training loss is that of the same images, evaluated."""
    model = network()
    events = train(model, small_splits, replace(CONFIG, lr=1e-30, epochs=1))
    over_images = evaluate(model, Batches(small_splits.train[:NUM_IMAGES], 7, Prepare(28))).loss
    finished = next(e for e in events if isinstance(e, EpochFinished))
    assert finished.loss == pytest.approx(over_images, rel=1e-5)
    steps = [e for e in events if isinstance(e, StepsFinished)]
    by_images = sum(e.loss * size for e, size in zip(steps, (40, 40, 10), strict=True))
    assert by_images / NUM_IMAGES == pytest.approx(over_images, rel=1e-5)
    mean_of_means = sum(e.loss for e in steps) / 3
    assert abs(mean_of_means - over_images) > 1e-4


def test_what_is_told_of_the_validation_is_its_evaluation(small_splits: Splits) -> None:
    model = network()
    events = train(model, small_splits)
    last = [e for e in events if isinstance(e, Evaluated)][-1]
    expected = evaluate(model, Batches(small_splits.test[:30], 20, Prepare(28)))
    assert (last.epoch, last.num_images) == (2, 30)
    assert (last.loss, last.accuracy) == (expected.loss, expected.accuracy)


def test_times_and_rates_agree(small_splits: Splits) -> None:
    events = train(network(), small_splits)
    epochs = [e for e in events if isinstance(e, EpochFinished)]
    finished = events[-1]
    assert isinstance(finished, FitFinished)
    assert finished.train_seconds == pytest.approx(sum(e.seconds for e in epochs))
    assert finished.seconds > finished.train_seconds > 0
    for epoch in epochs:
        assert epoch.images_per_second * epoch.seconds == pytest.approx(NUM_IMAGES)


def test_training_learns_what_can_be_learnt(small_splits: Splits) -> None:
    events = train(network(), small_splits, replace(CONFIG, epochs=4), num_images=600)
    accuracies = [e.accuracy for e in events if isinstance(e, Evaluated)]
    assert accuracies[-1] > 0.9


def test_the_same_seed_gives_the_same_events_and_the_same_weights(small_splits: Splits) -> None:
    runs: list[tuple[list[bytes], list[dict[str, object]]]] = []
    for seed in (1, 1, 2):
        model = network()
        events = train(model, small_splits, replace(CONFIG, seed=seed))
        runs.append((weights(model), without_times([asdict(event) for event in events])))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]


@pytest.mark.parametrize("setting", [{"log_every": 1}, {"log_every": 50}])
def test_what_is_logged_does_not_change_the_training(
    small_splits: Splits, setting: dict[str, int]
) -> None:
    expected, found = network(), network()
    train(expected, small_splits)
    train(found, small_splits, replace(CONFIG, **setting))  # pyright: ignore[reportArgumentType]
    assert weights(found) == weights(expected)


def test_listeners_cannot_steer(small_splits: Splits) -> None:
    """Neither that they listen nor what they give back, nor the chance they use, matters."""

    def meddle(event: Event) -> None:
        torch.rand(len(told(event)))
        torch.manual_seed(3)

    expected, found = network(), network()
    fit(
        expected,
        Batches(small_splits.train[:NUM_IMAGES], 20, Prepare(28), shuffle_seed=0),
        Batches(small_splits.test[:30], 20, Prepare(28)),
        CONFIG,
    )
    train(found, small_splits, listeners=[meddle, meddle])
    assert weights(found) == weights(expected)


def test_all_listeners_hear_the_same(small_splits: Splits) -> None:
    heard: list[Event] = []
    assert train(network(), small_splits, listeners=[heard.append]) == heard


def test_the_memory_layout_changes_nothing_but_rounding(small_splits: Splits) -> None:
    rows, channels = network(), network()
    train(rows, small_splits, replace(CONFIG, channels_last=False))
    train(channels, small_splits, replace(CONFIG, channels_last=True))
    filters = channels.get_parameter("0.weight")
    assert filters.is_contiguous(memory_format=torch.channels_last)
    for found, wanted in zip(channels.parameters(), rows.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-5)


def test_each_epoch_trains_in_training_mode(small_splits: Splits) -> None:
    modes: list[bool] = []

    class Watched(nn.Sequential):
        def forward(self, input: Tensor) -> Tensor:
            modes.append(self.training)
            return super().forward(input)

    train(Watched(*network()).eval(), small_splits)
    assert [(mode, len(list(some))) for mode, some in groupby(modes)] == [(True, 5), (False, 2)] * 2


class NotFinite(nn.Module):
    """Gives logits that are not finite in one training step, counted from 1."""

    def __init__(self, at: int, value: float) -> None:
        super().__init__()
        self.linear = nn.Linear(28 * 28, 10)
        self.at, self.value, self.step = at, value, 0

    def forward(self, x: Tensor) -> Tensor:
        self.step += self.training
        logits: Tensor = self.linear(x.flatten(1))
        return logits * self.value if self.training and self.step == self.at else logits


@pytest.mark.parametrize("log_every", [1, 2, 3, 50])
@pytest.mark.parametrize("at", [1, 3, 5, 6, 9])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_loss_that_is_not_finite_is_found_at_its_own_step(
    small_splits: Splits, log_every: int, at: int, value: float
) -> None:
    epoch, step = (at - 1) // 5 + 1, (at - 1) % 5 + 1
    message = f"^the loss became (nan|inf) at step {step} of epoch {epoch}\ntry a lower learning"
    with pytest.raises(Diverged, match=message):
        train(NotFinite(at, value), small_splits, replace(CONFIG, log_every=log_every))


def test_a_learning_rate_far_too_high_diverges(small_splits: Splits) -> None:
    with pytest.raises(Diverged, match=r"at step \d+ of epoch \d+|after epoch \d+") as error:
        train(network(), small_splits, replace(CONFIG, lr=1e20, epochs=20))
    assert error.value.fix == "try a lower learning rate: --lr"


def test_weights_ruined_by_the_last_step_are_found_by_the_validation(small_splits: Splits) -> None:
    events: list[Event] = []
    config = replace(CONFIG, lr=1e38, batch_size=NUM_IMAGES, epochs=2)
    with pytest.raises(Diverged, match=r"^the validation loss is (nan|inf) after epoch 1"):
        train(network(), small_splits, config, listeners=[events.append])
    assert re.match("StepsFinished 1 1", told(events[-1]))


def test_after_a_divergence_nothing_more_is_told_and_nothing_kept(small_splits: Splits) -> None:
    events: list[Event] = []
    kept: list[int] = []

    def keep(epoch: int, _: Evaluated | None) -> bool:
        kept.append(epoch)
        return True

    with pytest.raises(Diverged):
        train(NotFinite(7, torch.nan), small_splits, listeners=[events.append], checkpoint=keep)
    assert kept == [1]
    assert told(events[-1]) == "EpochStarted 2"


def test_settings_that_contradict_each_other_are_refused_before_anything_is_told(
    small_splits: Splits,
) -> None:
    events: list[Event] = []
    with pytest.raises(ConfigError, match="nesterov"):
        train(network(), small_splits, replace(CONFIG, nesterov=True), listeners=[events.append])
    assert events == []


def test_a_meter_is_exact_over_many_small_and_large_losses() -> None:
    meter = LossMeter(1, capacity=3, device=CPU)
    for loss, size in ((2.0**20, 1), (2.0**-3, 4), (-(2.0**20), 1)):
        assert not meter.full
        meter.add(torch.tensor(loss), size)
    assert meter.full
    assert meter.flush(3) == 0.5 / 6
    meter.add(torch.tensor(6.0), 2)
    assert meter.flush(4) == 6.0
    assert meter.epoch_mean == 12.5 / 8


def task(model: nn.Module, splits: Splits, config: TrainConfig) -> Classification:
    train = Batches(splits.train[:NUM_IMAGES], config.batch_size, Prepare(28), shuffle_seed=1)
    return Classification(model, train, Batches(splits.test[:30], 20, Prepare(28)), config)


def copied(state: State) -> State:
    tensors = {name: tensor.detach().clone() for name, tensor in state.tensors.items()}
    return State(tensors=tensors, numbers=deepcopy(state.numbers))


def test_a_training_goes_on_from_any_step_as_if_it_had_never_stopped(small_splits: Splits) -> None:
    """Weights and events are the same; only those told before are missing."""
    config = replace(CONFIG, momentum=0.9, schedule="one-cycle")
    kept: list[tuple[int, Position, State, int]] = []
    events: list[Event] = []
    whole = task(network(), small_splits, config)

    def keep(step: int, position: Callable[[], Position]) -> None:
        kept.append((step, position(), copied(capture(whole.model, whole.sgd)), len(events)))

    run(whole, epochs=2, log_every=2, listeners=[events.append], keep=keep)
    assert [step for step, *_ in kept] == [1, 2, 3, 4, 5, 0] * 2
    for step, position, state, num_events in kept:
        assert position.step == step
        part = task(network(seed=9), small_splits, config)
        restore(state, part.model, part.sgd)
        again: list[Event] = []
        run(part, epochs=2, log_every=2, listeners=[again.append], start=position)
        num_repeated = 1 + (position.step > 0)  # FitStarted, and EpochStarted in mid-epoch
        repeated, rest = again[:num_repeated], again[num_repeated:]
        assert [told(e) for e in repeated] == ["FitStarted", f"EpochStarted {position.epoch}"][
            :num_repeated
        ]
        told_after = without_times([asdict(e) for e in events[num_events:]])
        assert without_times([asdict(e) for e in rest]) == told_after
        assert weights(part.model) == weights(whole.model)
        seconds = next(e for e in again if isinstance(e, FitFinished)).seconds
        assert seconds > position.seconds >= position.train_seconds + position.epoch_seconds


def test_what_keeping_takes_is_no_training(
    small_splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that moves only while something is kept."""
    now = [0.0]

    def keep(step: int, position: Callable[[], Position]) -> None:
        now[0] += 1_000

    class Tick:
        def __call__(self) -> float:
            now[0] += 0.001
            return now[0]

    monkeypatch.setattr(time, "perf_counter", Tick())
    events: list[Event] = []
    some = task(network(), small_splits, CONFIG)
    run(some, epochs=1, log_every=2, listeners=[events.append], keep=keep)
    epoch = next(e for e in events if isinstance(e, EpochFinished))
    assert epoch.seconds < 1
    assert isinstance(events[-1], FitFinished) and events[-1].seconds > 6_000


def test_what_keeping_raises_ends_the_training(small_splits: Splits) -> None:
    def stop(step: int, position: Callable[[], Position]) -> None:
        if step == 3:
            raise KeyboardInterrupt

    stopping: Keep = stop
    events: list[Event] = []
    some = task(network(), small_splits, CONFIG)
    with pytest.raises(KeyboardInterrupt):
        run(some, epochs=1, log_every=1, listeners=[events.append], keep=stopping)
    assert told(events[-1]) == "StepsFinished 1 3"


def test_a_position_is_not_given_where_a_loss_before_it_was_not_finite(
    small_splits: Splits,
) -> None:
    kept: list[Position] = []
    some = task(NotFinite(3, torch.nan), small_splits, CONFIG)
    with pytest.raises(Diverged, match="at step 3 of epoch 1"):
        run(some, epochs=1, log_every=50, keep=lambda step, position: kept.append(position()))
    assert [position.step for position in kept] == [1, 2]


def test_images_may_have_any_size_and_channels() -> None:
    pixels = torch.randint(0, 256, (12, 3, 9, 7), dtype=torch.uint8)
    data = ImageSet(pixels, torch.arange(12) % 2, ("a", "b"))
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 3 * 3, 2))
    batches = Batches(data, 5, Prepare(5, mean=(0.5,) * 3, std=(0.5,) * 3))
    fit(model, batches, batches, replace(CONFIG, epochs=1))


def stopped(events: list[Event]) -> list[tuple[int, str]]:
    return [(e.epoch, e.reason) for e in events if isinstance(e, Stopped)]


def test_a_training_whose_time_is_over_ends_after_the_step_and_is_evaluated(
    small_splits: Splits,
) -> None:
    events = train(
        network(), small_splits, replace(CONFIG, time_limit=1e-9), checkpoint=lambda *_: True
    )
    assert [told(event) for event in events] == [
        "FitStarted", "EpochStarted 1", "StepsFinished 1 1",
        "Evaluated 1", "EpochFinished 1", "Checkpointed 1", "Stopped 1", "FitFinished",
    ]  # fmt: skip
    assert stopped(events) == [(1, "1e-09 seconds of training are over")]
    epoch = next(e for e in events if isinstance(e, EpochFinished))
    assert epoch.images_per_second * epoch.seconds == pytest.approx(20)
    assert isinstance(events[-1], FitFinished) and events[-1].num_epochs == 1


def test_a_cut_training_is_the_beginning_of_the_whole_one(small_splits: Splits) -> None:
    """The schedule is not told of the limit."""
    config = replace(CONFIG, schedule="one-cycle", log_every=1)
    whole = train(network(), small_splits, config)
    cut = train(network(), small_splits, replace(config, time_limit=1e-9))
    assert [e for e in cut if isinstance(e, StepsFinished)] == [
        e for e in whole if isinstance(e, StepsFinished)
    ][:1]


def test_without_progress_a_training_ends_when_patience_does(small_splits: Splits) -> None:
    """At a vanishing learning rate the accuracy stays what it is."""
    config = replace(CONFIG, epochs=9, lr=1e-30, patience=2)
    events = train(network(), small_splits, config)
    assert stopped(events) == [(3, "2 epochs without a better validation accuracy")]
    assert [e.epoch for e in events if isinstance(e, Evaluated)] == [1, 2, 3]


def test_a_training_that_ends_by_itself_was_not_stopped(small_splits: Splits) -> None:
    events = train(network(), small_splits, replace(CONFIG, epochs=3, lr=1e-30, patience=2))
    assert stopped(events) == []
    assert isinstance(events[-1], FitFinished) and events[-1].num_epochs == 3
