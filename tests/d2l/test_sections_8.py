"""The networks of sections 8.1 to 8.8 as readers write them: sizes, starts, trainings, changes."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's own name for it

from convlens import d2l
from tests.d2l.conftest import Cap
from tests.d2l.readers_networks import (
    VGG,
    AlexNet,
    AnyNet,
    BNLeNet,
    BNLeNetScratch,
    DenseBlock,
    DenseNet,
    GoogleNet,
    Inception,
    ModernLeNet,
    NiN,
    RegNetX32,
    ResNet,
    ScratchNorm,
    transition_block,
)

SLIM = ((1, 16), (1, 32), (2, 64), (2, 128), (2, 128))
FULL: dict[str, tuple[Callable[[], Any], int, int]] = {  # the height, the parameters
    "LeNet": (d2l.LeNet, 28, 61_706),
    "BN-LeNet": (BNLeNet, 28, 44_878),
    "AlexNet": (lambda: AlexNet(channels=(96, 256, 384, 384, 256), width=4096), 224, 46_764_746),
    "slim VGG-11": (lambda: VGG(SLIM, width=4096), 224, 43_093_322),
    "NiN": (lambda: NiN(channels=(96, 256, 384)), 224, 1_992_166),
    "GoogLeNet": (lambda: GoogleNet(share=1), 96, 5_977_530),
    "DenseNet": (lambda: DenseNet(64, 32, (4, 4, 4, 4)), 96, 758_226),
    "RegNetX32": (lambda: RegNetX32(depths=(4, 6)), 96, 179_290),
}
SUMMARIES = {
    "AlexNet": """\
Conv2d 96 54 54, ReLU 96 54 54, MaxPool2d 96 26 26, Conv2d 256 26 26, ReLU 256 26 26,
MaxPool2d 256 12 12, Conv2d 384 12 12, ReLU 384 12 12, Conv2d 384 12 12, ReLU 384 12 12,
Conv2d 256 12 12, ReLU 256 12 12, MaxPool2d 256 5 5, Flatten 6400, Linear 4096, ReLU 4096,
Dropout 4096, Linear 4096, ReLU 4096, Dropout 4096, Linear 10""",
    "NiN": """\
Sequential 96 54 54, MaxPool2d 96 26 26, Sequential 256 26 26, MaxPool2d 256 12 12,
Sequential 384 12 12, MaxPool2d 384 5 5, Dropout 384 5 5, Sequential 10 5 5,
AdaptiveAvgPool2d 10 1 1, Flatten 10""",
    "GoogLeNet": """\
