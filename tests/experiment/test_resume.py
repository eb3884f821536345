"""A run that was stopped goes on bit for bit, or says why it cannot."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from convlens.core.errors import ConfigError, ConvLensError, RunError
from convlens.core.seed import reproducible
from convlens.data.augment.settings import AugmentConfig
from convlens.experiment import execute as execution
from convlens.experiment.execute import execute
from convlens.experiment.machine import compiled
from convlens.experiment.recipe import Recipe, resolve
from convlens.experiment.resume import refuse_other_settings, resume_run
from convlens.runs.lock import locked
from convlens.runs.pair import NAMES, CheckpointPair
from convlens.runs.record import without_times
from convlens.runs.store import Run, open_run
from convlens.train.events import (
    Checkpointed,
    EpochFinished,
    Evaluated,
    Event,
    FitFinished,
    FitStarted,
    Listener,
    Resumed,
    StepsFinished,
)

EVERY_STEP = 1e-9  # seconds between checkpoints
SMALL_ALEXNET = {
    "name": "alexnet", "stem": "small", "widths": [4, 4, 4, 4, 4], "pool_size": 0,
    "stem_padding": 1, "hidden": 8,
}  # fmt: skip


def recipe(folder: Path, model: dict[str, Any] | None = None, **train: Any) -> Recipe:
    """LeNet with momentum on the small data set, three epochs of four steps."""
    settings = {"epochs": 3, "batch_size": 150, "lr": 0.02, "momentum": 0.9, "log_every": 3}
    settings |= {"device": "cpu", "schedule": "one-cycle", "checkpoint_seconds": EVERY_STEP}
    table: dict[str, Any] = {
        "data": {"folder": str(folder), "validation": "test"},
        "model": model or {"name": "lenet-modern"},
        "train": {**settings, **train},
    }
    return resolve("small", table)


def left(run: Run) -> dict[str, Any]:
    """All that a run left, but for times and machines."""
    summary = run.summary()
    with np.load(run.path / "predictions.npz", allow_pickle=False) as arrays:
        predictions = {name: arrays[name].tobytes() for name in arrays}
    return {
        "files": sorted(path.name for path in run.path.iterdir()),
        "records": without_times(run.records()),
        "summary": without_times([summary]),
        "predictions": predictions,
        "weights": [run.weights_path(which).read_bytes() for which in ("last", "best")],
    }


def stop_at(kind: type, number: int) -> Listener:
    """Stops a training as a crash would, at the event of this kind with this number from 1."""
    seen = [0]

    def listen(event: Event) -> None:
        seen[0] += isinstance(event, kind)
        if isinstance(event, kind) and seen[0] == number:
            raise ZeroDivisionError

    return listen


def stopped(recipe: Recipe, out: Path, at: Listener) -> Run:
    with pytest.raises(ZeroDivisionError):
        execute(recipe, out=out, listeners=[at])
    return open_run("small-1", out)


@pytest.fixture(scope="module")
def whole(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the uninterrupted training leaves."""
    return left(execute(recipe(small_folder), out=tmp_path_factory.mktemp("whole")))


@pytest.mark.parametrize(
    ("kind", "number", "seconds"),
    [
        (FitStarted, 1, EVERY_STEP),
        (StepsFinished, 1, EVERY_STEP),
        (StepsFinished, 2, EVERY_STEP),
        (StepsFinished, 5, 0),
        (Evaluated, 1, EVERY_STEP),
        (EpochFinished, 2, EVERY_STEP),
        (Checkpointed, 2, EVERY_STEP),
        (Checkpointed, 3, 0),
        (FitFinished, 1, 0),
    ],
)
def test_a_run_stopped_anywhere_ends_as_if_it_never_was(
    small_folder: Path, tmp_path: Path, whole: dict[str, Any], kind: type, number: int,
    seconds: float,
) -> None:  # fmt: skip
    small = recipe(small_folder, checkpoint_seconds=seconds)
    run = stopped(small, tmp_path, stop_at(kind, number))
    assert resume_run(run) is run
    assert left(run) == whole


@pytest.mark.parametrize("model", [{"name": "lenet-bn"}, SMALL_ALEXNET], ids=["norms", "dropout"])
def test_buffers_and_chance_go_on_too(
    small_folder: Path, tmp_path: Path, model: dict[str, Any]
) -> None:
    small = recipe(small_folder, model, epochs=2)
    expected = left(execute(small, out=tmp_path / "whole"))
    run = stopped(small, tmp_path, stop_at(StepsFinished, 3))
    resume_run(run)
    assert left(run) == expected


