"""Events tell what happened and cannot be changed; their drawing names them all."""

from dataclasses import FrozenInstanceError, fields
from typing import get_args

import pytest

from convlens.runs.record import without_times
from convlens.train import events
from convlens.train.events import EpochStarted, Event

KINDS: tuple[type, ...] = get_args(Event)


def test_every_event_is_drawn_in_the_docstring() -> None:
    defined = {
        name
        for name, kind in vars(events).items()
        if isinstance(kind, type) and kind.__module__ == events.__name__
    }
    assert defined == {kind.__name__ for kind in KINDS}
    assert events.__doc__ is not None
    assert all(name in events.__doc__ for name in defined)


def test_a_listener_cannot_change_an_event() -> None:
    event = EpochStarted(epoch=1)
    with pytest.raises(FrozenInstanceError):
        event.epoch = 2  # type: ignore[misc]


@pytest.mark.parametrize("kind", KINDS)
def test_records_know_an_events_times_by_the_names_of_its_fields(kind: type) -> None:
    """What is not a time is the same for the same seed, so the names must tell them apart."""
    not_times = {field.name for field in fields(kind)} & {
        key
        for record in without_times([{field.name: 0 for field in fields(kind)}])
        for key in record
    }
    assert not_times <= {
        "epoch", "step", "loss", "lr", "accuracy", "num_images", "best",
        "num_epochs", "steps_per_epoch", "device", "reason",
        "notes", "channels_last", "precision",
    }  # fmt: skip
