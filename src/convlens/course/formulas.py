"""Formulas: those that the notebook wrote down for 7.1, as they should be, each checked by numbers.

A formula is computed as it stands, index by index, and again in another way that must give the
same. The numbers are small and whole, so the two agree exactly or not at all.

Source: d2l 7.1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from convlens.core.seed import reproducible
from convlens.ops.correlation import cross_correlation2d

SIDE, REACH = 5, 1  # of the image; of the window to each side, Delta


@dataclass(frozen=True, kw_only=True, slots=True)
class Formula:
    """One formula of the section."""

    what: str
    formula: str  # as text
    slip: str  # what the notebook wrote instead; "" if nothing
    check: str  # what is compared with what
    compute: Callable[[], tuple[Tensor, Tensor]]  # both sides, of numbers drawn by chance

    def holds(self, seed: int = 0) -> bool:
        """Whether both sides are equal, in every bit."""
        with reproducible(seed):
            one, other = self.compute()
        return torch.equal(one, other)


def _whole(*shape: int) -> Tensor:
    return torch.randint(-9, 10, shape).double()


def _inside(*positions: int) -> bool:
    return all(0 <= position < SIDE for position in positions)


def _window() -> list[tuple[int, int]]:
    reach = range(-REACH, REACH + 1)
    return list(product(reach, reach))


def dense() -> tuple[Tensor, Tensor]:
    """A dense layer on an image, its weights numbered by pixel or by distance."""
    x, weights = _whole(SIDE, SIDE), _whole(SIDE, SIDE, SIDE, SIDE)
    by_distance = torch.zeros(SIDE, SIDE).double()
    far = range(-SIDE, SIDE)
    for i, j in product(range(SIDE), repeat=2):
        for a, b in product(far, far):
            if _inside(i + a, j + b):
                by_distance[i, j] += weights[i, j, i + a, j + b] * x[i + a, j + b]
    return by_distance, torch.einsum("ijkl,kl->ij", weights, x)


def invariant() -> tuple[Tensor, Tensor]:
    """The same weights everywhere: what a shifted image gives is shifted."""
    kernel = _whole(2 * REACH + 1, 2 * REACH + 1)
    x = torch.zeros(SIDE + 8, SIDE + 8).double()
    x[4:-4, 4:-4] = _whole(SIDE, SIDE)
    shifted = x.roll((1, 2), (0, 1))
    return _correlate(shifted, kernel), _correlate(x, kernel).roll((1, 2), (0, 1))


def local() -> tuple[Tensor, Tensor]:
    """A sum over the window, and a cross-correlation."""
    x, kernel = _whole(SIDE, SIDE), _whole(2 * REACH + 1, 2 * REACH + 1)
    bias = _whole(1)
    by_sum = bias.expand(SIDE, SIDE).clone()
    for i, j in product(range(SIDE), repeat=2):
        for a, b in _window():
            if _inside(i + a, j + b):
                by_sum[i, j] += kernel[a + REACH, b + REACH] * x[i + a, j + b]
    return by_sum, bias + _correlate(x, kernel)


def convolution() -> tuple[Tensor, Tensor]:
    """`f * g` and `g * f` of two sequences."""
    f, g = _whole(4), _whole(SIDE)
    return _convolve(f, g), _convolve(g, f)


def plane() -> tuple[Tensor, Tensor]:
    """`f * g` in the plane, and a cross-correlation with f turned by half a turn."""
    f, g = _whole(2, 3), _whole(SIDE, SIDE)
    by_sum = torch.zeros(SIDE + 1, SIDE + 2).double()
    for i, j in product(range(SIDE + 1), range(SIDE + 2)):
        for a, b in product(range(2), range(3)):
            if _inside(i - a, j - b):
                by_sum[i, j] += f[a, b] * g[i - a, j - b]
    by_correlation = cross_correlation2d(g[None, None], f.flip(0, 1)[None, None], padding=(1, 2))
    return by_sum, by_correlation[0, 0]


def channels() -> tuple[Tensor, Tensor]:
    """The sum with channels, and a cross-correlation of several channels."""
    x, kernel = _whole(2, SIDE, SIDE), _whole(3, 2, 2 * REACH + 1, 2 * REACH + 1)
    by_sum = torch.zeros(3, SIDE, SIDE).double()
    for d, i, j in product(range(3), range(SIDE), range(SIDE)):
        for (a, b), c in product(_window(), range(2)):
            if _inside(i + a, j + b):
                by_sum[d, i, j] += kernel[d, c, a + REACH, b + REACH] * x[c, i + a, j + b]
    return by_sum, cross_correlation2d(x[None], kernel, padding=REACH)[0]


def _correlate(x: Tensor, kernel: Tensor) -> Tensor:
    return cross_correlation2d(x[None, None], kernel[None, None], padding=REACH)[0, 0]


def _convolve(f: Tensor, g: Tensor) -> Tensor:
    result = torch.zeros(len(f) + len(g) - 1).double()
    for i, a in product(range(len(result)), range(len(f))):
        if 0 <= i - a < len(g):
            result[i] += f[a] * g[i - a]
    return result


FORMULAS = (
    Formula(
        what="a dense layer on an image",
        formula="H[i,j] = U[i,j] + Σ_k Σ_l W[i,j,k,l] X[k,l] = U[i,j] + Σ_a Σ_b V[i,j,a,b] "
        "X[i+a,j+b]",
        slip="sums over a and l, where it is a and b",
        check="V[i,j,a,b] = W[i,j,i+a,j+b] gives the same",
        compute=dense,
    ),
    Formula(
        what="translation invariance",
        formula="H[i,j] = u + Σ_a Σ_b V[a,b] X[i+a,j+b]",
        slip="sums over a and l again",
        check="a shifted image gives the shifted result",
        compute=invariant,
    ),
    Formula(
        what="locality",
        formula="H[i,j] = u + Σ_{a=-Δ..Δ} Σ_{b=-Δ..Δ} V[a,b] X[i+a,j+b]",
        slip="",
        check="equals a cross-correlation with padding Δ",
        compute=local,
    ),
    Formula(
        what="convolution of sequences",
        formula="(f * g)(i) = Σ_a f(a) g(i-a)",
        slip="an integral inside the sum, and f(a,b)",
        check="f * g = g * f",
        compute=convolution,
    ),
    Formula(
        what="convolution in the plane",
        formula="(f * g)(i,j) = Σ_a Σ_b f(a,b) g(i-a,j-b)",
        slip="",
        check="equals a cross-correlation with f turned by half a turn",
        compute=plane,
    ),
    Formula(
        what="channels",
        formula="H[i,j,d] = Σ_{a=-Δ..Δ} Σ_{b=-Δ..Δ} Σ_c V[a,b,c,d] X[i+a,j+b,c]",
        slip="",
        check="equals a cross-correlation of two channels into three",
        compute=channels,
    ),
)
