"""The settings of the data are refused out of range, by their key."""

from typing import Any

import pytest

from convlens.core.config import parse, to_table
from convlens.core.errors import ConfigError
from convlens.data.config import DataConfig


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("channels", 2),
        ("fit", "stretch"),
        ("corrupt", "ignore"),
        ("test_share", 1.0),
        ("test_share", -0.1),
        ("split_seed", -1),
        ("classes", "cat"),
        ("image_size", 0),
    ],
)
def test_a_setting_out_of_range_is_named(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^data\.{key}: "):
        parse(DataConfig, {key: value}, section="data")


def test_what_is_only_of_own_images_is_not_written_of_others() -> None:
    assert not to_table(DataConfig()).keys() & {"channels", "classes", "folder"}
