"""Pre-activation ResNet: between its blocks there is nothing but sums."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.models.preact_resnet import PreActBlock, PreActResNet, PreActResNetConfig
from convlens.nn.stem import StemName
from tests.strategies import normal

SCALE = (1 + 1e-5) ** -0.5  # of an untrained norm while evaluating


def activated(x: Tensor) -> Tensor:
    return F.relu(SCALE * x)


def test_the_basic_block_is_its_formula() -> None:
    block = PreActBlock(4, 6, stride=2).double().eval()
    weights = {name: p for name, p in block.named_parameters() if p.ndim == 4}
    x = normal(2, 4, 7, 7)
    y = F.conv2d(activated(x), weights["residual.conv1.weight"], stride=2, padding=1)
    y = F.conv2d(activated(y), weights["residual.conv2.weight"], padding=1)
    shortcut = F.conv2d(activated(x), weights["projection.weight"], stride=2)
    torch.testing.assert_close(block(x), shortcut + y)


def test_the_bottleneck_is_its_formula() -> None:
    block = PreActBlock(6, 6, inner_channels=2).double().eval()
    w1, w2, w3 = (p for p in block.parameters() if p.ndim == 4)
    x = normal(2, 6, 5, 5)
    y = F.conv2d(activated(x), w1)
    y = F.conv2d(activated(F.conv2d(activated(y), w2, padding=1)), w3)
    torch.testing.assert_close(block(x), x + y)


@pytest.mark.parametrize("inner_channels", [None, 2])
def test_a_block_whose_last_convolution_is_zero_is_the_identity_of_any_x(
    inner_channels: int | None,
) -> None:
    block = PreActBlock(6, 6, inner_channels=inner_channels)
    last = [part for part in block.residual.modules() if isinstance(part, nn.Conv2d)][-1]
    nn.init.zeros_(last.weight)
    x = normal(2, 6, 5, 5, dtype=torch.float32)
    assert torch.equal(block(x), x)


@settings(max_examples=20)
@given(
    st.booleans(),
    st.lists(st.integers(1, 3), min_size=1, max_size=4),
    st.integers(1, 8),
    st.sampled_from(["imagenet", "small"]),
    st.integers(1, 40),
)
def test_any_legal_settings_run_on_any_size(
    basic: bool, depths: list[int], width: int, stem: StemName, size: int
) -> None:
    config = PreActResNetConfig(
        num_classes=3,
        block="basic" if basic else "bottleneck",
        depths=tuple(depths),
        width=width,
        stem=stem,
    )
    with torch.device("meta"):
        assert PreActResNet(config)(torch.zeros(2, 3, size, size)).shape == (2, 3)


def test_the_stem_is_linear_and_the_head_begins_with_the_activation() -> None:
    model = PreActResNet(PreActResNetConfig(width=4, depths=(1,)))
    assert [type(part).__name__ for part in model.stem] == ["Conv2d", "MaxPool2d"]
    assert next(name for name, _ in model.head.named_children()) == "activation"