Sequential 64 24 24, Sequential 192 12 12, Sequential 480 6 6, Sequential 832 3 3,
Sequential 1024, Linear 10""",
    "RegNetX32": "Sequential 32 48 48, Sequential 32 24 24, Sequential 80 12 12, Sequential 10",
}
TRAINED: dict[str, tuple[Callable[[], Any], int]] = {  # with the smallest height that fits
    "LeNet": (d2l.LeNet, 28),
    "modern LeNet": (ModernLeNet, 28),
    "AlexNet": (AlexNet, 65),
    "slim VGG-11": (VGG, 32),
    "NiN": (NiN, 67),
    "GoogLeNet": (GoogleNet, 32),
    "BN-LeNet from scratch": (BNLeNetScratch, 28),
    "BN-LeNet": (BNLeNet, 28),
    "ResNet-18": (ResNet, 32),
    "ResNeXt": (lambda: AnyNet([(2, 32, 8, 1), (2, 64, 16, 0.5)], 16), 32),  # pyright: ignore
    "DenseNet": (lambda: DenseNet(arch=(2, 2, 2, 2)), 29),
    "RegNetX32": (RegNetX32, 32),
}


def on_meta(name: str) -> tuple[Any, int, int]:
    """The network where its weights cost nothing, made real."""
    make, size, num_parameters = FULL[name]
    with torch.device("meta"):
        model = make()
    model.apply_init([torch.zeros(1, 1, size, size)])
    return model, size, num_parameters


@pytest.mark.parametrize("name", FULL)
def test_a_network_of_the_book_has_the_books_number_of_parameters(name: str) -> None:
    model, _, num_parameters = on_meta(name)
    assert sum(p.numel() for p in model.parameters()) == num_parameters


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_summary_is_the_books(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    model, size, _ = on_meta(name)
    model.layer_summary((1, 1, size, size))
    lines: list[str] = []
    for entry in SUMMARIES[name].replace("\n", " ").split(", "):
        layer, *shape = entry.split()
        lines.append(f"{layer} output shape:\t torch.Size([{', '.join(['1', *shape])}])")
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.parametrize("name", TRAINED)
def test_a_network_of_the_book_trains_every_parameter(name: str, capped: Cap) -> None:
    """But a bias before a batch norm, which takes it off again (8.5, exercise 1)."""
    make, size = TRAINED[name]
    torch.manual_seed(1)
    capped(40)
    data = d2l.FashionMNIST(batch_size=8, resize=(size, size))
    model = make()
    model.board.display = False
    model.lr = 0.1
    model.apply_init([next(iter(data.get_dataloader(True)))[0]], d2l.init_cnn)
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    history = d2l.Trainer(max_epochs=1, quiet=True).fit(model, data)
    assert len(history) == 1
    assert math.isfinite(history.train_loss[0]) and math.isfinite(history.val_loss[0] or 0)
    normed = any("Norm" in type(part).__name__ for part in model.modules())
    still = {key for key, p in model.named_parameters() if torch.equal(p, before[key])}
    convs = {f"{key}.bias" for key, part in model.named_modules() if isinstance(part, nn.Conv2d)}
    assert len(before) > 4 and all(p.grad is not None for p in model.parameters())
    assert still <= (convs if normed else set())


@pytest.mark.parametrize("how", ["in the constructor", "by apply_init"])
@pytest.mark.parametrize("name", TRAINED)
def test_the_first_layer_starts_by_xaviers_rule_and_not_by_torchs(name: str, how: str) -> None:
    """Within four standard errors; and no weight beyond a bound that torch's start passes."""
    make, size = TRAINED[name]
    torch.manual_seed(0)
    model = make()
    X = torch.rand(2, 1, size, size)
    if how == "by apply_init":
        model.apply_init([X], d2l.init_cnn)
    else:
        model.net.apply(d2l.init_cnn)  # again, where the constructor has done it
        model(X)
    weight = next(p for p in model.parameters() if p.ndim == 4).detach()
    out_channels, _, height, width = weight.shape
    rule = math.sqrt(2 / ((1 + out_channels) * height * width))
    torchs = math.sqrt(1 / (3 * height * width))
    error = math.sqrt(0.8 / (4 * weight.numel()))  # relative, of a uniform sample's deviation
    assert weight.std().item() == pytest.approx(rule, rel=4 * error)
    assert weight.abs().max().item() <= rule * math.sqrt(3) * (1 + 1e-6)
    assert (rule / torchs) ** weight.numel() < 1e-4  # the chance that torch's start stays within


# 8.1 and 8.3


def test_8_1_and_8_3_the_smallest_images_are_as_high_as_said() -> None:
    for model, size in ((AlexNet(), 65), (NiN(), 67)):
        assert model(torch.zeros(1, 1, size, size)).shape == (1, 10)
        with pytest.raises(RuntimeError):
            model(torch.zeros(1, 1, size - 4, size - 4))


# 8.2


def test_8_2_eleven_layers_have_weights_in_eight_parts_of_the_net() -> None:
    """The three that seem to be missing are second convolutions (exercise 2)."""
    model, _, _ = on_meta("slim VGG-11")
    weighted = [sum(p.ndim > 1 for p in part.parameters()) for part in model.net]
    assert [n for n in weighted if n] == [1, 1, 2, 2, 2, 1, 1, 1]


# 8.4


def test_8_4_an_inception_puts_its_branches_side_by_side() -> None:
    block = Inception(64, (96, 128), (16, 32), 32)
    X = torch.randn(2, 192, 12, 12)
    Y = block(X)
    assert Y.shape == (2, 64 + 128 + 32 + 32, 12, 12)
    torch.testing.assert_close(Y[:, :64], F.relu(block.b1_1(X)))
    assert sum(p.numel() for p in block.parameters()) == 163_696


# 8.5


def test_8_5_a_norm_from_scratch_moves_its_statistics_in_training_only(capped: Cap) -> None:
    capped(40)
    data = d2l.FashionMNIST(batch_size=20)
    torch.manual_seed(0)
    model = BNLeNetScratch(lr=0.1)
    model.board.display = False
    model.apply_init([next(iter(data.get_dataloader(True)))[0]], d2l.init_cnn)
    norms = [part for part in model.net if isinstance(part, ScratchNorm)]
    assert len(norms) == 4
    for norm in norms:  # looking has moved nothing
        assert not norm.moving_mean.any() and torch.equal(
            norm.moving_var, torch.ones_like(norm.moving_var)
        )
    trainer = d2l.Trainer(1, quiet=True)
    trainer.fit(model, data)
    after_training = [norm.moving_mean.clone() for norm in norms]
    assert all(mean.all() for mean in after_training)
    trainer.validate()
    model.layer_summary((1, 1, 28, 28))
    for norm, mean in zip(norms, after_training, strict=True):
        assert torch.equal(norm.moving_mean, mean)
        assert not norm.moving_mean.requires_grad


