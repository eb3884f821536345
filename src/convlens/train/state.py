"""The state of a training: weights, optimiser and chance, as tensors and plain numbers.

What `capture` gives can be written to a file that holds no code. `restore` brings it back bit for
bit, and in the same memory layout, since the order of a tensor's numbers in memory decides how a
kernel rounds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from convlens.core.chance import Chance, capture_chance, restore_chance

_MODEL, _OPTIMIZER, _CHANCE, _PART = "model.", "optimizer.", "chance.", "part."


@runtime_checkable
class Parts(Protocol):
    """What a training remembers beside model and optimiser, as `Classification` does."""

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """By the name of the part, its tensors and numbers."""
        ...

    def load_state_dict(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """What `state_dict` gave."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A training between two steps, but for where it stands."""

    tensors: dict[str, Tensor]  # of model, optimiser and generators, told apart by their names
    numbers: dict[str, Any]  # what JSON can say: settings of the optimiser, layouts, chance


def capture(
    model: nn.Module, optimizer: torch.optim.Optimizer, parts: Parts | None = None
) -> State:
    """The state now; its tensors share memory with the training."""
    chance = capture_chance()
    found = optimizer.state_dict()
    tensors = {_MODEL + name: tensor for name, tensor in model.state_dict().items()}
    tensors |= {_CHANCE + name: tensor for name, tensor in chance.tensors.items()}
    kept: dict[str, dict[str, Any]] = {}  # by parameter, what is no tensor
    strides: dict[str, list[int]] = {}
    for index, slots in found["state"].items():
        for key, value in slots.items():
            if isinstance(value, Tensor):
                tensors[name := f"{_OPTIMIZER}{index}.{key}"] = value
                strides[name] = list(value.stride())
            else:
                kept.setdefault(str(index), {})[key] = value
    others: dict[str, dict[str, Any]] = {}  # by part, what is no tensor
    for part, slots in (parts.state_dict() if parts is not None else {}).items():
        others[part] = {k: v for k, v in slots.items() if not isinstance(v, Tensor)}
        held = {k: v for k, v in slots.items() if isinstance(v, Tensor)}
        tensors |= {f"{_PART}{part}.{name}": tensor for name, tensor in held.items()}
    groups = {"groups": found["param_groups"], "kept": kept, "strides": strides}
    numbers = {"optimizer": groups, "chance": chance.numbers, "parts": others}
    return State(tensors=tensors, numbers=numbers)


def restore(
    state: State,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    parts: Parts | None = None,
) -> None:
    """Put `state` into a model and an optimiser that were built as those it was captured of."""
    model.load_state_dict(_named(state.tensors, _MODEL))
    about = state.numbers["optimizer"]
    slots: dict[int, dict[str, Any]] = {
        int(index): dict(values) for index, values in about["kept"].items()
    }
    devices = [p.device for group in optimizer.param_groups for p in group["params"]]
    for name, tensor in _named(state.tensors, _OPTIMIZER).items():
        index, _, key = name.partition(".")
        layout = about["strides"][_OPTIMIZER + name]
        here = torch.empty_strided(
            tensor.shape,
            layout,
            dtype=tensor.dtype,
            device=devices[int(index)] if tensor.ndim else tensor.device,
        )
        slots.setdefault(int(index), {})[key] = here.copy_(tensor)
    optimizer.load_state_dict({"state": slots, "param_groups": about["groups"]})
    if parts is not None:
        parts.load_state_dict(
            {
                part: {**numbers, **_named(state.tensors, f"{_PART}{part}.")}
                for part, numbers in state.numbers["parts"].items()
            }
        )
    tensors = _named(state.tensors, _CHANCE)
    restore_chance(Chance(tensors=tensors, numbers=state.numbers["chance"]))


def _named(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