def test_a_compiled_run_goes_on_too(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By torch's back end "eager", of layers that the tests' type checks are not around."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    monkeypatch.setattr(compiled, "refuse_without_compiler", lambda _: None)
    for module in ("execute", "resume"):
        monkeypatch.setattr(
            f"convlens.experiment.{module}.build",
            lambda *_: nn.Sequential(nn.Conv2d(1, 2, 5), nn.Flatten(), nn.Linear(1152, 10)),
        )
    small = recipe(small_folder, epochs=2, compile=True, momentum=0.5)
    expected = left(execute(small, out=tmp_path / "whole"))
    run = stopped(small, tmp_path, stop_at(StepsFinished, 3))
    resume_run(run)
    assert left(run) == expected


EVERYTHING: dict[str, Any] = {
    "optimizer": "muon", "lookahead": 2, "average": 0.9, "patience": 2, "schedule": "cosine",
    "accumulate": 2, "clip": 1.0, "label_smoothing": 0.1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "number"), [(StepsFinished, 2), (Evaluated, 1), (Checkpointed, 2), (FitFinished, 1)]
)
def test_slow_and_averaged_weights_and_augmentation_go_on_too(
    small_folder: Path, tmp_path: Path, kind: type, number: int
) -> None:
    plain = recipe(small_folder, epochs=3, **EVERYTHING)
    small = replace(plain, augment=AugmentConfig(flip="random", translate=1, mixup=0.3))
    expected = left(execute(small, out=tmp_path / "whole"))
    run = stopped(small, tmp_path, stop_at(kind, number))
    resume_run(run)
    assert left(run) == expected


def test_a_run_on_data_in_a_relative_folder_goes_on_from_any_folder(
    small_folder: Path, tmp_path: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_folder.parent)
    run = stopped(recipe(Path(small_folder.name)), tmp_path, stop_at(StepsFinished, 2))
    monkeypatch.chdir(tmp_path)
    assert run.read_recipe()["data"]["folder"] == str(small_folder)
    resume_run(run)
    assert left(run) == whole


def test_it_is_told_where_it_goes_on_and_the_place_is_kept(
    small_folder: Path, tmp_path: Path
) -> None:
    run = stopped(recipe(small_folder), tmp_path, stop_at(StepsFinished, 4))
    heard: list[Event] = []
    resume_run(run, listeners=[heard.append])
    assert heard[0] == Resumed(epoch=2, step=3, notes=())
    assert [type(event).__name__ for event in heard[1:3]] == ["FitStarted", "EpochStarted"]
    (resumed,) = run.read_json("provenance.json")["resumed"]
    assert (resumed["epoch"], resumed["step"], resumed["device"]) == (2, 3, "cpu")


def test_chance_is_afterwards_as_before(small_folder: Path, tmp_path: Path) -> None:
    run = stopped(recipe(small_folder), tmp_path, stop_at(StepsFinished, 4))
    with reproducible(3):
        expected = torch.rand(3)
    with reproducible(3):
        resume_run(run)
        assert torch.equal(torch.rand(3), expected)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def test_a_flipped_bit_is_told_and_the_checkpoint_before_is_taken(
    small_folder: Path, tmp_path: Path, whole: dict[str, Any]
) -> None:
    run = stopped(recipe(small_folder), tmp_path, stop_at(StepsFinished, 4))
    saved = CheckpointPair(run.path).newest()
    assert saved is not None and saved.note["position"]["step"] == 3
    flip(run.path / saved.name)
    heard: list[Event] = []
    resume_run(run, listeners=[heard.append])
    resumed = heard[0]
    assert isinstance(resumed, Resumed) and (resumed.epoch, resumed.step) == (2, 2)
    other = NAMES[1 - NAMES.index(saved.name)]
    assert saved.name in resumed.notes[0] and "damaged" in resumed.notes[0]
    assert resumed.notes[1:] == (f"{other} is taken in its place",)
    assert left(run) == whole