def test_8_5_the_norm_from_scratch_is_torchs_in_training_and_in_validation() -> None:
    ours, torchs = ScratchNorm(3, num_dims=4), nn.BatchNorm2d(3)
    for _ in range(3):
        X = 2 * torch.randn(8, 3, 5, 5) + 1
        torch.testing.assert_close(ours(X), torchs(X), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.moving_mean.flatten(), torchs.running_mean)
    with torch.no_grad():  # torch's moving variance is of n - 1, the book's of n
        later = torch.randn(8, 3, 5, 5)
        torch.testing.assert_close(ours(later), torchs.eval()(later), atol=1e-2, rtol=1e-2)


def test_8_5_scale_and_shift_of_the_first_norm_are_there_to_look_at() -> None:
    model: Any = BNLeNetScratch()
    assert model.net[1].gamma.reshape((-1,)).tolist() == [1] * 6
    assert model.net[1].beta.reshape((-1,)).tolist() == [0] * 6


# 8.6


def test_8_6_a_readers_own_residual_is_d2ls() -> None:
    class Residual(nn.Module):
        def __init__(self, num_channels: int, use_1x1conv: bool = False, strides: int = 1) -> None:
            super().__init__()
            self.conv1 = nn.LazyConv2d(num_channels, kernel_size=3, padding=1, stride=strides)
            self.conv2 = nn.LazyConv2d(num_channels, kernel_size=3, padding=1)
            self.conv3 = nn.LazyConv2d(num_channels, 1, stride=strides) if use_1x1conv else None
            self.bn1 = nn.LazyBatchNorm2d()
            self.bn2 = nn.LazyBatchNorm2d()

        def forward(self, x: Tensor) -> Tensor:
            y = F.relu(self.bn1(self.conv1(x)))
            y = self.bn2(self.conv2(y))
            if self.conv3:
                x = self.conv3(x)
            y += x
            return F.relu(y)

    X = torch.randn(4, 3, 6, 6)
    for channels, changed, strides in ((3, False, 1), (6, True, 2)):
        ours = d2l.Residual(channels, changed, strides)
        theirs = Residual(channels, changed, strides)
        for block in (ours, theirs):
            block(X)
        ours.load_state_dict(theirs.state_dict())
        assert torch.equal(ours(X), theirs(X))


# 8.7


def test_8_7_blocks_widen_and_transitions_narrow() -> None:
    X = torch.randn(4, 3, 8, 8)
    Y = DenseBlock(2, 10)(X)
    assert Y.shape == (4, 23, 8, 8)
    assert torch.equal(Y[:, :3], X)
    assert transition_block(10)(Y).shape == (4, 10, 4, 4)


# 8.8


def test_8_8_a_subclass_changes_the_stem_the_loss_and_the_optimiser(capped: Cap) -> None:
    class Mine(RegNetX32):
        def stem(self, num_channels: int) -> nn.Sequential:
            return nn.Sequential(nn.LazyConv2d(num_channels, 1), nn.LazyBatchNorm2d())

        def loss(self, Y_hat: Tensor, Y: Tensor, averaged: bool = True) -> Tensor:  # noqa: N803
            return super().loss(Y_hat, Y, averaged) + 10

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)

    class Halves(d2l.FashionMNIST):
        def get_dataloader(self, train: bool) -> Any:
            data = self.train if train else self.val
            batch: Sequence[Any] = list(zip(*(data[i] for i in range(10)), strict=True))
            x, y = torch.stack(batch[0]), torch.tensor(batch[1])
            return self.get_tensorloader((x, y), train)

    capped(20)
    model = Mine()
    model.board.display = False
    trainer = d2l.Trainer(1, quiet=True)
    history = trainer.fit(model, Halves(batch_size=6, resize=(8, 8)))
    assert history.train_loss[0] > 10 and (history.val_loss[0] or 0) > 10
    assert trainer.num_train_batches == 2 and trainer.optim.param_groups[0]["momentum"] == 0.9
    assert model.net[0][0].weight.shape == (32, 1, 1, 1)
