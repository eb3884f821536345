"""`convlens train`, as a user meets it."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from convlens.cli.main import run
from convlens.experiment import execute as execution
from convlens.runs.record import without_times
from convlens.runs.store import Run
from convlens.train.machine import contention
from tests.cli.conftest import Convlens
from tests.pictures import draw, write_shapes


def test_a_training_ends_with_numbers_the_folder_and_the_next_command(
    convlens: Convlens, small_recipe: Sequence[str], tmp_path: Path
) -> None:
    result = convlens("train", "lenet", *small_recipe, "--out", tmp_path)
    assert result.code == 0
    assert "lenet-1: lenet, 61,706 parameters" in result.out
    assert "test accuracy" in result.out
    assert f"run folder: {tmp_path / 'lenet-1'}" in result.out
    assert f"next:       convlens runs show lenet-1 --out {tmp_path}" in result.out
    assert "epoch 1/1" in result.err
    assert "validated on the test images, as the book does" in result.err
    assert "stopped early" not in result.out


def test_one_that_is_stopped_early_says_why_and_so_does_its_folder(
    convlens: Convlens, small_recipe: Sequence[str], tmp_path: Path
) -> None:
    why = "1e-09 seconds of training are over"
    limit = ("--time-limit", "1e-9", "--quiet", "--out", tmp_path)
    result = convlens("train", "lenet", *small_recipe, *limit)
    assert f"stopped early: {why}" in result.out
    shown = convlens("runs", "show", tmp_path / "lenet-1")
    assert f"stopped early  {why}" in shown.out


def test_json_is_one_object_on_stdout_and_lines_on_stderr(
    convlens: Convlens, small_recipe: Sequence[str], tmp_path: Path
) -> None:
    result = convlens("train", "lenet", *small_recipe, "--out", tmp_path, "--json")
    assert result.json["status"] == "finished"
    assert result.json["run"] == str(tmp_path / "lenet-1")
    events = [json.loads(line)["event"] for line in result.err.splitlines()]
    assert events[0] == "FitStarted"
    assert events[-1] == "FitFinished"


@pytest.mark.parametrize(
    ("option", "told"), [([], True), (["--quiet"], False), (["--json"], False)]
)
def test_a_busy_machine_is_told_of_before_the_training(
    convlens: Convlens, small_recipe: Sequence[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, option: list[str], told: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr(contention, "note_now", lambda *_: "others are at work")
    result = convlens("train", "lenet", *small_recipe, "--out", tmp_path, *option)
    assert result.code == 0
    assert ("note: others are at work\ntraining on 600 images" in result.err) == told
    assert ("others are at work" in result.err) == told


def test_the_run_folder_holds_every_file(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert names == {
        "recipe.toml", "provenance.json", "metrics.jsonl", "summary.json",
        "weights-last.safetensors", "weights-best.safetensors", "predictions.npz",
        "curves.png", "curves.svg",
    }  # fmt: skip


def test_named_options_and_set_reach_the_recipe(
    convlens: Convlens, small_recipe: Sequence[str], tmp_path: Path
) -> None:
    result = convlens(
        "train", "lenet", *small_recipe, "--out", tmp_path, "--lr", "0.25", "--batch-size", "50",
        "--seed", "7", "--device", "cpu", "--set", "model.activation=relu", "--json",
    )  # fmt: skip
    table = Run(Path(result.json["run"])).read_recipe()
    train = table["train"]
    assert (train["lr"], train["batch_size"], train["seed"], train["device"]) == (
        0.25,
        50,
        7,
        "cpu",
    )
    assert table["model"]["activation"] == "relu"


def test_the_same_seed_gives_the_same_metrics_and_the_same_weights(
    convlens: Convlens, small_recipe: Sequence[str], tmp_path: Path
) -> None:
    for _ in range(2):
        convlens("train", "lenet-modern", *small_recipe, "--epochs", "2", "--out", tmp_path)
    first, second = (Run(tmp_path / f"lenet-modern-{number}") for number in (1, 2))
    assert without_times(first.records()) == without_times(second.records())
    assert first.weights_path("last").read_bytes() == second.weights_path("last").read_bytes()


def test_a_run_trained_by_another_implementation_learns_the_same_and_is_read_by_native(
    convlens: Convlens, small_recipe: Sequence[str], tmp_path: Path
) -> None:
    losses: list[float] = []
    for name in ("native", "unfold"):
        result = convlens(
            "train", "lenet-modern", *small_recipe, "--out", tmp_path, "--json",
            "--set", f"model.implementation={name}",
        )  # fmt: skip
        assert result.code == 0
        assert Run(Path(result.json["run"])).read_recipe()["model"]["implementation"] == name
        losses.append(result.json["test"]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)  # float32, a few steps
    recipe = tmp_path / "lenet-modern-2" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('"unfold"', '"native"'))
    again = convlens("evaluate", tmp_path / "lenet-modern-2", "--json")
    assert again.json["loss"] == pytest.approx(losses[1], rel=1e-4)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three kinds of shapes, and a cache of the test's own."""
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path / "cache"))
    return write_shapes(tmp_path / "photos", num_each=40)


