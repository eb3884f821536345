"""How weights start: the initialisers by name, applied so that none is missed in silence.

Source: Glorot and Bengio (2010), https://proceedings.mlr.press/v9/glorot10a.html (xavier);
He et al. (2015), https://arxiv.org/abs/1502.01852 (kaiming);
LeCun et al. (1998), http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf, section 4.6 (lecun);
Krizhevsky et al. (2012), https://papers.nips.cc/paper/4824, section 5 (normal);
Saxe et al. (2013), https://arxiv.org/abs/1312.6120 (orthogonal).
Differs from d2l: `init_cnn` there passes by each layer that is still lazy, and says nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, final

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils.hooks import RemovableHandle

from convlens.core.errors import ConfigError
from convlens.core.names import Table

Initializer = Callable[[Tensor], None]
InitializerName = Literal["kaiming", "lecun", "normal", "orthogonal", "torch", "xavier"]


def _xavier(weight: Tensor) -> None:
    nn.init.xavier_uniform_(weight)


def _kaiming(weight: Tensor) -> None:
    nn.init.kaiming_normal_(weight, nonlinearity="relu")


def _lecun(weight: Tensor) -> None:
    nn.init.kaiming_normal_(weight, nonlinearity="linear")


def _normal(weight: Tensor) -> None:
    nn.init.normal_(weight, std=0.01)


def _orthogonal(weight: Tensor) -> None:
    nn.init.orthogonal_(weight)


def _unchanged(weight: Tensor) -> None:
    del weight


INITIALIZERS: Table[Initializer] = Table(
    "initialiser",
    ("xavier", _xavier),  # variance 2 / (fan in + fan out), uniform; for sigmoid and tanh
    ("kaiming", _kaiming),  # variance 2 / fan in, normal; for ReLU
    ("lecun", _lecun),  # variance 1 / fan in, normal; for layers without a nonlinearity, and SELU
    ("normal", _normal),  # standard deviation 0.01 whatever the size, as AlexNet and VGG had it
    ("orthogonal", _orthogonal),  # the rows, flattened, are orthonormal, or the columns are
    ("torch", _unchanged),  # as PyTorch's layers start: uniform within 1 / sqrt(fan in)
)

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED, nn.Linear)


def initialize(module: nn.Module, name: str) -> None:
    """Start every convolution's and linear layer's weights in `module`; biases stay.

    So do weights that are frozen: they need no gradient, since they have been given.

    Call it when all layers are there, last in a constructor or from outside: it starts those it
    finds, and leaves alone a layer that is added or exchanged later. A module without any such
    layer is refused, since then it was called too early or on the wrong part.

    A lazy layer has no weights yet. Its start is remembered and made when its first input gives it
    weights, or dropped if a state dict gives them first. That was chosen over an error because a
    lazy network is a legal one, and "pass a batch first" is the step that people forget. The
    chance is drawn at that first input, so set the seed before it: a lazy network and its eager
    twin start equally spread, not with equal numbers.

    A transposed convolution starts like the ordinary one with the same channels in and out.

    Raises:
        UnknownName: no initialiser of that name.
        ConfigError: no convolution or linear layer in `module`, or one whose weight is computed.
    """
    initializer = INITIALIZERS[name]
    layers = [part for part in module.modules() if isinstance(part, WEIGHTED) and _learned(part)]
    if not layers:
        raise ConfigError(
            f"{type(module).__name__} holds no convolution or linear layer to initialise",
            fix="call initialize after the layers are made, as the last line of the constructor",
        )
    for layer in layers:
        start_when_real(layer, partial(_start, initializer=initializer))


def start_when_real(layer: nn.Module, start: Callable[[nn.Module], object]) -> None:
    """Call `start(layer)` as soon as its weights are there: now, or at a lazy layer's first input.

    At that input the layer is of its final type already. Weights that a state dict gives a lazy
    layer before are left as they are, and of two starts of one lazy layer the last one counts.
    """
    if _is_lazy(layer):
        _Pending.on(layer, start)
    else:
        start(layer)


def _learned(layer: nn.Module) -> bool:
    return not isinstance(layer.weight, nn.Parameter) or layer.weight.requires_grad


def _is_lazy(layer: nn.Module) -> bool:
    return any(map(is_lazy, layer.parameters(recurse=False)))


def _start(layer: nn.Module, initializer: Initializer) -> None:
    weight = layer.weight
    if not isinstance(weight, nn.Parameter):  # filling it would change a passing result only
        raise ConfigError(
            f"{layer}: its weight is computed from others, as weight_norm makes it",
            fix="call initialize before the weight is parametrised",
        )
    if isinstance(layer, TRANSPOSED) and initializer is not _unchanged:
        groups = layer.groups
        per_group = weight.shape[0] // groups, weight.shape[1]  # channels in, channels out
        ordinary = weight.new_empty(groups * per_group[1], per_group[0], *weight.shape[2:])
        initializer(ordinary)
        turned = ordinary.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
        with torch.no_grad():
            weight.copy_(turned)
    else:
        initializer(weight)


@final
@dataclass(eq=False)
class _Pending:
    """Two forward pre-hooks on a lazy layer, around torch's own, which gives it its weights.

    The first tells weights that were loaded from none, the second starts them; then both go.
    """

    start: Callable[[nn.Module], object]
    handles: list[RemovableHandle] = field(default_factory=list[RemovableHandle])  # a deep copy
    # of the layer gets some for its own hooks
    wanted: bool = False

    @classmethod
    def on(cls, layer: nn.Module, start: Callable[[nn.Module], object]) -> None:
        pending = cls(start)
        for hook, prepend in ((pending.look, True), (pending.go, False)):
            pending.handles.append(layer.register_forward_pre_hook(hook, prepend=prepend))

    def look(self, layer: nn.Module, args: Any) -> None:
        del args
        self.wanted = _is_lazy(layer)

    def go(self, layer: nn.Module, args: Any) -> None:
        del args
        if self.wanted:
            self.start(layer)
        for handle in self.handles:
            handle.remove()
