"""Ways of computing a step are tried on copies, and the usual one is left for a clear gain only."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import nn

from convlens.data.batches import Batches
from convlens.data.catalog import Splits
from convlens.data.transform import Prepare
from convlens.experiment.machine import probe
from convlens.experiment.machine.probe import Computed, Tried, Way, fastest, try_ways, ways
from convlens.inspection.training.timing import Timing
from convlens.train.optim import TrainConfig

CPU = torch.device("cpu")
OPEN = TrainConfig(channels_last="auto", precision="auto", batch_size=8)


def told(found: Sequence[Way]) -> list[str]:
    return [way.told() for way in found]


@pytest.mark.parametrize(
    ("config", "native", "expected"),
    [
        (TrainConfig(), True, ["channels last, float32"]),
        (TrainConfig(channels_last=False), True, ["contiguous, float32"]),
        (
            TrainConfig(channels_last="auto"),
            True,
            ["channels last, float32", "contiguous, float32"],
        ),
        (TrainConfig(precision="auto"), False, ["channels last, float32"]),
        (
            TrainConfig(precision="auto"),
            True,
            ["channels last, float32", "channels last, bfloat16"],
        ),
    ],
)
def test_what_the_settings_leave_open_is_tried_the_usual_first(
    monkeypatch: pytest.MonkeyPatch, config: TrainConfig, native: bool, expected: list[str]
) -> None:
    monkeypatch.setattr(probe, "has_bfloat16", lambda _: native)
    assert told(ways(config, CPU)) == expected
    assert len(ways(config, CPU, every=True)) == (4 if native else 2)


def tried(seconds: float, **way: bool) -> Tried:
    return Tried(
        way=Way(**{"channels_last": True, **way}, precision="float32"),
        timing=Timing.of([seconds]),
        first_seconds=1.0,
    )


@pytest.mark.parametrize(("other", "layout"), [(0.95, True), (2.0, True), (0.85, False)])
def test_another_way_has_to_be_clearly_faster(other: float, layout: bool) -> None:
    found = fastest([tried(1.0), tried(other, channels_last=False)])
    assert found.channels_last == layout


def test_steps_are_tried_on_copies_and_chance_stays(
    small_splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SECONDS", 0.0)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 5), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(1152, 10)
    )
    batches = Batches(small_splits.train, 20, Prepare(28), shuffle_seed=0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    chance = torch.random.get_rng_state()
    found = try_ways(model, batches, OPEN, ways(OPEN, CPU))
    assert told([one.way for one in found]) == ["channels last, float32", "contiguous, float32"]
    assert all(one.timing.repeats == 3 and one.timing.median_seconds > 0 for one in found)
    assert torch.equal(torch.random.get_rng_state(), chance)
    assert all(map(torch.equal, model.state_dict().values(), before.values()))
    weight = next(model.parameters())
    assert weight.is_contiguous() and weight.grad is None


def test_a_way_decides_layout_and_precision_but_not_the_result() -> None:
    torch.manual_seed(0)
    model, x = nn.Conv2d(3, 4, 3), torch.rand(2, 3, 6, 6)
    expected = model(x)
    for layout in (True, False):
        exact = Computed(model, Way(channels_last=layout, precision="float32"))
        torch.testing.assert_close(exact(x), expected)
        assert model.weight.is_contiguous() != layout
        rough = Computed(model, Way(channels_last=layout, precision="bfloat16"))(x)
        assert rough.dtype == torch.bfloat16
        torch.testing.assert_close(rough.float(), expected, rtol=2e-2, atol=2e-2)


def test_a_compiled_way_says_so() -> None:
    way = replace(Way(channels_last=False, precision="float32"), compiled=True)
    assert way.told() == "contiguous, float32, compiled"
