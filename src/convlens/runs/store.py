"""Run folders: `runs/<recipe>-<number>/`, created, opened and listed.

    recipe.toml                 the resolved recipe: the run can be repeated from it alone
    provenance.json             versions, machine, commit, command, data checksums
    metrics.jsonl               what happened, one line per event
    summary.json                how it ended; written when it has
    weights-last.safetensors    after the last finished epoch
    weights-best.safetensors    after the epoch with the best validation accuracy
    checkpoint-a.safetensors    while it trains: all that is needed to go on, ...
    checkpoint-b.safetensors    ... the newer one and the one before, in turns
    lock                        while a process is at work on it: which one
    logs.json                   where its logs are, if it has any; metrics.csv is one of them
    predictions.npz             labels and logits of the test images
    curves.png, curves.svg      loss and accuracy by epoch

Every file is written whole or not at all, so a killed process leaves a readable folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.core.config import SettingsTable, read_toml, write_toml
from convlens.core.errors import ConfigError, RunError
from convlens.core.files import sweep, write_whole
from convlens.core.names import natural_key, suggestion
from convlens.runs import record

RUNS_FOLDER = Path("runs")


@dataclass(frozen=True, slots=True)
class Run:
    """One run folder; the methods are its files."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name, as in `lenet-3`."""
        return self.path.resolve().name  # also of "."

    def weights_path(self, which: str) -> Path:
        """Where the weights `which` ("last" or "best") are."""
        return self.path / f"weights-{which}.safetensors"

    def write_recipe(self, table: SettingsTable) -> None:
        """Keep the resolved recipe."""
        self.write_text("recipe.toml", write_toml(table))

    def read_recipe(self) -> SettingsTable:
        """The resolved recipe.

        Raises:
            RunError: it is missing or damaged.
        """
        try:
            return read_toml(self.path / "recipe.toml")
        except ConfigError as error:
            raise RunError(error.what, fix=f"{self.name} is not a whole run folder") from None

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write `name`, as in provenance.json."""
        self.write_text(name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def read_json(self, name: str) -> dict[str, Any]:
        """The content of `name`, or {} if it was never written.

        Raises:
            RunError: it is not JSON of an object.
        """
        path = self.path / name
        if not path.exists():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise RunError(f"{path}: not JSON: {error}") from None
        if not isinstance(content, dict):
            raise RunError(f"{path}: not JSON of an object")
        return content

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, whole."""
        write_whole(self.path / name, lambda stream: stream.write(text.encode()))

    def write_arrays(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write numpy arrays as one .npz file, whole."""
        write_whole(
            self.path / name,
            lambda stream: np.savez_compressed(stream, allow_pickle=False, **arrays),
        )

    def sweep(self) -> None:
        """Remove what writers that were killed left half written; nobody may be writing."""
        sweep(self.path)

    def append_record(self, event: str, fields: Mapping[str, Any]) -> None:
        """Add a line to metrics.jsonl."""
        record.append(self.path / "metrics.jsonl", event, fields)

    def cut_records(self, num_records: int) -> None:
        """Keep only the first lines of metrics.jsonl.

        Raises:
            RunError: there are fewer, or the file is damaged.
        """
        record.cut(self.path / "metrics.jsonl", num_records)

    def sync_records(self) -> None:
        """See the lines of metrics.jsonl onto the disk."""
        record.sync(self.path / "metrics.jsonl")

    def records(self) -> list[record.Record]:
        """The lines of metrics.jsonl so far.

        Raises:
            RunError: the file is damaged.
        """
        return record.read(self.path / "metrics.jsonl")

    def summary(self) -> dict[str, Any]:
        """summary.json; a run that never wrote one has the status "unfinished"."""
        return self.read_json("summary.json") or {"status": "unfinished"}


def create_run(recipe_name: str, root: Path = RUNS_FOLDER) -> Run:
    """A new, empty run folder with the next free number.

    Raises:
        RunError: the folder cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        number = 1 + max((_number(path.name, recipe_name) for path in root.iterdir()), default=0)
        while True:
            path = root / f"{recipe_name}-{number}"
            try:
                path.mkdir()
            except FileExistsError:  # another process took it
                number += 1
            else:
                return Run(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RunError(
            f"{root}: cannot make a run folder there: {reason}", fix="name another with --out"
        ) from None


def open_run(name: str, root: Path = RUNS_FOLDER) -> Run:
    """The run called `name` in `root`, or the run folder at the path `name`.

    Raises:
        RunError: no such run; says the nearest.
    """
    for path in (root / name, Path(name)):
        if (path / "recipe.toml").is_file():
            return Run(path)
    if Path(name).is_dir():
        raise RunError(f"{name}: no recipe.toml in it, so it is not a run folder")
    hint = suggestion(name, [run.name for run in list_runs(root)])
    raise RunError(f"no run {name!r} in {root}; {hint}", fix="list them: convlens runs")


def list_runs(root: Path = RUNS_FOLDER) -> list[Run]:
    """All runs in `root`, in natural order; none if there is no such folder."""
    if not root.is_dir():
        return []
    paths = [path for path in root.iterdir() if (path / "recipe.toml").is_file()]
    return [Run(path) for path in sorted(paths, key=lambda path: natural_key(path.name))]


def run_of_launch(launch: str, root: Path = RUNS_FOLDER) -> Run | None:
    """The newest run in `root` that this start of `torchrun` has begun, if it came so far."""
    for run in reversed(list_runs(root)):
        if run.read_json("provenance.json").get("launch") == launch:
            return run
    return None


def _number(folder: str, recipe_name: str) -> int:
    prefix, _, number = folder.rpartition("-")
    return int(number) if prefix == recipe_name and number.isdecimal() else 0
