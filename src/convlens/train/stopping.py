"""When a training ends before its last epoch: no progress, or no time left.

The learning rate is not told. Its schedule is that of all epochs, so a training that is cut short
is the beginning, bit for bit, of the one that is not, wherever the clock cuts it.
"""

from collections.abc import Mapping
from typing import final


@final
class Stopping:
    """Watches a training; 0 means no limit."""

    def __init__(self, *, patience: int = 0, seconds: float = 0.0) -> None:
        self.patience = patience  # epochs without a better accuracy
        self.seconds = seconds  # of training, without validation
        self._best = -1.0
        self._epochs_since = 0
        self._trained = 0.0  # seconds, in the epochs that are over

    def after_step(self, epoch_seconds: float) -> bool:
        """Whether the time is over, after so long a time of training in this epoch."""
        return bool(self.seconds) and self._trained + epoch_seconds >= self.seconds

    def after_epoch(self, accuracy: float | None, epoch_seconds: float) -> str:
        """Why the training ends here, in words, or "" if it does not.

        `accuracy` is that of the validation, `epoch_seconds` the time of training in the epoch.
        """
        self._trained += epoch_seconds
        if accuracy is not None:
            better = accuracy > self._best
            self._best = max(accuracy, self._best)
            self._epochs_since = 0 if better else self._epochs_since + 1
        if self.seconds and self._trained >= self.seconds:
            return f"{self.seconds:g} seconds of training are over"
        if self.patience and self._epochs_since >= self.patience:
            epochs = "an epoch" if self._epochs_since == 1 else f"{self._epochs_since} epochs"
            return f"{epochs} without a better validation accuracy"
        return ""

    def state_dict(self) -> dict[str, float]:
        """What it remembers, in plain numbers."""
        return {
            "best": self._best, "epochs_since": self._epochs_since, "trained": self._trained,
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """What `state_dict` gave."""
        self._best, self._trained = state["best"], state["trained"]
        self._epochs_since = int(state["epochs_since"])
