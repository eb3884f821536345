"""Muon: each step turns a layer's weights as a whole, by a matrix whose singular values are near 1.

A filter of shape (out, in, kh, kw) is taken as the matrix (out, in * kh * kw). The momentum's
matrix is made nearly orthogonal by a few rounds of an odd polynomial, which works on its singular
values and leaves its directions as they are.

Source: Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/.
Differs from torch.optim.Muon: parameters have any number of axes from two on; the rounds run in
float32, not bfloat16; the momentum is a sum, not an average, which the scaling undoes.
"""

from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # steepest at zero; then from 0.68 to 1.13 in place of 1
ROUNDS = 5
_TINY = 1e-7  # so that a gradient of zeros stays one


def orthogonal(
    matrix: Float[Tensor, "rows cols"], rounds: int = ROUNDS
) -> Float[Tensor, "rows cols"]:
    """Nearly `U V^T`, where `U S V^T` is the singular value decomposition of `matrix`.

    Each round replaces `X` by `a X + b (X X^T) X + c (X X^T)^2 X`, that is each singular value
    `s` by `a s + b s^3 + c s^5`; it starts from `X = matrix / ||matrix||`.

    >>> orthogonal(torch.diag(torch.tensor([4.0, -1.0]))).round(decimals=2)
    tensor([[ 0.7400,  0.0000],
            [ 0.0000, -0.7400]])
    """
    a, b, c = COEFFICIENTS
    wide = matrix.shape[0] <= matrix.shape[1]  # the products are cheaper on the short side
    x = matrix if wide else matrix.T
    x = x / (x.norm() + _TINY)
    for _ in range(rounds):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x if wide else x.T


@final
class Muon(torch.optim.Optimizer):
    """`w <- (1 - lr * decay) w - lr * sqrt(max(1, rows / cols)) * orthogonal(momentum)`.

    With `keep_norm` each `w` is first brought to the length `sqrt(rows)`, so that every row's is 1
    on average. Before a norm the length of a filter does not matter but for how far a step turns
    it, which thus depends on `lr` alone. It is what Jordan (2024),
    https://arxiv.org/abs/2404.00498 has in his code.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.95,
        nesterov: bool = True,
        rounds: int = ROUNDS,
        keep_norm: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        settings = {
            "lr": lr, "momentum": momentum, "nesterov": nesterov, "rounds": rounds,
            "keep_norm": keep_norm, "weight_decay": weight_decay,
        }  # fmt: skip
        super().__init__(params, settings)
        shapes = [tuple(p.shape) for group in self.param_groups for p in group["params"]]
        assert all(len(shape) > 1 for shape in shapes), "a matrix has two axes"

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Change each parameter by its gradient."""
        assert closure is None, "the loop has the gradients ready"
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, group)

    def _step(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer = state["momentum_buffer"]
        buffer.mul_(group["momentum"]).add_(gradient)
        update = gradient.add(buffer, alpha=group["momentum"]) if group["nesterov"] else buffer
        matrix = update.flatten(1)
        scale = max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5
        if group["keep_norm"]:
            parameter.mul_(matrix.shape[0] ** 0.5 / (parameter.norm() + _TINY))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        step = orthogonal(matrix, group["rounds"]).reshape(parameter.shape)
        parameter.add_(step, alpha=-group["lr"] * scale)
