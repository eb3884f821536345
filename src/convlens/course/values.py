"""Values: what the student's notebook printed, computed again.

Each row holds the printed value and the expression that gives ours; nothing is copied from one to
the other. Values that were drawn at random have a tolerance, all others none.

Source: d2l 7.2 to 7.6, 8.2 and 8.6, as printed with d2l 1.0.3.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like
from convlens.models.catalog import MODELS, build
from convlens.models.resnet import ResidualBlock
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.geometry import Geometry
from convlens.ops.pooling import avg_pool2d, max_pool2d
from convlens.ops.steps.learn import START, edge_image, learn_kernel


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """One printed value of the notebook."""

    section: str
    what: str
    printed: Any  # nested lists of numbers
    compute: Callable[[], Any]  # ours, in the same form
    tolerance: float = 0.0  # per number, where the notebook drew at random

    def check(self) -> "Checked":
        """Ours beside what was printed."""
        ours = self.compute()
        return Checked(value=self, ours=ours, agrees=_agree(ours, self.printed, self.tolerance))


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A value computed again."""

    value: Value
    ours: Any
    agrees: bool

    def to_table(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        return {
            "section": self.value.section,
            "what": self.value.what,
            "printed": self.value.printed,
            "ours": self.ours,
            "tolerance": self.value.tolerance,
            "agrees": self.agrees,
        }


def _agree(ours: Any, printed: Any, tolerance: float) -> bool:
    """Whether two nested lists have the same shape, and numbers that agree."""
    if isinstance(printed, list) or isinstance(ours, list):
        return (
            isinstance(ours, list)
            and isinstance(printed, list)
            and len(ours) == len(printed)
            and all(_agree(a, b, tolerance) for a, b in zip(ours, printed, strict=True))
        )
    return bool(abs(ours - printed) <= tolerance)


def _arange(*shape: int) -> Tensor:
    return torch.arange(float(torch.Size(shape).numel())).reshape(shape)


def _correlate(x: Tensor, kernel: Tensor) -> list[Any]:
    """Of one image and the kernels of one or several outputs."""
    x = x if x.ndim == 3 else x[None]
    several = kernel.ndim == 4
    kernels = kernel if several else (kernel if kernel.ndim == 3 else kernel[None])[None]
    result: list[Any] = cross_correlation2d(x[None], kernels)[0].tolist()
    return result if several else result[0]


def _size(kernel: Any, **settings: Any) -> list[int]:
    return list(Geometry.of(kernel, **settings).output_size(8, 8))


def _pool(x: Tensor, kernel: Any, **settings: Any) -> list[Any]:
    result: list[Any] = max_pool2d(x.reshape(1, -1, *x.shape[-2:]), kernel, **settings)[0].tolist()
    return result if len(result) > 1 else result[0]


def _averages(x: Tensor, kernel: Any, **settings: Any) -> list[Any]:
    result: list[Any] = avg_pool2d(x[None, None], kernel, **settings)[0, 0].tolist()
    return result


def _learned() -> tuple[list[float], list[float]]:
    """The losses after every second step, and the kernel after ten."""
    image = edge_image()
    target = cross_correlation2d(image[None, None], torch.tensor([[[[1.0, -1.0]]]]))[0, 0]
    steps = list(learn_kernel(image[None], target, torch.tensor([[START]])))
    kernel = torch.tensor(steps[-1].kernel).flatten().tolist()
    return [steps[index].loss for index in (1, 3, 5, 7, 9)], kernel


def _layers(name: str, paths: Sequence[str] | None = None) -> list[list[int]]:
    """The outputs of a model's layers, or of the modules at `paths`, on one image."""
    preset = MODELS[name].preset
    with torch.device("meta"):
        model = build(name, preset)
    x = inputs_like(model, 1, preset.in_channels, preset.image_size, preset.image_size)
    traced = trace(model, x)
    if paths is None:
        return [list(leaf.outputs[0]) for leaf in traced.leaves]
    outputs = {layer.path: layer.outputs[0] for layer in traced.layers}
    return [list(outputs[path]) for path in paths]


def _residual(in_channels: int, out_channels: int, stride: int) -> list[int]:
    block: nn.Module = ResidualBlock(
        in_channels, out_channels, stride=stride, bias=True, shortcut_norm=False
    )
    return list(block(torch.rand(4, in_channels, 6, 6)).shape)


_X, _K = _arange(3, 3), _arange(2, 2)
_TWO = torch.stack([_X, _X + 1])
_TWO_K = torch.stack([_K, _K + 1])
_THREE_K = torch.stack([_TWO_K, _TWO_K + 1, _TWO_K + 2])
_EDGE, _EDGE_K = edge_image(), torch.tensor([[1.0, -1.0]])
_SQUARE = _arange(4, 4)
_PADDED = [[5.0, 7.0], [13.0, 15.0]]
_STAGES = [f"body.stage{index}" for index in (1, 2, 3, 4)]
_HIDDEN = [f"head.{kind}{index}" for index in (1, 2) for kind in ("linear", "relu", "dropout")]

VALUES = (
    Value(
        section="7.2",
        what="3x3 of 0..8, kernel [[0, 1], [2, 3]]",
        printed=[[19, 25], [37, 43]],
        compute=lambda: _correlate(_X, _K),
    ),
    Value(
        section="7.2",
        what="the image with two edges",
        printed=[[1, 1, 0, 0, 0, 0, 1, 1]] * 6,
        compute=_EDGE.tolist,
    ),
    Value(
        section="7.2",
        what="its edges by [1, -1]",
        printed=[[0, 1, 0, 0, 0, -1, 0]] * 6,
        compute=lambda: _correlate(_EDGE, _EDGE_K),
    ),
    Value(
        section="7.2",
        what="of the image transposed",
        printed=[[0] * 5] * 8,
        compute=lambda: _correlate(_EDGE.T, _EDGE_K),
    ),
    Value(
        section="7.2",
        what="losses of the learned kernel (start drawn at random; solved back)",
        printed=[10.804, 3.642, 1.361, 0.535, 0.216],
        compute=lambda: _learned()[0],
        tolerance=0.01,
    ),
    Value(
        section="7.2",
        what="the learned kernel",
        printed=[1.0383, -0.9430],
        compute=lambda: _learned()[1],
        tolerance=1e-4,
    ),
    Value(
        section="7.3",
        what="8x8 by 3x3, padding 1",
        printed=[8, 8],
        compute=lambda: _size(3, padding=1),
    ),
    Value(
        section="7.3",
        what="8x8 by 5x3, padding (2, 1)",
        printed=[8, 8],
        compute=lambda: _size((5, 3), padding=(2, 1)),
    ),
    Value(
        section="7.3",
        what="8x8 by 3x3, padding 1, stride 2",
        printed=[4, 4],
        compute=lambda: _size(3, padding=1, stride=2),
    ),
    Value(
        section="7.3",
        what="8x8 by 3x5, padding (0, 1), stride (3, 4)",
        printed=[2, 2],
        compute=lambda: _size((3, 5), padding=(0, 1), stride=(3, 4)),
    ),
    Value(
        section="7.4",
        what="two channels in",
        printed=[[56, 72], [104, 120]],
        compute=lambda: _correlate(_TWO, _TWO_K),
    ),
    Value(
        section="7.4",
        what="shape of the kernels of three channels out",
        printed=[3, 2, 2, 2],
        compute=lambda: list(_THREE_K.shape),
    ),
    Value(
        section="7.4",
        what="two channels in, three out",
        printed=[[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]],
        compute=lambda: _correlate(_TWO, _THREE_K),
    ),
    Value(
        section="7.5",
        what="maximum by 2x2, stride 1, of 0..8",
        printed=[[4, 5], [7, 8]],
        compute=lambda: _pool(_X, 2, stride=1),
    ),
    Value(
        section="7.5",
        what="average by 2x2, stride 1, of 0..8",
        printed=[[2, 3], [5, 6]],
        compute=lambda: _averages(_X, 2, stride=1),
    ),
    Value(
        section="7.5",
        what="maximum by 3x3 of 0..15",
        printed=[[10]],
        compute=lambda: _pool(_SQUARE, 3),
    ),
    Value(
        section="7.5",
        what="maximum by 3x3, padding 1, stride 2",
        printed=_PADDED,
        compute=lambda: _pool(_SQUARE, 3, padding=1, stride=2),
    ),
    Value(
        section="7.5",
        what="maximum by 2x3, padding (0, 1), stride (2, 3)",
        printed=_PADDED,
        compute=lambda: _pool(_SQUARE, (2, 3), padding=(0, 1), stride=(2, 3)),
    ),
    Value(
        section="7.5",
        what="maximum of two channels",
        printed=[[[5, 7], [13, 15]], [[6, 8], [14, 16]]],
        compute=lambda: _pool(torch.stack([_SQUARE, _SQUARE + 1]), 3, padding=1, stride=2),
    ),
    Value(
        section="7.6",
        what="LeNet's layers on 1x28x28",
        printed=[
            [1, 6, 28, 28], [1, 6, 28, 28], [1, 6, 14, 14],
            [1, 16, 10, 10], [1, 16, 10, 10], [1, 16, 5, 5],
            [1, 400], [1, 120], [1, 120], [1, 84], [1, 84], [1, 10],
        ],
        compute=lambda: _layers("lenet"),
    ),
    Value(
        section="8.2",
        what="VGG-11's pieces on 1x224x224",
        printed=[
            [1, 64, 112, 112], [1, 128, 56, 56], [1, 256, 28, 28], [1, 512, 14, 14],
            [1, 512, 7, 7], [1, 25088], *[[1, 4096]] * 6, [1, 10],
        ],
        compute=lambda: _layers(
            "vgg11-d2l", ["stem", *_STAGES, "head.flatten", *_HIDDEN, "head.linear3"]
        ),
    ),
    Value(
        section="8.6",
        what="a residual block of 3 channels on 4x3x6x6",
        printed=[4, 3, 6, 6],
        compute=lambda: _residual(3, 3, 1),
    ),
    Value(
        section="8.6",
        what="a residual block to 6 channels with stride 2",
        printed=[4, 6, 3, 3],
        compute=lambda: _residual(3, 6, 2),
    ),
    Value(
        section="8.6",
        what="ResNet-18's pieces on 1x96x96",
        printed=[
            [1, 64, 24, 24], [1, 64, 24, 24], [1, 128, 12, 12], [1, 256, 6, 6],
            [1, 512, 3, 3], [1, 10],
        ],
        compute=lambda: _layers("resnet18-d2l", ["stem", *_STAGES, "head"]),
    ),
)  # fmt: skip
