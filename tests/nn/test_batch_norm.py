"""Batch norm from scratch is torch's, over a life of training and evaluating."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.errors import ConfigError, ShapeError
from convlens.nn.batch_norm import BatchNorm2d
from tests.strategies import normal, seeds

SETTINGS: list[dict[str, Any]] = [
    {},
    {"eps": 1e-3, "momentum": 0.7},
    {"momentum": None},
    {"affine": False},
    {"bias": False},
    {"track_running_stats": False},
    {"momentum": 0.0},
    {"momentum": 1.0},
]


def twins(**given: Any) -> tuple[BatchNorm2d, nn.BatchNorm2d]:
    """Our layer and torch's, with the same scale and shift, in float64."""
    torchs = nn.BatchNorm2d(3, dtype=torch.float64, **given)
    for index, parameter in enumerate(torchs.parameters()):
        parameter.data.copy_(normal(3, seed=index + 40))
    ours = BatchNorm2d(3, dtype=torch.float64, **given)
    ours.load_state_dict(torchs.state_dict())
    return ours, torchs


def step(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """The output, the gradients, and the state after them."""
    x = x.clone().requires_grad_()
    layer.zero_grad()
    y = layer(x)
    (y * normal(*y.shape, seed=5)).sum().backward()
    gradients = [p.grad for p in (x, *layer.parameters()) if p.grad is not None]
    return [y, *gradients, *(value.clone() for value in layer.state_dict().values())]


def assert_close(ours: list[Tensor], torchs: list[Tensor]) -> None:
    for a, b in zip(ours, torchs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("given", SETTINGS)
def test_outputs_gradients_and_buffers_are_torchs_over_a_life(given: dict[str, Any]) -> None:
    ours, torchs = twins(**given)
    for number, training in enumerate([True, True, False, True, False, False, True, True, False]):
        x = 3 * normal(4, 3, 5, 6, seed=number) + number
        assert_close(step(ours.train(training), x), step(torchs.train(training), x))


@settings(max_examples=30)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.booleans(), seeds)
def test_any_size_is_torchs(n: int, height: int, width: int, training: bool, seed: int) -> None:
    ours, torchs = twins()
    if training and n * height * width == 1:
        return
    x = normal(n, 3, height, width, seed=seed)
    # Two values of nearly equal size make the variance tiny, and the gradients large with it.
    for a, b in zip(step(ours.train(training), x), step(torchs.train(training), x), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-7)


def test_a_trained_channel_has_mean_0_and_variance_1() -> None:
    x = 5 * normal(8, 3, 6, 6) + 2
    y = BatchNorm2d(3, eps=0.0, affine=False, dtype=torch.float64)(x)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(3).double())
    torch.testing.assert_close(y.var((0, 2, 3), correction=0), torch.ones(3).double())


def test_training_decides_and_the_recording_of_gradients_does_not() -> None:
    layer = BatchNorm2d(3, dtype=torch.float64)
    x = normal(4, 3, 5, 5)
    with torch.no_grad():
        unrecorded = layer(x)
    assert layer.running_mean is not None
    assert not torch.equal(layer.running_mean, torch.zeros(3).double())
    assert torch.equal(layer(x), unrecorded)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    assert layer.eval()(x).requires_grad
    for key, value in layer.state_dict().items():
        assert torch.equal(value, before[key])


def test_one_image_is_enough_for_an_evaluation_and_does_not_depend_on_the_others() -> None:
    layer = BatchNorm2d(3, dtype=torch.float64)
    layer(normal(4, 3, 5, 5))
    x = normal(2, 3, 1, 1, seed=1)
    assert torch.equal(layer.eval()(x)[:1], layer(x[:1]))


@pytest.mark.parametrize("given", SETTINGS)
def test_state_dicts_interchange_with_torchs(given: dict[str, Any]) -> None:
    ours, torchs = twins(**given)
    assert list(ours.state_dict()) == list(torchs.state_dict())
    step(ours, normal(4, 3, 5, 5))
    torchs.load_state_dict(ours.state_dict())
    x = normal(2, 3, 4, 4, seed=1)
    torch.testing.assert_close(ours.eval()(x), torchs.eval()(x))
    assert repr(ours) == repr(torchs)


def test_the_statistics_are_buffers_that_move_with_the_layer() -> None:
    layer = BatchNorm2d(2)
    names = [name for name, _ in layer.named_buffers()]
    assert names == ["running_mean", "running_var", "num_batches_tracked"]
    layer.double()
    assert layer.running_var is not None and layer.num_batches_tracked is not None
    assert layer.running_var.dtype == torch.float64
    assert layer.num_batches_tracked.dtype == torch.int64


def test_half_precision_images_are_normalised_as_torch_does() -> None:
    ours, torchs = BatchNorm2d(3), nn.BatchNorm2d(3)
    x = (20 * normal(64, 3, 8, 8) + 100).to(torch.bfloat16)
    y, expected = ours(x), torchs(x)
    assert y.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(ours.running_var, torchs.running_var)


def test_the_running_mean_nears_the_mean_of_the_data_step_by_step() -> None:
    layer = BatchNorm2d(1)
    distances: list[float] = []
    for _ in range(20):
        layer(torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1))
        assert layer.running_mean is not None
        distances.append(2 - layer.running_mean.item())
    for before, after in pairwise(distances):
        assert after == pytest.approx(0.9 * before, rel=1e-4)


@pytest.mark.parametrize(
    "given", [{"num_features": 0}, {"eps": -1.0}, {"momentum": 1.5}, {"momentum": -0.1}]
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any]) -> None:
    (setting,) = given
    defaults: dict[str, Any] = {"num_features": 3}
    with pytest.raises(ConfigError, match=f"^{setting}="):
        BatchNorm2d(**(defaults | given))


@pytest.mark.usefixtures("as_a_user")
def test_images_that_do_not_fit_are_an_error_with_the_shapes() -> None:
    layer = BatchNorm2d(3)
    for shape in [(2, 4, 5, 5), (3, 5, 5), (2, 3)]:
        with pytest.raises(ShapeError, match=r"needs \(n, 3, h, w\)"):
            layer(torch.zeros(shape))
    with pytest.raises(ShapeError, match="int64"):
        layer(torch.zeros(2, 3, 5, 5, dtype=torch.int64))
    for n in (0, 1):
        with pytest.raises(ShapeError, match="more than one value per channel"):
            layer(torch.zeros(n, 3, 1, 1))
