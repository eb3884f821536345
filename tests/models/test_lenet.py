"""LeNet has the shapes of the book's figure and computes what its settings say."""

from dataclasses import replace
from typing import Any, Literal, get_args

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.errors import ConfigError, ShapeError
from convlens.models.lenet import ACTIVATIONS, POOLS, LeNet, LeNetConfig
from convlens.nn.init import INITIALIZERS
from convlens.ops.catalog import IMPLEMENTATIONS, ImplementationName, refusal
from convlens.ops.geometry import Geometry
from tests.strategies import normal

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
ABLE = [
    name
    for name in get_args(ImplementationName)
    if name != "native" and not refusal(name, Geometry.of(5))
]


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


@pytest.mark.parametrize("training", [True, False])
def test_with_batch_norm_a_norm_stands_before_each_activation(training: bool) -> None:
    """The book's 8.5: no padding, so 256 features before the linear layers."""
    model = LeNet(LeNetConfig(batch_norm=True, stem_padding=0)).double()
    x = normal(4, 1, 28, 28)
    model(x)  # one batch in training, so that the running means are not what they start as
    state = {key: value.clone() for key, value in model.state_dict().items()}

    def norm(y: Tensor, path: str) -> Tensor:
        weight, bias, mean, variance = (
            state[f"{path}.{leaf}"] for leaf in ("weight", "bias", "running_mean", "running_var")
        )
        return F.batch_norm(y, mean, variance, weight, bias, training)

    def unit(y: Tensor, path: str, index: int) -> Tensor:
        layer = F.linear if path == "head" else F.conv2d
        y = layer(y, state[f"{path}.{index}.weight"], state[f"{path}.{index}.bias"])
        return torch.sigmoid(norm(y, f"{path}.{index + 1}"))

    y = F.avg_pool2d(unit(x, "stem", 0), 2)
    y = F.avg_pool2d(unit(y, "body.stage1", 0), 2).flatten(1)
    assert y.shape == (4, 256)
    y = unit(unit(y, "head", 1), "head", 4)
    expected = F.linear(y, state["head.7.weight"], state["head.7.bias"])
    torch.testing.assert_close(model.train(training)(x), expected)


def test_the_norms_draw_no_chance_and_add_two_numbers_a_feature() -> None:
    torch.manual_seed(3)
    plain = LeNet(LeNetConfig())
    torch.manual_seed(3)
    normed = LeNet(LeNetConfig(batch_norm=True))
    matrices = [p for p in normed.parameters() if p.ndim > 1]
    for ours, plains in zip(matrices, (p for p in plain.parameters() if p.ndim > 1), strict=True):
        assert torch.equal(ours, plains)
    plain_count, count = (sum(p.numel() for p in m.parameters()) for m in (plain, normed))
    assert count - plain_count == 2 * (6 + 16 + 120 + 84)


@pytest.mark.parametrize("stem_padding", [0, 1, 2, 4])
def test_padding_makes_room_for_smaller_images(stem_padding: int) -> None:
    least = 16 - 2 * stem_padding
    model = LeNet(LeNetConfig(stem_padding=stem_padding, image_size=least))
    assert model(torch.zeros(2, 1, least, least)).shape == (2, 10)
    with pytest.raises(ShapeError):
        LeNet(LeNetConfig(stem_padding=stem_padding, image_size=least - 1))


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


def plain_lenet() -> nn.Sequential:
    """The book's LeNet of torch's layers alone, made in the order the book makes it."""
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2, 2),
        nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
    return model


@pytest.mark.parametrize("implementation", ["native", *ABLE])
def test_a_seed_starts_it_with_the_very_weights_of_torchs_layers(
    implementation: ImplementationName,
) -> None:
    torch.manual_seed(3)
    model = LeNet(LeNetConfig(implementation=implementation))
    after = torch.rand(1)
    torch.manual_seed(3)
    plain = plain_lenet()
    assert torch.equal(torch.rand(1), after)  # as many numbers were drawn
    for ours, torchs in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, torchs)


def test_native_trains_to_the_very_weights_of_torchs_layers() -> None:
    torch.manual_seed(3)
    model = LeNet(LeNetConfig())
    torch.manual_seed(3)
    plain = plain_lenet()
    x, y = normal(8, 1, 28, 28, dtype=torch.float32), torch.arange(8)
    for network in (model, plain):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(network(x), y).backward()
            optimizer.step()
    for ours, torchs in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, torchs)


@pytest.mark.parametrize("implementation", ABLE)
@pytest.mark.parametrize(("pooling", "activation"), [("avg", "sigmoid"), ("max", "relu")])
def test_a_step_on_any_able_implementation_is_natives(
    implementation: ImplementationName, pooling: Pooling, activation: Activation
) -> None:
    """In float64 each sum is exact to about 1e-14, which 1e-10 leaves room to grow through."""
    config = LeNetConfig(pooling=pooling, activation=activation, image_size=16)
    native = LeNet(config).double()
    other = LeNet(replace(config, implementation=implementation)).double()
    other.load_state_dict(native.state_dict())
    x, y = normal(2, 1, 16, 16), torch.tensor([3, 7])
    losses: list[Tensor] = []
    for network in (native, other):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
        loss = F.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss)
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-10, atol=0)
    for ours, natives in zip(other.parameters(), native.parameters(), strict=True):
        assert natives.grad is not None and natives.grad.abs().max() > 0
        torch.testing.assert_close(ours.grad, natives.grad, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(ours, natives, rtol=1e-10, atol=1e-12)
    native.load_state_dict(other.state_dict())
    torch.testing.assert_close(native(x), other(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("implementation", [n for n in IMPLEMENTATIONS if n.startswith("wino")])
def test_what_cannot_do_5x5_kernels_is_refused_with_those_that_can(
    implementation: ImplementationName,
) -> None:
    with pytest.raises(
        ConfigError, match=r"(?s)kernel_size=\(5, 5\).*these can: fft, matrix"
    ) as caught:
        LeNet(LeNetConfig(implementation=implementation))
    assert caught.value.fix == f"these can: {', '.join(sorted(['native', *ABLE]))}"


@pytest.mark.parametrize("name", INITIALIZERS)
def test_it_can_start_by_any_initialiser(name: Any) -> None:
    assert LeNet(LeNetConfig(init=name))(torch.rand(2, 1, 28, 28)).isfinite().all()
