"""Every model of the catalog is what its golden row says, and repeatable."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from convlens.core.config import to_table
from convlens.core.errors import ConfigError, ShapeError, UnknownName
from convlens.inspection.ledger import reconcile
from convlens.inspection.receptive_field import receptive_fields
from convlens.inspection.support import misfits
from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like
from convlens.models.catalog import MODELS, build, configure, num_parameters
from convlens.nn.auxiliary import classification_loss

FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN: dict[str, dict[str, Any]] = tomllib.loads((FOLDER / "models.toml").read_text())
TORCHVISION: dict[str, dict[str, Any]] = {
    name.replace("_", "-"): row
    for name, row in tomllib.loads((FOLDER / "torchvision" / "networks.toml").read_text()).items()
}
# One size from which each paper is run on real numbers: small, so that all are run.
RUN_SIZE = 32
SHALLOW: dict[str, dict[str, Any]] = {
    "AlexNetConfig": {"widths": [8, 8, 8, 8, 8], "hidden": 16, "stem": "small"},
    "VGGConfig": {"widths": [4, 4, 8, 8, 8], "hidden": 16},
    "NiNConfig": {"widths": [8, 8, 8], "stem": "small"},
    "GoogLeNetConfig": {"stem": "small"},
    "ResNetConfig": {"width": 4},
    "ResNeXtConfig": {"width": 8, "groups": 2, "group_width": 2},
    "PreActResNetConfig": {"width": 4},
    "DenseNetConfig": {"growth_rate": 4, "stem_width": 8},
    "AnyNetConfig": {},
    "QuickNetConfig": {"widths": [4, 8]},
}


def on_meta(name: str) -> tuple[nn.Module, Tensor]:
    """The model and one image of its size, as shapes without numbers."""
    preset = MODELS[name].preset
    with torch.device("meta"):
        model = build(name, preset)
    return model, inputs_like(model, 1, preset.in_channels, preset.image_size, preset.image_size)


def small(name: str) -> tuple[nn.Module, Any]:
    """The model with few channels for small images, and its config."""
    kind = type(MODELS[name].preset).__name__
    size = {} if kind == "LeNetConfig" else {"image_size": RUN_SIZE}
    config = configure(name, {"num_classes": 7, **size, **SHALLOW.get(kind, {})})
    return build(name, config), config


def images(config: Any, num_images: int) -> Tensor:
    return torch.rand(num_images, config.in_channels, config.image_size, config.image_size)


def test_every_model_has_a_golden_row_and_no_row_is_of_another() -> None:
    assert list(MODELS) == sorted(GOLDEN, key=list(MODELS).index)
    assert len(MODELS) == len(GOLDEN)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_known_parameters_and_macs_to_the_last_one(name: str) -> None:
    model, x = on_meta(name)
    row = GOLDEN[name]
    assert num_parameters(model) == row["num_parameters"]
    assert trace(model, x).whole.macs == row["macs"]


@pytest.mark.parametrize("name", TORCHVISION)
def test_the_golden_rows_are_torchvisions_own(name: str) -> None:
    theirs = TORCHVISION[name]
    assert GOLDEN[name]["num_parameters"] == theirs["num_parameters"]
    assert GOLDEN[name]["macs"] == theirs["macs"]


# As the book and the papers' readers quote them: GMAC, rounded.
@pytest.mark.parametrize(
    ("name", "gmacs", "digits"),
    [
        ("alexnet-d2l", 0.94, 2),
        ("vgg11-d2l", 7.55, 2),
        ("vgg11-slim", 0.51, 2),
        ("nin", 0.76, 2),
        ("googlenet-d2l", 0.28, 2),
        ("resnet18-d2l", 0.32, 2),
        ("densenet-d2l", 0.13, 2),
        ("regnet-x-32-d2l", 0.04, 2),
        ("alexnet", 0.714, 3),
        ("vgg11", 7.609, 3),
        ("vgg16", 15.470, 3),
        ("resnet18", 1.814, 3),
        ("resnet50", 4.089, 3),
    ],
)
def test_the_golden_macs_round_to_the_published_ones(name: str, gmacs: float, digits: int) -> None:
    assert round(GOLDEN[name]["macs"] / 1e9, digits) == gmacs


@pytest.mark.parametrize("name", MODELS)
def test_the_ledger_of_a_model_balances(name: str) -> None:
    model, x = on_meta(name)
    ledger = reconcile(model, x)
    assert ledger.balanced
    assert ledger.formula_macs == ledger.traced_macs
    assert ledger.counted_flops == 2 * ledger.traced_macs
    unused = sum(entry.amount for entry in ledger.entries if entry.unit == "parameters")
    assert ledger.formula_parameters + unused == ledger.num_parameters


@pytest.mark.parametrize("name", MODELS)
def test_no_gradient_leaves_the_receptive_field(name: str) -> None:
    model, config = small(name)
    model, x = model.double(), images(config, 1).double()
    paths = [path for path in receptive_fields(model, x) if path.count(".") <= 1]
    assert "stem" in paths
    assert misfits(model, x, paths) == []


@pytest.mark.parametrize("name", MODELS)
def test_the_preset_survives_becoming_a_table(name: str) -> None:
    preset = MODELS[name].preset
    assert configure(name, {}) == preset
    assert configure(name, to_table(preset)) == preset


@pytest.mark.parametrize("name", MODELS)
def test_the_same_chance_gives_the_same_weights(name: str) -> None:
    models: list[nn.Module] = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        models.append(small(name)[0])
    first, again, other = (nn.utils.parameters_to_vector(m.parameters()) for m in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_stem_body_and_head_and_learns_everywhere(name: str) -> None:
    model, config = small(name)
    assert {part for part, _ in model.named_children()} >= {"stem", "body", "head"}
    stages = [stage for stage, _ in model.body.named_children()]  # type: ignore[union-attr]
    assert stages == [f"stage{index}" for index in range(1, len(stages) + 1)]
    torch.manual_seed(0)
    loss = classification_loss(model.train()(images(config, 4)), torch.tensor([0, 1, 2, 3]))
    loss.backward()
    for path, parameter in model.named_parameters():
        if "whitening" in path:  # computed from images, not learned
            assert not parameter.requires_grad, path
            continue
        assert parameter.grad is not None, path
        assert parameter.grad.abs().max() > 0, path


@pytest.mark.parametrize("name", MODELS)
def test_each_image_is_classified_by_itself(name: str) -> None:
    model, config = small(name)
    x = images(config, 4)
    logits = model.eval()(x)
    assert logits.shape == (4, 7)
    torch.testing.assert_close(logits[2:], model(x[2:]), rtol=1e-4, atol=1e-4)


def test_settings_replace_the_presets() -> None:
    config = configure("lenet-modern", {"pooling": "avg", "num_classes": 3})
    assert (config.activation, config.pooling, config.num_classes) == ("relu", "avg", 3)


def test_bad_settings_are_refused_by_their_key() -> None:
    with pytest.raises(ConfigError, match=r"^model\.activaton: .* did you mean 'activation'\?"):
        configure("lenet", {"activaton": "relu"})
    with pytest.raises(ConfigError, match=r"^model\.pooling: .* did you mean 'max'\?"):
        configure("lenet", {"pooling": "maxx"})
    with pytest.raises(ConfigError, match=r"^model\.num_classes: input should be greater than 0"):
        build("lenet", type(MODELS["lenet"].preset)(num_classes=0))
    with pytest.raises(ShapeError, match="Window"):
        build("lenet", configure("lenet", {"image_size": 11}))


def test_an_unknown_model_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="no model 'lenett'; did you mean 'lenet'"):
        configure("lenett", {})
    with pytest.raises(UnknownName, match="no model 'lenett'"):
        build("lenett", None)


def test_only_what_is_trained_is_counted() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    assert num_parameters(model) == 3 * 2 + 2 + 2 + 2
    model[0].requires_grad_(False)
    assert num_parameters(model) == 4
