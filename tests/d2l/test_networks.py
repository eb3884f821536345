"""The book's layers and networks: its printed values, and Xavier that reaches lazy layers."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's own name for it

from convlens import d2l
from convlens.core.errors import ConfigError
from convlens.models.catalog import MODELS
from tests.d2l.readers_networks import (
    VGG,
    AlexNet,
    DenseNet,
    GoogleNet,
    NiN,
    RegNetX32,
    ResNet,
)

READERS = [AlexNet, VGG, NiN, GoogleNet, ResNet, DenseNet, RegNetX32]


def test_corr2d_gives_the_books_values() -> None:
    X = torch.arange(9.0).reshape(3, 3)
    K = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    assert torch.equal(d2l.corr2d(X, K), torch.tensor([[19.0, 25.0], [37.0, 43.0]]))


def test_corr2d_finds_upright_edges_and_no_lying_ones() -> None:
    X = torch.ones(6, 8)
    X[:, 2:6] = 0
    K = torch.tensor([[1.0, -1.0]])
    assert d2l.corr2d(X, K).tolist() == [[0, 1, 0, 0, 0, -1, 0]] * 6
    assert torch.equal(d2l.corr2d(X.t(), K), torch.zeros(8, 5))


def test_corr2d_takes_whole_numbers_and_gives_float32() -> None:
    Y = d2l.corr2d(torch.arange(9).reshape(3, 3), torch.ones(1, 1, dtype=torch.float64))
    assert Y.dtype == torch.float32


def test_several_channels_are_sums_and_stacks_of_corr2d() -> None:
    X = torch.stack([torch.arange(9.0).reshape(3, 3), torch.arange(1.0, 10).reshape(3, 3)])
    K = torch.tensor([[[0.0, 1.0], [2.0, 3.0]], [[1.0, 2.0], [3.0, 4.0]]])

    def multi_in(x: Tensor, k: Tensor) -> Tensor:
        return d2l.reduce_sum(d2l.stack([d2l.corr2d(a, b) for a, b in zip(x, k, strict=True)]), 0)

    assert multi_in(X, K).tolist() == [[56, 72], [104, 120]]
    kernels = d2l.stack((K, K + 1, K + 2), 0)
    assert kernels.shape == (3, 2, 2, 2)
    assert d2l.stack([multi_in(X, k) for k in kernels], 0).tolist() == [
        [[56, 72], [104, 120]],
        [[76, 100], [148, 172]],
        [[96, 128], [192, 224]],
    ]


def test_a_learned_kernel_comes_as_near_the_edge_as_the_book_says() -> None:
    """From any start that torch draws: within 0.096 of (1, -1), the last loss below 0.56."""
    X = torch.ones(6, 8)
    X[:, 2:6] = 0
    Y = d2l.corr2d(X, torch.tensor([[1.0, -1.0]])).reshape(1, 1, 6, 7)
    torch.manual_seed(0)
    conv = nn.LazyConv2d(1, kernel_size=(1, 2), bias=False)
    loss = torch.tensor(0.0)
    for _ in range(10):
        loss = ((conv(X.reshape(1, 1, 6, 8)) - Y) ** 2).sum()
        conv.zero_grad()
        loss.backward()
        assert conv.weight.grad is not None
        conv.weight.data -= 3e-2 * conv.weight.grad
    assert loss < 0.56
    assert (conv.weight.flatten() - torch.tensor([1.0, -1.0])).abs().max() < 0.096


def test_the_notebooks_learned_kernel_follows_from_its_start() -> None:
    """The start is solved back from the printed kernel, so its rounding remains in the losses."""
    X = torch.ones(1, 1, 6, 8)
    X[..., 2:6] = 0
    Y = d2l.corr2d(X[0, 0], torch.tensor([[1.0, -1.0]])).reshape(1, 1, 6, 7)
    weight = torch.tensor([0.6328, 0.2548]).reshape(1, 1, 1, 2).requires_grad_()
    losses: list[float] = []
    for _ in range(10):
        loss = ((F.conv2d(X, weight) - Y) ** 2).sum()
        (gradient,) = torch.autograd.grad(loss, weight)
        weight = (weight - 3e-2 * gradient).detach().requires_grad_()
        losses.append(loss.item())
    assert losses[1::2] == pytest.approx([10.804, 3.642, 1.361, 0.535, 0.216], rel=1e-2)
    assert weight.flatten().tolist() == pytest.approx([1.0383, -0.9430], abs=1e-4)


def test_a_1x1_convolution_is_a_matrix_product_over_the_channels() -> None:
    X, K = d2l.normal(0, 1, (3, 3, 3)), d2l.normal(0, 1, (2, 3, 1, 1))
    by_product = d2l.matmul(d2l.reshape(K, (2, 3)), d2l.reshape(X, (3, 9))).reshape(2, 3, 3)
    by_window = d2l.stack(
        [sum((d2l.corr2d(x, k) for x, k in zip(X, ks, strict=True)), d2l.zeros(3, 3)) for ks in K],
        0,
    )
    assert float(d2l.reduce_sum(d2l.abs(by_product - by_window))) < 1e-5


def test_a_readers_pooling_and_torchs_layers_give_the_books_values() -> None:
    def pool2d(x: Tensor, size: tuple[int, int], mode: str) -> Tensor:
        rows, columns = size
        y = d2l.zeros((x.shape[0] - rows + 1, x.shape[1] - columns + 1))
        for i in range(y.shape[0]):
            for j in range(y.shape[1]):
                window = x[i : i + rows, j : j + columns]
                y[i, j] = window.max() if mode == "max" else d2l.reduce_mean(window)
        return y

    X = d2l.reshape(d2l.arange(9, dtype=d2l.float32), (3, 3))
    assert pool2d(X, (2, 2), "max").tolist() == [[4, 5], [7, 8]]
    assert pool2d(X, (2, 2), "avg").tolist() == [[2, 3], [5, 6]]
    X4 = d2l.reshape(d2l.arange(16, dtype=d2l.float32), (1, 1, 4, 4))
    assert nn.MaxPool2d(3)(X4).tolist() == [[[[10]]]]
    assert nn.MaxPool2d(3, padding=1, stride=2)(X4).tolist() == [[[[5, 7], [13, 15]]]]
    wide = nn.MaxPool2d((2, 3), stride=(2, 3), padding=(0, 1))
    assert wide(X4).tolist() == [[[[5, 7], [13, 15]]]]
    both = nn.MaxPool2d(3, padding=1, stride=2)(d2l.concat((X4, X4 + 1), 1))
    assert both.tolist() == [[[[5, 7], [13, 15]], [[6, 8], [14, 16]]]]


@pytest.mark.parametrize(
    ("settings", "side"),
    [
        ({"kernel_size": 3, "padding": 1}, (8, 8)),
        ({"kernel_size": (5, 3), "padding": (2, 1)}, (8, 8)),
        ({"kernel_size": 3, "padding": 1, "stride": 2}, (4, 4)),
        ({"kernel_size": (3, 5), "padding": (0, 1), "stride": (3, 4)}, (2, 2)),
    ],
)
def test_lazy_convolutions_have_the_books_output_sizes(
    settings: dict[str, Any], side: tuple[int, int]
) -> None:
    assert nn.LazyConv2d(1, **settings)(torch.rand(1, 1, 8, 8)).shape[2:] == side


def test_residual_has_the_books_shapes_formula_and_names() -> None:
    X = torch.randn(4, 3, 6, 6)
    assert d2l.Residual(3)(X).shape == (4, 3, 6, 6)
    block = d2l.Residual(6, use_1x1conv=True, strides=2)
    Y = block(X)
    assert Y.shape == (4, 6, 3, 3)
    inner = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(X)))))
    torch.testing.assert_close(Y, F.relu(inner + block.conv3(X)))
    assert {name.split(".")[0] for name, _ in block.named_parameters()} == {
        "conv1", "conv2", "conv3", "bn1", "bn2",
    }  # fmt: skip


def test_a_residual_block_with_a_zero_last_norm_is_the_identity_on_what_is_positive() -> None:
    X = torch.rand(2, 3, 5, 5)
    block = d2l.Residual(3)
    block(X)
    nn.init.zeros_(block.bn2.weight)
    assert torch.equal(block(X), X)


def test_groups_of_resnext_is_the_width_of_a_group() -> None:
    X = torch.randn(4, 32, 96, 96)
    block = d2l.ResNeXtBlock(32, 16, 1)
    assert block(X).shape == (4, 32, 96, 96)
    assert block.conv2.groups == 2
    strided = d2l.ResNeXtBlock(64, 16, 0.5, use_1x1conv=True, strides=2)
    assert strided(X).shape == (4, 64, 48, 48)
    with pytest.raises(ConfigError, match="groups: 32 inner channels"):
        d2l.ResNeXtBlock(32, 3, 1)


def test_resnet18_has_as_many_weights_as_the_books() -> None:
    net = d2l.resnet18(10, in_channels=3)
    assert net(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    ours = sum(p.numel() for p in net.parameters())
    # The catalog's network of 8.6 with a 3x3 stem of 3 channels in place of 7x7 of one.
    stem = 64 * (3 * 9) - 64 * 49
    config = MODELS["resnet18-d2l"]
    theirs = sum(p.numel() for p in config.paper.build(config.preset).parameters())
    assert ours == theirs + stem


LENET = """\
Conv2d output shape:	 torch.Size([1, 6, 28, 28])
Sigmoid output shape:	 torch.Size([1, 6, 28, 28])
AvgPool2d output shape:	 torch.Size([1, 6, 14, 14])
Conv2d output shape:	 torch.Size([1, 16, 10, 10])
Sigmoid output shape:	 torch.Size([1, 16, 10, 10])
AvgPool2d output shape:	 torch.Size([1, 16, 5, 5])
Flatten output shape:	 torch.Size([1, 400])
Linear output shape:	 torch.Size([1, 120])
Sigmoid output shape:	 torch.Size([1, 120])
Linear output shape:	 torch.Size([1, 84])
Sigmoid output shape:	 torch.Size([1, 84])
Linear output shape:	 torch.Size([1, 10])
"""
VGG11 = """\
Sequential output shape:	 torch.Size([1, 64, 112, 112])
Sequential output shape:	 torch.Size([1, 128, 56, 56])
Sequential output shape:	 torch.Size([1, 256, 28, 28])
Sequential output shape:	 torch.Size([1, 512, 14, 14])
Sequential output shape:	 torch.Size([1, 512, 7, 7])
Flatten output shape:	 torch.Size([1, 25088])
Linear output shape:	 torch.Size([1, 4096])
ReLU output shape:	 torch.Size([1, 4096])
Dropout output shape:	 torch.Size([1, 4096])
Linear output shape:	 torch.Size([1, 4096])
ReLU output shape:	 torch.Size([1, 4096])
Dropout output shape:	 torch.Size([1, 4096])
Linear output shape:	 torch.Size([1, 10])
"""
RESNET18 = """\
Sequential output shape:	 torch.Size([1, 64, 24, 24])
Sequential output shape:	 torch.Size([1, 64, 24, 24])
Sequential output shape:	 torch.Size([1, 128, 12, 12])
Sequential output shape:	 torch.Size([1, 256, 6, 6])
Sequential output shape:	 torch.Size([1, 512, 3, 3])
Sequential output shape:	 torch.Size([1, 10])
"""


def test_the_summary_of_lenet_is_the_books_to_the_letter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    d2l.LeNet().layer_summary((1, 1, 28, 28))
    assert capsys.readouterr().out == LENET


def test_the_summaries_of_vgg11_and_resnet18_are_the_books(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On meta, where 128 million weights cost nothing."""
    with torch.device("meta"):
        vgg = VGG(((1, 64), (1, 128), (2, 256), (2, 512), (2, 512)), width=4096)
        resnet = ResNet()
    vgg.layer_summary((1, 1, 224, 224))
    assert capsys.readouterr().out == VGG11
    resnet.layer_summary((1, 1, 96, 96))
    assert capsys.readouterr().out == RESNET18
    assert sum(p.numel() for p in vgg.parameters()) == 128_806_154
    assert sum(p.numel() for p in resnet.parameters()) == 11_178_378


