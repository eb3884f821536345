"""Code in the manner of sections 7.1 to 7.6, by the book's names."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's own name for it

from convlens import d2l
from tests.d2l.conftest import Cap
from tests.d2l.readers_networks import ModernLeNet


def corr2d(X: Tensor, K: Tensor) -> Tensor:  # noqa: N803 - the book's names
    """7.2, as a reader writes it."""
    h, w = K.shape
    Y = d2l.zeros((X.shape[0] - h + 1, X.shape[1] - w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = d2l.reduce_sum(X[i : i + h, j : j + w] * K)
    return Y


# 7.1


def test_7_1_what_is_found_moves_with_the_image() -> None:
    X, K = torch.zeros(12, 12), d2l.randn(3, 3)
    X[2:6, 2:7] = d2l.rand(4, 5)  # whose outputs no border cuts
    moved = torch.roll(X, (3, 2), (0, 1))
    expected = torch.roll(d2l.corr2d(X, K), (3, 2), (0, 1))
    torch.testing.assert_close(d2l.corr2d(moved, K), expected)
    dense = nn.Linear(144, 100)  # which is free to treat every place in its own way
    shifted = torch.roll(dense(X.flatten()).reshape(10, 10), (3, 2), (0, 1))
    assert not torch.allclose(dense(moved.flatten()).reshape(10, 10), shifted, atol=1e-3)


def test_7_1_a_window_of_one_pixel_is_a_linear_layer_on_each() -> None:
    X = d2l.randn(2, 3, 4, 5)
    conv = nn.LazyConv2d(6, kernel_size=1)
    conv(X)
    linear = nn.Linear(3, 6)
    linear.weight.data = d2l.reshape(conv.weight.data, (6, 3))
    linear.bias.data = conv.bias.data  # pyright: ignore
    torch.testing.assert_close(conv(X), linear(X.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


# 7.2


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 5), st.integers(0, 5))
def test_7_2_corr2d_is_the_loop_of_the_reader(h: int, w: int, rows: int, columns: int) -> None:
    X, K = d2l.randn(h + rows, w + columns), d2l.randn(h, w)
    torch.testing.assert_close(d2l.corr2d(X, K), corr2d(X, K))


class Conv2D(nn.Module):
    """7.2, over either corr2d."""

    def __init__(self, kernel_size: tuple[int, int], correlate: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(d2l.rand(kernel_size))
        self.bias = nn.Parameter(d2l.zeros(1))
        self.correlate = correlate

    def forward(self, x: Tensor) -> Tensor:
        return self.correlate(x, self.weight) + self.bias


def test_7_2_a_layer_on_corr2d_learns_with_the_gradients_of_the_readers_own() -> None:
    layers = [Conv2D((2, 3), d2l.corr2d), Conv2D((2, 3), corr2d)]
    layers[1].load_state_dict(layers[0].state_dict())
    X = d2l.randn(5, 6)
    for layer in layers:
        d2l.reduce_sum(layer(X) ** 2).backward()
    for ours, theirs in zip(layers[0].parameters(), layers[1].parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


# 7.3


def test_7_3_padding_and_strides_are_corr2d_of_a_framed_image_at_each_nth_place() -> None:
    X = d2l.rand(8, 8)
    conv = nn.LazyConv2d(1, kernel_size=(3, 5), padding=(0, 1), stride=(3, 4))
    Y = conv(d2l.reshape(X, (1, 1, 8, 8)))
    K, b = conv.weight.detach()[0, 0], conv.bias
    framed = F.pad(X, (1, 1, 0, 0))
    assert b is not None
    torch.testing.assert_close(Y[0, 0], d2l.corr2d(framed, K)[::3, ::4] + b)
    assert Y.shape == (1, 1, 2, 2)


# 7.4


def test_7_4_sums_and_stacks_of_corr2d_are_torchs_convolution() -> None:
    X, K = d2l.normal(0, 1, (3, 6, 7)), d2l.normal(0, 1, (4, 3, 2, 3))
    zero = d2l.zeros(5, 5)
    Y = d2l.stack(
        [sum((d2l.corr2d(x, k) for x, k in zip(X, ks, strict=True)), zero) for ks in K], 0
    )
    torch.testing.assert_close(Y, F.conv2d(d2l.expand_dims(X, 0), K)[0], atol=1e-5, rtol=1e-5)


# 7.5


class Pool2D(nn.Module):
    """7.5, as a layer of the reader's own: the loop over the places of one window."""

    def __init__(self, size: int, mode: str) -> None:
        super().__init__()
        self.size, self.mode = size, mode

    def forward(self, x: Tensor) -> Tensor:
        p = self.size
        rows, columns = x.shape[2] // p, x.shape[3] // p
        windows = d2l.stack(
            [x[..., i : rows * p : p, j : columns * p : p] for i in range(p) for j in range(p)]
        )
        return windows.amax(0) if self.mode == "max" else d2l.reduce_mean(windows, 0)


