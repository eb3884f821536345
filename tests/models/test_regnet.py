"""RegNet has torchvision's widths and weights, and the book's; AnyNet is what its settings say."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.config import check
from convlens.core.errors import ConfigError
from convlens.models.regnet import AnyNet, AnyNetConfig, regnet, torchvision_names
from tests.strategies import normal

D2L = AnyNetConfig(
    in_channels=1,
    num_classes=10,
    image_size=96,
    stem_width=32,
    depths=(4, 6),
    widths=(32, 80),
    group_width=16,
    conv_bias=True,
    init="xavier",
)
TINY = AnyNetConfig(num_classes=10, stem_width=4, depths=(1, 2), widths=(4, 8), group_width=2)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """Settings that agree. A config made here would be checked by chance, which is refused."""
    ratio, group = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    groups = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    return {
        "in_channels": draw(st.integers(1, 3)),
        "num_classes": draw(st.integers(1, 12)),
        "image_size": draw(st.integers(2, 40)),
        "stem_width": draw(st.integers(1, 9)),
        "depths": tuple(draw(st.integers(1, 3)) for _ in groups),
        "widths": tuple(number * group * ratio for number in groups),
        "group_width": group,
        "bottleneck_ratio": ratio,
        "stem": draw(st.sampled_from(["imagenet", "small"])),
        "conv_bias": draw(st.booleans()),
    }


lines: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "depth": st.integers(1, 30),
        "w_0": st.integers(1, 20).map(lambda number: 8 * number),
        "w_a": st.floats(0, 60),
        "w_m": st.floats(1.1, 3),
        "group_width": st.integers(1, 60),
        "bottleneck_ratio": st.sampled_from([1, 2, 4]),
    }
)


def on_meta(config: AnyNetConfig) -> AnyNet:
    with torch.device("meta"):
        return AnyNet(config)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def images(config: AnyNetConfig) -> Tensor:
    return torch.rand(2, config.in_channels, config.image_size, config.image_size)


@pytest.mark.parametrize(
    ("config", "widths", "parameters"),
    [  # torchvision's and the paper's Table 5, then d2l 8.8
        (
            regnet(depth=22, w_0=24, w_a=24.48, w_m=2.54, group_width=16),  # RegNetX-400MF
            (32, 64, 160, 400),
            5_495_976,
        ),
        (
            regnet(depth=16, w_0=56, w_a=35.73, w_m=2.28, group_width=16),  # RegNetX-800MF
            (64, 128, 288, 672),
            7_259_656,
        ),
        (
            regnet(depth=18, w_0=80, w_a=34.01, w_m=2.25, group_width=24),  # RegNetX-1.6GF
            (72, 168, 408, 912),
            9_190_136,
        ),
        (
            regnet(depth=25, w_0=88, w_a=26.31, w_m=2.25, group_width=48),  # RegNetX-3.2GF
            (96, 192, 432, 1008),
            15_296_552,
        ),
        (
            regnet(depth=23, w_0=80, w_a=49.56, w_m=2.88, group_width=120),  # RegNetX-8GF, whose
            (80, 240, 720, 1920),  # first stage is narrower than a group
            39_572_648,
        ),
        (D2L, (32, 80), 179_290),
    ],
)
def test_it_has_the_widths_and_the_parameters_of_its_source(
    config: AnyNetConfig, widths: tuple[int, ...], parameters: int
) -> None:
    assert config.widths == widths
    assert count(on_meta(config)) == parameters


def test_the_default_is_regnetx_400mf() -> None:
    assert regnet(depth=22, w_0=24, w_a=24.48, w_m=2.54, group_width=16) == AnyNetConfig()


@given(lines)
def test_every_line_of_widths_is_a_legal_config_of_that_many_blocks(line: dict[str, Any]) -> None:
    config = check(regnet(**line))
    ratio = line["bottleneck_ratio"]
    assert sum(config.depths) == line["depth"]
    assert sorted(config.widths) == list(config.widths)
    for width in config.widths:
        inner = width // ratio
        assert width % ratio == 0
        assert inner % min(line["group_width"], inner) == 0


@given(lines)
def test_a_block_is_as_wide_as_the_step_of_its_place_on_the_line(line: dict[str, Any]) -> None:
    """With groups of one channel nothing but the rounding to 8 stands between them."""
    config = regnet(**{**line, "group_width": 1, "bottleneck_ratio": 1})
    blocks = [
        width
        for width, depth in zip(config.widths, config.depths, strict=True)
        for _ in range(depth)
    ]
    half_step = line["w_m"] ** 0.5 * (1 + 1e-9)
    for index, width in enumerate(blocks):
        wanted = line["w_0"] + line["w_a"] * index
        assert width % 8 == 0
        assert wanted / half_step - 4.001 <= width <= wanted * half_step + 4.001


@pytest.mark.parametrize(
    "wrong",
    [
        {"depth": 0}, {"w_0": 0}, {"w_0": 20}, {"w_a": -1.0}, {"w_m": 1.0}, {"group_width": 0},
        {"bottleneck_ratio": 0}, {"bottleneck_ratio": 32},
    ],
)  # fmt: skip
def test_parameters_that_make_no_line_are_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"depth": 9, "w_0": 24, "w_a": 24.0, "w_m": 2.5, "group_width": 8}
    regnet(**right)
    with pytest.raises(ConfigError, match="make no RegNet"):
        regnet(**{**right, **wrong})


def test_the_other_settings_are_passed_on() -> None:
    config = regnet(depth=9, w_0=24, w_a=24.0, w_m=2.5, group_width=8, num_classes=7, stem="small")
    assert (config.num_classes, config.stem) == (7, "small")


def test_stages_that_do_not_agree_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.depths has 2 stages and model\.widths 3"):
        AnyNetConfig(depths=(1, 1), widths=(16, 16, 16))


@pytest.mark.parametrize(
    "table",
    [
        {"widths": (24,), "group_width": 16},
        {"widths": (15,), "bottleneck_ratio": 2},
        {"widths": (2,), "bottleneck_ratio": 4},
    ],
)
def test_widths_that_do_not_divide_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"channels do not divide by model\.bottleneck_ratio"):
        AnyNetConfig(depths=(1,), **table)


@given(tables())
@settings(max_examples=30)
def test_torchvision_names_every_module_with_weights_once(table: dict[str, Any]) -> None:
    config = AnyNetConfig(**table)
    parts = on_meta(config).named_modules()
    ours = [path for path, part in parts if list(part.parameters(recurse=False))]
    assert sorted(torchvision_names(config).values()) == sorted(ours)


def test_torchvision_names_are_spelt_its_way() -> None:
    names = torchvision_names(AnyNetConfig())
    expected = {
        "stem.0": "stem.conv",
        "trunk_output.block1.block1-0.proj.0": "body.stage1.block1.shortcut.conv",
        "trunk_output.block4.block4-11.f.b.1": "body.stage4.block12.residual.unit2.norm",
        "fc": "head.linear",
    }
    assert {theirs: names[theirs] for theirs in expected} == expected


@given(tables())
@settings(max_examples=30)
def test_any_legal_settings_build_and_run(table: dict[str, Any]) -> None:
    config = AnyNetConfig(**table)
    logits = AnyNet(config)(images(config))
    assert logits.shape == (2, config.num_classes)
    assert logits.isfinite().all()


@pytest.mark.parametrize(("image_size", "places"), [(28, 7), (32, 8)])
def test_the_small_stem_keeps_the_places_of_small_images(image_size: int, places: int) -> None:
    config = replace(TINY, image_size=image_size, stem="small")
    model = AnyNet(config)
    x = model.stem(images(config))
    assert x.shape == (2, 4, image_size, image_size)
    assert model.body(x).shape == (2, 8, places, places)
    assert model(images(config)).isfinite().all()


def test_the_network_is_the_formula_of_its_parts() -> None:
    config = replace(TINY, depths=(2,), widths=(8,), bottleneck_ratio=2)
    model = AnyNet(config).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    weights, x = list(model.parameters()), normal(2, 3, 9, 8)

    def conv_norm(x: Tensor, stride: int, groups: int) -> Tensor:
        """The next convolution and its fresh norm in evaluation mode: mean 0, variance 1."""
        kernel, scale, shift = (weights.pop(0) for _ in range(3))
        y = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2, groups=groups)
        return y / (1 + 1e-5) ** 0.5 * scale[:, None, None] + shift[:, None, None]

    y = F.relu(conv_norm(x, 2, 1))
    for stride in (2, 1):
        z = F.relu(conv_norm(y, 1, 1))
        z = conv_norm(F.relu(conv_norm(z, stride, 2)), 1, 1)
        y = F.relu(z + (y if stride == 1 else conv_norm(y, 2, 1)))
    linear, bias = weights
    torch.testing.assert_close(model(x), F.linear(y.mean((2, 3)), linear, bias))
