"""VGG is the paper's table, with or without norms, pooling before the head, and a small stem."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convlens.core.errors import ConfigError, ShapeError
from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like
from convlens.models.catalog import num_parameters
from convlens.models.vgg import VGG, VGGConfig, torchvision_names, vgg_block
from convlens.nn.stem import StemName
from tests.strategies import normal


def test_a_block_is_its_formula() -> None:
    block = vgg_block(2, 3, 2).double()
    w1, b1, w2, b2 = block.parameters()
    x = normal(2, 2, 7, 6)
    y = F.relu(F.conv2d(F.relu(F.conv2d(x, w1, b1, padding=1)), w2, b2, padding=1))
    torch.testing.assert_close(block(x), F.max_pool2d(y, 2))


def test_a_block_may_norm_before_each_relu_and_leave_out_its_pooling() -> None:
    block = vgg_block(2, 3, 1, batch_norm=True, pool=False).double()
    weight, bias, scale, shift = block.parameters()
    nn.init.normal_(scale)
    x = normal(2, 2, 7, 6)
    y = F.conv2d(x, weight, bias, padding=1)
    y = F.batch_norm(y, None, None, scale, shift, training=True)
    torch.testing.assert_close(block(x), F.relu(y))


def test_the_whole_is_the_formula_of_its_settings() -> None:
    config = VGGConfig(
        in_channels=1, num_classes=3, image_size=8, depths=(1, 1), widths=(2, 4), hidden=5,
        pool_size=0,
    )  # fmt: skip
    model = VGG(config).double().eval()
    w1, b1, w2, b2, w3, b3, w4, b4, w5, b5 = model.parameters()
    x = normal(2, 1, 8, 8)
    y = F.max_pool2d(F.relu(F.conv2d(x, w1, b1, padding=1)), 2)
    y = F.max_pool2d(F.relu(F.conv2d(y, w2, b2, padding=1)), 2).flatten(1)
    y = F.relu(F.linear(F.relu(F.linear(y, w3, b3)), w4, b4))
    torch.testing.assert_close(model(x), F.linear(y, w5, b5))


def test_the_books_summary_of_vgg_11() -> None:
    """8.2: five blocks, then linear layers; eleven layers with weights in eight pieces."""
    config = VGGConfig(in_channels=1, num_classes=10, pool_size=0)
    with torch.device("meta"):
        model = VGG(config)
    traced = trace(model, inputs_like(model, 1, 1, 224, 224))
    outputs = {layer.path: layer.outputs[0][1:] for layer in traced.layers}
    blocks = ["stem", "body.stage1", "body.stage2", "body.stage3", "body.stage4"]
    assert [outputs[path] for path in blocks] == [
        (64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7),
    ]  # fmt: skip
    head = [leaf.outputs[0][1:] for leaf in traced.leaves if leaf.path.startswith("head.")]
    assert head == [(25088,), (4096,), (4096,), (4096,), (4096,), (4096,), (4096,), (10,)]
    weights = [leaf for leaf in traced.leaves if leaf.num_parameters]
    assert len(weights) == 11


def test_norms_follow_convolutions_that_keep_their_bias() -> None:
    with torch.device("meta"):
        plain, normed = (num_parameters(VGG(VGGConfig(batch_norm=norm))) for norm in (False, True))
    assert normed - plain == 2 * (64 + 128 + 2 * 256 + 4 * 512)


@pytest.mark.parametrize(("stem", "least"), [("imagenet", 32), ("small", 16)])
def test_smaller_images_do_not_fit(stem: StemName, least: int) -> None:
    with torch.device("meta"):
        model = VGG(VGGConfig(image_size=least, stem=stem))
        assert model(torch.zeros(2, 3, least, least)).shape == (2, 1000)
        with pytest.raises(ShapeError):
            VGG(VGGConfig(image_size=least - 1, stem=stem))


@pytest.mark.parametrize("size", [28, 32])
def test_the_small_stem_keeps_every_pixel(size: int) -> None:
    with torch.device("meta"):
        model = VGG(VGGConfig(image_size=size, stem="small"))
        x = torch.zeros(2, 3, size, size)
        assert model.stem(x).shape == (2, 64, size, size)
        assert model(x).shape == (2, 1000)


def test_depths_and_widths_must_agree() -> None:
    with pytest.raises(ConfigError, match=r"model\.depths has 1 blocks and model\.widths 2"):
        VGGConfig(depths=(1,), widths=(2, 3))
    with pytest.raises(ConfigError, match="at least one"):
        VGGConfig(depths=(), widths=())


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 6)), min_size=1, max_size=4),
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from(["imagenet", "small"]),
    st.integers(16, 40),
)
def test_any_legal_settings_run(
    blocks: list[tuple[int, int]], batch_norm: bool, pool_size: int, stem: StemName, size: int
) -> None:
    config = VGGConfig(
        num_classes=3,
        image_size=size,
        depths=tuple(depth for depth, _ in blocks),
        widths=tuple(width for _, width in blocks),
        batch_norm=batch_norm,
        pool_size=pool_size,
        hidden=4,
        stem=stem,
    )
    with torch.device("meta"):
        model = VGG(config)
        assert model(torch.zeros(2, 3, size, size)).shape == (2, 3)
    weighted = {path.rpartition(".")[0] for path, _ in model.named_parameters()}
    names = torchvision_names(config)
    assert set(names.values()) == weighted
    assert len(names) == len(weighted)


def test_dropout_is_as_strong_as_the_settings_say() -> None:
    model = VGG(VGGConfig(depths=(1,), widths=(1,), hidden=2, dropout=0.25))
    assert [part.p for part in model.head if isinstance(part, nn.Dropout)] == [0.25, 0.25]
