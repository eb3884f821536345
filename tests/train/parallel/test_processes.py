"""What processes tell each other; those of several are in `tests/processes/test_parallel.py`."""

from collections.abc import Generator

import pytest
import torch
import torch.distributed as dist
from torch.distributed import HashStore  # pyright: ignore[reportPrivateImportUsage]

from convlens.core.errors import DataError
from convlens.train.parallel.processes import Processes, joined, launch_name
from convlens.train.parallel.world import ALONE


@pytest.fixture
def world() -> Generator[Processes]:
    """A process group of this process only."""
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield Processes({"LOCAL_RANK": "0", "TORCHELASTIC_RUN_ID": "x"})
    dist.destroy_process_group()


def test_one_process_under_torchrun_is_alone() -> None:
    with joined({"WORLD_SIZE": "1", "RANK": "0"}) as world:
        assert world is ALONE


def test_numbers_and_flags_come_back(world: Processes) -> None:
    tensor = torch.arange(3.0)
    assert torch.equal(world.sum(tensor.clone()), tensor)
    assert [each.tolist() for each in world.gather(tensor)] == [[0.0, 1.0, 2.0]]
    assert world.any(True, False) == (True, False)
    assert world.about() == {"processes": 1, "backend": "gloo", "launch": "x"}


def test_an_error_for_the_user_is_shared_with_its_fix(world: Processes) -> None:
    def fail() -> None:
        raise DataError("no images", fix="bring some")

    for share in (world.first, world.everywhere):
        with pytest.raises(DataError, match="no images") as caught:
            share(fail)
        assert caught.value is world.shared
        assert caught.value.fix == "bring some"
    assert world.first(lambda: "a") == world.everywhere(lambda: "a") == "a"


def test_a_launch_without_a_name_has_one_by_its_agent() -> None:
    assert launch_name({"TORCHELASTIC_RUN_ID": "none"}) == launch_name({}) != "none"