def first_filters(model: nn.Module) -> Tensor:
    return next(part for part in model.modules() if isinstance(part, nn.Conv2d)).weight


def glorot(weight: Tensor) -> float:
    """The standard deviation that Xavier's rule gives: the root of 2 / (fan in + fan out)."""
    out_channels, in_channels, height, width = weight.shape
    return math.sqrt(2 / ((in_channels + out_channels) * height * width))


@pytest.mark.parametrize("reader", READERS)
def test_xavier_in_a_constructor_reaches_the_first_lazy_layer(reader: type[Any]) -> None:
    torch.manual_seed(0)
    model = reader()
    assert nn.parameter.is_lazy(first_filters(model))
    model(torch.rand(2, 1, 96, 96))
    weight = first_filters(model)
    default = math.sqrt(1 / (3 * weight[0].numel()))  # torch's own start
    assert weight.std().item() == pytest.approx(glorot(weight), rel=0.1)
    assert weight.std().item() != pytest.approx(default, rel=0.3)


@pytest.mark.parametrize("reader", READERS)
def test_xavier_reaches_every_layer_with_room_to_measure(reader: type[Any]) -> None:
    torch.manual_seed(0)
    model = reader()
    model(torch.rand(2, 1, 96, 96))
    weights = [p.detach() for p in model.parameters() if p.ndim > 1 and p.numel() > 400]
    assert len(weights) >= 3
    for weight in weights:
        bound = glorot(weight[(...,) + (None,) * (4 - weight.ndim)]) * math.sqrt(3)
        assert 0.95 * bound < weight.abs().max().item() <= bound * (1 + 1e-5)


def test_init_cnn_is_remembered_by_lazy_layers_that_are_in_no_module_of_d2l() -> None:
    net = nn.Sequential(nn.LazyConv2d(96, kernel_size=11))
    net.apply(d2l.init_cnn)
    net(torch.zeros(1, 1, 11, 11))
    weight = first_filters(net)
    assert weight.std().item() == pytest.approx(glorot(weight), rel=0.05)


def test_init_cnn_leaves_other_layers_as_they_are() -> None:
    layers = nn.Sequential(nn.Conv1d(2, 2, 1), nn.BatchNorm2d(2))
    before = [p.clone() for p in layers.parameters()]
    layers.apply(d2l.init_cnn)
    for p, q in zip(layers.parameters(), before, strict=True):
        assert torch.equal(p, q)
