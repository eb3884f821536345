"""The peers' own virtual environment: other people's code, in the versions it works with.

It lies in `.venv-peers` and is made the first time that a benchmark wants it; d2l pins old
versions of numpy and others, so it goes in without its dependencies.
"""

import gzip
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.pipe import ROOT
from convlens.core.errors import ConvLensError
from convlens.data.sets.fashion_mnist import PACKAGED

FOLDER = ROOT / ".venv-peers"
PACKAGES = (
    "torch==2.14.1", "torchvision==0.29.1", "matplotlib", "pandas", "scipy", "requests", "ipython",
)  # fmt: skip
WITHOUT_DEPENDENCIES = ("d2l==1.0.3",)
STAMP = FOLDER / ".made"  # holds what was installed; written last
REMEDY = (
    "go online and run it again (PIP_ARGS holds arguments for pip, such as an index of CPU\n"
    "wheels), or name an interpreter that has them: --peers PYTHON"
)
_CHECK = (
    "import importlib.util as u; "
    "print(*(n for n in ('torch', 'torchvision', 'd2l') if u.find_spec(n) is None))"
)


class PeersError(ConvLensError):
    """There is no interpreter with the peers in it."""


def peers_python(given: Path | None) -> Path:
    """An interpreter that has the peers: `given`, or our own, made now if need be.

    Raises:
        PeersError: `given` lacks some, or ours cannot be made; says why.
    """
    if given is not None:
        _check(given)
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


def _check(python: Path) -> None:
    try:
        done = subprocess.run([python, "-c", _CHECK], capture_output=True, text=True, check=True)
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
