"""The peers' own virtual environment: other people's code, in the versions it works with.

It lies in `.venv-peers` and is made the first time that a benchmark wants it. All peers live in
one, on one PyTorch.
"""

import gzip
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.pipe import ROOT
from convlens.core.errors import ConvLensError
from convlens.data.sets.fashion_mnist import PACKAGED

FOLDER = ROOT / ".venv-peers"
# Lightning 2.6.2 and 2.6.3 were withdrawn from PyPI: its two packages are pinned to the one before.
PACKAGES = (
    "torch==2.14.1", "torchvision==0.29.1", "matplotlib", "pandas", "scipy", "requests", "ipython",
    "lightning==2.6.1", "pytorch-lightning==2.6.1", "keras==3.15.1",
    # What fastai imports for vision.
    "fastcore==2.2.39", "fasttransform==0.0.5", "fastprogress==1.1.6", "plum-dispatch==2.9.0",
    "fastdownload==0.0.8", "cloudpickle", "scikit-learn", "pillow", "pyyaml", "packaging",
)  # fmt: skip
# d2l pins old versions of numpy and others; fastai wants spacy, which only its texts need.
WITHOUT_DEPENDENCIES = ("d2l==1.0.3", "fastai==2.8.12")
STAMP = FOLDER / ".made"  # holds what was installed; written last
REMEDY = (
    "go online and run it again (PIP_ARGS holds arguments for pip, such as an index of CPU\n"
    "wheels), or name an interpreter that has them: --peers PYTHON"
)
_CHECK = (
    "import sys, importlib.util as u; "
    "print(*(name for name in sys.argv[1:] if u.find_spec(name) is None))"
)


class PeersError(ConvLensError):
    """There is no interpreter with the peers in it."""


def peers_python(given: Path | None, modules: Sequence[str]) -> Path:
    """An interpreter that has the peers: `given`, or our own, made now if need be.

    Args:
        modules: what `given` must have; our own has all.

    Raises:
        PeersError: `given` lacks some, or ours cannot be made; says why.
    """
    if given is not None:
        _check(given, modules)
        return given.absolute()  # not resolved: the link is what makes it a virtual environment
    python = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = "\n".join((*PACKAGES, *WITHOUT_DEPENDENCIES))
    if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted and python.exists():
        return python
    print(f"setting up {FOLDER.name} with the peers (once; PyTorch is large)", file=sys.stderr)
    _run([sys.executable, "-m", "venv", str(FOLDER)])
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    pip += shlex.split(os.environ.get("PIP_ARGS", ""))
    _run([*pip, *PACKAGES])
    _run([*pip, "--no-deps", *WITHOUT_DEPENDENCIES])
    STAMP.write_text(wanted, encoding="utf-8")
    return python


def lay_out_fashion_mnist(root: Path) -> None:
    """Put our Fashion-MNIST under `root`, where torchvision looks before it downloads."""
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in PACKAGED.glob("*.gz"):
        with gzip.open(path) as source, (raw / path.stem).open("wb") as target:
            shutil.copyfileobj(source, target)


def _check(python: Path, modules: Sequence[str]) -> None:
    command = [str(python), "-c", _CHECK, *modules]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PeersError(f"--peers {python}: not a Python that runs: {error}") from None
    if missing := done.stdout.strip():
        raise PeersError(f"--peers {python}: lacks {missing}", fix="leave --peers out to have one")


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    except OSError as error:
        raise PeersError(f"cannot make {FOLDER.name}: {error}", fix=REMEDY) from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"{shlex.join(command[:4])} ended with {error.returncode}"
        raise PeersError(f"cannot make {FOLDER.name}: {reason}", fix=REMEDY) from None
