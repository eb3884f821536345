"""torchvision's state dicts load entry by entry, and give torchvision's logits."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from convlens.core.errors import RunError, UnknownName
from convlens.models.catalog import MODELS, build
from convlens.models.pretrained import load_torchvision
from tests.golden.torchvision.filling import image, weight

FOLDER = Path(__file__).parents[1] / "golden" / "torchvision"
NETWORKS: dict[str, dict[str, Any]] = tomllib.loads((FOLDER / "networks.toml").read_text())


def layout(name: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's state dict."""
    shapes: dict[str, tuple[int, ...]] = {}
    for line in (FOLDER / f"{name}.txt").read_text().splitlines():
        key, _, sizes = line.partition(" ")
        shapes[key] = tuple(int(size) for size in sizes.split("x")) if sizes else ()
    return shapes


def filled(name: str, make: Callable[[str, tuple[int, ...]], Tensor]) -> dict[str, Tensor]:
    return {key: make(key, shape) for key, shape in layout(name).items()}


def empty(key: str, shape: tuple[int, ...]) -> Tensor:
    dtype = torch.int64 if key.endswith("num_batches_tracked") else torch.float32
    return torch.empty(shape, dtype=dtype, device="meta")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_entry_has_its_place_and_every_place_its_entry(name: str) -> None:
    """By the names alone: torchvision's paths, renamed, are our state dict, shapes included."""
    ours = name.replace("_", "-")
    entry = MODELS[ours]
    assert entry.paper.torchvision_names is not None
    names = entry.paper.torchvision_names(entry.preset)
    renamed: dict[str, tuple[int, ...]] = {}
    for key, shape in layout(name).items():
        path, _, leaf = key.rpartition(".")
        renamed[f"{names[path]}.{leaf}"] = shape
    with torch.device("meta"):
        state = build(ours, entry.preset).state_dict()
    assert renamed == {key: tuple(value.shape) for key, value in state.items()}


@pytest.mark.parametrize("name", [name for name, row in NETWORKS.items() if "logits" in row])
def test_with_torchvisions_weights_the_logits_are_torchvisions(name: str) -> None:
    model = load_torchvision(name, filled(name, weight)).eval()
    with torch.inference_mode():
        logits = model(image(3, 64))[:, :5]
    golden = torch.tensor(NETWORKS[name]["logits"])
    # Sums of a thousand terms in another order: relative to the largest of the logits.
    torch.testing.assert_close(logits, golden, rtol=1e-4, atol=2e-5 * golden.abs().max().item())


def test_a_loaded_model_holds_the_very_numbers() -> None:
    state = filled("resnet18", weight)
    model = load_torchvision("resnet18", state)
    assert torch.equal(model.stem.conv.weight, state["conv1.weight"])  # type: ignore[union-attr]
    assert torch.equal(
        model.get_parameter("body.stage2.block1.shortcut.conv.weight"),
        state["layer2.0.downsample.0.weight"],
    )


def test_older_checkpoints_without_batch_counters_load() -> None:
    state = {
        key: value
        for key, value in filled("resnet18", weight).items()
        if not key.endswith("num_batches_tracked")
    }
    model = load_torchvision("resnet18", state)
    assert model.get_buffer("stem.norm.num_batches_tracked").item() == 0


def test_the_old_spelling_of_densenets_checkpoints_loads() -> None:
    state = {
        key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value
        for key, value in filled("densenet121", weight).items()
    }
    assert any(".norm.1." in key for key in state)
    load_torchvision("densenet121", state)


def test_other_sizes_are_a_matter_of_settings() -> None:
    state = filled("resnet18", weight)
    state["fc.weight"], state["fc.bias"] = torch.zeros(7, 512), torch.zeros(7)
    with pytest.raises(RunError, match=r"fc\.weight has shape \(7, 512\); .* needs \(1000, 512\)"):
        load_torchvision("resnet18", state)
    assert load_torchvision("resnet18", state, num_classes=7)(image(3, 32)).shape == (2, 7)


def test_what_does_not_fit_is_named() -> None:
    state = filled("resnet18", weight)
    with pytest.raises(RunError, match=r"first body\.stage1\.block1\.residual\.unit1\.conv"):
        load_torchvision(
            "resnet18", {k: v for k, v in state.items() if k != "layer1.0.conv1.weight"}
        )
    with pytest.raises(RunError, match=r"has no 'layer9\.0\.conv1\.weight'; the nearest module is"):
        load_torchvision("resnet18", {**state, "layer9.0.conv1.weight": state["conv1.weight"]})
    with pytest.raises(RunError, match="resnet34 are missing from the state dict"):
        load_torchvision("resnet34", state)
    with pytest.raises(UnknownName, match="torchvision has no 'lenet'; it has alexnet"):
        load_torchvision("lenet", state)
    with pytest.raises(UnknownName, match="no model 'resnet19'; did you mean"):
        load_torchvision("resnet19", state)
