"""A world of several processes, over `torch.distributed`.

`torchrun` starts them and tells each its place in the environment; `joined` takes part. Numbers
on a CPU go by gloo, those on a CUDA GPU by NCCL.

Source: https://docs.pytorch.org/docs/stable/elastic/run.html, of the environment.
"""

import gc
import os
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, final

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from convlens.core.errors import ConvLensError
from convlens.train.parallel.world import ALONE, World

T = TypeVar("T")
# Seconds. A moment after an exchange gloo's thread lets go of its tensors, and wants Python's lock
# for that. If the group is freed just then, by us who have the lock, both wait for ever: seen with
# torch 2.13. While we sleep the lock is free.
_UNTIL_FREE = 0.2


@final
class Processes(World):
    """The processes that `torchrun` has started, once they have met."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.local_rank = int(environment["LOCAL_RANK"])
        self.launch = launch_name(environment)
        restarts = torch.tensor(_restarts(environment))
        dist.all_reduce(restarts, op=dist.ReduceOp.MAX)  # machines count each for itself
        self.restarts = int(restarts)
        self.shared: ConvLensError | None = None  # the last one that was raised in all of them

    def sum(self, tensor: Tensor) -> Tensor:
        """`tensor`, which from now on holds the sum over all processes."""
        dist.all_reduce(tensor)
        return tensor

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Each process's `tensor`, all of one shape, by rank."""
        gathered = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(gathered, tensor)
        return gathered

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag whether it is set in any of the processes."""
        found = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(found, op=dist.ReduceOp.MAX)
        return tuple(bool(flag) for flag in found.tolist())

    def first(self, work: Callable[[], T]) -> T:
        """What `work` gives in process 0; see `World`."""
        told: list[Any] = [_outcome(work) if self.rank == 0 else None]
        dist.broadcast_object_list(told, src=0, device=torch.device("cpu"))
        return self._result(told[0])

    def everywhere(self, work: Callable[[], T]) -> T:
        """What `work` gives here; see `World`."""
        result, error = _outcome(work)
        for rank, length in enumerate(self._lengths(error)):
            if length:  # the one of the lowest rank
                told: list[Any] = [error]
                dist.broadcast_object_list(told, src=rank, device=torch.device("cpu"))
                return self._result((None, told[0]))
        return result

    def about(self) -> dict[str, Any]:
        """How many there are, what they talk by, and which launch of `torchrun` it is."""
        backend = "nccl" if dist.get_backend() == "nccl" else "gloo"
        return {"processes": self.size, "backend": backend, "launch": self.launch}

    def _lengths(self, error: ConvLensError | None) -> list[int]:
        flag = torch.tensor([int(error is not None)])
        return torch.cat(self.gather(flag)).tolist()

    def _result(self, outcome: tuple[Any, ConvLensError | None]) -> Any:
        result, error = outcome
        if error is not None:
            self.shared = error
            raise error from None
        return result


def launch_name(environment: Mapping[str, str]) -> str:
    """What is the same in all processes that one start of `torchrun` starts, and no other does.

    >>> launch_name({"TORCHELASTIC_RUN_ID": "f3a9"})
    'f3a9'
    """
    name = environment.get("TORCHELASTIC_RUN_ID", "none")
    return f"torchrun-{os.getppid()}" if name == "none" else name


@contextmanager
def joined(environment: Mapping[str, str] = os.environ) -> Generator[World]:
    """Inside, the processes that `torchrun` has started have met; `ALONE` if it is one."""
    if int(environment["WORLD_SIZE"]) == 1:
        yield ALONE
        return
    gpus = torch.cuda.is_available()
    store, rank, size = next(rendezvous("env://"))
    if environment.get("LOCAL_WORLD_SIZE") == environment["WORLD_SIZE"]:
        # After a restart the agent's store still has the addresses of the processes before. On
        # several machines they count their restarts each for itself, so there they cannot say.
        store = PrefixStore(f"start-{_restarts(environment)}", store)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if gpus else "gloo", store=store, rank=rank, world_size=size
    )
    try:
        yield Processes(environment)
    finally:
        gc.collect()  # replicas hold the group, too
        time.sleep(_UNTIL_FREE)
        dist.destroy_process_group()


def _restarts(environment: Mapping[str, str]) -> int:
    return int(environment.get("TORCHELASTIC_RESTART_COUNT", "0"))


def _outcome(work: Callable[[], T]) -> tuple[Any, ConvLensError | None]:
    try:
        return work(), None
    except ConvLensError as error:
        return None, error
