"""Where memory runs out, the batch that would fit is named."""

import re
from pathlib import Path

import pytest
import torch

from convlens.core.errors import ConvLensError, OutOfMemory
from convlens.experiment import execute as execution
from convlens.experiment import memory as module
from convlens.experiment.execute import execute
from convlens.experiment.memory import available_bytes, is_shortage, training_shortage
from convlens.experiment.recipe import Recipe, load_recipe
from convlens.runs.store import open_run
from convlens.train.task import Classification

CPU = torch.device("cpu")
# What torch's allocator of the CPU says, 2.13, x86-64 Linux.
REFUSAL = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)"
)


def recipe(batch_size: int, folder: Path | None = None) -> Recipe:
    settings = [f"train.batch_size={batch_size}", "data.validation=test", "train.device=cpu"]
    return load_recipe("lenet", settings + ([f"data.folder={folder}"] if folder else []))


def test_the_allocators_refusal_is_told_from_other_errors() -> None:
    with pytest.raises(RuntimeError) as error:
        torch.empty(1 << 60)  # 4 EiB, which no machine has
    assert is_shortage(error.value)
    assert is_shortage(RuntimeError(REFUSAL))
    assert is_shortage(torch.OutOfMemoryError("CUDA out of memory."))
    assert not is_shortage(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_shortage(ValueError("out of memory"))


def named(error: OutOfMemory) -> int:
    found = re.match(r"try --batch-size (\d+), which takes about [\d,]+ MB$", error.fix)
    assert found is not None
    return int(found[1])


def test_where_nothing_is_known_half_the_batch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_bytes", lambda device: None)
    assert named(training_shortage(recipe(128), CPU)) == 64


def test_the_batch_that_is_named_fits_into_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """LeNet's step takes about 0.1 MB an image."""
    monkeypatch.setattr(module, "available_bytes", lambda device: 10_000_000)
    size = named(training_shortage(recipe(4096), CPU))
    assert 16 <= size <= 128
    monkeypatch.setattr(module, "available_bytes", lambda device: 0)
    assert named(training_shortage(recipe(4096), CPU)) == 1


def test_a_batch_of_one_leaves_the_model_to_change() -> None:
    assert "smaller model" in training_shortage(recipe(1), CPU).fix


def test_the_free_memory_is_known_on_linux() -> None:
    found = available_bytes(CPU)
    assert found is None or found > 0
    assert available_bytes(torch.device("meta")) is None


@pytest.mark.parametrize("error", [RuntimeError(REFUSAL), MemoryError()])
def test_a_training_that_does_not_fit_says_what_would(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(Classification, "loss", refuse)
    with pytest.raises(OutOfMemory, match="for steps of 256 images, which take") as found:
        execute(recipe(256, small_folder), out=tmp_path)
    assert isinstance(found.value, ConvLensError) and isinstance(found.value, MemoryError)
    assert 1 <= named(found.value) <= 128
    summary = open_run("lenet-1", tmp_path).summary()
    assert (summary["status"], summary["error"]) == ("failed", found.value.what)


def test_an_evaluation_that_does_not_fit_is_told_apart(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError(REFUSAL)

    monkeypatch.setattr(execution, "predict_logits", refuse)
    small = load_recipe("lenet", [
        f"data.folder={small_folder}", "data.validation=test", "train.epochs=1",
    ])  # fmt: skip
    with pytest.raises(OutOfMemory, match="evaluate 1,000 images at a time"):
        execute(small, out=tmp_path)


def test_other_errors_stay_themselves(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(Classification, "loss", fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        execute(recipe(256, small_folder), out=tmp_path)
