"""The book's values for sections 7.2 to 7.5, in every implementation that can compute them."""

import itertools
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from convlens.core.errors import ConfigError
from convlens.ops.catalog import IMPLEMENTATIONS
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.geometry import Geometry
from convlens.ops.gradient import cross_correlation2d_backward
from convlens.ops.plain import correlate, pool
from tests.strategies import whole

BOOK = Path(__file__).parent.parent / "golden" / "book.toml"
ROWS: list[dict[str, Any]] = tomllib.loads(BOOK.read_text(encoding="utf-8"))["row"]
FLOAT32_STEPS = 1e-5  # FFT: a few roundings of numbers up to 224
EDGE = torch.tensor([1.0, -1.0])


def edge_image(height: int = 6, width: int = 8, dark_from: int = 2, dark_to: int = 6) -> Tensor:
    x = torch.ones(height, width)
    x[:, dark_from:dark_to] = 0
    return x


def correlate_edge_image(kernel: Any, implementation: str, transpose: bool = False) -> Tensor:
    x = edge_image()
    return correlate(x.T if transpose else x, kernel, implementation=implementation)


def learn_edge_kernel(start: list[float], lr: float, steps: int, implementation: str) -> Tensor:
    """Gradient descent on the sum of squared errors; every second loss, then the kernel."""
    x = edge_image()[None, None]
    target = cross_correlation2d(x, EDGE.reshape(1, 1, 1, 2))
    kernel = torch.tensor(start).reshape(1, 1, 1, 2)
    losses: list[Tensor] = []
    for _ in range(steps):
        kernel = kernel.detach().requires_grad_()
        error = cross_correlation2d(x, kernel, implementation=implementation) - target
        loss = error.square().sum()
        (slope,) = torch.autograd.grad(loss, kernel)
        by_hand = cross_correlation2d_backward(2 * error, x, kernel).kernel
        assert torch.allclose(slope, by_hand, atol=1e-4)
        kernel = kernel - lr * slope
        losses.append(loss.detach())
    return torch.cat([torch.stack(losses[1::2]), kernel.detach().flatten()])


def output_size(size: list[int], implementation: str, **settings: Any) -> Tensor:
    geometry = Geometry.of(settings.pop("kernel_size"), **settings)
    x, kernel = torch.ones(size), torch.ones(geometry.kernel_size)
    y = correlate(x, kernel, implementation=implementation, **settings)
    assert geometry.output_size(*size) == tuple(y.shape)
    return torch.tensor(y.shape)


def stacked_kernel_shape(kernel: Any, more: list[int]) -> Tensor:
    return torch.tensor(torch.stack([torch.tensor(kernel) + number for number in more]).shape)


def matrix_product_shape(
    channels: int, out_channels: int, size: int, implementation: str
) -> Tensor:
    x, kernel = whole(channels, size, size), whole(out_channels, channels, 1, 1, seed=1)
    y = correlate(x, kernel, implementation=implementation)
    product = (kernel.flatten(1) @ x.flatten(1)).unflatten(1, (size, size))
    assert torch.allclose(y, product, atol=1e-12, rtol=0)
    return torch.tensor(y.shape)


def pooled(x: Any, kernel_size: Any, implementation: str, **settings: Any) -> Tensor:
    return pool(x, kernel_size, implementation=implementation, **settings)


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "correlate": correlate,
    "correlate_edge_image": correlate_edge_image,
    "edge_image": edge_image,
    "learn_edge_kernel": learn_edge_kernel,
    "matrix_product_shape": matrix_product_shape,
    "output_size": output_size,
    "pool": pooled,
    "stacked_kernel_shape": stacked_kernel_shape,
}
NO_CHOICE = ("edge_image", "stacked_kernel_shape")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['section']} {row['expression']}")
def test_the_value_is_the_books(row: dict[str, Any]) -> None:
    run, expected = OPERATIONS[row["operation"]], torch.tensor(row["expected"])
    names = ["native"] if row["operation"] in NO_CHOICE else list(IMPLEMENTATIONS)
    able: list[str] = []
    for name in names:
        choice = {} if row["operation"] in NO_CHOICE else {"implementation": name}
        try:
            y = run(**row["inputs"], **choice)
        except ConfigError:  # it cannot do this geometry, or has no pooling, and said so
            continue
        able.append(name)
        assert y.shape == expected.shape, name
        tolerance = row.get("tolerance", FLOAT32_STEPS if name == "fft" else 0)
        assert (abs(y - expected) <= tolerance).all(), name
    assert "native" in able
    assert "reference" in able or row["operation"] in NO_CHOICE


@pytest.mark.parametrize("corner", list(itertools.product([-1, 1], repeat=2)))
def test_any_start_that_torch_may_draw_learns_the_edge(corner: tuple[int, int]) -> None:
    """The error shrinks linearly, so the corners of the box of starts are the worst."""
    start = [sign / 2**0.5 for sign in corner]
    *losses, a, b = learn_edge_kernel(start, 0.03, 10, "native").tolist()
    assert max(abs(a - 1), abs(b + 1)) <= 0.096
    assert losses[-1] < 0.56


@pytest.mark.parametrize("section", ["7.2", "7.3", "7.4", "7.5"])
def test_every_section_has_its_rows(section: str) -> None:
    assert any(row["section"] == section for row in ROWS)
