"""Weights of torchvision's published checkpoints, under the names that they have here.

Each model that torchvision has too says in its own file which module there is which here; this
module applies that, and lets nothing be missing, left over or of another shape.

Source: https://docs.pytorch.org/vision/stable/models.html, the layout of torchvision 0.29.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from convlens.core.errors import RunError, UnknownName
from convlens.core.names import nearest
from convlens.models.catalog import MODELS, build, configure

COUNTER = "num_batches_tracked"  # older checkpoints lack it; no evaluation reads it


def load_torchvision(name: str, state_dict: Mapping[str, Tensor], **settings: Any) -> nn.Module:
    """Model `name` with torchvision's weights; `name` may be spelt as there (`vgg11_bn`).

    The settings are those of a published checkpoint, 3 channels and 1,000 classes, unless
    others are given. Read the file with `torch.load(path, weights_only=True)`.

    Raises:
        UnknownName: no such model, or torchvision does not have it.
        RunError: an entry is missing, left over or of another shape; says which.
    """
    name = name.replace("_", "-")
    entry = MODELS[name]
    names_of = entry.paper.torchvision_names
    if names_of is None:
        having = [model for model, row in MODELS.items() if row.paper.torchvision_names]
        raise UnknownName(f"torchvision has no {name!r}; it has {', '.join(having)}")
    config = configure(name, settings)
    with torch.device("meta"):
        model = build(name, config)
    wanted = model.state_dict()
    renamed = _rename(name, state_dict, names_of(config), wanted)
    missing = [key for key in wanted if key not in renamed and not key.endswith(COUNTER)]
    if missing:
        raise RunError(
            f"{len(missing)} entries of {name} are missing from the state dict, first {missing[0]}",
            fix=f"check that these are weights of {name}",
        )
    for key in wanted:
        renamed.setdefault(key, torch.zeros((), dtype=torch.int64))
    model.to_empty(device="cpu")
    model.load_state_dict(renamed)
    return model


def _rename(
    name: str,
    state_dict: Mapping[str, Tensor],
    names: Mapping[str, str],
    wanted: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for key, value in state_dict.items():
        path, _, leaf = key.rpartition(".")
        ours = f"{names[path]}.{leaf}" if path in names else None
        if ours is None or ours not in wanted:
            near = nearest(path, names)
            raise RunError(
                f"torchvision's {name} has no {key!r}"
                + (f"; the nearest module is {near!r}" if near else ""),
                fix=f"check that these are weights of {name}",
            )
        if value.shape != wanted[ours].shape:
            raise RunError(
                f"{key} has shape {tuple(value.shape)}; {ours} needs {tuple(wanted[ours].shape)}",
                fix="give the settings the weights were trained with, as in num_classes=10",
            )
        renamed[ours] = value
    return renamed
