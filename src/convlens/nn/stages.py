"""Stages: the body of a network, in which each stage repeats one block.

Source: Radosavovic et al. (2020), https://arxiv.org/abs/2003.13678, section 3.1 (stem, body,
head; stages of blocks).
"""

from collections.abc import Callable, Sequence

from torch import nn

from convlens.nn.unit import named

BlockBuilder = Callable[[int, int, int], nn.Module]  # channels in, channels out, stride


def block_stages(
    block: BlockBuilder,
    in_channels: int,
    widths: Sequence[int],
    depths: Sequence[int],
    *,
    first_stride: int = 1,
) -> nn.Sequential:
    """`stage1`, `stage2`, ... of `block1`, `block2`, ...; a stage's first block may stride.

    The first stage strides by `first_stride`, the others by 2.

    >>> body = block_stages(lambda i, o, stride: nn.Conv2d(i, o, 3, stride), 8, [8, 16], [1, 2])
    >>> body.stage2.block1
    Conv2d(8, 16, kernel_size=(3, 3), stride=(2, 2))
    """
    body: dict[str, nn.Module] = {}
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
        blocks: dict[str, nn.Module] = {}
        for index in range(1, depth + 1):
            stride = 1 if index > 1 else first_stride if stage == 1 else 2
            blocks[f"block{index}"] = block(in_channels, width, stride)
            in_channels = width
        body[f"stage{stage}"] = named(**blocks)
    return named(**body)