def test_two_damaged_checkpoints_are_refused_and_nothing_is_lost(
    small_folder: Path, tmp_path: Path
) -> None:
    run = stopped(recipe(small_folder), tmp_path, stop_at(StepsFinished, 4))
    for name in NAMES:
        flip(run.path / name)
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    with pytest.raises(RunError, match="no checkpoint that can be used") as error:
        resume_run(run)
    assert error.value.fix == f"train anew: convlens train {run.path / 'recipe.toml'}"
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


def test_a_finished_run_is_refused_with_what_to_type(small_folder: Path, tmp_path: Path) -> None:
    run = execute(recipe(small_folder, epochs=1), out=tmp_path)
    before = left(run)
    with pytest.raises(RunError, match="small-1 has finished: 1 epochs were asked for") as error:
        resume_run(run)
    assert f"convlens train {run.path / 'recipe.toml'} --epochs 2" in error.value.fix
    assert left(run) == before


def test_one_that_was_stopped_early_is_refused_with_the_reason(
    small_folder: Path, tmp_path: Path
) -> None:
    run = execute(recipe(small_folder, time_limit=1e-9), out=tmp_path)
    with pytest.raises(RunError, match="after 1 epochs: 1e-09 seconds of training are over") as e:
        resume_run(run)
    assert e.value.fix.endswith("--set train.patience=0 --set train.time_limit=0")


def test_a_diverged_run_is_refused(small_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConvLensError):
        execute(recipe(small_folder, lr=1e9), out=tmp_path)
    with pytest.raises(RunError, match="has diverged, and would again: the loss became") as error:
        resume_run(open_run("small-1", tmp_path))
    assert error.value.fix.endswith("--lr 1e+08")


def test_a_run_that_another_process_is_at_work_on_is_refused(
    small_folder: Path, tmp_path: Path
) -> None:
    run = stopped(recipe(small_folder), tmp_path, stop_at(StepsFinished, 4))
    with locked(run.path), pytest.raises(RunError, match="is at work on this run"):
        resume_run(run)
    resume_run(run)


def test_while_it_trains_it_is_locked(small_folder: Path, tmp_path: Path) -> None:
    def meddle(event: Event) -> None:
        if isinstance(event, EpochFinished):
            with pytest.raises(RunError, match="is at work on this run"):
                resume_run(open_run("small-1", tmp_path))

    execute(recipe(small_folder, epochs=1), out=tmp_path, listeners=[meddle])


