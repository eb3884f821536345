"""Equal bits, and blocks on a diagonal."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from jaxtyping import Float
from torch import Tensor, nn

from convlens.course.studies.channels import (
    BlockDiagonal,
    Image,
    Kernel,
    blocks,
    by_product,
    by_sums,
    compare,
    order,
)
from convlens.course.study import Setup


class Dense(nn.Module):
    """All weights, however many blocks are asked for."""

    def __init__(self, size: int, num_blocks: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_blocks, size // num_blocks, size // num_blocks))
        self.full = nn.Parameter(torch.ones(size, size))

    def forward(self, x: Float[Tensor, "c columns"]) -> Float[Tensor, "c columns"]:
        return self.full @ x


class Mixing(BlockDiagonal):  # type: ignore[misc]  # final for users; here it is broken on purpose
    """Blocks that are put in the wrong order: as cheap, and wrong."""

    def forward(self, x: Float[Tensor, "c columns"]) -> Float[Tensor, "c columns"]:
        return super().forward(x).flip(0)


def half_bits(x: Image, kernel: Kernel) -> Float[Tensor, "o h w"]:
    return by_product(x.bfloat16(), kernel.bfloat16()).float()


def wrong_values(finding: object) -> list[str]:
    claims = getattr(finding, "claims")  # noqa: B009 - of either experiment
    return [claim.text for claim in claims if not claim.as_expected]


def test_both_ways_are_a_1x1_convolution() -> None:
    x, kernel = torch.randn(5, 4, 3), torch.randn(2, 5, 1, 1)
    wanted = F.conv2d(x[None], kernel)[0]
    for way in (by_product, by_sums):
        assert torch.allclose(way(x, kernel), wanted, atol=1e-5)


def test_one_channel_has_no_sum_whose_order_could_matter() -> None:
    finding = order(Setup(), many=(1, 2, 3))
    assert finding.numbers["equal with 1 channels in"] == 100
    assert "so their bits are always the same" in wrong_values(finding)


def test_the_same_way_twice_agrees_in_every_bit() -> None:
    same = compare(by_sums, by_sums, (8, 2, 3), 5)
    assert (same.equal_cases, same.equal_numbers, same.greatest_sum, same.rounding) == (5, 1, 0, 0)


def test_fewer_bits_than_float32_has_are_more_than_rounding_explains() -> None:
    finding = order(Setup(), product=half_bits)
    assert "they differ by no more than sums in another order do" in wrong_values(finding)


@pytest.mark.parametrize("count", [2, 4, 8, 16, 32])
def test_blocks_cost_exactly_one_part(count: int) -> None:
    finding = blocks(Setup(), size=64)
    assert finding.numbers[f"MACs saved by {count} blocks, times"] == count
    assert finding.numbers["MACs, dense"] == 64**3
    assert finding.verdict == "wrong"


def test_dense_weights_in_place_of_blocks_are_found_out() -> None:
    assert "b blocks save a factor of b" in wrong_values(blocks(Setup(), product=Dense, size=64))


def test_cheap_blocks_that_give_something_else_are_found_out() -> None:
    finding = blocks(Setup(), product=Mixing, size=64)
    assert wrong_values(finding) == ["the blocks give what the whole matrix gives"]


def test_one_block_is_the_whole_matrix() -> None:
    layer, x = BlockDiagonal(6, 1), torch.randn(6, 2)
    assert torch.allclose(layer(x), layer.weight[0] @ x)
