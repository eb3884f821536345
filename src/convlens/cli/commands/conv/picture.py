"""`convlens conv picture`: kernels over a picture file, written as a PNG."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from convlens.cli import options
from convlens.cli.console import print_json

if TYPE_CHECKING:
    from torch import Tensor

    from convlens.report.levels import Levels as _Levels

Levels = Literal["auto", "as-is", "signed", "stretch"]


def picture(
    file: Annotated[Path, typer.Argument(help="A picture file.")],
    kernel: Annotated[
        list[str] | None,
        typer.Option("--kernel", "-k", help="A kernel; several go one after the other."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The PNG.")] = Path("out.png"),
    per_channel: Annotated[
        bool, typer.Option("--per-channel", help="Red, green and blue each, instead of grey.")
    ] = False,
    levels: Annotated[
        Levels,
        typer.Option(help="How numbers become greys; auto: signed if a kernel sums to 0."),
    ] = "auto",
    as_json: options.Json = False,
) -> None:
    """Apply kernels to a picture and write the result; says how numbers became greys.

    \b
    Examples:
      convlens conv picture photo.jpg
      convlens conv picture photo.jpg --kernel gaussian:9,2 --kernel sobel-x -o edges.png
      convlens conv picture photo.jpg --kernel sharpen --per-channel -o sharp.png
    """
    from convlens.data.picture import read_pixels
    from convlens.report.levels import save_levels, to_levels

    read = read_pixels(file, grey=not per_channel)
    names = kernel or ["sobel-x"]
    y, fitting = _apply(read.pixels.float(), names)
    pixels, how = to_levels(y, fitting if levels == "auto" else levels)
    save_levels(pixels, out)
    size = f"{y.shape[2]}x{y.shape[1]}"
    if as_json:
        print_json(
            {
                "picture": str(file),
                "notes": list(read.notes),
                "kernels": names,
                "size": [y.shape[2], y.shape[1]],
                "range": [y.min().item(), y.max().item()],
                "levels": how,
                "out": str(out),
            }
        )
        return
    for note in read.notes:
        print(f"note: {note}")
    print(f"{file}, {' then '.join(names)}: numbers from {y.min():g} to {y.max():g}")
    print(f"levels: {how}")
    print(f"result: {out}, {size} pixels")
    further = ["convlens", "conv", "--input", str(file), "--kernel", names[0], "--at", "0,0"]
    print(f"next: {shlex.join(further)}")


def _apply(x: "Tensor", names: list[str]) -> tuple["Tensor", "_Levels"]:
    """The kernels one after the other over each channel, and the levels that suit the result.

    The border repeats, so a kernel of odd size keeps the picture's.
    """
    from convlens.cli.commands.conv.question import read_kernel
    from convlens.core.errors import ShapeError
    from convlens.ops.correlation import cross_correlation2d
    from convlens.report.levels import levels_for

    fitting: _Levels = "as-is"
    for name in names:
        weights = read_kernel(name).float()
        if weights.ndim != 2:
            raise ShapeError(f"--kernel {name}: has shape {tuple(weights.shape)}; give (kh, kw)")
        x = cross_correlation2d(
            x[None],
            weights.expand(x.shape[0], 1, *weights.shape),
            padding=[(size - 1) // 2 for size in weights.shape],
            groups=x.shape[0],
            padding_mode="replicate",
        )[0]
        fitting = "signed" if levels_for(weights) == "signed" else fitting
    return x, fitting
