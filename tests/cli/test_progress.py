"""A training as it is shown while it runs."""

import io
import json
import sys

import pytest

from convlens.cli.progress import PlainLines, json_line, live_line, notes, progress
from convlens.train.events import (
    Compiled,
    EpochFinished,
    EpochStarted,
    Evaluated,
    Event,
    FitFinished,
    FitStarted,
    Resumed,
    Settled,
    StepsFinished,
)

EVENTS: list[Event] = [
    FitStarted(num_epochs=10, steps_per_epoch=4, num_images=500, device="cpu"),
    EpochStarted(epoch=1),
    StepsFinished(epoch=1, step=4, loss=2.0, lr=0.1),
    Evaluated(epoch=1, loss=1.5, accuracy=0.5, num_images=100, seconds=0.1),
    EpochFinished(epoch=1, loss=2.0, seconds=2.0, images_per_second=250.0),
    FitFinished(num_epochs=1, seconds=2.2, train_seconds=2.0),
]


def test_an_epoch_is_one_plain_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    listener = PlainLines()
    for event in EVENTS:
        listener(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "training on 500 images, 10 epochs of 4 steps, on cpu",
        "epoch  1/10  train loss 2.0000  validation loss 1.5000  accuracy 50.00 %  2.0 s  "
        "250 images/s",
    ]


def test_without_validation_a_line_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    listener = PlainLines()
    for event in EVENTS:
        if not isinstance(event, Evaluated):
            listener(event)
    assert capsys.readouterr().err.splitlines()[1:] == [
        "epoch  1/10  train loss 2.0000  2.0 s  250 images/s"
    ]


def test_json_progress_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    for event in EVENTS:
        json_line(event)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == [type(event).__name__ for event in EVENTS]


def test_quiet_listens_to_notes_alone_and_a_pipe_gets_plain_lines() -> None:
    with progress(as_json=False, quiet=True) as listeners:
        assert listeners == [notes]
    with progress(as_json=False, quiet=False) as listeners:
        assert [type(listener) for listener in listeners] == [PlainLines]
    with progress(as_json=True, quiet=False) as listeners:
        assert listeners == [json_line]


def test_where_a_training_goes_on_is_told_and_its_notes_even_if_quiet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    resumed = Resumed(epoch=3, step=7, notes=("checkpoint-a is damaged",))
    PlainLines()(resumed)
    lines = ["note: checkpoint-a is damaged", "going on after step 7 of epoch 3"]
    assert capsys.readouterr().err.splitlines() == lines
    for event in (resumed, *EVENTS):
        notes(event)
    assert capsys.readouterr().err.splitlines() == lines[:1]


def test_how_steps_are_computed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = {"channels last, float32": 0.0102, "contiguous, float32": 0.0204}
    tell = PlainLines()
    tell(Settled(channels_last=True, precision="float32", step_seconds=seconds))
    tell(Settled(channels_last=False, precision="float32", step_seconds={}))
    tell(Compiled(seconds=21.26))
    assert capsys.readouterr().err.splitlines() == [
        "chosen: channels last, float32: a step takes 10.2 ms channels last, float32; "
        "20.4 ms contiguous, float32",
        "chosen: contiguous, float32, the only way here",
        "compiled in 21.3 s, which are not part of the training",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with live_line() as listener:  # what is drawn at the end is the last state
        for event in EVENTS[:3]:
            listener(event)
    assert "training on 500 images" in terminal.getvalue()
    assert "epoch 1/10" in terminal.getvalue()
    assert "10 %" in terminal.getvalue()
    assert "loss 2.000" in terminal.getvalue()
    with live_line() as listener:
        for event in EVENTS:
            listener(event)
    assert "testing" in terminal.getvalue()
