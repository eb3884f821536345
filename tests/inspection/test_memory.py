"""Memory: what is measured is what a small network's tensors come to by hand."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.errors import ConfigError
from convlens.inspection.memory import Memory, training_memory
from convlens.models.googlenet import GoogLeNet, GoogLeNetConfig
from convlens.models.lenet import LeNet, LeNetConfig
from convlens.models.resnet import ResNet, ResNetConfig

DEVICES = ["cpu", "meta"]
FLOAT, LONG = 4, 8  # bytes
widths = st.integers(1, 9)


def chain(*sizes: int) -> nn.Sequential:
    """Linear layers without bias, one after another."""
    return nn.Sequential(*(nn.Linear(a, b, bias=False) for a, b in pairwise(sizes)))


def on(device: str, make: Callable[[], nn.Module]) -> nn.Module:
    with torch.device(device):
        return make()


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=20)
@given(n=widths, a=widths, b=widths, c=widths)
def test_two_linear_layers_hold_what_the_formula_says(
    device: str, n: int, a: int, b: int, c: int
) -> None:
    x = torch.zeros(n, a, device=device)
    memory = training_memory(chain(a, b, c).to(device), x, loss=torch.sum)
    weights = a * b + b * c
    loss, start = 1, weights + n * a  # in numbers
    moments = [
        start + n * b + n * c + loss,  # the loss is there, and the output still
        start + n * b + 2 * loss + b * c + n * b,  # its slope 1; the slopes of layer 2
        start + 2 * loss + b * c + n * b + a * b,  # hidden gone, its slope there; layer 1's
    ]
    assert memory == Memory(
        parameters_bytes=FLOAT * weights,
        gradients_bytes=FLOAT * weights,
        optimizer_bytes=FLOAT * weights,
        buffers_bytes=0,
        input_bytes=FLOAT * n * a,
        activations_bytes=FLOAT * (n * b + n * c),
        peak_bytes=FLOAT * max(moments),
    )
    assert memory.total_bytes == memory.peak_bytes + FLOAT * weights


@pytest.mark.parametrize("device", DEVICES)
def test_cross_entropy_holds_logits_probabilities_and_their_slopes(device: str) -> None:
    n, a, c = 3, 2, 50
    memory = training_memory(chain(a, c).to(device), torch.zeros(n, a, device=device))
    # Before the layer's own slopes: the loss and its slope 1; the log-probabilities, their slopes
    # and those of the logits. The logits and the labels are gone.
    assert memory.peak_bytes == FLOAT * (a * c + n * a + 2 + 3 * n * c)


@pytest.mark.parametrize("device", DEVICES)
def test_a_view_is_no_memory_of_its_own(device: str) -> None:
    x = torch.zeros(3, 2, 2, device=device)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 5, bias=False)).to(device)
    assert training_memory(flat, x).activations_bytes == FLOAT * 3 * 5


@pytest.mark.parametrize("device", DEVICES)
def test_max_pooling_keeps_the_places_of_the_maxima(device: str) -> None:
    x = torch.zeros(1, 1, 4, 4, device=device)
    net = nn.Sequential(
        nn.Conv2d(1, 1, 1, bias=False), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 1, bias=False)
    ).to(device)
    expected = FLOAT * 16 + (FLOAT + LONG) * 4 + FLOAT
    assert training_memory(net, x).activations_bytes == expected


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "lenet": (lambda: LeNet(LeNetConfig()), (4, 1, 28, 28)),
    "lenet, unfolded": (lambda: LeNet(LeNetConfig(implementation="unfold")), (2, 1, 28, 28)),
    "resnet": (lambda: ResNet(ResNetConfig(width=8)), (2, 3, 32, 32)),
    "googlenet": (lambda: GoogLeNet(GoogLeNetConfig()), (1, 3, 96, 96)),
    "dropout": (lambda: nn.Sequential(nn.Dropout(), nn.Linear(4, 3), nn.GELU()), (5, 4)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_without_numbers_measures_as_one_with_them(name: str) -> None:
    make, shape = NETWORKS[name]
    memories = [
        training_memory(on(device, make), torch.zeros(shape, device=device)) for device in DEVICES
    ]
    assert memories[0] == memories[1]
    assert memories[0].peak_bytes > memories[0].parameters_bytes + memories[0].activations_bytes


def test_relu_in_place_lowers_the_peak_of_the_forward_pass_and_not_what_it_keeps() -> None:
    n, width = 64, 16
    memories: list[Memory] = []
    for inplace in (False, True):
        frozen = nn.Linear(width, width).requires_grad_(False)  # so the forward pass is the peak
        net = nn.Sequential(frozen, nn.ReLU(inplace), nn.Linear(width, 2, bias=False))
        memories.append(training_memory(net, torch.zeros(n, width)))
    beside, in_place = memories
    start = FLOAT * (width * width + width + 2 * width + n * width)
    assert beside.peak_bytes == start + FLOAT * 2 * n * width  # before and after ReLU
    assert in_place.peak_bytes < beside.peak_bytes
    # ReLU's slope needs its output alone, and a linear layer's none of its own.
    assert in_place.activations_bytes == beside.activations_bytes == FLOAT * n * (width + 2)


@settings(max_examples=10)
@given(st.integers(1, 64))
def test_activations_grow_with_the_batch_and_parameters_do_not(n: int) -> None:
    net = on("meta", lambda: LeNet(LeNetConfig(pooling="max", activation="relu")))
    one, many = (
        training_memory(net, torch.zeros(size, 1, 28, 28, device="meta")) for size in (1, n)
    )
    assert many.activations_bytes == n * one.activations_bytes
    assert many.input_bytes == n * one.input_bytes
    assert many.parameters_bytes == one.parameters_bytes == FLOAT * 61706


def test_what_is_not_trained_has_no_gradient() -> None:
    net = chain(3, 4, 2)
    net[0].requires_grad_(False)
    memory = training_memory(net, torch.zeros(5, 3), optimizer_slots=2)
    assert memory.parameters_bytes == FLOAT * (12 + 8)
    assert memory.gradients_bytes == FLOAT * 8
    assert memory.optimizer_bytes == 2 * FLOAT * 8


def test_gradients_from_before_and_shared_weights_are_not_counted_twice() -> None:
    x = torch.zeros(5, 4)
    layer = nn.Linear(4, 4, bias=False)
    shared = training_memory(nn.Sequential(layer, layer), x)
    assert shared.parameters_bytes == FLOAT * 16
    layer.weight.grad = torch.ones(4, 4)
    assert training_memory(nn.Sequential(layer, layer), x) == shared


class Fails(nn.Module):
    """A layer whose backward pass raises."""

    def forward(self, x: Tensor) -> Tensor:
        y = x * 1

        def refuse(_: Tensor) -> None:
            raise FloatingPointError("no slope")

        y.register_hook(refuse)
        return y


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("fails", [False, True])
def test_a_measured_module_stays_as_it_was(device: str, fails: bool) -> None:
    norm = nn.BatchNorm1d(3)
    parts = [nn.ReLU(inplace=True), nn.Linear(2, 3), norm, nn.Dropout(), nn.Linear(3, 2)]
    net = nn.Sequential(*parts, *([Fails()] if fails else [])).to(device)
    norm.eval()
    gradient = torch.ones(3, device=device)
    norm.weight.grad = gradient
    state = {name: value.clone() for name, value in net.state_dict().items()}
    x = torch.randn(5, 2, device=device, requires_grad=True)
    before, chance = x.detach().clone(), torch.get_rng_state()
    if fails:
        with pytest.raises(FloatingPointError):
            training_memory(net, x)
    else:
        training_memory(net, x)
    if device == "cpu":
        torch.testing.assert_close(dict(net.state_dict()), state, rtol=0, atol=0)
        assert torch.equal(x, before)
    assert norm.weight.grad is gradient
    assert [p.grad for p in (*net.parameters(), x) if p is not norm.weight] == [None] * 6
    assert [part.training for part in net] == [part is not norm for part in net]
    assert torch.equal(torch.get_rng_state(), chance)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_a_caller_without_gradients_gets_the_same(context: Callable[[], torch.no_grad]) -> None:
    net = chain(2, 3)
    expected = training_memory(net, torch.zeros(5, 2))
    with context():
        assert training_memory(net, torch.zeros(5, 2)) == expected


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ConfigError, match="no parameter is trained"):
        training_memory(nn.ReLU(), torch.zeros(2, 3))
    with pytest.raises(ConfigError, match="optimizer_slots"):
        training_memory(nn.Linear(3, 2), torch.zeros(2, 3), optimizer_slots=-1)
