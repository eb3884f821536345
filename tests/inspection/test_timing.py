"""Timing: turns are taken in order, by the clock that is given, and leave nothing behind."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from convlens.core.errors import ConfigError
from convlens.inspection.timing import Timing, time_forward, time_models, time_step
from convlens.nn.auxiliary import AuxiliaryLogits

LABELS = torch.tensor([0, 1, 1, 0])
Clock = Callable[[], float]


def clock(*durations: float) -> Clock:
    """A clock by which one turn after another takes these seconds."""

    def readings() -> Iterator[float]:
        now = 100.0
        for duration in durations:
            yield now
            now += duration
            yield now
            now += 1000.0  # between turns, which nobody counts

    return readings().__next__


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))


def times(seconds: float) -> Timing:
    return Timing(median_seconds=seconds, least_seconds=seconds, most_seconds=seconds, repeats=1)


class Spy(nn.Module):
    """A layer that notes how it is called."""

    def __init__(self, name: str, notes: list[object]) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.name = name
        self.notes = notes

    def forward(self, x: Tensor) -> Tensor:
        self.notes.append((self.name, self.training, torch.is_inference_mode_enabled()))
        y: Tensor = self.linear(x)
        return y


def test_a_timing_is_the_median_and_the_extremes_without_the_warm_up() -> None:
    seconds = clock(512, 256, 4, 1, 8, 2)
    timing = time_forward(network(), torch.zeros(4, 3), repeats=4, warm_up=2, clock=seconds)
    assert timing == Timing(median_seconds=3.0, least_seconds=1.0, most_seconds=8.0, repeats=4)


def test_models_take_turns_and_each_has_its_own_times() -> None:
    notes: list[object] = []
    models: dict[str, tuple[nn.Module, Tensor]] = {
        name: (Spy(name, notes), torch.zeros(4, 3)) for name in "ab"
    }
    timings = time_models(models, rounds=2, warm_up=1, clock=clock(90, 91, 1, 10, 3, 30))
    assert notes == [("a", False, True), ("b", False, True)] * 3
    assert timings == {
        "a": Timing(median_seconds=2.0, least_seconds=1.0, most_seconds=3.0, repeats=2),
        "b": Timing(median_seconds=20.0, least_seconds=10.0, most_seconds=30.0, repeats=2),
    }


def test_a_step_is_taken_in_training_mode_and_updates_every_weight() -> None:
    notes: list[object] = []
    model = Spy("a", notes)
    updated: list[list[int]] = []

    def note(optimizer: torch.optim.Optimizer, args: object, kwargs: object) -> None:
        del args, kwargs
        (group,) = optimizer.param_groups
        assert group["momentum"] > 0
        updated.append([id(p) for p in group["params"] if p.grad.abs().sum() > 0])

    handle = register_optimizer_step_post_hook(note)
    try:
        seconds = clock(9, 7, 5)
        x = torch.ones(4, 3)
        timing = time_step(model, x, torch.zeros(4).long(), repeats=2, warm_up=1, clock=seconds)
    finally:
        handle.remove()
    assert notes == [("a", True, False)] * 3
    assert updated == [[id(p) for p in model.parameters()]] * 3
    assert timing == Timing(median_seconds=6.0, least_seconds=5.0, most_seconds=7.0, repeats=2)


def test_the_clock_starts_before_the_pass_and_stops_after_the_update() -> None:
    model, seen = nn.Linear(3, 2), list[bool]()

    def watch() -> float:
        seen.append(model.weight.grad is not None)
        return 0.0

    time_step(model, torch.ones(4, 3), LABELS, repeats=1, warm_up=0, clock=watch)
    assert seen == [False, True]


@pytest.mark.parametrize("as_inference", [False, True])
def test_a_timed_module_and_its_input_stay_as_they_were(as_inference: bool) -> None:
    model = network().insert(0, nn.ReLU(inplace=True))
    model[2].eval()
    model[1].weight.grad = torch.ones(4, 3)
    x = torch.randn(4, 3)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [part.training for part in model.modules()]
    before, chance = x.clone(), torch.get_rng_state()
    with torch.inference_mode(as_inference):
        time_forward(model, x, repeats=1)
        time_step(model, x, LABELS, repeats=2)
    torch.testing.assert_close(dict(model.state_dict()), state, rtol=0, atol=0)
    assert [part.training for part in model.modules()] == modes
    assert [p.grad is None for p in model.parameters()] == [False] + [True] * 5
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), chance)


def test_a_module_can_be_two_of_the_models() -> None:
    model = network()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    models: dict[str, tuple[nn.Module, Tensor]] = {
        "ones": (model, torch.ones(4, 3)),
        "zeros": (model, torch.zeros(4, 3)),
    }
    timings = time_models(models, labels=LABELS, rounds=1, warm_up=0, clock=clock(1, 2))
    assert timings == {"ones": times(1.0), "zeros": times(2.0)}
    torch.testing.assert_close(dict(model.state_dict()), state, rtol=0, atol=0)


def test_a_step_takes_the_auxiliary_logits_too() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.middle = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> AuxiliaryLogits:
            return AuxiliaryLogits(self.last(x), (self.middle(x),))

    seconds = clock(1)
    timing = time_step(Two(), torch.ones(4, 3), LABELS, repeats=1, warm_up=0, clock=seconds)
    assert timing == times(1.0)


@pytest.mark.parametrize(("repeats", "warm_up"), [(0, 3), (-1, 0), (1, -1)])
def test_at_least_one_turn_is_kept(repeats: int, warm_up: int) -> None:
    with pytest.raises(ConfigError, match="nothing to time"):
        time_forward(network(), torch.zeros(4, 3), repeats=repeats, warm_up=warm_up)


def test_what_cannot_be_timed_is_refused() -> None:
    with pytest.raises(ConfigError, match="meta"):
        time_forward(network().to("meta"), torch.zeros(4, 3, device="meta"))
    with pytest.raises(ConfigError, match="no parameter is trained"):
        time_step(network().requires_grad_(False), torch.zeros(4, 3), LABELS)
    with pytest.raises(ConfigError, match="no parameter is trained"):
        time_step(nn.Flatten(), torch.zeros(4, 3), LABELS)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_clock_waits_for_the_gpu() -> None:
    model, x = nn.Linear(4096, 4096).cuda(), torch.zeros(4096, 4096).cuda()
    idle: list[bool] = []

    def watch() -> float:
        idle.append(torch.cuda.current_stream().query())
        return 0.0

    time_forward(model, x, repeats=3, clock=watch)
    assert all(idle)
