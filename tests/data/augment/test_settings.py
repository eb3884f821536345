"""Settings of the augmentation that make no sense are refused; the defaults change nothing."""

from typing import Any

import pytest

from convlens.core.config import parse, to_table
from convlens.core.errors import ConfigError
from convlens.data.augment.settings import AugmentConfig


def test_the_defaults_are_legal_and_mix_nothing() -> None:
    config = parse(AugmentConfig, {}, section="augment")
    assert config == AugmentConfig() and not config.mixes
    assert parse(AugmentConfig, to_table(config)) == config


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("flip", "sometimes"),
        ("rotate", -1),
        ("rotate", 200),
        ("translate", -1),
        ("translate", 1.5),
        ("padding", "wrap"),
        ("erase", "circle"),
        ("erase_size", -1),
        ("erase_probability", 1.5),
        ("erase_area", [0.3, 0.2]),
        ("erase_area", [0.0, 0.2]),
        ("erase_area", [0.3]),
        ("fill", 256),
        ("mixup", -1.0),
        ("cutmix", -1.0),
        ("flipp", "none"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_key(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^augment\.{setting}"):
        parse(AugmentConfig, {setting: value}, section="augment")


@pytest.mark.parametrize("setting", ["mixup", "cutmix"])
def test_mixing_is_told(setting: str) -> None:
    assert parse(AugmentConfig, {setting: 0.2}).mixes
