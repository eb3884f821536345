"""A package that is not installed is named, with what to type."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from convlens.core.errors import ConvLensError
from convlens.experiment.loggers.mlflow import MlflowLogger
from convlens.experiment.loggers.optional import PACKAGES, needed
from convlens.experiment.loggers.tensorboard import TensorBoardLogger


def test_a_module_that_is_there_is_given() -> None:
    assert needed("tensorboard", "sys") is sys


@pytest.mark.parametrize(
    ("logger", "hidden", "extra"),
    [
        (TensorBoardLogger, "torch.utils.tensorboard", "tensorboard"),
        (MlflowLogger, "mlflow", "mlflow"),
        (MlflowLogger, "alembic", "mlflow"),
    ],
)
def test_a_missing_package_is_an_error_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
    logger: type[TensorBoardLogger] | type[MlflowLogger],
    hidden: str,
    extra: str,
) -> None:
    for name in [name for name in sys.modules if name.startswith(f"{hidden}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, hidden, None)  # "import" of it fails now
    with pytest.raises(ConvLensError, match="needs a package that is not here") as error:
        logger()
    assert error.value.fix == f"install it: pip install {' '.join(PACKAGES[extra])}"


@pytest.mark.parametrize("extra", PACKAGES)
def test_what_is_to_be_installed_is_what_the_extra_names(extra: str) -> None:
    pyproject = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    wanted = pyproject["project"]["optional-dependencies"][extra]
    assert [re.split(r"[<>=]", name)[0] for name in wanted] == list(PACKAGES[extra])
