"""Chance: where every generator of random numbers stands, as tensors and plain numbers.

Python's, numpy's and torch's own generators, and those of each GPU. What is captured here can be
written to a file that holds no code, and set again in another process.
"""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Chance:
    """The states of the generators."""

    tensors: dict[str, Tensor]  # whole numbers, on the CPU
    numbers: dict[str, Any]  # what JSON can say


def capture_chance() -> Chance:
    """The states now; capturing draws nothing.

    >>> before = capture_chance()
    >>> first = torch.rand(())
    >>> restore_chance(before)
    >>> bool(torch.rand(()) == first)
    True
    """
    version, internal, gauss = random.getstate()
    state: Any = np.random.get_state(legacy=False)
    tensors = {
        "python": torch.tensor(internal),
        "numpy": torch.from_numpy(state["state"]["key"].astype(np.int64)),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        for index, of_gpu in enumerate(torch.cuda.get_rng_state_all()):
            tensors[f"cuda.{index}"] = of_gpu
    if torch.backends.mps.is_available():
        tensors["mps"] = torch.mps.get_rng_state()
    numbers: dict[str, Any] = {
        "python": {"version": version, "gauss": gauss},
        "numpy": {
            "bit_generator": state["bit_generator"],
            "pos": state["state"]["pos"],
            "has_gauss": state["has_gauss"],
            "gauss": state["gauss"],
        },
    }
    return Chance(tensors=tensors, numbers=numbers)


def restore_chance(chance: Chance) -> None:
    """Go on drawing from where `chance` was captured; a GPU that is not here is left out."""
    python, numpy = chance.numbers["python"], chance.numbers["numpy"]
    internal = tuple(chance.tensors["python"].tolist())
    random.setstate((python["version"], internal, python["gauss"]))
    key = chance.tensors["numpy"].numpy().astype(np.uint32)
    np.random.set_state(
        {
            "bit_generator": numpy["bit_generator"],
            "state": {"key": key, "pos": numpy["pos"]},
            "has_gauss": numpy["has_gauss"],
            "gauss": numpy["gauss"],
        }
    )
    torch.set_rng_state(chance.tensors["torch"])
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        if (of_gpu := chance.tensors.get(f"cuda.{index}")) is not None:
            torch.cuda.set_rng_state(of_gpu, index)
    if torch.backends.mps.is_available() and "mps" in chance.tensors:
        torch.mps.set_rng_state(chance.tensors["mps"])
