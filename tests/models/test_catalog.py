"""Every model of the catalog is what its golden row says, and repeatable."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from convlens.core.config import to_table
from convlens.core.errors import ConfigError, ShapeError, UnknownName
from convlens.models.catalog import MODELS, build, configure, num_parameters

GOLDEN: dict[str, dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[1] / "golden" / "models.toml").read_text()
)


def test_every_model_has_a_golden_row_and_no_row_is_of_another() -> None:
    assert list(MODELS) == list(GOLDEN)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_known_number_of_parameters(name: str) -> None:
    config = configure(name, {"image_size": GOLDEN[name]["image_size"]})
    assert num_parameters(build(name, config)) == GOLDEN[name]["num_parameters"]


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
        models.append(build(name, MODELS[name].preset))
    first, again, other = (nn.utils.parameters_to_vector(m.parameters()) for m in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_stem_body_and_head_and_learns_everywhere(name: str) -> None:
    preset = MODELS[name].preset
    model = build(name, preset)
    assert {part for part, _ in model.named_children()} >= {"stem", "body", "head"}
    logits = model(torch.rand(3, preset.in_channels, preset.image_size, preset.image_size))
    assert logits.shape == (3, preset.num_classes)
    logits.square().sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0


@pytest.mark.parametrize("name", MODELS)
def test_each_image_is_classified_by_itself(name: str) -> None:
    preset = MODELS[name].preset
    model = build(name, preset).eval()
    x = torch.rand(4, preset.in_channels, preset.image_size, preset.image_size)
    torch.testing.assert_close(model(x)[2:], model(x[2:]))


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
