"""MLflow's own client finds in the SQLite file what the run told."""

import warnings
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its imports warn of their own
    pytest.importorskip("mlflow")
    pytest.importorskip("alembic")

from mlflow import MlflowClient

from convlens.core.errors import Diverged, RunError
from convlens.experiment.execute import execute
from convlens.experiment.loggers.logger import flat
from convlens.experiment.loggers.mlflow import MlflowLogger
from convlens.experiment.loggers.points import NAMES, Curves
from convlens.experiment.recipe import Recipe, resolve
from convlens.runs.store import Run
from convlens.train.events import StepsFinished
from tests.experiment.loggers.conftest import stop_at, trained_in_two

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's of SQLAlchemy's
Metrics = dict[str, list[tuple[int, float]]]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of runs, and so one store, since to make one takes seconds."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def client(out: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=f"sqlite:///{out / 'mlflow.db'}")


def found(client: MlflowClient, name: str) -> Any:
    """The one run of MLflow that is called `name`."""
    experiment = client.get_experiment_by_name("convlens")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'")
    return run


def metrics(client: MlflowClient, run_id: str) -> Metrics:
    return {
        name: [(m.step, m.value) for m in client.get_metric_history(run_id, name)] for name in NAMES
    }


def told(run: Run) -> Metrics:
    curves = Curves()
    points = curves.of_records(run.records()) + curves.of_test(run.summary()["test"])
    return {name: [(p.step, p.value) for p in points if p.name == name] for name in NAMES}


def named(recipe: Recipe, name: str, **train: Any) -> Recipe:
    table = recipe.to_table()
    return resolve(name, {**table, "train": {**table["train"], **train}})


@pytest.fixture(scope="module")
def run(recipe: Recipe, out: Path, client: MlflowClient) -> Run:
    return execute(named(recipe, "whole"), out=out, listeners=[MlflowLogger()])


def test_its_own_client_finds_every_number_to_the_last_bit(run: Run, client: MlflowClient) -> None:
    there = found(client, "whole-1")
    assert metrics(client, there.info.run_id) == told(run)
    assert there.info.status == "FINISHED"


def test_the_settings_are_there_by_their_dotted_names(
    recipe: Recipe, run: Run, client: MlflowClient
) -> None:
    params = found(client, run.name).data.params
    assert params == {key: str(value) for key, value in flat(recipe.to_table()).items()}
    assert params["train.lr"] == "0.02"


def test_nothing_is_written_outside_the_store(run: Run, out: Path) -> None:
    assert {path.name for path in out.iterdir()} >= {"whole-1", "mlflow.db"}
    assert not (out / "mlruns").exists()
    assert not Path("mlruns").exists()


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_run_that_went_on_is_one_run_with_each_point_once(
    recipe: Recipe, run: Run, out: Path, client: MlflowClient, tmp_path: Path, forgotten: bool
) -> None:
    place = str(out / "mlflow.db")
    first = [] if forgotten else [MlflowLogger(place)]
    small = named(recipe, "small", seed=1 + forgotten)
    gone_on = trained_in_two(
        small, tmp_path, first, [MlflowLogger(place)], stop_at(StepsFinished, 2)
    )
    folder = f"tags.`convlens.folder` = '{gone_on.path}'"
    experiment = client.get_experiment_by_name("convlens")
    assert experiment is not None
    (there,) = client.search_runs([experiment.experiment_id], folder)
    here = metrics(client, there.info.run_id)
    same = [name for name in NAMES if "second" not in name]  # times are those of the first telling
    assert {name: here[name] for name in same} == {name: told(gone_on)[name] for name in same}
    assert [step for step, _ in here["epoch/seconds"]] == [4, 8, 12]
    assert there.info.status == "FINISHED"


def test_a_diverged_training_has_failed(
    recipe: Recipe, run: Run, out: Path, client: MlflowClient
) -> None:
    wild = named(recipe, "wild", lr=1e12, schedule="constant")
    with pytest.raises(Diverged):
        execute(wild, out=out, listeners=[MlflowLogger()])
    assert found(client, "wild-1").info.status == "FAILED"


def test_how_to_look_is_the_page_of_the_file_or_the_server(run: Run, tmp_path: Path) -> None:
    local = MlflowLogger(str(tmp_path / "a.db")).how_to_look(run)
    assert local == f"mlflow ui --backend-store-uri sqlite:///{tmp_path / 'a.db'}"
    assert MlflowLogger("http://host:5000").how_to_look(run) == "http://host:5000"


def test_a_server_that_does_not_answer_is_told_before_the_first_step(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RunError, match="the log 'mlflow' cannot be opened"):
        execute(recipe, out=tmp_path, listeners=[MlflowLogger("http://127.0.0.1:9")])