def test_a_folder_of_ones_own_is_learned_tested_and_predicted_by_its_classes(
    convlens: Convlens, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    result = convlens("train", "--data", photos, "--out", out)
    assert result.code == 0
    assert "note: no test folder: 20 % of each class" in result.err
    assert "note: for so few images: " in result.err
    run = Run(out / "lenet-modern-1")
    assert run.summary()["test"]["num_images"] == 24
    assert run.summary()["test"]["accuracy"] > 0.9
    data = run.read_recipe()["data"]
    assert (data["name"], data["folder"]) == ("own", str(photos))
    assert data["classes"] == ["disc", "square", "triangle"]
    assert (data["channels"], data["image_size"]) == (3, 32)
    assert (len(data["mean"]), len(data["std"])) == (3, 3)

    evaluated = convlens("evaluate", run.path, "--json").json
    assert evaluated["accuracy"] == run.summary()["test"]["accuracy"]
    assert evaluated["classes"] == ["disc", "square", "triangle"]
    moved = photos.rename(tmp_path / "moved")
    again = convlens("evaluate", run.path, "--folder", moved, "--json").json
    assert again["loss"] == evaluated["loss"]  # the same images are tested on
    draw("disc", 99).save(tmp_path / "new.png")
    (prediction,) = convlens("predict", run.path, tmp_path / "new.png", "--json").json[
        "predictions"
    ]
    assert prediction["probabilities"].keys() == {"disc", "square", "triangle"}
    assert next(iter(prediction["probabilities"])) == "disc"  # the most probable comes first


def test_a_run_of_ones_own_images_can_be_repeated_from_its_recipe(
    convlens: Convlens, photos: Path, tmp_path: Path
) -> None:
    flags = ["--epochs", "2", "--out", tmp_path / "runs", "--json"]
    first = convlens("train", "--data", photos, *flags).json
    recipe = Path(first["run"]) / "recipe.toml"
    second = convlens("train", recipe, *flags).json
    assert second["test"] == first["test"]
    assert Run(Path(second["run"])).read_recipe() == Run(Path(first["run"])).read_recipe()


def test_a_table_of_ones_own_is_trained_on_as_told(
    convlens: Convlens, photos: Path, tmp_path: Path
) -> None:
    lines = [f"{path.relative_to(photos)},{path.parent.name}" for path in photos.rglob("*.png")]
    (photos / "labels.csv").write_text("path,label\n" + "\n".join(lines))
    result = convlens(
        "train", "lenet", "--data", photos / "labels.csv", "--epochs", "1", "--batch-size", "32",
        "--set", "data.channels=1", "--set", "data.image_size=30", "--out", tmp_path, "--json",
    )  # fmt: skip
    table = Run(Path(result.json["run"])).read_recipe()
    assert (table["train"]["epochs"], table["train"]["batch_size"]) == (1, 32)
    assert (table["model"]["in_channels"], table["model"]["image_size"]) == (1, 30)
    assert table["data"]["validation"] == "test"  # as the recipe has it
    assert result.json["num_parameters"] > 0


def test_a_published_data_set_is_read_from_the_folder_that_is_named(
    convlens: Convlens, small_folder: Path, tmp_path: Path
) -> None:
    result = convlens(
        "train", "--data", "mnist", "--set", f"data.folder={small_folder}", "--epochs", "1",
        "--out", tmp_path, "--json",
    )  # fmt: skip
    data = Run(Path(result.json["run"])).read_recipe()["data"]
    assert (data["name"], data["folder"]) == ("mnist", str(small_folder))
    assert data["mean"] != [0.286]  # that of the recipe's own data set


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        ("fashion-mnits", 2, ["no data set 'fashion-mnits'", "nor is there a folder"]),
        ("./nowhere", 3, ["nowhere: no such folder or file"]),
        (".", 3, ["no folders of classes in it"]),
    ],
)
def test_data_that_is_not_there_is_named_and_leaves_no_folder(
    convlens: Convlens,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: str,
    code: int,
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    result = convlens("train", "--data", data, "--out", "runs")
    assert result.code == code
    for word in words:
        assert word in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lenet-moden"], ["no recipe 'lenet-moden'", "lenet-modern"]),
        (["lenet", "--set", "model.name=lenett"], ["no model 'lenett'", "'lenet'"]),
        (["lenet", "--set", "data.name=fashion"], ["no data set 'fashion'", "fashion-mnist"]),
        (["lenet", "--set", "train.epoch=3"], ["train.epoch: unknown setting", "'epochs'"]),
        (["lenet", "--set", "trian.lr=1"], ["trian: unknown section", "'train'"]),
        (["lenet", "--set", 'train.epochs="3"'], ["train.epochs", "integer", "'3'"]),
        (["lenet", "--epochs", "-3"], ["train.epochs", "greater than 0", "-3"]),
        (["lenet", "--epochs", "many"], ["--epochs", "integer"]),
        (["lenet", "--set", "model.activation=rellu"], ["model.activation", "'relu'"]),
        (
            ["lenet", "--set", "model.implementation=winograd-2x2"],
            ["Conv2d(1, 6, kernel_size=(5, 5)", "'winograd-2x2' cannot", "these can: fft, matrix"],
        ),
        (["lenet", "--set", "model.implementation=unfould"], ["model.implementation", "'unfold'"]),
        (["lenet", "--device", "cuda:99"], ["train.device", "cuda:99"]),
        (["lenet", "--set", "data.image_size=4"], ["spans"]),
        (["lenet", "--set", "lr"], ["'lr' is not a setting"]),
        (["lenet", "--log", "csvv"], ["no log 'csvv'", "'csv'"]),
        (["missing.toml"], ["missing.toml", "no such file"]),
    ],
)
def test_a_wrong_setting_is_named_and_leaves_no_folder(
    convlens: Convlens, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    result = convlens("train", *arguments, "--out", tmp_path / "runs")
    assert result.code == 2
    for word in words:
        assert word in result.err
    assert result.out == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_bad_data_is_named_and_leaves_no_folder(
    convlens: Convlens, small_folder: Path, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(small_folder, folder)
    file = folder / "train-images-idx3-ubyte"
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-100])
    out = tmp_path / "runs"
    result = convlens("train", "lenet", "--set", f"data.folder={folder}", "--out", out)
    assert result.code == 3
    assert str(file) in result.err
    assert not out.exists()


