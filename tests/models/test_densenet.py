"""DenseNet has torchvision's weights, and the book's; its blocks compute what they say."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.errors import ShapeError
from convlens.models.densenet import (
    DenseBlock,
    DenseLayer,
    DenseNet,
    DenseNetConfig,
    Transition,
    torchvision_names,
)
from tests.strategies import normal

D2L = DenseNetConfig(
    in_channels=1,
    num_classes=10,
    image_size=96,
    depths=(4, 4, 4, 4),
    bottleneck=0,
    conv_bias=True,
    init="xavier",
)
SMALL = DenseNetConfig(num_classes=10, image_size=28, stem="small", depths=(2, 1, 2), growth_rate=4)
# Tables, since a config made in a strategy is checked there by chance, which hypothesis refuses.
tables: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "in_channels": st.integers(1, 3),
        "num_classes": st.integers(1, 12),
        "image_size": st.integers(29, 40),
        "growth_rate": st.integers(1, 5),
        "depths": st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple),
        "stem_width": st.integers(1, 9),
        "bottleneck": st.integers(0, 3),
        "stem": st.sampled_from(["imagenet", "small"]),
        "conv_bias": st.booleans(),
    }
)


def on_meta(config: DenseNetConfig) -> DenseNet:
    with torch.device("meta"):
        return DenseNet(config)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def images(config: DenseNetConfig) -> Tensor:
    return torch.rand(2, config.in_channels, config.image_size, config.image_size)


@pytest.mark.parametrize(
    ("config", "parameters"),
    [  # torchvision's, then d2l 8.7
        (DenseNetConfig(), 7_978_856),
        (DenseNetConfig(growth_rate=48, stem_width=96, depths=(6, 12, 36, 24)), 28_681_000),
        (DenseNetConfig(depths=(6, 12, 32, 32)), 14_149_480),
        (DenseNetConfig(depths=(6, 12, 48, 32)), 20_013_928),
        (D2L, 758_226),
    ],
)
def test_it_has_as_many_parameters_as_its_source(config: DenseNetConfig, parameters: int) -> None:
    assert count(on_meta(config)) == parameters


@pytest.mark.parametrize(
    ("config", "sizes"),
    [
        (  # Table 1 of the paper, after each transition
            DenseNetConfig(),
            [(64, 56), (128, 28), (256, 14), (512, 7), (1024, 7)],
        ),
        (D2L, [(64, 24), (96, 12), (112, 6), (120, 3), (248, 3)]),  # d2l 8.7
        (SMALL, [(64, 28), (36, 14), (20, 7), (28, 7)]),
    ],
)
def test_each_stage_has_the_channels_and_places_of_its_source(
    config: DenseNetConfig, sizes: list[tuple[int, int]]
) -> None:
    model = on_meta(config)
    x = model.stem(images(config).to("meta"))
    found = [tuple(x.shape[1:3])]
    for stage in model.body:
        x = stage(x)
        found.append(tuple(x.shape[1:3]))
    assert found == sizes


@given(tables)
@settings(max_examples=30)
def test_torchvision_names_every_module_with_weights(table: dict[str, Any]) -> None:
    config = DenseNetConfig(**table)
    names = torchvision_names(config)
    parts = on_meta(config).named_modules()
    ours = {path for path, part in parts if list(part.parameters(recurse=False))}
    assert set(names.values()) == ours
    old = {theirs for theirs in names if theirs[-2:] in {".1", ".2"}}
    assert len(names) == len(ours) + len(old)  # two keys lead to one path in the old spelling only
    assert all(names[theirs] == names[theirs[:-2] + theirs[-1]] for theirs in old)


def test_torchvision_names_are_spelt_its_way() -> None:
    names = torchvision_names(DenseNetConfig())
    expected = {
        "features.conv0": "stem.conv",
        "features.denseblock1.denselayer1.norm1": "body.stage1.block.layer1.growth.unit1.norm",
        "features.denseblock4.denselayer16.conv2": "body.stage4.block.layer16.growth.unit2.conv",
        "features.denseblock4.denselayer16.conv.2": "body.stage4.block.layer16.growth.unit2.conv",
        "features.transition3.conv": "body.stage3.transition.conv",
        "features.norm5": "body.stage4.norm",
        "classifier": "head.linear",
    }
    assert {theirs: names[theirs] for theirs in expected} == expected


@given(tables)
@settings(max_examples=30)
def test_any_legal_settings_build_and_run(table: dict[str, Any]) -> None:
    config = DenseNetConfig(**table)
    logits = DenseNet(config)(images(config))
    assert logits.shape == (2, config.num_classes)
    assert logits.isfinite().all()


@pytest.mark.parametrize("image_size", [28, 32])
def test_the_small_stem_takes_small_images(image_size: int) -> None:
    config = replace(SMALL, image_size=image_size)
    assert DenseNet(config)(images(config)).isfinite().all()


@pytest.mark.parametrize(
    ("config", "least"),
    [
        (D2L, 29),
        (DenseNetConfig(), 29),
        (DenseNetConfig(stem="small"), 8),
        (replace(D2L, depths=(4,)), 1),
    ],
)
def test_smaller_images_than_the_least_are_refused(config: DenseNetConfig, least: int) -> None:
    config = replace(config, image_size=least)
    assert on_meta(config)(images(config).to("meta")).shape == (2, config.num_classes)
    if least > 1:
        with pytest.raises(ShapeError, match=f"images of {least - 1} pixels are too small"):
            on_meta(replace(config, image_size=least - 1))


def norm_conv(x: Tensor, weights: list[Tensor], padding: int) -> Tensor:
    """A fresh norm in evaluation mode, relu, and a convolution with a bias."""
    scale, shift, kernel, bias = weights
    y = x / (1 + 1e-5) ** 0.5 * scale[:, None, None] + shift[:, None, None]  # mean 0, variance 1
    return F.conv2d(F.relu(y), kernel, bias, padding=padding)


def drawn(module: nn.Module) -> list[Tensor]:
    """The parameters, each random, so that none is a 0 or a 1 that hides a mistake."""
    for parameter in module.double().eval().parameters():
        nn.init.normal_(parameter)
    return list(module.parameters())


@pytest.mark.parametrize("bottleneck", [0, 2])
def test_a_layer_adds_the_formula_of_its_convolutions(bottleneck: int) -> None:
    layer = DenseLayer(3, 2, bottleneck=bottleneck, bias=True)
    weights, x = drawn(layer), normal(2, 3, 5, 4)
    y = norm_conv(x, weights[:4], 0) if bottleneck else x
    expected = torch.cat([x, norm_conv(y, weights[-4:], 1)], dim=1)
    torch.testing.assert_close(layer(x), expected)


def test_a_block_gives_each_layer_all_channels_before_it() -> None:
    block = DenseBlock(3, 3, 2, bottleneck=0, bias=True)
    weights, x = drawn(block), normal(2, 3, 5, 4)
    features = [x]
    for start in (0, 4, 8):
        features.append(norm_conv(torch.cat(features, 1), weights[start : start + 4], 1))
    assert block.out_channels == 9
    torch.testing.assert_close(block(x), torch.cat(features, 1))


def test_a_transition_is_the_mean_of_each_2x2_places() -> None:
    transition = Transition(4, 3, bias=True)
    weights, x = drawn(transition), normal(2, 4, 5, 6)
    torch.testing.assert_close(transition(x), F.avg_pool2d(norm_conv(x, weights, 0), 2))


def test_the_network_is_the_formula_of_its_parts() -> None:
    config = replace(D2L, depths=(1, 1), growth_rate=2, stem_width=3, image_size=20)
    model = DenseNet(config)
    weights, x = drawn(model), normal(2, 1, 20, 20)
    kernel, bias, scale, shift, *weights = weights
    y = F.conv2d(x, kernel, bias, stride=2, padding=3) / (1 + 1e-5) ** 0.5
    y = F.max_pool2d(F.relu(y * scale[:, None, None] + shift[:, None, None]), 3, 2, 1)
    y = torch.cat([y, norm_conv(y, weights[:4], 1)], 1)
    y = F.avg_pool2d(norm_conv(y, weights[4:8], 0), 2)
    y = torch.cat([y, norm_conv(y, weights[8:12], 1)], 1)
    scale, shift, linear, bias = weights[12:]
    y = F.relu(y / (1 + 1e-5) ** 0.5 * scale[:, None, None] + shift[:, None, None])
    torch.testing.assert_close(model(x), F.linear(y.mean((2, 3)), linear, bias))
