"""MLflow: a run of its tracking store, in an SQLite file or on a server.

Source: MLflow's client, https://mlflow.org/docs/latest/api_reference/python_api/mlflow.client.html.
"""

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from convlens.experiment.loggers.logger import Logger, flat, identity
from convlens.experiment.loggers.optional import needed
from convlens.experiment.loggers.points import NAMES, Point
from convlens.experiment.recipe import Recipe
from convlens.runs.store import Run

FILE = "mlflow.db"  # beside the run folders
EXPERIMENT = "convlens"
TAG = "convlens.run"  # which run of ours a run of MLflow is
_STATUS = {"finished": "FINISHED", "interrupted": "KILLED"}  # all else has FAILED
_SECONDS = 2.0  # between two calls of the store, which takes some milliseconds each
_AT_ONCE = 100  # parameters, as many as MLflow takes in one call


@final
class MlflowLogger(Logger):
    """Keeps a run in `place`: the path of an SQLite file, or the address of a server."""

    name = "mlflow"

    def __init__(self, place: str = "") -> None:
        local = place and "://" not in place and place != "databricks"
        super().__init__(str(Path(place).absolute()) if local else place)
        # Without this MLflow tells its makers of each use, over the network.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # And this is how often it asks a server that is silent, waiting longer each time.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        needed("mlflow", "alembic")
        sqlalchemy: Any = needed("mlflow", "sqlalchemy.exc")
        self._mlflow: Any = needed("mlflow", "mlflow")
        logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # else it tells each table
        self._entities: Any = needed("mlflow", "mlflow.entities")
        self.failures = (OSError, self._mlflow.MlflowException, sqlalchemy.SQLAlchemyError)
        self._client: Any = None
        self._run_id = ""
        self._there: set[tuple[str, int]] = set()  # names and steps of the points in the store
        self._waiting: list[Any] = []  # metrics for the next call
        self._called_at = 0.0  # seconds

    def open(self, run: Run, recipe: Recipe, points: Sequence[Point]) -> None:
        """Make the run of MLflow, or find it, and add the points that it does not have."""
        self._client = self._mlflow.MlflowClient(tracking_uri=self.address(run))
        experiment, known = self._experiment(), identity(run)
        found = self._client.search_runs([experiment], f"tags.`{TAG}` = '{known}'")
        if found:
            self._run_id = found[0].info.run_id
            self._client.update_run(self._run_id, status="RUNNING")
        else:
            tags = {TAG: known, "convlens.folder": str(run.path.absolute())}
            made = self._client.create_run(experiment, run_name=run.name, tags=tags)
            self._run_id = made.info.run_id
            self._log_settings(recipe)
        self._there = {
            (metric.key, metric.step)
            for name in (NAMES if found else ())
            for metric in self._client.get_metric_history(self._run_id, name)
        }
        self._waiting = []
        self.add(points)
        self._send()

    def add(self, points: Sequence[Point]) -> None:
        """Send the points that the store does not have, a few calls' worth together."""
        now = round(time.time() * 1000)
        for point in points:
            if (key := (point.name, point.step)) not in self._there:
                self._there.add(key)
                metric = self._entities.Metric(point.name, point.value, now, point.step)
                self._waiting.append(metric)
        if time.monotonic() - self._called_at > _SECONDS:
            self._send()

    def close(self, status: str) -> None:
        """Send what waits, and tell how it ended."""
        if self._client is not None:
            self._send()
            self._client.set_terminated(self._run_id, _STATUS.get(status, "FAILED"))
            self._client = None

    def how_to_look(self, run: Run) -> str:
        """The command that opens MLflow's page, or the server's address."""
        address = self.address(run)
        local = address.startswith("sqlite:")
        return f"mlflow ui --backend-store-uri {address}" if local else address

    def address(self, run: Run) -> str:
        """The address of the store, as MLflow writes it."""
        if "://" in self.place or self.place == "databricks":
            return self.place
        path = Path(self.place) if self.place else run.path.absolute().parent / FILE
        return f"sqlite:///{path}"

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        return found.experiment_id if found else self._client.create_experiment(EXPERIMENT)

    def _log_settings(self, recipe: Recipe) -> None:
        settings = flat(recipe.to_table()).items()
        params = [self._entities.Param(key, str(value)) for key, value in settings]
        for start in range(0, len(params), _AT_ONCE):
            self._client.log_batch(self._run_id, params=params[start : start + _AT_ONCE])

    def _send(self) -> None:
        while self._waiting:
            self._client.log_batch(self._run_id, metrics=self._waiting[:1000])
            del self._waiting[:1000]
        self._called_at = time.monotonic()
