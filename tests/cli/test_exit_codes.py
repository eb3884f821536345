"""Exit codes: one number for one kind of ending."""

import pytest

from convlens.cli.exit_codes import exit_code
from convlens.core.errors import (
    ConfigError,
    ConvLensError,
    DataError,
    Diverged,
    RunError,
    ShapeError,
    UnknownName,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConvLensError("x"), 2),
        (ShapeError("x"), 2),
        (ConfigError("x"), 2),
        (UnknownName("x"), 2),
        (DataError("x"), 3),
        (RunError("x"), 3),
        (Diverged("x"), 4),
    ],
)
def test_every_error_has_its_exit_code(error: ConvLensError, code: int) -> None:
    assert exit_code(error) == code
