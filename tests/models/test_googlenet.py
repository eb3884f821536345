"""GoogLeNet has torchvision's weights, and the book's; its blocks compute what they say."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.errors import ConfigError, ShapeError
from convlens.models.googlenet import (
    GoogLeNet,
    GoogLeNetConfig,
    ImageNetToUnit,
    InceptionBlock,
    auxiliary_head,
    torchvision_names,
)
from convlens.nn.auxiliary import AuxiliaryLogits, classification_loss
from tests.strategies import normal

D2L = GoogLeNetConfig(
    in_channels=1,
    num_classes=10,
    image_size=96,
    batch_norm=False,
    pools="padded",
    wide_kernel=5,
    dropout=0.0,
    init="xavier",
)
SMALL = GoogLeNetConfig(num_classes=10, image_size=28, stem="small")
configs = st.builds(
    GoogLeNetConfig,
    in_channels=st.just(3),
    num_classes=st.integers(1, 12),
    image_size=st.integers(15, 40),
    batch_norm=st.booleans(),
    pools=st.sampled_from(["ceil", "padded"]),
    wide_kernel=st.sampled_from([3, 5]),
    dropout=st.sampled_from([0.0, 0.4]),
    aux=st.booleans(),
    transform_input=st.booleans(),
    stem=st.sampled_from(["imagenet", "small"]),
)


def on_meta(config: GoogLeNetConfig) -> GoogLeNet:
    with torch.device("meta"):
        return GoogLeNet(config)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def images(config: GoogLeNetConfig, device: str = "meta", batch: int = 2) -> Tensor:
    return torch.rand(
        batch, config.in_channels, config.image_size, config.image_size, device=device
    )


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (GoogLeNetConfig(aux=True), 13_004_888),  # torchvision
        (GoogLeNetConfig(), 6_624_904),  # the same
        (D2L, 5_977_530),  # d2l 8.4
    ],
)
def test_it_has_as_many_parameters_as_its_source(config: GoogLeNetConfig, parameters: int) -> None:
    assert count(on_meta(config)) == parameters


@pytest.mark.parametrize(
    ("config", "sizes"),
    [
        (  # Table 1 of the paper
            GoogLeNetConfig(),
            [(64, 56), (192, 28), (480, 14), (832, 7), (1024, 7)],
        ),
        (D2L, [(64, 24), (192, 12), (480, 6), (832, 3), (1024, 3)]),  # d2l 8.4
        (SMALL, [(64, 28), (192, 14), (480, 7), (832, 4), (1024, 4)]),
    ],
)
def test_each_stage_has_the_channels_and_places_of_its_source(
    config: GoogLeNetConfig, sizes: list[tuple[int, int]]
) -> None:
    model = on_meta(config)
    x = model.stem(images(config))
    found = [tuple(x.shape[1:3])]
    for stage in model.body:
        x = stage(x)
        found.append(tuple(x.shape[1:3]))
    assert found == sizes


@given(configs)
@settings(max_examples=10)
def test_torchvision_names_every_module_with_weights_once(config: GoogLeNetConfig) -> None:
    model = on_meta(config)
    ours = [path for path, part in model.named_modules() if list(part.parameters(recurse=False))]
    assert sorted(torchvision_names(config).values()) == sorted(ours)


def test_torchvision_names_are_spelt_its_way() -> None:
    names = torchvision_names(GoogLeNetConfig(aux=True))
    expected = {
        "conv1.bn": "stem.norm",
        "conv3.conv": "body.stage1.unit2.conv",
        "inception3a.branch1.conv": "body.stage2.inception3a.branch1.conv",
        "inception4e.branch3.1.bn": "body.stage3.inception4e.branch3.unit2.norm",
        "inception5b.branch4.1.conv": "body.stage4.inception5b.branch4.unit.conv",
        "aux2.conv.conv": "auxiliary.inception4d.unit.conv",
        "aux1.fc2": "auxiliary.inception4a.linear2",
        "fc": "head.linear",
    }
    assert {theirs: names[theirs] for theirs in expected} == expected


@given(configs)
@settings(max_examples=12)
def test_any_legal_settings_build_and_run(config: GoogLeNetConfig) -> None:
    model, x = on_meta(config), images(config)
    assert model.eval()(x).shape == (2, config.num_classes)
    output = model.train()(x)
    logits = [output.main, *output.auxiliary] if config.aux else [output]
    assert len(logits) == (3 if config.aux else 1)
    assert all(some.shape == (2, config.num_classes) for some in logits)


@pytest.mark.parametrize("image_size", [28, 32])
def test_the_small_stem_takes_small_images(image_size: int) -> None:
    config = replace(SMALL, image_size=image_size)
    assert GoogLeNet(config).eval()(images(config, "cpu")).isfinite().all()


@pytest.mark.parametrize(("config", "least"), [(GoogLeNetConfig(), 15), (SMALL, 4), (D2L, 1)])
def test_smaller_images_than_the_least_are_refused(config: GoogLeNetConfig, least: int) -> None:
    config = replace(config, image_size=least)
    assert on_meta(config).eval()(images(config)).shape == (2, config.num_classes)
    if least > 1:
        with pytest.raises(ShapeError, match=f"images of {least - 1} pixels are too small"):
            on_meta(replace(config, image_size=least - 1))


def conv_norm(x: Tensor, weights: Sequence[Tensor], padding: int, *, batch_norm: bool) -> Tensor:
    """A convolution, its fresh norm in evaluation mode or its bias, and relu."""
    if not batch_norm:
        return F.relu(F.conv2d(x, weights[0], weights[1], padding=padding))
    kernel, scale, shift = weights
    y = F.conv2d(x, kernel, padding=padding) / (1 + 1e-3) ** 0.5  # mean 0, variance 1
    return F.relu(y * scale[:, None, None] + shift[:, None, None])


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("wide_kernel", [3, 5])
def test_a_block_is_the_formula_of_its_branches(wide_kernel: int, batch_norm: bool) -> None:
    block = InceptionBlock(
        3, (2, (3, 4), (1, 2), 5), wide_kernel=wide_kernel, batch_norm=batch_norm
    ).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    size = 3 if batch_norm else 2
    parameters = list(block.parameters())
    w1, w2a, w2b, w3a, w3b, w4 = (
        parameters[start : start + size] for start in range(0, 6 * size, size)
    )

    def unit(x: Tensor, weights: Sequence[Tensor], padding: int = 0) -> Tensor:
        return conv_norm(x, weights, padding, batch_norm=batch_norm)

    x = normal(2, 3, 6, 5)
    expected = torch.cat(
        [
            unit(x, w1),
            unit(unit(x, w2a), w2b, 1),
            unit(unit(x, w3a), w3b, wide_kernel // 2),
            unit(F.max_pool2d(x, 3, stride=1, padding=1), w4),
        ],
        dim=1,
    )
    assert block.out_channels == 2 + 4 + 2 + 5
    torch.testing.assert_close(block.eval()(x), expected)


def test_an_auxiliary_head_is_its_formula() -> None:
    head = auxiliary_head(3, 4, batch_norm=False).double().eval()
    kernel, bias, w1, b1, w2, b2 = head.parameters()
    x = normal(2, 3, 9, 8)
    y = F.relu(F.conv2d(F.adaptive_avg_pool2d(x, 4), kernel, bias)).flatten(1)
    expected = F.linear(F.relu(F.linear(y, w1, b1)), w2, b2)
    torch.testing.assert_close(head(x), expected)


def test_the_auxiliary_logits_are_those_of_the_blocks_4a_and_4d() -> None:
    config = replace(SMALL, aux=True, batch_norm=False, dropout=0.0)
    model = GoogLeNet(config).train()
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    x = images(config, "cpu")
    body = model.body
    stage: nn.Module = body.get_submodule("stage3")
    y = stage.get_submodule("inception4a")(body[1](body[0](model.stem(x))))
    expected = [model.auxiliary["inception4a"](y)]
    for name in ("inception4b", "inception4c", "inception4d"):
        y = stage.get_submodule(name)(y)
    expected.append(model.auxiliary["inception4d"](y))
    output = model(x)
    assert isinstance(output, AuxiliaryLogits)
    torch.testing.assert_close(output.auxiliary, tuple(expected))
    torch.testing.assert_close(output.main, model.eval()(x))


def test_the_loss_of_all_three_logits_reaches_every_parameter() -> None:
    config = replace(SMALL, aux=True)
    model = GoogLeNet(config).train()
    classification_loss(model(images(config, "cpu")), torch.tensor([1, 2])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_the_transformed_input_spans_minus_one_to_one() -> None:
    pixels = torch.tensor([0.0, 0.25, 1.0]).expand(1, 3, 1, 3)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (pixels - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(ImageNetToUnit()(x), 2 * pixels - 1)


def test_transforming_the_input_needs_the_three_channels_of_imagenet() -> None:
    with pytest.raises(ConfigError, match=r"model\.transform_input: needs model\.in_channels=3"):
        GoogLeNetConfig(in_channels=1, transform_input=True)


@pytest.mark.parametrize("transform_input", [True, False])
def test_the_state_is_the_weights_alone(transform_input: bool) -> None:
    config: Any = GoogLeNetConfig(transform_input=transform_input)
    keys = {key.rpartition(".")[0] for key in on_meta(config).state_dict()}
    assert keys == set(torchvision_names(config).values())
