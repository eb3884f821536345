"""The loggers by name, and how a command line or a run folder names one with its place."""

from collections.abc import Callable, Iterable

from convlens.core.errors import ConfigError
from convlens.core.names import Table
from convlens.experiment.loggers.csv import CsvLogger
from convlens.experiment.loggers.logger import REMEMBERED, Logger
from convlens.experiment.loggers.mlflow import MlflowLogger
from convlens.experiment.loggers.tensorboard import TensorBoardLogger
from convlens.runs.store import Run

LOGGERS: Table[Callable[[str], Logger]] = Table(
    "log",
    (CsvLogger.name, CsvLogger),
    (MlflowLogger.name, MlflowLogger),
    (TensorBoardLogger.name, TensorBoardLogger),
)


def make_loggers(wanted: Iterable[str]) -> list[Logger]:
    """A logger for each `name` or `name=place`, as in `tensorboard=logs`.

    Raises:
        UnknownName: no such logger.
        ConfigError: one is named twice, or its place makes no sense.
        ConvLensError: a package it needs is not installed.
    """
    places: dict[str, str] = {}
    for text in wanted:
        name, equals, place = text.partition("=")
        if name in places:
            raise ConfigError(f"--log {text}: {name} is named twice", fix="name each log once")
        if equals and not place:
            raise ConfigError(f"--log {text}: no place after '='", fix=f"write --log {name}")
        places[name] = place
    makers = {name: LOGGERS[name] for name in places}  # all known, before the first is made
    return [make(places[name]) for name, make in makers.items()]


def remembered_loggers(run: Run) -> list[Logger]:
    """The loggers that `run` had when it last started.

    Raises:
        ConvLensError: a package that one needs is not installed.
    """
    places = run.read_json(REMEMBERED).items()
    return make_loggers(f"{name}={place}" if place else name for name, place in places)
