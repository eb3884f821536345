"""How a training is shown while it runs: a live line, plain lines, or JSON lines.

These are listeners of `train/events.py`; they read and never steer.
"""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict

from convlens.cli.console import percent, say
from convlens.train.events import (
    Compiled,
    EpochFinished,
    EpochStarted,
    Evaluated,
    Event,
    FitFinished,
    FitStarted,
    Listener,
    Resumed,
    Settled,
    StepsFinished,
    Stopped,
)
from convlens.train.position import told


@contextmanager
def progress(*, as_json: bool, quiet: bool) -> Generator[list[Listener]]:
    """The listeners that suit: only notes if quiet; a live line only on a terminal."""
    if quiet:
        yield [notes]
    elif as_json:
        yield [json_line]
    elif sys.stderr.isatty():
        with live_line() as listener:
            yield [listener]
    else:
        yield [PlainLines()]


def notes(event: Event) -> None:
    """What one must know even if one wants no progress."""
    if isinstance(event, Resumed):
        for note in event.notes:
            say(f"note: {note}")


def json_line(event: Event) -> None:
    """Every event as a JSON object on a line of stderr."""
    say(json.dumps({"event": type(event).__name__, **asdict(event)}))


class PlainLines:
    """One line an epoch, without escape codes."""

    def __init__(self) -> None:
        self._num_epochs = 0
        self._evaluated: Evaluated | None = None

    def __call__(self, event: Event) -> None:
        """Say the line that this event completes, if it completes one."""
        match event:
            case Resumed():
                for line in resumed_lines(event):
                    say(line)
            case Settled() | Compiled():
                say(machine_line(event))
            case FitStarted():
                self._num_epochs = event.num_epochs
                say(started_line(event))
            case Evaluated():
                self._evaluated = event
            case EpochFinished():
                say(epoch_line(event, self._evaluated, self._num_epochs))
            case Stopped():
                say(stopped_line(event))
            case _:
                pass


def resumed_lines(event: Resumed) -> list[str]:
    """Where a training goes on, and what to know of it."""
    return [*(f"note: {note}" for note in event.notes), f"going on {told(event.epoch, event.step)}"]


def machine_line(event: Settled | Compiled) -> str:
    """How the steps are computed on this machine."""
    if isinstance(event, Compiled):
        return f"compiled in {event.seconds:.1f} s, which are not part of the training"
    layout = "channels last" if event.channels_last else "contiguous"
    times = [f"{1e3 * s:.1f} ms {way}" for way, s in event.step_seconds.items()]
    tried = f": a step takes {'; '.join(times)}" if times else ", the only way here"
    return f"chosen: {layout}, {event.precision}{tried}"


def started_line(event: FitStarted) -> str:
    """What is about to be trained on what."""
    return (
        f"training on {event.num_images:,} images, {event.num_epochs} epochs of "
        f"{event.steps_per_epoch:,} steps, on {event.device}"
    )


def stopped_line(event: Stopped) -> str:
    """Why no epoch follows."""
    return f"stopped in epoch {event.epoch}: {event.reason}"


def epoch_line(event: EpochFinished, evaluated: Evaluated | None, num_epochs: int) -> str:
    """The numbers of a finished epoch, and of its validation if there was one."""
    parts = [f"epoch {event.epoch:>{len(str(num_epochs))}}/{num_epochs}"]
    parts.append(f"train loss {event.loss:.4f}")
    if evaluated is not None:
        parts.append(f"validation loss {evaluated.loss:.4f}")
        parts.append(f"accuracy {percent(evaluated.accuracy)}")
    parts += [f"{event.seconds:.1f} s", f"{event.images_per_second:,.0f} images/s"]
    return "  ".join(parts)


@contextmanager
def live_line() -> Generator[Listener]:
    """One line that moves while the training runs and is gone when it ends."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    # Twice a second: drawing takes time from the cores that train.
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as bar:
        task = bar.add_task("starting", total=None, numbers="")
        started: FitStarted | None = None
        accuracy = ""

        def listen(event: Event) -> None:
            nonlocal started, accuracy
            match event:
                case Resumed():
                    for line in resumed_lines(event):
                        console.print(line, highlight=False, soft_wrap=True)
                case Settled() | Compiled():
                    console.print(machine_line(event), highlight=False, soft_wrap=True)
                case FitStarted():
                    started = event
                    console.print(started_line(event), highlight=False)
                    bar.update(task, total=event.num_epochs * event.steps_per_epoch)
                case EpochStarted():
                    assert started is not None
                    bar.update(task, description=f"epoch {event.epoch}/{started.num_epochs}")
                case StepsFinished():
                    assert started is not None
                    done = (event.epoch - 1) * started.steps_per_epoch + event.step
                    bar.update(task, completed=done, numbers=f"loss {event.loss:.3f}{accuracy}")
                case Evaluated():
                    accuracy = f", validation {percent(event.accuracy)}"
                case Stopped():
                    console.print(stopped_line(event), highlight=False)
                case FitFinished():
                    bar.update(task, description="testing", numbers="")
                case _:
                    pass

        yield listen
