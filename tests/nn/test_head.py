"""A linear head is the mean of each channel, then a linear layer."""

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import nn

from convlens.nn.head import linear_head
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
