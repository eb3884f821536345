"""A logger: a listener that keeps a training's curves as another program wants them.

    begin           the run and its recipe are known
    FitStarted      the log opens, with every point that the run's records hold
    further events  are added to it
    end             the test's numbers, and how it ended; the log closes

A training that goes on has its records cut back to its checkpoint before it starts, and the log
is made to hold just what they say. So no point is there twice and none is missing, whatever an
earlier process had written, even if it had no logger at all.
"""

import hashlib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from convlens.core.config import SettingsTable
from convlens.core.errors import ConvLensError, RunError
from convlens.experiment.archive import writing
from convlens.experiment.loggers.points import Curves, Point
from convlens.experiment.recipe import Recipe
from convlens.runs.store import Run
from convlens.train.events import Event, FitStarted, Listener, Resumed, Settled

REMEMBERED = "logs.json"  # in a run folder: the places of its logs, by the name of the logger


class Logger(ABC):
    """One log of one training, given to `execute` or `resume_run` among the listeners.

    A log that cannot be opened is an error; one that fails later is left, with a warning, and the
    training goes on.
    """

    name: ClassVar[str]
    failures: tuple[type[Exception], ...] = (OSError,)  # what may befall it

    def __init__(self, place: str = "") -> None:
        self.place = place  # where the log is; "": in or beside the run folder
        self._run: Run | None = None
        self._recipe: Recipe | None = None
        self._curves: Curves | None = None  # None: not open

    def __call__(self, event: Event) -> None:
        """Add what `event` tells.

        Raises:
            RunError: the training starts, and the log cannot be opened.
            ConvLensError: the training has no run folder.
        """
        if isinstance(event, Resumed | Settled):  # which come before the run is there, or open
            return
        if self._run is None or self._recipe is None:
            raise ConvLensError(
                f"the log {self.name!r} is of a run, and this training has none",
                fix="hand the logger to execute or resume_run, among the listeners",
            )
        if isinstance(event, FitStarted):
            self._open(self._run, self._recipe, event)
        elif self._curves is not None:
            self._add(self._curves.of(event))

    def begin(self, run: Run, recipe: Recipe) -> None:
        """The next events are of `run`."""
        self._run, self._recipe, self._curves = run, recipe, None

    def end(self, summary: Mapping[str, Any]) -> None:
        """The training is over, as its `summary` says; the log is closed."""
        if self._curves is not None:
            self._add(self._curves.of_test(summary.get("test")))
        if self._curves is not None:
            with self._leaving_on_failure():
                self.close(str(summary["status"]))
        self._run = self._recipe = self._curves = None

    @abstractmethod
    def open(self, run: Run, recipe: Recipe, points: Sequence[Point]) -> None:
        """Make the log hold `points` and no later ones, whatever it holds."""

    @abstractmethod
    def add(self, points: Sequence[Point]) -> None:
        """Add points, none of an earlier step than before."""

    @abstractmethod
    def close(self, status: str) -> None:
        """Finish the log of a training that ended so; the last call, also after a failure."""

    @abstractmethod
    def how_to_look(self, run: Run) -> str:
        """What to open, or to type, to see the log of `run`."""

    def _open(self, run: Run, recipe: Recipe, event: FitStarted) -> None:
        curves = Curves()
        curves.of(event)
        try:
            self.open(run, recipe, curves.of_records(run.records()))
        except self.failures as error:
            raise RunError(
                f"the log {self.name!r} cannot be opened: {_reason(error)}",
                fix=f"leave --log {self.name} out, or name a place: --log {self.name}=PLACE",
            ) from None
        self._curves = curves

    def _add(self, points: Sequence[Point]) -> None:
        if points:
            with self._leaving_on_failure():
                self.add(points)

    @contextmanager
    def _leaving_on_failure(self) -> Generator[None]:
        try:
            yield
        except self.failures as error:
            self._curves = None
            with suppress(*self.failures):
                self.close("failed")
            warnings.warn(
                f"the log {self.name!r} ends here: {_reason(error)}; the training goes on",
                stacklevel=2,
            )


@contextmanager
def logged(listeners: Sequence[Listener], run: Run, recipe: Recipe) -> Generator[None]:
    """Inside, the loggers among `listeners` know the run; afterwards their logs are closed."""
    loggers = [listener for listener in listeners if isinstance(listener, Logger)]
    if loggers:
        with writing(run, lambda: "nothing of it was changed"):
            run.write_json(REMEMBERED, {logger.name: logger.place for logger in loggers})
    for logger in loggers:
        logger.begin(run, recipe)
    try:
        yield
    finally:
        for logger in loggers:
            logger.end(run.summary())


def identity(run: Run) -> str:
    """A name that no other run has, also if it is called the same elsewhere."""
    started = run.read_json("provenance.json").get("started")
    return hashlib.sha256(f"{run.name} {started}".encode()).hexdigest()[:16]


def flat(table: SettingsTable) -> dict[str, Any]:
    """The settings by their dotted names.

    >>> flat({"train": {"lr": 0.1, "betas": (0.9, 0.99)}})
    {'train.lr': 0.1, 'train.betas': (0.9, 0.99)}
    """
    return {f"{s}.{key}": value for s, inner in table.items() for key, value in inner.items()}


def _reason(error: Exception) -> str:
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    return text.splitlines()[0] if text else type(error).__name__
