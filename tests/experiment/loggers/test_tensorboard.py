"""TensorBoard's own reader finds in the event file what the run told."""

import logging
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2 as pb

from convlens.core.errors import RunError
from convlens.experiment.execute import execute
from convlens.experiment.loggers.points import Curves
from convlens.experiment.loggers.tensorboard import TensorBoardLogger
from convlens.experiment.recipe import Recipe
from convlens.runs.store import Run
from convlens.train.events import Checkpointed, StepsFinished
from tests.experiment.loggers.conftest import stop_at, trained_in_two

Scalars = dict[str, list[tuple[int, Any]]]


def reader(folder: Path) -> Any:
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    return accumulator.Reload()


def scalars(found: Any) -> Scalars:
    """By name, steps and values, in the order of the file."""
    return {
        name: [(event.step, event.value) for event in found.Scalars(name)]
        for name in found.Tags()["scalars"]
    }


def told(run: Run) -> Scalars:
    curves = Curves()
    points = curves.of_records(run.records()) + curves.of_test(run.summary()["test"])
    names = {point.name for point in points}
    return {n: [(p.step, pytest.approx(p.value)) for p in points if p.name == n] for n in names}


def event_files(folder: Path) -> list[Path]:
    return list(folder.glob("*tfevents*"))


def test_its_own_reader_finds_every_number_in_the_run_folder(
    recipe: Recipe, tmp_path: Path
) -> None:
    logger = TensorBoardLogger()
    run = execute(recipe, out=tmp_path, listeners=[logger])
    assert scalars(reader(run.path)) == told(run)
    assert logger.how_to_look(run) == f"tensorboard --logdir {tmp_path}"


def test_the_settings_are_there_by_their_dotted_names(recipe: Recipe, tmp_path: Path) -> None:
    run = execute(recipe, out=tmp_path, listeners=[TensorBoardLogger()])
    content = reader(run.path).SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    data: Any = pb
    found = data.HParamsPluginData.FromString(content).session_start_info.hparams
    assert found["train.lr"].number_value == 0.02
    assert found["model.name"].string_value == "lenet-modern"
    assert found["train.channels_last"].number_value == 1
    assert found["data.mean"].string_value == "(0.0,)"


@pytest.mark.parametrize("kind", [StepsFinished, Checkpointed])
@pytest.mark.parametrize("forgotten", [False, True])
def test_a_run_that_went_on_has_each_point_once_in_one_file(
    recipe: Recipe, tmp_path: Path, kind: type, forgotten: bool, caplog: pytest.LogCaptureFixture
) -> None:
    place = str(tmp_path / "logs")
    first = [] if forgotten else [TensorBoardLogger(place)]
    run = trained_in_two(recipe, tmp_path, first, [TensorBoardLogger(place)], stop_at(kind, 2))
    assert event_files(run.path) == []
    assert len(event_files(tmp_path / "logs" / "small-1")) == 1
    with caplog.at_level(logging.WARNING):
        assert scalars(reader(tmp_path / "logs" / "small-1")) == told(run)
    assert caplog.records == []  # such as of steps that go back


def test_a_point_keeps_the_time_when_it_was_first_told(recipe: Recipe, tmp_path: Path) -> None:
    before: dict[str, float] = {}

    def stop(event: object) -> None:
        if isinstance(event, StepsFinished) and event.epoch == 2:
            found = reader(tmp_path / "small-1")
            before.update({name: found.Scalars(name)[0].wall_time for name in told_in_epoch_1})
            raise ZeroDivisionError

    told_in_epoch_1 = ("train/loss", "validation/accuracy")
    run = trained_in_two(recipe, tmp_path, [TensorBoardLogger()], [TensorBoardLogger()], stop)
    found = reader(run.path)
    assert {name: found.Scalars(name)[0].wall_time for name in before} == before
    assert len(before) == 2


def test_the_log_of_another_run_of_the_same_name_is_left_alone(
    recipe: Recipe, tmp_path: Path
) -> None:
    place = str(tmp_path / "logs")
    execute(recipe, out=tmp_path / "one", listeners=[TensorBoardLogger(place)])
    (file,) = event_files(tmp_path / "logs" / "small-1")
    other = file.with_suffix(".0123456789abcdef")
    file.rename(other)
    content = other.read_bytes()
    with pytest.raises(RunError, match="is the log of another run called small-1"):
        execute(recipe, out=tmp_path / "two", listeners=[TensorBoardLogger(place)])
    assert event_files(tmp_path / "logs" / "small-1") == [other]
    assert other.read_bytes() == content


def test_a_folder_that_cannot_be_written_is_named_before_the_first_step(
    recipe: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    logger = TensorBoardLogger(str(tmp_path / "file"))
    with pytest.raises(RunError, match="the log 'tensorboard' cannot be opened"):
        execute(recipe, out=tmp_path, listeners=[logger])
