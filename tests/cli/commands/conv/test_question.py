"""What the options mean."""

from pathlib import Path

import pytest
import torch

from convlens.cli.commands.conv.question import for_channels, numbers, place, read_kernel
from convlens.core.errors import ConfigError, ShapeError
from convlens.ops.kernels import kernel


def test_a_kernel_is_numbers_or_a_name_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("1,-1\n")
    assert read_kernel("1 -1").tolist() == [[1, -1]]
    assert read_kernel(str(tmp_path / "mine.csv")).tolist() == [[1, -1]]
    assert torch.equal(read_kernel("gaussian:3,0.5"), kernel("gaussian:3,0.5").double())


@pytest.mark.parametrize(
    ("given", "channels", "groups", "shape"),
    [
        ((2, 3), 1, 1, (1, 1, 2, 3)),
        ((2, 3), 3, 1, (1, 3, 2, 3)),  # the same for each channel, all summed
        ((2, 3), 3, 3, (3, 1, 2, 3)),  # the same for each channel, each its own
        ((3, 2, 3), 3, 1, (1, 3, 2, 3)),
        ((6, 2, 3), 3, 3, (6, 1, 2, 3)),
        ((6, 3, 2, 3), 3, 1, (6, 3, 2, 3)),
    ],
)
def test_a_kernel_gets_the_channels_it_needs(
    given: tuple[int, ...], channels: int, groups: int, shape: tuple[int, ...]
) -> None:
    assert tuple(for_channels(torch.ones(given), channels, groups).shape) == shape


def test_a_kernel_of_other_ranks_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"give \(kh, kw\)"):
        for_channels(torch.ones(3), 1, 1)


def test_places_and_pairs() -> None:
    assert place("2,1", "--at", 3) == (0, 2, 1)
    assert place("3,2,1", "--at", 3) == (3, 2, 1)
    assert place("2,1", "--entry", 4) == (0, 0, 2, 1)
    assert numbers("3", "--stride") == (3, 3)
    for wrong in ("1", "1,2,3,4", "a,b", "1.5,2"):
        with pytest.raises(ConfigError, match="--at"):
            place(wrong, "--at", 3)
