"""The processes that train together, as one of them sees them.

Each has a `rank`, from 0 to `size - 1`. Most trainings are `ALONE`: then nothing here does
anything. What several processes do is in `train/parallel/processes.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeVar, final

from torch import Tensor

T = TypeVar("T")


class World(ABC):
    """All processes of a training; each of these methods is called by all of them alike."""

    rank: int  # this process's
    size: int  # processes
    local_rank: int  # this process's, on its machine
    launch: str  # the name of the start of all of them
    restarts: int  # times that they have been started again

    @property
    def alone(self) -> bool:
        """There is no other process."""
        return self.size == 1

    @abstractmethod
    def sum(self, tensor: Tensor) -> Tensor:
        """`tensor`, which from now on holds the sum over all processes."""

    @abstractmethod
    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Each process's `tensor`, all of one shape, by rank."""

    @abstractmethod
    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag whether it is set in any of the processes."""

    @abstractmethod
    def first(self, work: Callable[[], T]) -> T:
        """What `work` gives in process 0, which alone does it.

        Raises:
            ConvLensError: in process 0 it did; then it is raised in all.
        """

    @abstractmethod
    def everywhere(self, work: Callable[[], T]) -> T:
        """What `work` gives here; each process does it.

        Raises:
            ConvLensError: in some process it did; then that of the lowest rank is raised in all.
        """

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """What a run's provenance should say of the processes; {} of one."""

    @contextmanager
    def first_holds(self, context: AbstractContextManager[object]) -> Generator[None]:
        """Inside, process 0 is inside `context`."""
        with ExitStack() as stack:

            def enter() -> None:
                stack.enter_context(context)

            self.first(enter)
            yield


@final
class Alone(World):
    """A world of one process."""

    rank, size, local_rank, launch, restarts = 0, 1, 0, "", 0

    def sum(self, tensor: Tensor) -> Tensor:
        """The very same tensor."""
        return tensor

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The tensor alone."""
        return [tensor]

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """The flags."""
        return flags

    def first(self, work: Callable[[], T]) -> T:
        """What `work` gives."""
        return work()

    def everywhere(self, work: Callable[[], T]) -> T:
        """What `work` gives."""
        return work()

    def about(self) -> dict[str, Any]:
        """Nothing."""
        return {}


ALONE = Alone()
