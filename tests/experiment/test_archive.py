"""The archive keeps what a training needs to go on, when it is due, and stops where it should."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from convlens.core.errors import RunError
from convlens.data.batches import Batches
from convlens.data.catalog import Splits
from convlens.data.transform import Prepare
from convlens.experiment import archive as module
from convlens.experiment.archive import Archive, resume_command, writing
from convlens.experiment.interruption import Interruption
from convlens.experiment.recipe import Recipe, load_recipe
from convlens.models.catalog import build
from convlens.runs.pair import CheckpointPair
from convlens.runs.store import RUNS_FOLDER, Run
from convlens.train.events import EpochStarted, Evaluated, FitStarted, Stopped
from convlens.train.position import Position
from convlens.train.task import Classification

STARTED = FitStarted(num_epochs=2, steps_per_epoch=3, num_images=600, device="cpu")
EVALUATED = Evaluated(epoch=1, loss=0.5, accuracy=0.75, num_images=100, seconds=0.1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The archive's clock, seconds."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def recipe(seconds: float = 60) -> Recipe:
    return load_recipe("lenet-modern", [f"train.checkpoint_seconds={seconds}", "train.epochs=2"])


def archive(folder: Path, splits: Splits, of: Recipe | None = None) -> Archive:
    """An archive of a training in `folder`, three steps an epoch, before its first one."""
    of = of or recipe()
    train = Batches(splits.train, 200, Prepare(28), shuffle_seed=0)
    validation = Batches(splits.test, 100, Prepare(28))
    task = Classification(build(of.model_name, of.model), train, validation, of.train)
    return Archive(Run(folder), of, task, Interruption(), CheckpointPair(folder))


def at(step: int, epoch: int = 1) -> Callable[[], Position]:
    return lambda: Position(epoch=epoch, step=step)


def kept(folder: Path) -> dict[str, Any] | None:
    saved = CheckpointPair(folder).newest()
    return None if saved is None else saved.note


def position(folder: Path) -> tuple[int, int] | None:
    note = kept(folder)
    return None if note is None else (note["position"]["epoch"], note["position"]["step"])


def test_a_checkpoint_is_written_at_an_epochs_end_and_when_it_is_due(
    tmp_path: Path, small_splits: Splits, clock: list[float]
) -> None:
    some = archive(tmp_path, small_splits)
    some.listen(STARTED)
    found: list[tuple[int, int] | None] = []
    for now, step, epoch in [(59, 1, 1), (60, 2, 1), (119, 3, 1), (119, 0, 2), (170, 1, 2)]:
        clock[0] = now
        some.keep(step, at(step, epoch))
        found.append(position(tmp_path))
    assert found == [None, (1, 2), (1, 2), (2, 0), (2, 0)]


def test_at_zero_seconds_it_is_written_at_epochs_ends_only(
    tmp_path: Path, small_splits: Splits, clock: list[float]
) -> None:
    some = archive(tmp_path, small_splits, recipe(0))
    some.listen(STARTED)
    clock[0] = 1e9
    some.keep(1, at(1))
    assert position(tmp_path) is None
    some.keep(0, at(0, epoch=2))
    assert position(tmp_path) == (2, 0)


def test_a_position_is_asked_for_only_where_it_is_written(
    tmp_path: Path, small_splits: Splits, clock: list[float]
) -> None:
    """It would make a GPU wait."""

    def asked() -> Position:
        raise AssertionError

    some = archive(tmp_path, small_splits)
    some.listen(STARTED)
    for step in (1, 2, 3):
        some.keep(step, asked)


def test_one_that_is_asked_to_stop_saves_and_stops(tmp_path: Path, small_splits: Splits) -> None:
    some = archive(tmp_path, small_splits)
    some.listen(STARTED)
    some.keep(1, at(1))
    some.interruption.hear()
    with pytest.raises(KeyboardInterrupt):
        some.keep(2, at(2))
    assert position(tmp_path) == (1, 2)
    said = some.interrupted()
    assert "no epoch was finished" in said
    assert said.endswith(f"to go on after step 2 of epoch 1: {resume_command(some.run)}")
    assert some.run.summary()["status"] == "interrupted"


def test_one_that_is_stopped_in_an_evaluation_saves_where_that_began(
    tmp_path: Path, small_splits: Splits
) -> None:
    """Also what was best before it, and not the records that came since."""
    some = archive(tmp_path, small_splits)
    some.listen(STARTED)
    some.keep(3, at(3))
    some.listen(EVALUATED)
    assert some.checkpoint(1, EVALUATED)
    with pytest.raises(KeyboardInterrupt):
        some.interruption.hear()
    assert position(tmp_path) is None
    some.interrupted()
    note = kept(tmp_path)
    assert note is not None
    assert (note["position"]["step"], note["records"], note["best"]) == (3, 1, None)


def test_only_a_better_epoch_is_the_best(tmp_path: Path, small_splits: Splits) -> None:
    some = archive(tmp_path, small_splits)
    told = [
        some.checkpoint(epoch, replace(EVALUATED, epoch=epoch, accuracy=accuracy))
        for epoch, accuracy in enumerate([0.5, 0.5, 0.75, 0.6], start=1)
    ]
    assert told == [True, False, True, False]
    assert (some.best and some.best.epoch, some.last and some.last.epoch) == (3, 4)


def test_what_was_kept_comes_back(tmp_path: Path, small_splits: Splits) -> None:
    some = archive(tmp_path, small_splits)
    some.listen(STARTED)
    some.checkpoint(1, EVALUATED)
    some.keep(0, at(0, epoch=2))
    some.listen(EpochStarted(epoch=2))
    other = archive(tmp_path, small_splits)
    nn.init.zeros_(next(other.task.model.parameters()))
    assert other.go_on(other.pair.newest()) == Position(epoch=2)
    assert (other.last, other.best) == (EVALUATED, EVALUATED)
    for one, two in zip(some.task.model.parameters(), other.task.model.parameters(), strict=True):
        assert torch.equal(one, two)
    other.listen(STARTED)  # as the loop tells it again
    other.listen(EpochStarted(epoch=2))
    told = [{"event": "FitStarted", **asdict(STARTED)}, {"event": "EpochStarted", "epoch": 2}]
    assert other.run.records() == told


def test_why_a_training_was_stopped_is_in_its_summary_also_when_it_is_taken_up(
    tmp_path: Path, small_splits: Splits
) -> None:
    some = archive(tmp_path, small_splits)
    some.listen(STARTED)
    some.keep(1, at(1))
    some.finish("interrupted")
    assert some.run.summary()["stopped"] is None
    some.listen(Stopped(epoch=1, reason="60 seconds of training are over"))
    some.keep(0, at(0, epoch=3))
    again = archive(tmp_path, small_splits)
    again.go_on(again.pair.newest())
    again.finish("finished")
    assert again.run.summary()["stopped"] == "60 seconds of training are over"


def test_a_changed_recipe_is_refused(tmp_path: Path, small_splits: Splits) -> None:
    some = archive(tmp_path, small_splits)
    some.listen(STARTED)
    some.keep(0, at(0, epoch=2))
    other = archive(tmp_path, small_splits, recipe(30))
    with pytest.raises(RunError, match=r"recipe\.toml has changed since checkpoint-a"):
        other.go_on(other.pair.newest())


def test_a_setting_that_was_added_since_is_at_its_default_and_no_change(
    tmp_path: Path, small_splits: Splits
) -> None:
    some = archive(tmp_path, small_splits)
    some.listen(STARTED)
    some.keep(0, at(0, epoch=2))
    other = archive(tmp_path, small_splits)
    saved = other.pair.newest()
    assert saved is not None
    del saved.note["recipe"]["train"]["patience"]
    assert other.go_on(saved).epoch == 2


def test_a_finished_run_keeps_no_checkpoint(tmp_path: Path, small_splits: Splits) -> None:
    some = archive(tmp_path, small_splits)
    some.listen(STARTED)
    some.keep(0, at(0, epoch=2))
    assert position(tmp_path) is not None
    some.finish("finished")
    assert position(tmp_path) is None
    assert some.run.summary()["status"] == "finished"


def test_a_disk_that_refuses_is_told_with_what_was_saved(tmp_path: Path) -> None:
    with (
        pytest.raises(RunError, match=r"has stopped: no space left\nmake room.*\nsaved so far$"),
        writing(Run(tmp_path), lambda: "saved so far"),
    ):
        raise OSError(28, "No space left")


def test_the_command_to_go_on_can_be_typed_where_one_is() -> None:
    assert resume_command(Run(RUNS_FOLDER / "lenet-1")) == "convlens train --resume lenet-1"
    elsewhere = Path("my runs") / "lenet-1"
    assert resume_command(Run(elsewhere)) == f"convlens train --resume '{elsewhere}'"
