"""Weights on disk: sealed safetensors files, which hold numbers and never code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from convlens.core.errors import RunError
from convlens.runs.seal import read_sealed, write_sealed


def save_weights(path: Path, model: nn.Module, about: Mapping[str, Any]) -> None:
    """Write the parameters and buffers of `model`, whole or not at all.

    `about` (epoch, accuracy, model) goes into the file's own metadata.
    """
    write_sealed(path, model.state_dict(), about)


def load_weights(path: Path, model: nn.Module) -> dict[str, Any]:
    """Put the weights at `path` into `model`; gives back what was saved about them.

    Raises:
        RunError: the file is missing or damaged, or the weights are another model's or numbers
            of another type, which would be rounded; then the model is unchanged.
    """
    try:
        tensors, about = read_sealed(path, required=False)
    except FileNotFoundError:
        raise RunError(f"{path}: no such weights", fix="train again: convlens train") from None
    _refuse_others(path, tensors, model.state_dict())
    model.load_state_dict(tensors)
    return about


def _refuse_others(path: Path, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    differences = [f"{name} is missing" for name in wanted.keys() - found.keys()]
    differences += [f"{name} is not the model's" for name in found.keys() - wanted.keys()]
    differences += [
        f"{name} is {tuple(found[name].shape)}, the model's is {tuple(wanted[name].shape)}"
        for name in wanted.keys() & found.keys()
        if found[name].shape != wanted[name].shape
    ]
    if differences:
        raise RunError(f"{path}: weights of another model: {_first(differences)}")
    types = [
        f"{name} is {_type(found[name])}, the model's is {_type(wanted[name])}"
        for name in wanted
        if found[name].dtype != wanted[name].dtype
    ]
    if types:
        raise RunError(
            f"{path}: weights of another type: {_first(types)}",
            fix="convert them to the model's types and save them again: tensor.to(dtype)",
        )


def _first(differences: list[str]) -> str:
    more = f"; and {len(differences) - 3} more" if len(differences) > 3 else ""
    return "; ".join(sorted(differences)[:3]) + more


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
