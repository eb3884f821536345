"""The pooling layers are torch's in all but their arithmetic, and say early what they cannot do."""

from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from torch import Tensor, nn

from convlens.core.errors import ConfigError, ShapeError, UnknownName
from convlens.nn.pool import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    GlobalAvgPool2d,
    GlobalMaxPool2d,
    MaxPool2d,
    pooling_beside,
)
from convlens.ops.catalog import IMPLEMENTATIONS, names_for
from tests.strategies import PoolCase, normal, pool_cases

CHOSEN = [name for name in names_for("pool") if name != "native"]
ADAPTIVE = [name for name in names_for("adaptive_pool") if name != "native"]


def assert_same(ours: nn.Module, torchs: nn.Module, x: Tensor) -> None:
    mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, expected = ours(mine), torchs(theirs)
    weights = normal(*expected.shape, seed=7)
    (y * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(mine.grad, theirs.grad)


def test_native_is_torchs_layer_and_none_of_our_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("max_pool2d", "avg_pool2d", "adaptive_max_pool2d", "adaptive_avg_pool2d"):
        monkeypatch.delattr(f"convlens.nn.pool.{name}")
    x = normal(2, 3, 7, 6)
    pairs: list[tuple[nn.Module, nn.Module]] = [
        (MaxPool2d(3, 2, 1, 1, False, True), nn.MaxPool2d(3, 2, 1, 1, False, True)),
        (AvgPool2d((3, 2), 1, 1, True, False), nn.AvgPool2d((3, 2), 1, 1, True, False)),
        (AvgPool2d(2, divisor_override=3), nn.AvgPool2d(2, divisor_override=3)),
        (AdaptiveMaxPool2d((2, None)), nn.AdaptiveMaxPool2d((2, None))),
        (AdaptiveAvgPool2d(3), nn.AdaptiveAvgPool2d(3)),
    ]
    for ours, torchs in pairs:
        assert torch.equal(ours(x), torchs(x))
        assert repr(ours) == repr(torchs)
        assert isinstance(ours, type(torchs))
    values, indices = MaxPool2d(2, return_indices=True)(x)
    assert torch.equal(values, x.flatten(2).gather(2, indices.flatten(2)).view_as(values))


@settings(max_examples=40)
@given(pool_cases(dilation=2))
def test_every_able_implementation_computes_torchs_max_pool(case: PoolCase) -> None:
    dilation = case.geometry.rows.dilation, case.geometry.columns.dilation
    given_settings = case.settings(dilation=dilation)
    torchs, x = nn.MaxPool2d(**given_settings), normal(*case.shape, seed=case.seed)
    # Where a window sees only padding, torch's slope is undefined, and asking for it can crash.
    assume(torchs(x).isfinite().all())
    for name in CHOSEN:
        assert_same(MaxPool2d(**given_settings, implementation=name), torchs, x)


@settings(max_examples=40)
@given(pool_cases())
def test_every_able_implementation_computes_torchs_avg_pool(case: PoolCase) -> None:
    given_settings = case.settings(count_include_pad=case.geometry.count_include_pad)
    for name in CHOSEN:
        ours = AvgPool2d(**given_settings, implementation=name)
        assert_same(ours, nn.AvgPool2d(**given_settings), normal(*case.shape, seed=case.seed))


@pytest.mark.parametrize("implementation", ADAPTIVE)
@pytest.mark.parametrize("size", [1, 3, (2, 5), (None, 2)])
def test_adaptive_pools_are_torchs(
    implementation: str, size: int | tuple[int | None, int | None]
) -> None:
    x = normal(2, 3, 7, 6)
    ours: nn.Module = AdaptiveAvgPool2d(size, implementation=implementation)
    assert_same(ours, nn.AdaptiveAvgPool2d(size), x)
    ours = AdaptiveMaxPool2d(size, implementation=implementation)
    assert_same(ours, nn.AdaptiveMaxPool2d(size), x)


@pytest.mark.parametrize("implementation", ["native", *ADAPTIVE])
def test_global_pools_see_the_whole_image(implementation: str) -> None:
    x = normal(2, 3, 7, 6)
    mean = GlobalAvgPool2d(implementation=implementation)(x)
    greatest = GlobalMaxPool2d(implementation=implementation)(x)
    torch.testing.assert_close(mean, x.mean((2, 3), keepdim=True))
    assert torch.equal(greatest, x.amax((2, 3), keepdim=True))


@pytest.mark.parametrize("layer", [MaxPool2d, AvgPool2d])
def test_one_image_needs_no_batch(layer: type[MaxPool2d] | type[AvgPool2d]) -> None:
    x = normal(3, 6, 6)
    for name in CHOSEN:
        assert torch.allclose(layer(2, implementation=name)(x), layer(2)(x))
    for name in ADAPTIVE:
        assert torch.allclose(GlobalAvgPool2d(implementation=name)(x), GlobalAvgPool2d()(x))
        assert torch.allclose(GlobalMaxPool2d(implementation=name)(x), GlobalMaxPool2d()(x))


@pytest.mark.parametrize(
    ("layer", "given", "words"),
    [
        (MaxPool2d, {"kernel_size": 3}, ["MaxPool2d(kernel_size=3", "has no pool", "unfold"]),
        (AvgPool2d, {"kernel_size": 3}, ["AvgPool2d(kernel_size=3", "has no pool", "unfold"]),
        (AdaptiveAvgPool2d, {"output_size": 2}, ["output_size=2", "no adaptive pool", "native"]),
        (AdaptiveMaxPool2d, {"output_size": 2}, ["output_size=2", "no adaptive pool", "native"]),
        (GlobalAvgPool2d, {}, ["GlobalAvgPool2d(", "no adaptive pool", "reference"]),
    ],
)
@pytest.mark.parametrize("implementation", ["fft", "matrix", "winograd-2x2"])
def test_an_implementation_that_cannot_pool_is_refused_in_the_constructor(
    layer: Any, given: dict[str, Any], words: list[str], implementation: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        layer(**given, implementation=implementation)
    for word in [*words, implementation]:
        assert word in str(caught.value)


def test_what_only_torch_knows_is_refused_elsewhere() -> None:
    with pytest.raises(ConfigError, match=r"return_indices=True is known to .*'native' only"):
        MaxPool2d(2, return_indices=True, implementation="unfold")
    with pytest.raises(ConfigError, match=r"return_indices=True is known to .*'native' only"):
        AdaptiveMaxPool2d(2, return_indices=True, implementation="reference")
    with pytest.raises(ConfigError, match=r"divisor_override=3 is known to .*'native' only"):
        AvgPool2d(2, divisor_override=3, implementation="unfold")


def test_settings_that_make_no_sense_are_refused_before_any_data() -> None:
    with pytest.raises(UnknownName, match="did you mean 'unfold'"):
        MaxPool2d(2, implementation="unfould")
    with pytest.raises(ShapeError, match="at most half"):
        MaxPool2d(2, padding=2, implementation="unfold")
    with pytest.raises(ShapeError, match="at most half"):
        AvgPool2d(2, padding=2, implementation="unfold")


def test_a_model_pools_natively_beside_what_cannot_pool() -> None:
    for name, entry in IMPLEMENTATIONS.items():
        assert pooling_beside(name) == (name if entry.pool else "native")
        assert pooling_beside(name, "adaptive_pool") == (name if entry.adaptive_pool else "native")


def test_the_implementation_is_shown() -> None:
    assert repr(AvgPool2d(2, implementation="unfold")).endswith("implementation='unfold')")
    assert "implementation='reference'" in repr(GlobalMaxPool2d(implementation="reference"))
