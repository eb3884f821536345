"""Settings out of range, and settings that do not go together, are refused."""

from typing import Any

import pytest

from convlens.core.config import check, parse, to_table
from convlens.core.errors import ConfigError
from convlens.train.optim.settings import TrainConfig


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(ConfigError, match=r"^train\.muon_nesterov: needs train\.muon_momentum"):
        TrainConfig(muon_momentum=0.0)
    with pytest.raises(ConfigError, match=r"^train\.nesterov: needs train\.momentum above 0$"):
        TrainConfig(nesterov=True)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("epochs", -1),
        ("epochs", 0),
        ("batch_size", 0),
        ("lr", 0.0),
        ("lr", -0.1),
        ("momentum", 1.0),
        ("momentum", -0.1),
        ("warmup", 1.0),
        ("weight_decay", -1e-4),
        ("seed", -1),
        ("log_every", 0),
        ("schedule", "cosin"),
        ("milestones", (1.0,)),
        ("gamma", 0.0),
    ],
)
def test_a_setting_out_of_range_is_refused(setting: str, value: object) -> None:
    table: dict[str, Any] = to_table(TrainConfig()) | {setting: value}
    with pytest.raises(ConfigError, match=rf"^train\.{setting}(\.0)?: input should be "):
        parse(TrainConfig, table, section="train")


def test_the_defaults_are_legal_and_the_books() -> None:
    config = check(TrainConfig())
    assert (config.epochs, config.batch_size, config.lr) == (10, 128, 0.1)


def parsed(table: dict[str, Any]) -> TrainConfig:
    return parse(TrainConfig, table, section="train")


def test_knots_are_read_from_a_recipe() -> None:
    config = parsed({"schedule": "knots", "knots": [[0, 0], [0.2, 1], [1, 0.5]]})
    assert config.knots == ((0, 0), (0.2, 1), (1, 0.5))
    assert parsed(to_table(config)) == config


@pytest.mark.parametrize(
    ("knots", "told"),
    [
        ([], "goes with"),
        ([[0, 1]], "must rise from 0 to 1"),
        ([[0, 1], [0.5, 1]], "must rise from 0 to 1"),
        ([[0.1, 1], [1, 1]], "must rise from 0 to 1"),
        ([[0, 1], [0.6, 1], [0.5, 1], [1, 1]], "must rise from 0 to 1"),
        ([[0, 0], [1, 0]], "must be above 0"),
        ([[0, -1], [1, 1]], "greater than or equal to 0"),
        ([[0, 1], [2, 1]], "less than or equal to 1"),
        ([[0, 1, 2], [1, 1]], "at most 2 items"),
    ],
)
def test_knots_that_draw_no_line_are_refused(knots: list[list[float]], told: str) -> None:
    with pytest.raises(ConfigError, match=rf"^train\.knots.*{told}"):
        parsed({"schedule": "knots", "knots": knots})


def test_knots_need_the_schedule_of_that_name() -> None:
    with pytest.raises(ConfigError, match=r"^train\.knots: goes with"):
        parsed({"schedule": "cosine", "knots": [[0, 0], [1, 1]]})
