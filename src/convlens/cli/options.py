"""Options that several commands share, each with one meaning."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, only the result.")]
Out = Annotated[Path, typer.Option("--out", help="Where run folders are.", show_default=True)]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, mps or auto.")]
Weights = Annotated[str, typer.Option("--weights", help="Which weights: last or best.")]
DataFolder = Annotated[
    Path | None, typer.Option("--folder", help="A folder with the data set's own files.")
]
RunName = Annotated[str, typer.Argument(help="A run's name, or the path of its folder.")]

RUNS = Path("runs")  # where `train` writes and the others look unless told otherwise
