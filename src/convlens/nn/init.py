"""How weights start: the initialisers by name, applied so that none is missed in silence.

Source: Glorot and Bengio (2010), https://proceedings.mlr.press/v9/glorot10a.html (Xavier);
He et al. (2015), https://arxiv.org/abs/1502.01852 (Kaiming).
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from convlens.core.errors import ShapeError
from convlens.core.names import Table


def _xavier(weight: Tensor) -> None:
    nn.init.xavier_uniform_(weight)


def _kaiming(weight: Tensor) -> None:
    nn.init.kaiming_normal_(weight, nonlinearity="relu")


def _unchanged(weight: Tensor) -> None:
    del weight


INITIALIZERS: Table[Callable[[Tensor], None]] = Table(
    "initialiser",
    ("xavier", _xavier),  # variance 2 / (fan in + fan out), uniform; for sigmoid and tanh
    ("kaiming", _kaiming),  # variance 2 / fan in, normal; for ReLU
    ("torch", _unchanged),  # as PyTorch's layers start: uniform within 1 / sqrt(fan in)
)


def initialize(module: nn.Module, name: str) -> None:
    """Start every convolution's and linear layer's weights in `module`; biases stay.

    Raises:
        UnknownName: no initialiser of that name.
        ShapeError: a lazy layer has no weights yet, so it would be skipped in silence.
    """
    initializer = INITIALIZERS[name]
    for path, part in module.named_modules():
        if isinstance(part, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)):
            if isinstance(part.weight, UninitializedParameter):
                raise ShapeError(
                    f"{path}: a lazy layer has no weights to initialise yet",
                    fix="pass a batch through the network first",
                )
            initializer(part.weight)
