"""A training into its run folder: each event, the weights, checkpoints, how it ended."""

import shlex
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any, final

from convlens.core.errors import RunError
from convlens.experiment.interruption import Interruption
from convlens.experiment.recipe import Recipe, resolve
from convlens.models.catalog import num_parameters
from convlens.runs.checkpoint import save_weights
from convlens.runs.pair import CheckpointPair, Saved
from convlens.runs.store import RUNS_FOLDER, Run
from convlens.train.evaluate import Evaluation
from convlens.train.events import (
    Compiled,
    EpochFinished,
    EpochStarted,
    Evaluated,
    Event,
    FitFinished,
    FitStarted,
    Stopped,
)
from convlens.train.position import START, Position, told
from convlens.train.state import State, capture, restore
from convlens.train.task import Classification


def resume_command(run: Run) -> str:
    """What to type to go on with `run`."""
    in_place = run.path.parent == RUNS_FOLDER
    return f"convlens train --resume {shlex.quote(run.name if in_place else str(run.path))}"


@contextmanager
def writing(run: Run, saved: Callable[[], str]) -> Generator[None]:
    """Inside, what the disk refuses becomes a RunError that says what was `saved` before."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RunError(
            f"{run.path}: cannot be written to, so the training has stopped: {reason}",
            fix=f"make room, or see to the folder\n{saved()}",
        ) from None


@final
class Archive:
    """Writes a training into its run folder, and takes up one that is there.

    Of several processes each has one, and calls it alike; that of process 0 writes.
    """

    def __init__(
        self,
        run: Run,
        recipe: Recipe,
        task: Classification,
        interruption: Interruption,
        pair: CheckpointPair,
    ) -> None:
        self.run, self.recipe, self.task = run, recipe, task
        self.interruption, self.pair = interruption, pair
        self.world, self.silent = task.world, task.world.rank > 0
        self.start = START
        self.saved: Position | None = None  # in the newest checkpoint
        self.last_epoch = 0  # whose weights are kept; 0: none
        self.last: Evaluated | None = None  # the validation after it, if there was one
        self.best: Evaluated | None = None
        self.epochs: list[EpochFinished] = []
        self.seconds: float | None = None
        self.stopped: str | None = None  # why it ended before its last epoch did
        self.compile_seconds: float | None = None  # before the steps of this process
        self.evaluating = False  # no step is under way
        self._num_records = 0
        self._saved_at = time.monotonic()  # seconds
        self._unsaved: Callable[[], None] | None = None  # saves where the evaluation began

    def go_on(self, saved: Saved | None) -> Position:
        """Bring the training to where `saved` was made, or to the start; gives the position.

        Raises:
            RunError: the checkpoint is of another recipe, or the records before it are missing.
        """
        note: Mapping[str, Any] = {"records": 0} if saved is None else saved.note
        if saved is not None:
            if resolve(self.recipe.name, note["recipe"]) != self.recipe:
                raise RunError(
                    f"{self.run.path}: recipe.toml has changed since {saved.name} was written",
                    fix="change it back, or train anew: "
                    f"convlens train {shlex.quote(str(self.run.path / 'recipe.toml'))}",
                )
            state = State(tensors=saved.tensors, numbers=note["state"])
            restore(state, self.task.model, self.task.sgd, self.task)
            position = Position.from_table(note["position"])
            if self.silent:  # its share of these losses is in process 0's
                position = replace(position, losses=(0.0,) * len(position.losses))
            self.start = self.saved = position
            self.last_epoch = note["last_epoch"]
            self.last, self.best = _evaluated(note["last"]), _evaluated(note["best"])
        self._num_records = note["records"]
        self.world.first(self._read_records)
        return self.start

    def _read_records(self) -> None:
        with writing(self.run, self.going_on):
            self.run.cut_records(self._num_records)
        for record in self.run.records():
            if record["event"] == "EpochFinished":
                fields = {key: value for key, value in record.items() if key != "event"}
                self.epochs.append(EpochFinished(**fields))
            if record["event"] == "Stopped":
                self.stopped = record["reason"]

    def listen(self, event: Event) -> None:
        """Write the event down, unless that was done before the training was taken up."""
        start = self.start
        if isinstance(event, Compiled):
            self.compile_seconds = event.seconds
            return
        if isinstance(event, FitStarted) and start != START:
            return
        if isinstance(event, EpochStarted) and event.epoch == start.epoch and start.step:
            return
        if not self.silent:
            with writing(self.run, self.going_on):
                self.run.append_record(type(event).__name__, asdict(event))
        self._num_records += 1
        if isinstance(event, EpochFinished):
            self.epochs.append(event)
        if isinstance(event, Stopped):
            self.stopped = event.reason
        if isinstance(event, FitFinished):
            self.seconds = event.seconds

    def checkpoint(self, epoch: int, evaluated: Evaluated | None) -> bool:
        """Write the weights of a finished epoch; tells whether they are the best.

        Without validation the last are taken for the best.
        """
        about: dict[str, Any] = {"model": self.recipe.model_name, "epoch": epoch}
        if evaluated is not None:
            about["validation_accuracy"] = evaluated.accuracy
        best = evaluated is None or self.best is None or evaluated.accuracy > self.best.accuracy
        self.world.first(lambda: self._write_weights("last", about))
        self.last_epoch, self.last = epoch, evaluated
        if best:
            self.world.first(lambda: self._write_weights("best", about))
            self.best = evaluated
        return best

    def _write_weights(self, which: str, about: Mapping[str, Any]) -> None:
        with writing(self.run, self.going_on):
            save_weights(self.run.weights_path(which), self.task.model, about)

    def keep(self, step: int, position: Callable[[], Position]) -> None:
        """Write a checkpoint at an epoch's end, when one is due, and when one is asked to stop.

        Raises:
            KeyboardInterrupt: one was asked to stop, and has saved.
        """
        kept = self.last_epoch, self.last, self.best
        save = partial(self._save, position, self._num_records, *kept)
        every = self.recipe.train.checkpoint_seconds
        due = 0 < every <= time.monotonic() - self._saved_at
        # What one process is asked for, or finds due, all do: they must not part ways.
        due, asked = self.world.any(due, self.interruption.asked)
        if step == 0 or due or asked:
            self.world.everywhere(save)
        self._unsaved, self.evaluating = None, False
        if asked:
            raise KeyboardInterrupt
        if step == self.task.num_steps:
            self._unsaved = save
            self.rest()
        else:
            self.interruption.work()

    def rest(self) -> None:
        """No step comes before the next checkpoint, so one signal is enough to stop."""
        self.evaluating = True
        self.interruption.rest()

    def interrupted(self) -> str:
        """Save what can be saved; what to say."""
        if self._unsaved is not None:
            self._unsaved()
        self.finish("interrupted")
        return f"{self.kept()}\n{self.going_on()}"

    def kept(self) -> str:
        """Where the last good weights are, in a sentence."""
        if not self.last_epoch:
            return f"no epoch was finished, so {self.run.path} holds no weights"
        return f"the weights after epoch {self.last_epoch} are in {self.run.weights_path('last')}"

    def going_on(self) -> str:
        """What the newest checkpoint is of, and how to go on from there."""
        where = "at the start" if self.saved is None else told(self.saved.epoch, self.saved.step)
        return f"to go on {where}: {resume_command(self.run)}"

    def finish(self, status: str, *, test: Evaluation | None = None, error: str = "") -> None:
        """Write how it ended; a finished run needs no checkpoints any more."""
        if self.silent:
            return
        about = {key: value for key, value in self.world.about().items() if key != "launch"}
        train_seconds = sum(epoch.seconds for epoch in self.epochs)
        num_images = sum(epoch.seconds * epoch.images_per_second for epoch in self.epochs)
        summary: dict[str, Any] = {
            "version": 1,
            "status": status,
            **({"error": error} if error else {}),
            "recipe": self.recipe.name,
            "model": self.recipe.model_name,
            "num_parameters": num_parameters(self.task.model),
            **about,
            "epochs": len(self.epochs),
            "stopped": self.stopped,
            "validation": {
                "images": self.recipe.data.validation,
                "last": _validation(self.last),
                "best": _validation(self.best),
            },
            "test": _test_summary(test),
            "train_loss": self.epochs[-1].loss if self.epochs else None,
            "seconds": self.seconds,
            "train_seconds": train_seconds,
            **({"compile_seconds": c} if (c := self.compile_seconds) is not None else {}),
            "images_per_second": num_images / train_seconds if train_seconds else None,
        }
        if status == "finished":
            self.interruption.work()  # it is too late to stop
            with writing(self.run, self.going_on):
                self.run.write_json("summary.json", summary)
                self.pair.remove()
        else:
            with suppress(OSError):  # it ends for another reason, which is the one to tell
                self.run.write_json("summary.json", summary)

    def _save(
        self,
        position: Callable[[], Position],
        num_records: int,
        last_epoch: int,
        last: Evaluated | None,
        best: Evaluated | None,
    ) -> None:
        now = position()
        if not self.silent:
            self._write(now, num_records, last_epoch, last, best)
        self.saved, self._saved_at = now, time.monotonic()

    def _write(
        self,
        now: Position,
        num_records: int,
        last_epoch: int,
        last: Evaluated | None,
        best: Evaluated | None,
    ) -> None:
        state = capture(self.task.model, self.task.sgd, self.task)
        note = {
            "recipe": self.recipe.to_table(),
            "position": now.to_table(),
            "records": num_records,
            "last_epoch": last_epoch,
            "last": None if last is None else asdict(last),
            "best": None if best is None else asdict(best),
            "state": state.numbers,
        }
        with writing(self.run, self.going_on):
            self.run.sync_records()  # on disk there are never fewer than the checkpoint counts on
            self.pair.write(state.tensors, note)


def _evaluated(table: Mapping[str, Any] | None) -> Evaluated | None:
    return None if table is None else Evaluated(**table)


def _validation(evaluated: Evaluated | None) -> Mapping[str, Any] | None:
    if evaluated is None:
        return None
    return {"epoch": evaluated.epoch, "loss": evaluated.loss, "accuracy": evaluated.accuracy}


def _test_summary(test: Evaluation | None) -> Mapping[str, Any] | None:
    if test is None:
        return None
    return {"loss": test.loss, "accuracy": test.accuracy, "num_images": test.num_images}