def test_7_5_a_pooling_of_the_readers_own_is_torchs_and_trains_within_a_network(
    capped: Cap,
) -> None:
    X = d2l.rand(2, 3, 6, 7)
    torch.testing.assert_close(Pool2D(2, "max")(X), nn.MaxPool2d(2)(X))
    torch.testing.assert_close(Pool2D(3, "avg")(X), nn.AvgPool2d(3)(X))
    own, torchs = d2l.Classifier(), d2l.Classifier()
    for model, pool in ((own, Pool2D(4, "max")), (torchs, nn.MaxPool2d(4))):
        model.net = nn.Sequential(nn.Conv2d(1, 4, 3), pool, nn.Flatten(), nn.Linear(144, 10))
        model.lr = 0.1
        model.board.display = False
    torchs.load_state_dict(own.state_dict())
    capped(60)
    losses: list[float] = []
    for model in (own, torchs):
        torch.manual_seed(0)
        losses += d2l.Trainer(1, quiet=True).fit(model, d2l.FashionMNIST(20)).train_loss
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


# 7.6


def test_7_6_lenet_is_open_to_subclasses_and_its_net_to_changes(capped: Cap) -> None:
    class Thin(d2l.LeNet):
        def __init__(self, lr: float = 0.2) -> None:
            super().__init__(lr=lr)
            self.net[7] = nn.LazyLinear(30)
            self.net = self.net[:9]
            self.net.append(nn.LazyLinear(10))

    model = Thin()
    model.board.display = False
    capped(20)
    d2l.Trainer(1, quiet=True).fit(model, d2l.FashionMNIST(10))
    assert (model.lr, model.hparams) == (0.2, {"lr": 0.2, "num_classes": 10})
    assert [tuple(p.shape) for p in model.parameters() if p.ndim == 2] == [(30, 400), (10, 30)]


def test_7_6_a_summary_added_to_classifier_reaches_models_that_are_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(d2l.Classifier, "layer_summary", d2l.Module.layer_summary)  # undone later
    model = d2l.LeNet()

    @d2l.add_to_class(d2l.Classifier)
    def layer_summary(self: d2l.Classifier, X_shape: tuple[int, ...]) -> None:  # noqa: N803 # pyright: ignore[reportUnusedFunction]
        maps = d2l.randn(*X_shape)
        for layer in self.net:
            maps = layer(maps)
            print("mine", layer.__class__.__name__, tuple(maps.shape))

    model.layer_summary((2, 1, 28, 28))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mine Conv2d (2, 6, 28, 28)" and len(lines) == 12


def test_7_6_the_modern_lenet_learns_where_the_old_one_is_still_guessing(
    small_folder: Path,
) -> None:
    accuracies: list[float] = []
    for model in (ModernLeNet(), d2l.LeNet()):
        torch.manual_seed(0)
        data = d2l.FashionMNIST(batch_size=64, root=small_folder)
        model.apply_init([next(iter(data.get_dataloader(True)))[0]], d2l.init_cnn)
        model.board.display = False
        history = d2l.Trainer(max_epochs=6, quiet=True).fit(model, data)
        accuracies.append(history.val_accuracy[-1] or 0)
    assert accuracies[0] > 0.9 and accuracies[1] < 0.3


# The parts of 6 that these sections stand on.


def test_a_layer_in_several_places_is_one_layer_with_one_start(capped: Cap) -> None:
    class Shared(d2l.Classifier):
        def __init__(self, lr: float = 0.1) -> None:
            super().__init__()
            self.save_hyperparameters()
            shared = nn.LazyConv2d(8, kernel_size=3, padding=1)
            self.net = nn.Sequential(
                nn.LazyConv2d(8, kernel_size=3, stride=2), nn.ReLU(),
                nn.Sequential(shared, nn.ReLU()), shared, nn.ReLU(),
                nn.Flatten(), nn.LazyLinear(10),
            )  # fmt: skip
            self.net.apply(d2l.init_cnn)
            self.board.display = False

    model: Any = Shared()
    model(torch.zeros(1, 1, 28, 28))
    assert model.net[2][0] is model.net[3]
    assert len(list(model.parameters())) == 6
    weight = model.net[3].weight
    assert 0.9 < weight.abs().max() / (6 / (2 * 8 * 9)) ** 0.5 <= 1 + 1e-5
    before = weight.detach().clone()
    capped(20)
    d2l.Trainer(1, quiet=True).fit(model, d2l.FashionMNIST(10))
    assert not torch.equal(weight, before)
    assert model.net[2][0].weight is model.net[3].weight
