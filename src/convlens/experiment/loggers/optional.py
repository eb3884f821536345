"""Packages that only one logger needs, imported when it is asked for."""

import importlib
from types import ModuleType

from convlens.core.errors import ConvLensError

PACKAGES = {  # by the extra of pyproject.toml, which names the same
    "mlflow": ("alembic", "mlflow-skinny", "sqlalchemy"),
    "tensorboard": ("tensorboard",),
}


def needed(extra: str, module: str) -> ModuleType:
    """The module called `module`, which is there if the extra called `extra` is installed.

    Raises:
        ConvLensError: it is not there; says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = error.name or module
        raise ConvLensError(
            f"the log {extra!r} needs a package that is not here: {missing.partition('.')[0]}",
            fix=f"install it: pip install {' '.join(PACKAGES[extra])}",
        ) from None
