"""AlexNet, as torchvision has it and as the book has it."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convlens.core.errors import ShapeError
from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like
from convlens.models.alexnet import AlexNet, AlexNetConfig, torchvision_names
from convlens.nn.stem import StemName
from tests.strategies import normal

BOOK = AlexNetConfig(
    in_channels=1,
    num_classes=10,
    widths=(96, 256, 384, 384, 256),
    stem_padding=1,
    pool_size=0,
    dropout_after=True,
)


def test_the_whole_is_its_formula() -> None:
    config = AlexNetConfig(
        in_channels=1, num_classes=3, image_size=70, widths=(2, 3, 4, 3, 2), hidden=5
    )
    model = AlexNet(config).double().eval()
    w1, b1, w2, b2, w3, b3, w4, b4, w5, b5, w6, b6, w7, b7, w8, b8 = model.parameters()
    x = normal(2, 1, 70, 70)
    y = F.max_pool2d(F.relu(F.conv2d(x, w1, b1, stride=4, padding=2)), 3, 2)
    y = F.max_pool2d(F.relu(F.conv2d(y, w2, b2, padding=2)), 3, 2)
    for weight, bias in ((w3, b3), (w4, b4), (w5, b5)):
        y = F.relu(F.conv2d(y, weight, bias, padding=1))
    y = F.adaptive_avg_pool2d(F.max_pool2d(y, 3, 2), 6).flatten(1)
    y = F.relu(F.linear(F.relu(F.linear(y, w6, b6)), w7, b7))
    torch.testing.assert_close(model(x), F.linear(y, w8, b8))


def test_the_books_sizes() -> None:
    """8.1: 54 places after the stem's convolution, 6,400 features before the linear layers."""
    with torch.device("meta"):
        model = AlexNet(BOOK)
    traced = trace(model, inputs_like(model, 1, 1, 224, 224))
    outputs = {layer.path: layer.outputs[0][1:] for layer in traced.layers}
    assert outputs["stem.conv"] == (96, 54, 54)
    assert outputs["stem"] == (96, 26, 26)
    assert outputs["body.stage1"] == (256, 12, 12)
    assert outputs["head.flatten"] == (6400,)


@pytest.mark.parametrize("after", [False, True])
def test_dropout_comes_before_or_after_each_hidden_layer(after: bool) -> None:
    model = AlexNet(AlexNetConfig(widths=(1, 1, 1, 1, 1), hidden=2, dropout_after=after))
    kinds = [type(part).__name__ for part in model.head]
    hidden = ["Linear", "ReLU", "Dropout"] if after else ["Dropout", "Linear", "ReLU"]
    assert kinds == ["AdaptiveAvgPool2d", "Flatten", *hidden, *hidden, "Linear"]


@pytest.mark.parametrize(
    ("stem", "padding", "least"), [("imagenet", 1, 65), ("imagenet", 2, 63), ("small", 2, 7)]
)
def test_smaller_images_do_not_fit(stem: StemName, padding: int, least: int) -> None:
    def build(size: int) -> AlexNet:
        config = AlexNetConfig(stem=stem, stem_padding=padding, image_size=size, pool_size=0)
        with torch.device("meta"):
            return AlexNet(config)

    model = build(least)
    assert model(inputs_like(model, 2, 3, least, least)).shape == (2, 1000)
    with pytest.raises(ShapeError):
        build(least - 1)


@pytest.mark.parametrize("size", [28, 32])
def test_the_small_stem_is_for_small_images(size: int) -> None:
    config = AlexNetConfig(
        in_channels=1, num_classes=3, image_size=size, widths=(2, 3, 4, 3, 2), hidden=5,
        stem="small",
    )  # fmt: skip
    model = AlexNet(config).double().eval()
    weight, bias = list(model.parameters())[:2]
    x = normal(2, 1, size, size)
    torch.testing.assert_close(model.stem(x), F.relu(F.conv2d(x, weight, bias, padding=1)))
    assert model(x).shape == (2, 3)


@pytest.mark.parametrize("config", [AlexNetConfig(), BOOK, AlexNetConfig(stem="small")])
def test_torchvisions_names_are_of_all_modules_with_weights(config: AlexNetConfig) -> None:
    with torch.device("meta"):
        model = AlexNet(config)
    weighted = {path.rpartition(".")[0] for path, _ in model.named_parameters()}
    names = torchvision_names(config)
    assert set(names.values()) == weighted
    assert len(names) == len(weighted)


@settings(max_examples=20)
@given(
    st.tuples(*[st.integers(1, 6)] * 5),
    st.sampled_from(["imagenet", "small"]),
    st.integers(0, 4),
    st.integers(0, 3),
    st.integers(67, 90),
)
def test_any_legal_settings_run(
    widths: tuple[int, int, int, int, int],
    stem: StemName,
    padding: int,
    pool_size: int,
    size: int,
) -> None:
    config = AlexNetConfig(
        num_classes=3,
        image_size=size,
        widths=widths,
        stem=stem,
        stem_padding=padding,
        pool_size=pool_size,
        hidden=4,
    )
    with torch.device("meta"):
        assert AlexNet(config)(torch.zeros(2, 3, size, size)).shape == (2, 3)


def test_no_dropout_is_legal() -> None:
    model = AlexNet(AlexNetConfig(widths=(1, 1, 1, 1, 1), hidden=2, dropout=0.0))
    assert [part.p for part in model.head if isinstance(part, nn.Dropout)] == [0.0, 0.0]
