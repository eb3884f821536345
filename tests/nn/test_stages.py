"""Stages repeat a block; only the first of a stage strides or widens."""

from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convlens.nn.stages import block_stages

stages = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 4)), min_size=1, max_size=5)


@given(stages, st.integers(1, 9), st.sampled_from([1, 2]))
def test_blocks_are_asked_for_in_order_and_fit_each_other(
    stages: list[tuple[int, int]], in_channels: int, first_stride: int
) -> None:
    asked: list[tuple[int, int, int]] = []

    def block(in_channels: int, out_channels: int, stride: int) -> nn.Module:
        asked.append((in_channels, out_channels, stride))
        return nn.Identity()

    widths, depths = [width for width, _ in stages], [depth for _, depth in stages]
    body = block_stages(block, in_channels, widths, depths, first_stride=first_stride)
    assert [name for name, _ in body.named_children()] == [
        f"stage{index}" for index in range(1, len(stages) + 1)
    ]
    assert [len(list(stage.children())) for stage in body] == depths
    for before, after in zip([(0, in_channels, 0), *asked], asked, strict=False):
        assert before[1] == after[0]
    strides = [stride for _, _, stride in asked]
    assert strides[0] == first_stride
    firsts = {sum(depths[:index]) for index in range(1, len(depths))}
    striding = {index for index, stride in enumerate(strides) if index and stride == 2}
    assert striding == firsts
