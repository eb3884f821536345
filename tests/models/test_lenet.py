"""LeNet has the shapes of the book's figure and computes what its settings say."""

from typing import Literal, get_args

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.errors import ShapeError
from convlens.models.lenet import ACTIVATIONS, POOLS, LeNet, LeNetConfig

BOOK = [  # d2l 7.6: the output of each layer for one 28x28 image
    ("Conv2d", (1, 6, 28, 28)),
    ("Sigmoid", (1, 6, 28, 28)),
    ("AvgPool2d", (1, 6, 14, 14)),
    ("Conv2d", (1, 16, 10, 10)),
    ("Sigmoid", (1, 16, 10, 10)),
    ("AvgPool2d", (1, 16, 5, 5)),
    ("Flatten", (1, 400)),
    ("Linear", (1, 120)),
    ("Sigmoid", (1, 120)),
    ("Linear", (1, 84)),
    ("Sigmoid", (1, 84)),
    ("Linear", (1, 10)),
]
Activation = Literal["sigmoid", "relu"]
Pooling = Literal["avg", "max"]


def test_the_layers_and_their_outputs_are_the_books() -> None:
    seen: list[tuple[str, tuple[int, ...]]] = []

    def note(layer: nn.Module, _: object, output: Tensor) -> None:
        if not list(layer.children()):
            seen.append((type(layer).__name__, tuple(output.shape)))

    model = LeNet(LeNetConfig())
    for part in model.modules():
        part.register_forward_hook(note)
    model(torch.zeros(1, 1, 28, 28))
    assert seen == BOOK


@pytest.mark.parametrize("activation", get_args(Activation))
@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_the_output_is_the_formula_of_its_settings(
    activation: Activation, pooling: Pooling
) -> None:
    model = LeNet(LeNetConfig(activation=activation, pooling=pooling))
    act = {"sigmoid": torch.sigmoid, "relu": F.relu}[activation]
    pool = {"avg": F.avg_pool2d, "max": F.max_pool2d}[pooling]
    w1, b1, w2, b2, w3, b3, w4, b4, w5, b5 = model.parameters()
    x = torch.rand(2, 1, 28, 28)
    y = pool(act(F.conv2d(x, w1, b1, padding=2)), 2)
    y = pool(act(F.conv2d(y, w2, b2)), 2).flatten(1)
    y = act(F.linear(act(F.linear(y, w3, b3)), w4, b4))
    torch.testing.assert_close(model(x), F.linear(y, w5, b5))


@settings(max_examples=30)
@given(st.integers(12, 64), st.integers(1, 3), st.integers(1, 20))
def test_any_size_from_12_on_fits(image_size: int, in_channels: int, num_classes: int) -> None:
    config = LeNetConfig(image_size=image_size, in_channels=in_channels, num_classes=num_classes)
    x = torch.zeros(2, in_channels, image_size, image_size)
    assert LeNet(config)(x).shape == (2, num_classes)


@pytest.mark.parametrize("image_size", [1, 2, 5, 11])
def test_smaller_images_do_not_fit(image_size: int) -> None:
    with pytest.raises(ShapeError):
        LeNet(LeNetConfig(image_size=image_size))


def test_the_choices_of_the_settings_are_the_choices_there_are() -> None:
    assert sorted(ACTIVATIONS) == sorted(get_args(Activation))
    assert sorted(POOLS) == sorted(get_args(Pooling))


def test_weights_start_by_the_initialiser_of_the_settings() -> None:
    torch.manual_seed(0)
    model = LeNet(LeNetConfig(init="xavier"))
    bound = (6 / (400 + 120)) ** 0.5
    first = next(m for m in model.head if isinstance(m, nn.Linear))
    assert 0.99 * bound < first.weight.abs().max().item() <= bound * (1 + 1e-6)
