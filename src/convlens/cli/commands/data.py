"""`convlens data`: the data sets there are, and what is in one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.cli import options
from convlens.cli.console import print_json, print_table

if TYPE_CHECKING:
    from convlens.data.image_set import DataSet, ImageSet

app = typer.Typer(name="data", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def data(context: typer.Context, as_json: options.Json = False) -> None:
    """List the data sets, or show what is in one.

    \b
    Examples:
      convlens data
      convlens data show fashion-mnist
    """
    if context.invoked_subcommand is not None:
        return
    from convlens.data.catalog import DATA_SETS

    about = {name: entry.about for name, entry in DATA_SETS.items()}
    if as_json:
        print_json({"data_sets": about})
    else:
        print_table(["data set", "what"], [list(row) for row in about.items()])
        print("next: convlens data show fashion-mnist")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A data set's name.")] = "fashion-mnist",
    folder: options.DataFolder = None,
    png: Annotated[
        Path | None, typer.Option(help="Where the sheet of images goes  [default: NAME.png]")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Counts, shapes, mean, standard deviation and checksums; draws a sheet of the images.

    \b
    Examples:
      convlens data show fashion-mnist
      convlens data show fashion-mnist --folder ~/fashion-mnist --png sheet.png
    """
    from convlens.data.catalog import load_data
    from convlens.data.config import DataConfig
    from convlens.report.figures import contact_sheet, save_picture

    loaded = load_data(DataConfig(name=name, folder=str(folder) if folder is not None else None))
    sheet = png or Path(f"{name}.png")
    title = f"{name}: the first ten training images of each class"
    save_picture(contact_sheet(loaded.train, title=title), sheet)
    splits = {"train": _describe(loaded.train), "test": _describe(loaded.test)}
    if as_json:
        files = [
            {"path": file.path, "md5": file.md5, "official": file.official} for file in loaded.files
        ]
        print_json({"data_set": name, "splits": splits, "files": files, "png": str(sheet)})
        return
    _print_splits(name, splits)
    _print_files(loaded)
    print(f"sheet of images: {sheet}")
    print("next: convlens train")


def _describe(images: "ImageSet") -> dict[str, Any]:
    means, stds = images.mean_and_std()
    counts = images.labels.bincount(minlength=len(images.class_names)).tolist()
    return {
        "num_images": len(images),
        "shape": list(images.images.shape[1:]),
        "dtype": str(images.images.dtype).removeprefix("torch."),
        "mean": list(means),
        "std": list(stds),
        "classes": dict(zip(images.class_names, counts, strict=True)),
    }


def _print_splits(name: str, splits: dict[str, dict[str, Any]]) -> None:
    print_table(
        ["split", "images", "shape", "type", "mean", "standard deviation"],
        [
            [
                split,
                f"{about['num_images']:,}",
                "x".join(map(str, about["shape"])),
                about["dtype"],
                ", ".join(f"{mean:.4f}" for mean in about["mean"]),
                ", ".join(f"{std:.4f}" for std in about["std"]),
            ]
            for split, about in splits.items()
        ],
        title=f"{name} (pixels scaled to 0..1)",
    )
    train, test = splits["train"]["classes"], splits["test"]["classes"]
    print_table(
        ["class", "name", "train", "test"],
        [
            [str(index), label, f"{train[label]:,}", f"{test[label]:,}"]
            for index, label in enumerate(train)
        ],
    )


def _print_files(loaded: "DataSet") -> None:
    print_table(
        ["file", "MD5 of the unzipped file", "checksum"],
        [
            [Path(file.path).name, file.md5, "official" if file.official else "differs"]
            for file in loaded.files
        ],
    )