def test_other_data_are_refused(small_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(small_folder, data)
    run = stopped(recipe(data), tmp_path, stop_at(StepsFinished, 4))
    flip(data / "train-images-idx3-ubyte")
    with pytest.raises(RunError, match="train-images-idx3-ubyte is not the file that small-1 was"):
        resume_run(run)


def test_another_machine_is_told(small_folder: Path, tmp_path: Path) -> None:
    run = stopped(recipe(small_folder), tmp_path, stop_at(StepsFinished, 4))
    origin = run.read_json("provenance.json")
    origin["threads"] += 7
    origin["versions"]["torch"] = "0.1"
    run.write_json("provenance.json", origin)
    heard: list[Event] = []
    resume_run(run, listeners=[heard.append])
    assert isinstance(heard[0], Resumed)
    threads, torch_version = heard[0].notes
    assert threads.endswith(f"here, {origin['threads']} before; the last bits may differ")
    assert torch_version.startswith(f"torch: {torch.__version__} here, 0.1 before")


@pytest.mark.parametrize("lost", ["provenance.json", "metrics.jsonl"])
def test_a_run_killed_before_its_first_step_starts_anew(
    small_folder: Path, tmp_path: Path, whole: dict[str, Any], lost: str
) -> None:
    run = stopped(recipe(small_folder), tmp_path, stop_at(FitStarted, 1))
    for name in ("metrics.jsonl", lost):
        (run.path / name).unlink(missing_ok=True)
    heard: list[Event] = []
    resume_run(run, listeners=[heard.append])
    assert heard[0] == Resumed(epoch=1, step=0, notes=())
    assert left(run) == {**whole, "files": left(run)["files"]}


def test_a_run_killed_again_and_again_before_its_first_step_still_goes_on(
    small_folder: Path, tmp_path: Path, whole: dict[str, Any]
) -> None:
    run = stopped(recipe(small_folder), tmp_path, stop_at(FitStarted, 1))
    for name in ("metrics.jsonl", "provenance.json"):
        (run.path / name).unlink(missing_ok=True)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            resume_run(run, listeners=[stop_at(FitStarted, 1)])
    resume_run(run)
    assert left(run) == whole
    assert len(run.read_json("provenance.json")["resumed"]) == 3


def test_what_a_run_killed_on_its_last_line_left_is_cleared_away(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, Any]
) -> None:
    """Its summary says that it has finished; its checkpoints are still there."""

    def killed(_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        patched.setattr(CheckpointPair, "remove", killed)
        execute(recipe(small_folder), out=tmp_path)
    run = open_run("small-1", tmp_path)
    assert (run.path / NAMES[0]).exists()
    with pytest.raises(RunError, match="small-1 has finished"):
        resume_run(run)
    assert left(run) == whole


def test_half_written_files_are_swept(
    small_folder: Path, tmp_path: Path, whole: dict[str, Any]
) -> None:
    run = stopped(recipe(small_folder), tmp_path, stop_at(StepsFinished, 4))
    (run.path / ".checkpoint-a.safetensors.abcd.part").write_bytes(b"half")
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"event": "Steps')
    resume_run(run)
    assert left(run) == whole


def test_missing_records_are_refused(small_folder: Path, tmp_path: Path) -> None:
    run = stopped(recipe(small_folder), tmp_path, stop_at(StepsFinished, 4))
    (run.path / "metrics.jsonl").write_text("")
    with pytest.raises(RunError, match=r"metrics\.jsonl: 0 events, but \d+ had been written"):
        resume_run(run)


def interrupt(event: Event) -> None:
    """Presses Ctrl-C in the fifth step, so to say."""
    if isinstance(event, StepsFinished) and (event.epoch, event.step) == (2, 3):
        raise KeyboardInterrupt


def test_an_interrupted_run_goes_on_and_is_no_longer_called_so(
    small_folder: Path, tmp_path: Path, whole: dict[str, Any]
) -> None:
    with pytest.raises(KeyboardInterrupt, match="to go on after step 2 of epoch 2: convlens train"):
        execute(recipe(small_folder), out=tmp_path, listeners=[interrupt])
    run = open_run("small-1", tmp_path)
    assert run.summary()["status"] == "interrupted"
    found: list[str] = []
    resume_run(run, listeners=[lambda event: found.append(run.summary()["status"])])
    assert set(found) == {"unfinished"}
    assert left(run) == whole


def test_a_run_stopped_in_its_test_is_tested_again(
    small_folder: Path, tmp_path: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt, match="after epoch 3"):
        patched.setattr(execution, "predict_logits", stop)
        execute(recipe(small_folder), out=tmp_path)
    run = open_run("small-1", tmp_path)
    heard: list[Event] = []
    resume_run(run, listeners=[heard.append])
    assert [type(event).__name__ for event in heard] == ["Resumed", "FitStarted", "FitFinished"]
    assert left(run) == whole


def test_a_full_disk_stops_with_what_was_saved_and_loses_nothing(
    small_folder: Path, tmp_path: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, write = [0], CheckpointPair.write

    def fill(pair: CheckpointPair, *content: Any) -> None:
        writes[0] += 1
        if writes[0] == 7:
            raise OSError(28, "No space left on device")
        write(pair, *content)

    with monkeypatch.context() as patched, pytest.raises(RunError) as error:
        patched.setattr(CheckpointPair, "write", fill)
        execute(recipe(small_folder), out=tmp_path)
    assert error.value.what.endswith("so the training has stopped: no space left on device")
    assert "to go on after step 1 of epoch 2: convlens train --resume" in error.value.fix
    run = open_run("small-1", tmp_path)
    assert run.summary()["status"] == "failed"
    resume_run(run)
    assert left(run) == whole


def test_settings_that_are_the_runs_own_are_allowed(small_folder: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "small-1")
    run.path.mkdir()
    run.write_recipe(json.loads(json.dumps(recipe(small_folder).to_table())))
    refuse_other_settings(run, [])
    refuse_other_settings(run, ["train.epochs=3", "model.name=lenet-modern", "train.device=cpu"])
    for setting in ("train.epochs=4", "model.activation=sigmoid", "data.folder=/elsewhere"):
        key, _, value = setting.partition("=")
        with pytest.raises(ConfigError, match=f"^{key}: the run's is .*, not .*{value}; it"):
            refuse_other_settings(run, [setting])
    with pytest.raises(ConfigError, match=r"train\.epoch: unknown setting"):
        refuse_other_settings(run, ["train.epoch=3"])
