"""The short names are torch's functions and methods."""

import pytest
import torch

from convlens import d2l
from convlens.d2l import aliases

NAMES = [
    "ones_like", "ones", "zeros_like", "zeros", "tensor", "arange", "meshgrid", "sin",
    "sinh", "cos", "cosh", "tanh", "linspace", "exp", "log", "normal", "rand", "randn",
    "matmul", "int32", "int64", "float32", "stack", "abs", "eye", "sigmoid",
]  # fmt: skip
SAME = {name: name for name in NAMES} | {"concat": "cat", "batch_matmul": "bmm"}


@pytest.mark.parametrize("name", SAME)
def test_a_name_is_torchs_object(name: str) -> None:
    assert getattr(aliases, name) is getattr(torch, SAME[name])


def test_methods_as_functions_are_the_methods() -> None:
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    assert d2l.nn_Module is torch.nn.Module
    assert d2l.numpy(x).tolist() == x.tolist()
    assert d2l.size(x) == 6
    for found, expected in (
        (d2l.reshape(x, (3, 2)), x.reshape(3, 2)),
        (d2l.reshape(x, -1), x.reshape(-1)),
        (d2l.to(x, torch.float64), x.double()),
        (d2l.astype(x, torch.int64), x.long()),
        (d2l.transpose(x), x.t()),
        (d2l.reduce_sum(x, 0, keepdims=True), x.sum(0, keepdim=True)),
        (d2l.reduce_mean(x), x.mean()),
        (d2l.argmax(x, axis=1), x.argmax(1)),
        (d2l.expand_dims(x, 1), x.unsqueeze(1)),
        (d2l.swapaxes(x, 0, 1), x.swapaxes(0, 1)),
        (d2l.repeat(x, 2, 1), x.repeat(2, 1)),
    ):
        assert torch.equal(found, expected)
