"""A logger is told every point once, whatever happens to the training, and closed in the end."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from convlens.core.errors import ConvLensError, Diverged, RunError
from convlens.experiment.execute import execute
from convlens.experiment.loggers.logger import Logger, identity, logged
from convlens.experiment.loggers.points import Curves, Point
from convlens.experiment.recipe import Recipe
from convlens.experiment.resume import resume_run
from convlens.runs.store import Run, open_run
from convlens.train.events import (
    Checkpointed,
    EpochStarted,
    Evaluated,
    Event,
    FitFinished,
    FitStarted,
    Listener,
    Settled,
    StepsFinished,
)
from tests.experiment.loggers.conftest import stop_at, trained_in_two


class Memory(Logger):
    """A log in memory, which may be told to fail."""

    name = "memory"

    def __init__(self, fails: str = "") -> None:
        super().__init__("somewhere")
        self.fails = fails  # the name of the method that does
        self.points: list[Point] = []
        self.status = ""

    def open(self, run: Run, recipe: Recipe, points: Sequence[Point]) -> None:
        self._fail("open")
        self.points, self.status = list(points), "open"

    def add(self, points: Sequence[Point]) -> None:
        self._fail("add")
        self.points += points

    def close(self, status: str) -> None:
        self._fail("close")
        self.status = status

    def how_to_look(self, run: Run) -> str:
        return "think"

    def _fail(self, where: str) -> None:
        if self.fails == where:
            raise OSError(28, "No space left on device")


def told(run: Run) -> list[Point]:
    """What a run's own files say."""
    curves = Curves()
    points = curves.of_records(run.records())
    return points + curves.of_test(run.summary().get("test"))


def without_seconds(points: list[Point]) -> list[Point]:
    return [point for point in points if "second" not in point.name]


def test_a_logger_holds_what_the_run_folder_does(recipe: Recipe, tmp_path: Path) -> None:
    memory = Memory()
    run = execute(recipe, out=tmp_path, listeners=[memory])
    assert memory.points == told(run)
    assert memory.status == "finished"
    assert memory.points[-1].name == "test/accuracy"


@pytest.mark.parametrize(
    ("kind", "epoch", "forgotten"),
    [
        (FitStarted, 1, False),
        (StepsFinished, 2, False),
        (StepsFinished, 2, True),
        (Evaluated, 2, False),
        (EpochStarted, 3, False),
        (FitFinished, 3, True),
    ],
)
def test_a_run_that_went_on_has_every_point_once_even_if_nobody_had_listened_before(
    recipe: Recipe, finished: Run, tmp_path: Path, kind: type, epoch: int, forgotten: bool
) -> None:
    memory = Memory()
    first: list[Listener] = [] if forgotten else [memory]
    run = trained_in_two(recipe, tmp_path, first, [memory], stop_at(kind, epoch))
    assert memory.points == told(run)
    assert without_seconds(memory.points) == without_seconds(told(finished))


def test_a_logger_changes_no_bit_of_the_weights(
    recipe: Recipe, finished: Run, tmp_path: Path
) -> None:
    run = execute(recipe, out=tmp_path, listeners=[Memory()])
    assert run.weights_path("last").read_bytes() == finished.weights_path("last").read_bytes()


def test_a_diverged_training_closes_its_log_and_says_so(recipe: Recipe, tmp_path: Path) -> None:
    memory = Memory()
    wild = replace(recipe, train=replace(recipe.train, lr=1e12, schedule="constant"))
    with pytest.raises(Diverged):
        execute(wild, out=tmp_path, listeners=[memory])
    assert memory.status == "diverged"


def test_an_interrupted_training_closes_its_log_and_says_so(recipe: Recipe, tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Checkpointed):
            raise KeyboardInterrupt

    memory = Memory()
    with pytest.raises(KeyboardInterrupt):
        execute(recipe, out=tmp_path, listeners=[memory, interrupt])
    assert memory.status == "interrupted"
    assert memory.points == told(open_run("small-1", tmp_path))


def test_a_crashed_training_closes_its_log_too(recipe: Recipe, tmp_path: Path) -> None:
    memory = Memory()
    with pytest.raises(ZeroDivisionError):
        execute(recipe, out=tmp_path, listeners=[memory, stop_at(Evaluated, 1)])
    assert memory.status == "unfinished"


def test_a_log_that_cannot_be_opened_stops_the_training_before_its_first_step(
    recipe: Recipe, tmp_path: Path
) -> None:
    heard: list[Event] = []
    with pytest.raises(RunError, match="'memory' cannot be opened: No space left on device") as e:
        execute(recipe, out=tmp_path, listeners=[Memory(fails="open"), heard.append])
    assert "--log memory=PLACE" in e.value.fix
    assert heard == []


@pytest.mark.parametrize("where", ["add", "close"])
def test_a_log_that_fails_later_is_left_with_a_warning_and_the_training_goes_on(
    recipe: Recipe, finished: Run, tmp_path: Path, where: str
) -> None:
    with pytest.warns(UserWarning, match="'memory' ends here: No space left.*goes on") as warned:
        run = execute(recipe, out=tmp_path, listeners=[memory := Memory(fails=where)])
    assert len(warned) == 1
    assert memory.points == ([] if where == "add" else told(run))
    assert run.summary()["test"] == finished.summary()["test"]


def test_a_training_without_a_run_folder_is_refused(recipe: Recipe) -> None:
    with pytest.raises(ConvLensError, match="this training has none"):
        Memory()(FitStarted(num_epochs=1, steps_per_epoch=1, num_images=1, device="cpu"))


def test_a_training_with_a_log_may_leave_its_layout_to_the_machine(
    recipe: Recipe, tmp_path: Path
) -> None:
    """That is settled before there is a run folder."""
    memory, heard = Memory(), list[Event]()
    auto = replace(recipe, train=replace(recipe.train, epochs=1, precision="auto"))
    run = execute(auto, out=tmp_path, listeners=[memory, heard.append])
    assert isinstance(heard[0], Settled)
    assert memory.points == told(run)


def test_the_places_of_logs_are_kept_only_if_there_are_logs(
    recipe: Recipe, finished: Run, tmp_path: Path
) -> None:
    run = Run(tmp_path)
    with logged([lambda event: None], run, recipe):
        assert list(tmp_path.iterdir()) == []
    with logged([Memory()], run, recipe):
        assert json.loads((tmp_path / "logs.json").read_text()) == {"memory": "somewhere"}
    assert not (finished.path / "logs.json").exists()


def test_no_two_runs_have_one_identity_and_a_moved_run_keeps_its_own(tmp_path: Path) -> None:
    def made(folder: str, name: str, started: str) -> Run:
        (tmp_path / folder / name).mkdir(parents=True)
        run = Run(tmp_path / folder / name)
        run.write_json("provenance.json", {"started": started})
        return run

    run = made("runs", "small-1", "10:00")
    others = [made("runs", "small-2", "10:00"), made("elsewhere", "small-1", "10:01")]
    known = identity(run)
    assert known not in {identity(other) for other in others}
    assert identity(Run((tmp_path / "runs").rename(tmp_path / "moved") / "small-1")) == known


def test_a_logger_can_be_used_again(recipe: Recipe, tmp_path: Path) -> None:
    memory = Memory()
    execute(recipe, out=tmp_path, listeners=[memory])
    again = execute(recipe, out=tmp_path, listeners=[memory])
    assert memory.points == told(again)
    with pytest.raises(RunError, match="has finished"):
        resume_run(again, listeners=[memory])
    assert memory.points == told(again)
