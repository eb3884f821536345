"""A linear head is the mean of each channel, then a linear layer."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import nn

from convlens.nn.head import hidden_head, linear_head
from tests.strategies import normal


def test_the_head_is_its_formula_whatever_the_size() -> None:
    head = linear_head(3, 5).double()
    weight, bias = head.parameters()
    for size in (1, 2, 7):
        x = normal(2, 3, size, size + 1)
        torch.testing.assert_close(head(x), F.linear(x.mean((2, 3)), weight, bias))


def test_dropout_is_there_only_when_asked() -> None:
    assert not any(isinstance(part, nn.Dropout) for part in linear_head(3, 5))
    dropped = linear_head(3, 5, dropout=0.5)
    assert [part.p for part in dropped if isinstance(part, nn.Dropout)] == [0.5]


@pytest.mark.parametrize("pool_size", [0, 2])
@pytest.mark.parametrize("after", [False, True])
def test_a_hidden_head_is_its_formula(pool_size: int, after: bool) -> None:
    head = hidden_head(
        3, 4, 5, hidden=6, dropout=0.5, pool_size=pool_size, dropout_after=after
    ).double()
    w1, b1, w2, b2, w3, b3 = head.parameters()
    x = normal(2, 3, 4, 4)
    y = (F.adaptive_avg_pool2d(x, pool_size) if pool_size else x).flatten(1)
    y = F.relu(F.linear(F.relu(F.linear(y, w1, b1)), w2, b2))
    torch.testing.assert_close(head.eval()(x), F.linear(y, w3, b3))
    names = [name for name, _ in head.named_children()]
    assert (names.index("dropout1") > names.index("relu1")) is after
    assert (names.index("dropout2") > names.index("relu2")) is after
