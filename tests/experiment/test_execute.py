"""A run folder holds all that was promised, however the run ended, and can be repeated."""

import json
import tomllib
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from convlens.core.errors import (
    ConfigError,
    ConvLensError,
    DataError,
    Diverged,
    RunError,
    ShapeError,
    UnknownName,
)
from convlens.data.augment.settings import AugmentConfig
from convlens.data.image_set import DataSet
from convlens.data.sets.fashion_mnist import load_fashion_mnist
from convlens.experiment import execute as module
from convlens.experiment.execute import (
    Material,
    evaluate_run,
    execute,
    load_model,
    preparation,
    recipe_of,
)
from convlens.experiment.machine import compiled, probe
from convlens.experiment.recipe import Recipe, resolve
from convlens.nn.stem import Whitening
from convlens.report.figures import save_curves
from convlens.report.runs.curves import epochs_of
from convlens.runs.pair import NAMES
from convlens.runs.record import without_times
from convlens.runs.store import Run, list_runs, open_run
from convlens.train import task
from convlens.train.evaluate import measure
from convlens.train.events import Checkpointed, Evaluated, Event, Settled
from tests.idx_files import encode, learnable

FILES = {
    "recipe.toml",
    "provenance.json",
    "metrics.jsonl",
    "summary.json",
    "weights-last.safetensors",
    "weights-best.safetensors",
    "predictions.npz",
}
STEPS_PER_EPOCH = 10


def small_recipe(folder: Path, **train: Any) -> Recipe:
    """LeNet with ReLU on the small data set, three epochs of ten steps."""
    table: dict[str, Any] = {
        "data": {"folder": str(folder), "validation": "test", "mean": [0.2], "std": [0.3]},
        "model": {"name": "lenet-modern"},
        "train": {
            "epochs": 3,
            "batch_size": 60,
            "lr": 0.05,
            "log_every": 4,
            "device": "cpu",
            **train,
        },
    }
    return resolve("small", table)


def weights(model: nn.Module) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in model.state_dict().values()]


@pytest.fixture(scope="module")
def heard() -> list[Event]:
    """What a listener of the finished run heard."""
    return []


