"""TensorBoard's event files: in the run folder, or in a folder of one's own choice.

Source: the format of TensorBoard, https://github.com/tensorflow/tensorboard, by the writer that
PyTorch has for it. Numbers are kept as float32, which is all that the format's scalars hold.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from convlens.core.errors import RunError
from convlens.experiment.loggers.logger import Logger, flat, identity
from convlens.experiment.loggers.optional import needed
from convlens.experiment.loggers.points import Point
from convlens.experiment.recipe import Recipe
from convlens.runs.store import Run

_TEST = {"test/accuracy": 0}  # what the page of settings shows beside them; the value is not used


@final
class TensorBoardLogger(Logger):
    """Writes event files into the run folder, or, in `place`, into a folder of the run's name."""

    name = "tensorboard"

    def __init__(self, place: str = "") -> None:
        super().__init__(str(Path(place).absolute()) if place else "")
        self._module: Any = needed("tensorboard", "torch.utils.tensorboard")
        self._summary: Any = needed("tensorboard", "torch.utils.tensorboard.summary")
        self._writer: Any = None

    def open(self, run: Run, recipe: Recipe, points: Sequence[Point]) -> None:
        """Begin a new file with all points; what an earlier process wrote of them is removed.

        Raises:
            RunError: the folder has the log of another run.
        """
        folder, ending = self._folder(run), f".{identity(run)}"
        old = sorted(folder.glob("*tfevents*"))
        if foreign := [path for path in old if path.suffix != ending]:
            raise RunError(
                f"{foreign[0]} is the log of another run called {run.name}",
                fix="move it, or name another folder: --log tensorboard=FOLDER",
            )
        times = self._times(old)
        self._writer = self._module.SummaryWriter(
            str(folder), filename_suffix=ending, purge_step=0 if old else None
        )
        self._write_settings(flat(recipe.to_table()))
        for point in points:
            self._write(point, times.get((point.name, point.step)))
        self._writer.flush()
        for path in old:
            path.unlink(missing_ok=True)

    def add(self, points: Sequence[Point]) -> None:
        """Write the points, and see them out of this process."""
        for point in points:
            self._write(point)
        self._writer.flush()

    def close(self, status: str) -> None:
        """Write how it ended, and close the file."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            try:
                writer.add_text("status", status)
            finally:
                writer.close()

    def how_to_look(self, run: Run) -> str:
        """The command that shows the runs side by side."""
        return f"tensorboard --logdir {self._folder(run).parent}"

    def _folder(self, run: Run) -> Path:
        return Path(self.place) / run.name if self.place else run.path

    def _write(self, point: Point, seconds: float | None = None) -> None:
        self._writer.add_scalar(point.name, point.value, point.step, walltime=seconds)

    def _write_settings(self, settings: Mapping[str, Any]) -> None:
        plain = {
            key: value if isinstance(value, bool | int | float | str) else str(value)
            for key, value in settings.items()
        }
        for part in self._summary.hparams(plain, _TEST)[:2]:  # without "it has ended well"
            self._writer.file_writer.add_summary(part)

    def _times(self, paths: Sequence[Path]) -> dict[tuple[str, int], float]:
        """When each point was told, so that its time stays what it was."""
        loader: Any = needed(
            "tensorboard", "tensorboard.backend.event_processing.event_file_loader"
        )
        return {
            (value.tag, event.step): event.wall_time
            for path in paths
            for event in loader.LegacyEventFileLoader(str(path)).Load()
            for value in event.summary.value
        }
