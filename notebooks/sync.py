"""Executes the notebooks' scripts from top to bottom and writes each .ipynb beside its .py.

The percent script is the source; the .ipynb is made of it and committed with its outputs. Run
twice on one machine, the files are the same: no execution times, no kernel version, cell ids from
the cells' text.

    python notebooks/sync.py                # all, or `make notebooks`
    python notebooks/sync.py 7.2 7.5        # those whose name starts so
"""

import hashlib
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parent
SHORT = "CONVLENS_SHORT"  # the variable that a notebook asks whether to run only a little
PATIENCE = 600  # seconds that one cell may take
THREADS = "2"  # unless OMP_NUM_THREADS says otherwise; sums depend on it in their last digit


class ThisPython(AsyncKernelManager):
    """The running interpreter as a kernel, so that none has to be installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How to start it; it says nothing but errors."""
        return KernelSpec(
            argv=[
                *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
                "--log-level=ERROR",
            ],
            display_name="Python 3",
            language="python",
        )


def scripts() -> list[Path]:
    """The percent scripts, in the order of the book."""
    return sorted(path for path in FOLDER.glob("*.py") if path.name[0].isdigit())


def read_script(path: Path) -> NotebookNode:
    """The notebook that a percent script is, without outputs, its cells' ids made of their text."""
    notebook = jupytext.read(path, fmt="py:percent")
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        text = f"{cell.cell_type}\n{cell.source}"
        seen[text] += 1
        cell.id = hashlib.sha256(f"{text}\n{seen[text]}".encode()).hexdigest()[:8]
    notebook.metadata = nbformat.from_dict(
        {
            "jupytext": {"formats": "ipynb,py:percent"},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "pygments_lexer": "ipython3"},
        }
    )
    return notebook


def execute(path: Path, folder: Path, *, short: bool) -> NotebookNode:
    """The notebook of the script at `path` with its outputs, run with `folder` to write to.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = read_script(path)
    metadata = dict(notebook.metadata)
    work, private = folder / "work", folder / "kernel"  # the second keeps a user's settings out
    work.mkdir(parents=True)
    private.mkdir(mode=0o700)
    library = str(FOLDER.parent / "src")
    paths = [library, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {
        "OMP_NUM_THREADS": THREADS,
        **os.environ,
        SHORT: "1" if short else "0",
        "PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in paths if path),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "IPYTHONDIR": str(private),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    client = NotebookClient(
        notebook,
        kernel_manager_class=ThisPython,
        timeout=PATIENCE,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(work)}},
    )
    client.execute(env=environment)
    notebook.metadata = nbformat.from_dict(metadata)  # the kernel wrote its version there
    return notebook


def write(path: Path) -> Path:
    """Execute the script at `path` whole and write the .ipynb of the same name."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = execute(path, Path(folder), short=False)
    target = path.with_suffix(".ipynb")
    nbformat.validate(notebook)
    target.write_text(nbformat.writes(notebook), encoding="utf-8", newline="\n")
    return target


def main(prefixes: list[str]) -> int:
    """Write all notebooks, or those whose name starts with one of `prefixes`."""
    chosen = [path for path in scripts() if path.name.startswith(tuple(prefixes or [""]))]
    for path in chosen:
        target = write(path)
        print(f"{target.name}: {target.stat().st_size / 1e6:.2f} MB", flush=True)
    if not chosen:
        print(f"no notebook's name starts with {' or '.join(prefixes)}", file=sys.stderr)
    return 0 if chosen else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
