"""Each rule on maps of which each place sees 3 pixels, 2 apart; and no less than is measured."""

from collections.abc import Callable
from copy import deepcopy
from typing import final

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor, nn

from convlens.inspection.receptive_field import Field, receptive_fields
from convlens.inspection.support import misfits
from convlens.ops.window import Window
from tests.strategies import normal

Function = Callable[[Tensor], Tensor]
EVERYTHING = (None, None)
SAME = (3, 2, -1)  # size, jump and start of the maps


@final
class Net(nn.Module):
    """A convolution with stride 2, then a layer or a function."""

    def __init__(self, operation: Function) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.last = operation
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        """[n, 4, 6, 6] from 12 x 12 pixels, then what the operation makes of it."""
        return self.last(self.conv(x))


def field_of(operation: Function) -> Field:
    """Of the rows; the columns agree."""
    net, x = Net(operation), normal(2, 1, 12, 12)
    assert misfits(net, x) == []
    meta = receptive_fields(deepcopy(net).to("meta"), x.to("meta"))
    assert meta == receptive_fields(net, x)
    return meta[""]


def swapped(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def written(x: Tensor) -> Tensor:
    """By parts, through a view."""
    y = torch.zeros_like(x)
    y[:, :, 1:] = x[:, :, :-1]
    return y


def grown(x: Tensor) -> Tensor:
    """In place, while a view of the old values is about; the view sees the new ones."""
    view = x[:, :2]
    x += F.avg_pool2d(x, 3, 1, 1)
    return view


def batch_statistics(x: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, training=True)


KEPT: dict[str, Function] = {
    "relu": F.relu,
    "relu_": lambda x: F.relu(x, inplace=True),
    "hardswish": nn.Hardswish(),
    "prelu": nn.PReLU(4),
    "dropout": nn.Dropout(),
    "batch norm": nn.BatchNorm2d(4),
    "pointwise convolution": nn.Conv2d(4, 8, 1),
    "local response norm": nn.LocalResponseNorm(3),
    "sum": lambda x: x + 2 * x.clone(),
    "with constants": lambda x: x * torch.ones(4, 1, 1, dtype=x.dtype, device=x.device),
    "softmax over channels": lambda x: x.softmax(1),
    "gated linear unit": lambda x: F.glu(x, 1),
    "shuffled channels": nn.ChannelShuffle(2),
    "chunks": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "crop of channels": lambda x: x[:, 1:3],
    "one channel": lambda x: x[:, 1][:, None],
    "unbound channels": lambda x: torch.stack(x.unbind(1), 1),
    "mean of channels": lambda x: x.mean(1, keepdim=True),
    "max of channels": lambda x: x.max(1).values[:, None],
    "attention over channels": lambda x: x * x.expand(3, *x.shape).sum(0).sum(1, True).sigmoid(),
    "linear layer of each pixel": lambda x: (
        swapped(x).contiguous() @ torch.eye(4, dtype=x.dtype, device=x.device)
    ),
    "layer norm of each pixel": lambda x: F.layer_norm(swapped(x), (4,)),
    "channels from the left": lambda x: torch.matmul(
        torch.ones(5, 4, dtype=x.dtype, device=x.device), x.flatten(2)
    ).view(2, 5, 6, 6),
    "left and right turned": lambda x: x.transpose(2, 3).relu().transpose(2, 3),
    "adaptive pooling to the same size": nn.AdaptiveAvgPool2d(6),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_keeps_places_apart_keeps_their_field(name: str) -> None:
    field = field_of(KEPT[name])
    assert field.rows == field.columns == Window(3, 2, 1)


MOVED: dict[str, tuple[Function, tuple[int, int, int]]] = {
    "convolution": (nn.Conv2d(4, 2, 3, padding=1), (7, 2, -3)),
    "dilated": (nn.Conv2d(4, 2, 3, padding=2, dilation=2), (11, 2, -5)),
    "grouped": (nn.Conv2d(4, 4, 2, stride=2, groups=4), (5, 4, -1)),
    "max pool": (nn.MaxPool2d(3, 2, 1), (7, 4, -3)),
    "ceiling": (nn.MaxPool2d(4, 3, ceil_mode=True), (9, 6, -1)),
    "average": (nn.AvgPool2d(2), (5, 4, -1)),
    "average pool in 3d": (lambda x: F.avg_pool3d(x[:, None], (1, 2, 2))[:, 0], (5, 4, -1)),
    "adaptive": (nn.AdaptiveMaxPool2d(3), (5, 4, -1)),
    "padding": (nn.ZeroPad2d(2), (3, 2, -5)),
    "reflection": (nn.ReflectionPad2d(2), (3, 2, -5)),
    "replication": (nn.ReplicationPad2d(2), (3, 2, -5)),
    "reflecting convolution": (
        nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"),
        (7, 2, -3),
    ),
    "crop inside the image": (lambda x: x[:, :, 1:-1, 1:-1], (4, 2, 0)),
    "crop at the end": (lambda x: x[..., :-2, :-2], SAME),
    "every other": (lambda x: x[:, :, ::2, ::2], (3, 4, -1)),
    "negative padding": (lambda x: F.pad(x, (-1, 0, -1, 0)), (4, 2, 0)),
    "transposed": (nn.ConvTranspose2d(4, 2, 2, stride=2), (4, 1, -2)),
    "transposed with padding": (nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1), (6, 1, -3)),
    "nearest neighbour": (nn.Upsample(scale_factor=2), (4, 1, -2)),
    "pixel shuffle": (nn.PixelShuffle(2), (4, 1, -2)),
    "pixel unshuffle": (nn.PixelUnshuffle(2), (5, 4, -1)),
    "halves of pixels": (lambda x: x.view(2, 4, 3, 2, 3, 2).amax((3, 5)), (5, 4, -1)),
    "residual": (lambda x: x + F.avg_pool2d(x, 3, 1, 1), (7, 2, -3)),
    "residual in place": (lambda x: x.clone().add_(F.avg_pool2d(x, 3, 1, 1)), (7, 2, -3)),
    "branches": (lambda x: torch.cat([x, F.max_pool2d(x, 5, 1, 2)], 1), (11, 2, -5)),
    "branches aside": (
        lambda x: torch.cat([x[..., 1:, 1:], F.avg_pool2d(x, 2, 1)], dim=1),
        (5, 2, -1),
    ),
    "stacked": (lambda x: torch.stack([x, F.avg_pool2d(x, 3, 1, 1)], 2).amax(2), (7, 2, -3)),
}


@pytest.mark.parametrize("name", MOVED)
def test_what_slides_moves_the_field(name: str) -> None:
    operation, (size, jump, start) = MOVED[name]
    field = field_of(operation)
    assert field.rows == field.columns == Window(size, jump, -start)


WHOLE: dict[str, Function] = {
    "global mean": nn.AdaptiveAvgPool2d(1),
    "global maximum": nn.AdaptiveMaxPool2d(1),
    "uneven adaptive pooling": nn.AdaptiveAvgPool2d(4),
    "mean of all": lambda x: x.mean(),
    "flat": lambda x: x.flatten(1) @ torch.ones(144, 3, dtype=x.dtype, device=x.device),
    "group norm": nn.GroupNorm(2, 4),
    "instance norm": nn.InstanceNorm2d(4),
    "batch statistics": batch_statistics,
    "layer norm of images": nn.LayerNorm([4, 6, 6]),
    "softmax over pixels": lambda x: x.flatten(2).softmax(2).view(x.shape),
    "squeeze and excite": lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
    "attention": lambda x: F.scaled_dot_product_attention(x.flatten(2), x.flatten(2), x.flatten(2)),
    "products of pixels": lambda x: torch.bmm(x.flatten(2), x.flatten(2).transpose(1, 2)),
    "bilinear": nn.Upsample(scale_factor=2, mode="bilinear"),
    "uneven nearest neighbour": nn.Upsample(size=9),
    "transposed at an uneven pace": nn.ConvTranspose2d(4, 2, 3, stride=3),
    "circular": nn.Conv2d(4, 2, 3, padding=1, padding_mode="circular"),
    "flipped": lambda x: x.flip(2, 3),
    "rolled": lambda x: x.roll((1, 1), (2, 3)),
    "turned and added": lambda x: x + x.transpose(2, 3),
    "joined along space": lambda x: torch.cat([torch.cat([x, x], 2), torch.cat([x, x], 2)], 3),
    "split along space": lambda x: x.chunk(2, 2)[1].chunk(2, 3)[1],
    "drifting apart": lambda x: x[:, :, :3, :3] + x[:, :, ::2, ::2],
    "one place": lambda x: x[:, :, 2, 3],
    "one place everywhere": lambda x: x[:, :, 2:3, 3:4].expand(2, 4, 6, 6),
    "written through a view": written,
    "old view of new values": grown,
    "unfolded": lambda x: F.unfold(x, 3),
    "kernels from the image": lambda x: F.conv2d(x, x[:, :, :3, :3]),
    "scores of the batch": lambda x: x.flatten(1).var(),
    "other numbers": lambda x: x.view(torch.int64).view(torch.float64).cumsum(2).cumsum(3),
    "bias from the image": lambda x: torch.addmm(
        x.flatten(2)[0], torch.eye(4, dtype=x.dtype, device=x.device), x.flatten(2)[1]
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_mixes_places_sees_everything(name: str) -> None:
    assert field_of(WHOLE[name]).whole


def test_one_axis_may_be_whole_and_the_other_not() -> None:
    field = field_of(lambda x: x.mean(2))
    assert (field.rows, field.columns, field.dims) == (None, Window(3, 2, 1), (None, 2))
    assert field_of(lambda x: x.cumsum(3)).dims == (2, None)


def test_channels_last_lie_along_other_dims() -> None:
    assert field_of(swapped).dims == (1, 2)


@pytest.mark.parametrize("make", [torch.zeros_like, lambda x: x.new_ones(3), torch.empty_like])
def test_what_takes_a_shape_alone_sees_nothing(make: Function) -> None:
    net = Net(make)
    assert receptive_fields(net, normal(2, 1, 12, 12)).keys() == {"conv"}


def test_an_operation_nobody_knows_sees_everything() -> None:
    assert receptive_fields(Net(torch.special.i0e), normal(2, 1, 12, 12))[""].rows == Window(
        3, 2, 1
    )
    assert receptive_fields(Net(torch.linalg.qr), normal(2, 1, 12, 12))[""].whole


def test_an_empty_batch_is_no_trouble() -> None:
    assert receptive_fields(Net(F.relu), normal(0, 1, 12, 12))["conv"].whole