@pytest.fixture(scope="module")
def finished(
    small_folder: Path, heard: list[Event], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A finished run; read it, do not write to it."""
    out = tmp_path_factory.mktemp("runs")
    return execute(small_recipe(small_folder), out=out, listeners=[heard.append])


def test_a_finished_run_holds_every_file_and_no_other(finished: Run) -> None:
    assert finished.name == "small-1"
    assert {path.name for path in finished.path.iterdir()} == FILES


def test_it_holds_the_resolved_recipe(finished: Run, small_folder: Path) -> None:
    table = tomllib.loads((finished.path / "recipe.toml").read_text())
    assert table == json.loads(json.dumps(small_recipe(small_folder).to_table()))
    assert recipe_of(finished) == small_recipe(small_folder)


def test_it_holds_where_it_comes_from(finished: Run, small: DataSet) -> None:
    found = finished.read_json("provenance.json")
    assert found["data_md5"] == {Path(file.path).name: file.md5 for file in small.files}
    assert found["device"] == "cpu"


def test_it_holds_every_event_as_listeners_heard_it(finished: Run, heard: list[Event]) -> None:
    assert heard
    assert finished.records() == [{"event": type(e).__name__, **asdict(e)} for e in heard]


def test_its_summary_is_what_the_events_told(finished: Run, heard: list[Event]) -> None:
    summary = finished.summary()
    evaluated = [event for event in heard if isinstance(event, Evaluated)]
    best = max(evaluated, key=lambda event: event.accuracy)  # the first of equals
    for which, event in (("last", evaluated[-1]), ("best", best)):
        expected = {"epoch": event.epoch, "loss": event.loss, "accuracy": event.accuracy}
        assert summary["validation"][which] == expected
    assert (summary["status"], summary["epochs"], summary["model"]) == (
        "finished",
        3,
        "lenet-modern",
    )
    assert summary["num_parameters"] == 61_706
    assert summary["seconds"] > summary["train_seconds"] > 0
    assert summary["images_per_second"] == pytest.approx(3 * 600 / summary["train_seconds"])
    assert "error" not in summary


def test_it_has_learnt(finished: Run) -> None:
    assert finished.summary()["test"]["accuracy"] > 0.9


def test_its_predictions_are_of_the_test_images_and_give_its_summary(
    finished: Run, small: DataSet
) -> None:
    with np.load(finished.path / "predictions.npz", allow_pickle=False) as found:
        assert sorted(found) == ["labels", "logits"]
        labels, logits = torch.from_numpy(found["labels"]), torch.from_numpy(found["logits"])
    assert torch.equal(labels, small.test.labels)
    assert logits.shape == (100, 10)
    result, test = measure(logits, labels), finished.summary()["test"]
    assert test == {"loss": result.loss, "accuracy": result.accuracy, "num_images": 100}


def test_evaluating_a_run_gives_what_its_summary_says(finished: Run) -> None:
    summary = finished.summary()
    result = evaluate_run(finished, device="cpu")
    assert result.accuracy == summary["test"]["accuracy"]
    assert result.loss == pytest.approx(summary["test"]["loss"], rel=1e-4)
    best = evaluate_run(finished, which="best", device="cpu")
    assert best.accuracy == summary["validation"]["best"]["accuracy"]  # validated on test images


def test_a_run_can_be_evaluated_on_other_images(
    finished: Run, small_folder: Path, tmp_path: Path
) -> None:
    for path in small_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    images, labels = learnable(50, seed=3)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(encode(images))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(encode((labels + 1) % 10))
    result = evaluate_run(finished, folder=tmp_path, device="cpu")
    assert (result.num_images, result.accuracy < 0.5) == (50, True)


def test_a_run_can_be_repeated_from_its_folder_alone(finished: Run, tmp_path: Path) -> None:
    again = execute(recipe_of(finished), out=tmp_path)
    assert without_times(again.records()) == without_times(finished.records())
    for which in ("last", "best"):
        assert weights(load_model(again, which)) == weights(load_model(finished, which))
    assert again.summary()["test"] == finished.summary()["test"]


def test_another_seed_gives_another_run(finished: Run, small_folder: Path, tmp_path: Path) -> None:
    other = execute(small_recipe(small_folder, seed=1, epochs=1), out=tmp_path)
    assert other.records()[3] != finished.records()[3]


def test_a_run_does_not_depend_on_chance_used_before_nor_disturbs_it(
    finished: Run, small_folder: Path, tmp_path: Path
) -> None:
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    again = execute(small_recipe(small_folder), out=tmp_path)
    assert torch.equal(torch.rand(3), expected)
    assert weights(load_model(again)) == weights(load_model(finished))


def test_loading_a_model_disturbs_no_chance_and_gives_evaluation_mode(finished: Run) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    assert not load_model(finished).training
    assert torch.equal(torch.rand(3), expected)


def bad(name: str, error: type[ConvLensError], change: Callable[[Recipe], Recipe]) -> Any:
    return pytest.param(error, change, id=name)


def data(**settings: Any) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, data=replace(recipe.data, **settings))


def trained(**settings: Any) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, train=replace(recipe.train, **settings))


def modelled(**settings: Any) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, model=replace(recipe.model, **settings))


@pytest.mark.parametrize(
    ("error", "change"),
    [
        bad("device", ConfigError, trained(device="gpu")),
        bad("momentum", ConfigError, trained(nesterov=True)),
        bad("channels", ConfigError, data(mean=(0.1, 0.2))),
        bad("model", UnknownName, lambda recipe: replace(recipe, model_name="lenett")),
        bad("data", UnknownName, data(name="fashion")),
        bad("size", ShapeError, modelled(image_size=8)),
        bad("value", ConfigError, modelled(num_classes=0)),
        bad("missing", DataError, data(folder="nowhere")),
    ],
)
def test_bad_input_leaves_nothing_behind(
    small_folder: Path,
    tmp_path: Path,
    error: type[ConvLensError],
    change: Callable[[Recipe], Recipe],
) -> None:
    with pytest.raises(error):
        execute(change(small_recipe(small_folder)), out=tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_leaves_nothing_behind(small_folder: Path, tmp_path: Path) -> None:
    for path in small_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    images = tmp_path / "t10k-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte: at byte 4"):
        execute(small_recipe(tmp_path), out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_where_no_folder_can_be_made_nothing_is_trained(small_folder: Path, tmp_path: Path) -> None:
    heard: list[Event] = []
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot make a run folder"):
        execute(small_recipe(small_folder), out=tmp_path / "file", listeners=[heard.append])
    assert heard == []


def test_a_run_that_diverges_keeps_the_last_good_weights_and_says_where(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs_away(config: object, step: int, num_steps: int) -> float:
        return 0.05 if step < 2 * STEPS_PER_EPOCH else 1e20

    good = execute(small_recipe(small_folder, epochs=2), out=tmp_path / "good")
    monkeypatch.setattr(task, "learning_rate", runs_away)
    with pytest.raises(Diverged, match=r"^the loss became nan at step \d+ of epoch 3") as error:
        execute(small_recipe(small_folder), out=tmp_path)
    run = open_run("small-1", tmp_path)
    kept = run.weights_path("last")
    assert error.value.fix.endswith(f"the weights after epoch 2 are in {kept}")
    assert weights(load_model(run)) == weights(load_model(good))
    summary = run.summary()
    assert (summary["status"], summary["epochs"], summary["test"]) == ("diverged", 2, None)
    assert summary["error"] == error.value.what
    assert summary["validation"]["last"]["epoch"] == 2
    assert run.records()[-1] == {"event": "EpochStarted", "epoch": 3}
    assert {path.name for path in run.path.iterdir()} == FILES - {"predictions.npz"} | set(NAMES)


def test_a_run_that_diverges_at_once_says_that_it_kept_nothing(
    small_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(Diverged, match=r"no epoch was finished, so .*small-1 holds no weights"):
        execute(small_recipe(small_folder, lr=1e6), out=tmp_path)
    run = open_run("small-1", tmp_path)
    summary = run.summary()
    assert (summary["status"], summary["epochs"]) == ("diverged", 0)
    assert summary["validation"] == {"images": "test", "last": None, "best": None}
    assert summary["train_loss"] is summary["images_per_second"] is summary["seconds"] is None
    with pytest.raises(RunError, match="no such weights"):
        load_model(run)


def test_an_interrupted_run_keeps_its_weights_and_says_so(
    small_folder: Path, tmp_path: Path
) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Checkpointed) and event.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="the weights after epoch 2 are in"):
        execute(small_recipe(small_folder), out=tmp_path, listeners=[interrupt])
    run = open_run("small-1", tmp_path)
    summary = run.summary()
    assert (summary["status"], summary["epochs"], summary["test"]) == ("interrupted", 2, None)
    assert evaluate_run(run).accuracy == summary["validation"]["last"]["accuracy"]


def test_a_run_interrupted_in_its_test_says_so_too(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "predict_logits", interrupt)
    with pytest.raises(KeyboardInterrupt):
        execute(small_recipe(small_folder, epochs=1), out=tmp_path)
    assert open_run("small-1", tmp_path).summary()["status"] == "interrupted"


def test_a_listener_that_fails_leaves_an_unfinished_run(small_folder: Path, tmp_path: Path) -> None:
    def fail(event: Event) -> None:
        if isinstance(event, Checkpointed):
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        execute(small_recipe(small_folder), out=tmp_path, listeners=[fail])
    (run,) = list_runs(tmp_path)
    assert run.summary() == {"status": "unfinished"}
    load_model(run)


def test_weights_of_another_model_are_refused(finished: Run, tmp_path: Path) -> None:
    run = Run(tmp_path)
    table = finished.read_recipe()
    run.write_recipe(
        {**table, "data": {**table["data"], "image_size": 32}, "model": {"name": "lenet"}}
    )
    run.weights_path("last").write_bytes(finished.weights_path("last").read_bytes())
    with pytest.raises(RunError, match="weights of another model"):
        load_model(run)


def test_held_out_images_are_validated_on_and_not_trained_on(
    tmp_path: Path, fashion_mnist: DataSet
) -> None:
    """The last tenth of each class, since these are fewer than 50,000."""
    part = fashion_mnist.train[:300]
    held_out = sum(count // 10 for count in part.labels.bincount().tolist())
    for name, array in (
        ("train-images-idx3-ubyte", part.images[:, 0].numpy()),
        ("train-labels-idx1-ubyte", part.labels.numpy().astype(np.uint8)),
        ("t10k-images-idx3-ubyte", part.images[:20, 0].numpy()),
        ("t10k-labels-idx1-ubyte", part.labels[:20].numpy().astype(np.uint8)),
    ):
        (tmp_path / name).write_bytes(encode(array))
    recipe = data(validation="held-out")(small_recipe(tmp_path, epochs=1))
    run = execute(recipe, out=tmp_path / "runs")
    started, evaluated = run.records()[0], run.records()[-4]
    assert (started["num_images"], evaluated["event"]) == (300 - held_out, "Evaluated")
    assert evaluated["num_images"] == held_out > 20
    assert run.summary()["validation"]["images"] == "held-out"
    assert len(load_fashion_mnist(tmp_path).test) == run.summary()["test"]["num_images"] == 20


def test_a_run_without_validation_keeps_its_last_weights_and_is_tested_once(
    small_folder: Path, tmp_path: Path
) -> None:
    run = execute(data(validation="none")(small_recipe(small_folder, epochs=2)), out=tmp_path)
    summary = run.summary()
    assert summary["validation"] == {"images": "none", "last": None, "best": None}
    assert [record["event"] for record in run.records()].count("Evaluated") == 0
    assert run.weights_path("last").read_bytes() == run.weights_path("best").read_bytes()
    assert evaluate_run(run).accuracy == summary["test"]["accuracy"]
    save_curves(run)
    assert [epoch["validation_loss"] for epoch in epochs_of(run)] == [None, None]


def test_a_network_that_is_whitened_is_whitened_by_the_images_it_is_trained_on(
    small_folder: Path, tmp_path: Path
) -> None:
    table = small_recipe(small_folder, epochs=1).to_table()
    recipe = resolve("quick", {**table, "model": {"name": "quicknet", "widths": [4, 4]}})
    run = execute(recipe, out=tmp_path)
    stem = load_model(run).stem.whitening  # type: ignore[union-attr]
    images = Material.of(recipe).splits.train.images
    expected = Whitening(1, 3)
    expected.fit(preparation(recipe.data)(images))
    assert isinstance(stem, Whitening)
    torch.testing.assert_close(stem.conv.weight, expected.conv.weight)


def test_a_run_folder_under_another_name_is_still_its_recipe(finished: Run, tmp_path: Path) -> None:
    renamed = Run(tmp_path / "favourite")
    renamed.path.mkdir()
    renamed.write_recipe(finished.read_recipe())
    assert recipe_of(renamed) == replace(recipe_of(finished), name="favourite")


def test_a_run_with_augmentation_repeats_and_is_another_training(
    small_folder: Path, tmp_path: Path
) -> None:
    plain = small_recipe(small_folder, epochs=1)
    changed = replace(plain, augment=AugmentConfig(flip="random", mixup=0.2))
    one, same, other = (execute(recipe, out=tmp_path) for recipe in (changed, changed, plain))
    assert one.summary()["train_loss"] == same.summary()["train_loss"]
    assert one.summary()["train_loss"] != other.summary()["train_loss"]
    assert recipe_of(one).augment == changed.augment


def test_what_is_left_to_the_machine_is_settled_in_the_runs_recipe(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SECONDS", 0.0)
    monkeypatch.setattr(probe, "has_bfloat16", lambda _: False)
    heard: list[Event] = []
    recipe = small_recipe(small_folder, epochs=1, channels_last="auto", precision="auto")
    run = execute(recipe, out=tmp_path, listeners=[heard.append])
    train, settled = recipe_of(run).train, heard[0]
    assert isinstance(settled, Settled)
    assert (train.channels_last, train.precision) == (settled.channels_last, "float32")
    assert train == replace(recipe.train, channels_last=train.channels_last, precision="float32")
    assert run.records()[0]["event"] == "FitStarted"
    again = execute(replace(recipe, train=train), out=tmp_path)
    assert without_times(again.records()) == without_times(run.records())


def test_a_recipe_of_before_these_settings_is_read(finished: Run) -> None:
    table = finished.read_recipe()
    for setting in ("precision", "compile", "flush_denormal"):
        del table["train"][setting]
    assert resolve("small", table) == recipe_of(finished)


def test_bfloat16_without_hardware_for_it_leaves_no_folder(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    with pytest.raises(ConfigError, match=r"train\.precision"):
        execute(small_recipe(small_folder, precision="bfloat16"), out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_run_in_bfloat16_is_tested_in_it_and_elsewhere_in_float32(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
        run = execute(small_recipe(small_folder, epochs=1, precision="bfloat16"), out=tmp_path)
        tested, again = run.summary()["test"], evaluate_run(run, device="cpu")
        assert (tested["loss"], tested["accuracy"]) == (again.loss, again.accuracy)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    elsewhere = evaluate_run(run, device="cpu")
    assert elsewhere.loss != tested["loss"]
    assert elsewhere.loss == pytest.approx(tested["loss"], rel=1e-2)


def plain_network(*_: object) -> nn.Sequential:
    """Of layers whose forward the tests' type checks are not wrapped around: those are no use to
    torch.compile."""
    return nn.Sequential(nn.Conv2d(1, 2, 5, stride=3), nn.Flatten(), nn.Linear(128, 10))


def test_a_compiled_run_is_the_same_run_and_its_compile_time_stands_apart(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By torch's back end "eager", which makes no machine code."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    monkeypatch.setattr(compiled, "refuse_without_compiler", lambda _: None)
    monkeypatch.setattr(module, "build", plain_network)
    plain, other = (
        execute(small_recipe(small_folder, compile=wanted), out=tmp_path)
        for wanted in (False, True)
    )
    assert without_times(plain.records()) == without_times(other.records())
    assert other.summary()["compile_seconds"] >= 0
    assert "compile_seconds" not in plain.summary()
    weights = [run.weights_path("last").read_bytes() for run in (plain, other)]
    assert weights[0] == weights[1]
