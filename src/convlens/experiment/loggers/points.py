"""The curves of a training: each event as named numbers at a step of the whole training.

train/loss, train/lr                       every `log_every` steps
validation/loss, validation/accuracy       at each epoch's last step
epoch/loss, epoch/seconds, epoch/images_per_second   the same
test/loss, test/accuracy                   at the last step of all
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final, get_args

from convlens.runs.record import Record
from convlens.train.events import EpochFinished, Evaluated, Event, FitStarted, StepsFinished

NAMES = (
    "train/loss", "train/lr", "validation/loss", "validation/accuracy", "epoch/loss",
    "epoch/seconds", "epoch/images_per_second", "test/loss", "test/accuracy",
)  # fmt: skip
_KINDS: Mapping[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A number of a training at one of its steps."""

    name: str  # one of NAMES
    step: int  # of the whole training, from 1
    epoch: int  # from 1
    value: float


@final
class Curves:
    """Makes points of events, which come in their order."""

    def __init__(self) -> None:
        self._steps_per_epoch = 0
        self._step, self._epoch = 0, 0

    def of(self, event: Event) -> list[Point]:
        """The points that `event` tells, none if it tells no number."""
        match event:
            case FitStarted():
                self._steps_per_epoch = event.steps_per_epoch
                return []
            case StepsFinished():
                self._epoch = event.epoch
                self._step = (event.epoch - 1) * self._steps_per_epoch + event.step
                return self._points("train", event, "loss", "lr")
            case Evaluated():
                return self._points("validation", event, "loss", "accuracy")
            case EpochFinished():
                return self._points("epoch", event, "loss", "seconds", "images_per_second")
            case _:
                return []

    def of_records(self, records: Iterable[Record]) -> list[Point]:
        """The points of events that were written down."""
        return [point for record in records for point in self.of(_event(record))]

    def of_test(self, test: Mapping[str, Any] | None) -> list[Point]:
        """The points of a summary's test, none if there was none."""
        if test is None:
            return []
        return [self._point(f"test/{key}", test[key]) for key in ("loss", "accuracy")]

    def _points(self, group: str, event: Event, *keys: str) -> list[Point]:
        return [self._point(f"{group}/{key}", getattr(event, key)) for key in keys]

    def _point(self, name: str, value: float) -> Point:
        return Point(name=name, step=self._step, epoch=self._epoch, value=value)


def _event(record: Record) -> Event:
    return _KINDS[record["event"]](**{k: v for k, v in record.items() if k != "event"})