def test_an_output_folder_that_cannot_be_written_is_named(
    convlens: Convlens, small_recipe: Sequence[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    result = convlens("train", "lenet", *small_recipe, "--out", tmp_path / "file" / "runs")
    assert result.code == 3
    assert "cannot make a run folder there" in result.err
    assert "--out" in result.err


def test_a_diverging_training_exits_4_and_keeps_what_was_good(
    convlens: Convlens, small_recipe: Sequence[str], tmp_path: Path
) -> None:
    result = convlens("train", "lenet-modern", *small_recipe, "--lr", "1e12", "--out", tmp_path)
    assert result.code == 4
    assert "epoch 1" in result.err
    assert "--lr" in result.err
    run = Run(tmp_path / "lenet-modern-1")
    assert run.summary()["status"] == "diverged"
    assert not run.weights_path("last").exists()  # no epoch was good
    assert "holds no weights" in result.err


def test_a_log_is_written_told_and_taken_up_again_by_itself(
    convlens: Convlens, small_recipe: Sequence[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    table = tmp_path / "lenet-1" / "metrics.csv"
    with monkeypatch.context() as patched:
        patched.setattr(execution, "predict_logits", interrupt)
        assert convlens("train", "lenet", *small_recipe, "--out", tmp_path, "--log", "csv").code
    *first, test_accuracy = table.read_text().splitlines()[-1].split(",")
    assert (first[0], test_accuracy) == ("5", "")
    result = convlens("train", "--resume", tmp_path / "lenet-1")
    assert f"log:        {table}\n" in result.out
    last = table.read_text().splitlines()[-1].split(",")
    assert last[:-2] == first[:-1]
    assert float(last[-1]) == Run(table.parent).summary()["test"]["accuracy"]


@pytest.fixture
def stopped(small_recipe: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that Ctrl-C stopped after its last epoch, before its test."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(execution, "predict_logits", interrupt)
        assert run(["train", "lenet", *small_recipe, "--out", str(tmp_path), "--quiet"]) == 130
    return tmp_path / "lenet-1"


def test_an_interrupted_run_says_how_to_go_on_and_goes_on(
    convlens: Convlens, stopped: Path, tmp_path: Path
) -> None:
    first = convlens("train", "--resume", "lenet-1", "--out", tmp_path)
    assert first.code == 0
    assert "going on after epoch 1\ntraining on 600 images" in first.err
    assert "lenet-1: lenet, 61,706 parameters" in first.out
    again = convlens("train", "--resume", stopped)
    assert again.code == 3
    assert "lenet-1 has finished" in again.err
    assert f"convlens train {stopped / 'recipe.toml'} --epochs 2" in again.err


def test_what_was_interrupted_is_told_with_the_command(
    convlens: Convlens, small_recipe: Sequence[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(execution, "predict_logits", interrupt)
    result = convlens("train", "lenet", *small_recipe, "--out", tmp_path)
    assert (result.code, result.out) == (130, "")
    command = f"convlens train --resume {tmp_path / 'lenet-1'}"
    assert f"error: interrupted\n  the weights after epoch 1 are in {tmp_path}" in result.err
    assert result.err.endswith(f"  to go on after epoch 1: {command}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "7"], ["train.epochs: the run's is 1, not 7", "--set train.epochs=7"]),
        (
            ["--set", "train.precision=bfloat16"],
            ["train.precision: the run's is float32, not bfloat16"],
        ),
        (["--set", "model.activation=relu"], ["model.activation: the run's is sigmoid, not relu"]),
        (["lenet"], ["goes on by its own recipe, not by 'lenet'", "convlens train --resume"]),
        (["--set", "train.epoch=1"], ["train.epoch: unknown setting"]),
    ],
)
def test_settings_that_contradict_the_run_are_refused(
    convlens: Convlens, stopped: Path, arguments: list[str], words: list[str]
) -> None:
    before = {path.name: path.read_bytes() for path in stopped.iterdir()}
    result = convlens("train", *arguments, "--resume", stopped)
    assert result.code == 2
    for word in words:
        assert word in result.err
    assert {path.name: path.read_bytes() for path in stopped.iterdir()} == before


def test_a_damaged_checkpoint_is_told_even_if_no_progress_is(
    convlens: Convlens, stopped: Path
) -> None:
    path = stopped / "checkpoint-a.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    result = convlens("train", "--resume", stopped, "--quiet")
    assert result.code == 3  # there is no other one after one epoch
    assert "has no checkpoint that can be used" in result.err
    (stopped / "checkpoint-b.safetensors").write_bytes(b"")
    path.unlink()
    assert convlens("train", "--resume", stopped, "--quiet").code == 3


def test_an_unknown_run_cannot_be_resumed(convlens: Convlens, stopped: Path) -> None:
    result = convlens("train", "--resume", "lenet1", "--out", stopped.parent)
    assert result.code == 3
    assert "did you mean 'lenet-1'?" in result.err
