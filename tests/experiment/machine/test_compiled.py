"""Compiled steps are the same steps, and leave no trace in weights, names or chance.

The back end here is torch's own "eager": all but the making of machine code, which takes a minute.
"""

from functools import partial

import pytest
import torch
from torch import nn

from convlens.core.errors import ConfigError
from convlens.data.batches import Batches
from convlens.data.catalog import Splits
from convlens.data.transform import Prepare
from convlens.experiment.machine import compiled
from convlens.experiment.machine.compiled import compile_steps, compiling, refuse_without_compiler
from convlens.train.loop import run
from convlens.train.optim import TrainConfig
from convlens.train.task import Classification

CPU = torch.device("cpu")
COMPILE = torch.compile


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(COMPILE, backend="eager"))


def task(splits: Splits) -> Classification:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(256, 10)
    )
    train = Batches(splits.train[:50], 20, Prepare(28), shuffle_seed=0)
    config = TrainConfig(lr=0.1, momentum=0.9, batch_size=20, epochs=2)
    return Classification(model, train, Batches(splits.test, 50, Prepare(28)), config)


def test_compiling_leaves_weights_names_gradients_and_chance(small_splits: Splits) -> None:
    one = task(small_splits)
    before = {name: tensor.clone() for name, tensor in one.model.state_dict().items()}
    chance = torch.random.get_rng_state()
    assert compile_steps(one).seconds >= 0
    after = one.model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(parameter.grad is None for parameter in one.model.parameters())
    assert torch.equal(torch.random.get_rng_state(), chance)


def test_compiled_steps_are_the_same_steps(small_splits: Splits) -> None:
    """Two epochs of batches of 20, 20 and 10."""
    plain, other = task(small_splits), task(small_splits)
    compile_steps(other)
    for each in (plain, other):
        run(each, epochs=2, log_every=10)
    pairs = zip(plain.model.parameters(), other.model.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


def test_full_batches_alone_go_through_what_is_compiled(
    small_splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def spy(model: nn.Module, **_: object) -> object:
        def call(x: torch.Tensor) -> object:
            sizes.append(len(x))
            return model(x)

        return call

    monkeypatch.setattr(torch, "compile", spy)
    one = task(small_splits)
    compile_steps(one)
    sizes.clear()
    run(one, epochs=1, log_every=10)
    assert sizes == [20, 20]


def test_a_missing_compiler_is_told_with_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(compiled.shutil, "which", lambda _: None)
    with pytest.raises(ConfigError, match=r"C\+\+ compiler") as caught:
        refuse_without_compiler(CPU)
    assert "apt install g++" in caught.value.fix
    refuse_without_compiler(torch.device("cuda"))
    monkeypatch.setattr(compiled.shutil, "which", lambda name: name == "my-c++")
    monkeypatch.setenv("CXX", "my-c++ -O2")
    refuse_without_compiler(CPU)


def test_what_cannot_be_compiled_is_told() -> None:
    with pytest.raises(ConfigError, match=r"torch\.compile has failed: no such thing"), compiling():
        raise RuntimeError("no such thing\nand a long story")
    with pytest.raises(RuntimeError, match="out of memory"), compiling():
        raise RuntimeError("out of memory")
