"""Where a training stands between two steps, in plain numbers.

With the weights, the optimiser and chance as they are then (`train/state.py`), this is all that
the loop needs to go on as if it had never stopped.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """After `step` steps of an epoch; the default is before the first step of all."""

    epoch: int = 1  # from 1; after the last epoch one more
    step: int = 0  # steps of this epoch that are finished
    losses: tuple[float, ...] = ()  # of the last steps, which have not been told yet
    sizes: tuple[int, ...] = ()  # images of each of these steps
    told_loss: float = 0.0  # summed over the images of the epoch's steps that have been told
    told_images: int = 0
    epoch_seconds: float = 0.0  # training alone, in this epoch
    train_seconds: float = 0.0  # training alone, in the epochs before
    seconds: float = 0.0  # all in all

    def to_table(self) -> dict[str, Any]:
        """Itself as JSON says it; `from_table` gives it back."""
        return asdict(self)

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> "Position":
        """The position of this table.

        >>> position = Position(epoch=2, step=3, losses=(0.1,), sizes=(128,))
        >>> Position.from_table(position.to_table()) == position
        True
        """
        fields: dict[str, Any] = {**table}
        fields |= {key: tuple(table[key]) for key in ("losses", "sizes")}
        return cls(**fields)


def told(epoch: int, step: int) -> str:
    """Where that is, in words.

    >>> told(1, 0), told(3, 0), told(3, 7)
    ('at the start', 'after epoch 2', 'after step 7 of epoch 3')
    """
    if step:
        return f"after step {step} of epoch {epoch}"
    return f"after epoch {epoch - 1}" if epoch > 1 else "at the start"


START = Position()
Keep = Callable[[int, Callable[[], Position]], None]
# Called by the loop after each step with the epoch's steps so far, and with 0 when an epoch is
# over, validation too. It may ask for the position, which fetches losses from the device, and
# write it down; what it raises ends the training.
