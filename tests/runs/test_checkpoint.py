"""Weights come back bit for bit, or the model stays as it was."""

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from convlens.core.errors import RunError
from convlens.runs.checkpoint import load_weights, save_weights

ABOUT = {"model": "small", "epoch": 3, "validation_accuracy": 0.1 + 0.2}


def small(width: int = 4, *, seed: int = 0) -> nn.Sequential:
    """A network with filters, biases, and buffers of whole numbers and floats."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.Linear(width, 2))


def state(model: nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


def test_weights_come_back_bit_for_bit_with_what_was_said_of_them(tmp_path: Path) -> None:
    saved, loaded = small(seed=1), small(seed=2)
    saved.state_dict()["0.weight"].view(-1)[:3] = torch.tensor([-0.0, 1e-42, torch.inf])
    save_weights(tmp_path / "a.safetensors", saved, ABOUT)
    assert load_weights(tmp_path / "a.safetensors", loaded) == ABOUT
    assert state(loaded) == state(saved)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.safetensors"]


def test_the_memory_layout_of_the_filters_does_not_matter(tmp_path: Path) -> None:
    rows, channels = small(seed=1), small(seed=1)
    channels.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    save_weights(tmp_path / "rows", rows, ABOUT)
    save_weights(tmp_path / "channels", channels, ABOUT)
    assert (tmp_path / "rows").read_bytes() == (tmp_path / "channels").read_bytes()


def test_weights_without_a_note_are_loaded(tmp_path: Path) -> None:
    path, saved, loaded = tmp_path / "a.safetensors", small(seed=1), small(seed=2)
    safetensors.torch.save_file(saved.state_dict(), path)
    assert load_weights(path, loaded) == {}
    assert state(loaded) == state(saved)


def without_bias(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name != "0.bias"}


def with_more(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return tensors | {"3.weight": torch.ones(2)}


def wider(_: dict[str, Tensor]) -> dict[str, Tensor]:
    return small(width=5).state_dict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_bias, "0.bias is missing$"),
        (with_more, "3.weight is not the model's$"),
        (wider, r"0\.bias is \(5,\), the model's is \(4,\); 0\.weight .*; and 4 more$"),
    ],
)
def test_another_models_weights_are_refused_and_the_model_is_unchanged(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], message: str
) -> None:
    path, model = tmp_path / "a.safetensors", small(seed=2)
    before = state(model)
    safetensors.torch.save_file(change(small(seed=1).state_dict()), path)
    with pytest.raises(RunError, match=rf"a\.safetensors: weights of another model: .*{message}"):
        load_weights(path, model)
    assert state(model) == before


def halved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return tensors | {"2.weight": tensors["2.weight"].half()}


def doubled(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.double() for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (halved, r"2\.weight is float16, the model's is float32$"),
        (doubled, r"0\.bias is float64, the model's is float32; .*; and 6 more$"),
    ],
)
def test_weights_of_another_type_are_refused_and_the_model_is_unchanged(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], message: str
) -> None:
    path, model = tmp_path / "a.safetensors", small(seed=2)
    before = state(model)
    safetensors.torch.save_file(change(small(seed=1).state_dict()), path)
    with pytest.raises(RunError) as error:
        load_weights(path, model)
    assert re.search(f"weights of another type: {message}", error.value.what)
    assert state(model) == before


def test_a_file_cut_anywhere_is_refused_and_the_model_is_unchanged(tmp_path: Path) -> None:
    path, model = tmp_path / "a.safetensors", small(seed=2)
    save_weights(path, small(seed=1), ABOUT)
    before, whole = state(model), path.read_bytes()
    for cut in [*range(0, len(whole), 37), len(whole) - 1]:
        path.write_bytes(whole[:cut])
        with pytest.raises(RunError, match=r"a\.safetensors: not a whole safetensors file"):
            load_weights(path, model)
    assert state(model) == before


def test_missing_weights_say_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"a\.safetensors: no such weights\ntrain again"):
        load_weights(tmp_path / "a.safetensors", small())
    with pytest.raises(RunError, match="not a whole safetensors file"):
        load_weights(tmp_path, small())


def test_a_note_that_is_not_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file(small().state_dict(), path, metadata={"convlens": "{"})
    with pytest.raises(RunError, match="not a whole safetensors file"):
        load_weights(path, small())


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    trap = Trap(tmp_path / "sprung")
    pickle.loads(pickle.dumps(trap))
    assert trap.path.exists(), "the trap works"
    trap.path.unlink()
    path = tmp_path / "a.safetensors"
    for data in (pickle.dumps(trap), pickle.dumps({"0.weight": trap})):
        path.write_bytes(data)
        with pytest.raises(RunError):
            load_weights(path, small())
    torch.save({"0.weight": trap}, path)
    with pytest.raises(RunError):
        load_weights(path, small())
    assert not trap.path.exists()
