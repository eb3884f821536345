"""`convlens data`: the data sets there are, what is in one, and bringing one here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.cli import options
from convlens.cli.console import print_json, print_table, say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from convlens.data.config import DataConfig
    from convlens.data.image_set import DataSet, ImageSet

app = typer.Typer(name="data", rich_markup_mode=None)
_CHECKSUM = {True: "official", False: "differs", None: "nothing to compare with"}
_SET = typer.Option(
    "--set", metavar="KEY=VALUE", help="Of your own images, as in data.image_size=48."
)
_AUGMENT = typer.Option(
    "--augment",
    metavar="KEY=VALUE",
    help="Draw the images as a training with this setting of [augment] shows them.",
)
_PNG = typer.Option(help="Where the sheet of images goes  [default: NAME.png]")


@app.callback(invoke_without_command=True)
def data(context: typer.Context, as_json: options.Json = False) -> None:
    """List the data sets, show one or a folder of yours, or download one.

    \b
    Examples:
      convlens data
      convlens data show fashion-mnist
      convlens data show photos
      convlens data fetch cifar-10
    """
    if context.invoked_subcommand is None:
        list_data(as_json=as_json)


@app.command("list")
def list_data(as_json: options.Json = False) -> None:
    """List the data sets, and where each is: in the package, in the cache, or to be downloaded.

    \b
    Examples:
      convlens data list
      convlens data list --json
    """
    from convlens.data.catalog import DATA_SETS, where

    if as_json:
        found = {
            name: {"about": entry.about, "where": where(name)} for name, entry in DATA_SETS.items()
        }
        print_json({"data_sets": found})
        return
    rows = [[name, entry.about, where(name)] for name, entry in DATA_SETS.items()]
    print_table(["data set", "what", "where"], rows)
    print("next: convlens data show fashion-mnist")
    print("your own images: convlens data show FOLDER (one folder per class in it)")


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(help="A data set's name, a folder of classes, or a .csv.")
    ] = "fashion-mnist",
    folder: options.DataFolder = None,
    png: Annotated[Path | None, _PNG] = None,
    assignments: Annotated[list[str] | None, _SET] = None,
    augment: Annotated[list[str] | None, _AUGMENT] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what --augment draws.")] = 0,
    as_json: options.Json = False,
) -> None:
    """Counts, shapes, mean, standard deviation and checksums; draws a sheet of the images.

    \b
    Examples:
      convlens data show fashion-mnist
      convlens data show --augment flip=alternating --augment translate=2
      convlens data show fashion-mnist --folder ~/fashion-mnist --png sheet.png
      convlens data show photos --set data.corrupt=skip
    """
    from convlens.cli.downloads import download
    from convlens.cli.reading import reading
    from convlens.data.catalog import load_data
    from convlens.data.config import OWN
    from convlens.report.figures import save_picture

    with reading(as_json=as_json):
        config = _settings(name, folder, assignments or [])
        own = config.name == OWN
        if config.folder is None:
            download(name, as_json=as_json)
        loaded = load_data(config)
    title = Path(name).resolve().stem if own else name
    sheet = png or Path(f"{title}.png")
    save_picture(_draw(title, loaded.train, augment or [], seed), sheet)
    splits = {"train": _describe(loaded.train), "test": _describe(loaded.test)}
    if loaded.validation is not None:
        splits["validation"] = _describe(loaded.validation)
    if as_json:
        files = [
            {"path": file.path, "md5": file.md5, "official": file.official} for file in loaded.files
        ]
        found = {"data_set": title, "splits": splits, "files": files, "png": str(sheet)}
        print_json({**found, "notes": list(loaded.notes)})
        return
    _print_splits(title, splits)
    _print_files(loaded)
    for note in loaded.notes:
        say(f"note: {note}")
    print(f"sheet of images: {sheet}")
    chosen = f" --data {name}" if name != "fashion-mnist" else ""
    elsewhere = f" --set data.folder={folder}" if folder is not None else ""
    print(f"next: convlens train{chosen}{elsewhere}")


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(help="Data sets' names.")],
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Download data sets into the cache; a broken download is gone on with.

    The cache is $CONVLENS_CACHE, or where this platform keeps caches; $CONVLENS_MIRROR names a
    server to ask first, for <data set>/<file>.

    \b
    Examples:
      convlens data fetch mnist
      convlens data fetch cifar-10 cifar-100 --quiet
    """
    from convlens.cli.downloads import download
    from convlens.data.catalog import DATA_SETS, where

    for name in names:  # so that a mistake ends here, before anything is downloaded
        DATA_SETS[name]
    for name in names:
        download(name, as_json=as_json, quiet=quiet)
    found = {name: where(name) for name in names}
    if as_json:
        print_json({"data_sets": found})
        return
    for name, place in found.items():
        print(f"{name}: {place}")
    print(f"next: convlens train --data {names[0]}")


def _settings(name: str, folder: Path | None, assignments: list[str]) -> "DataConfig":
    """The settings of the data set or of the own images that are called `name`."""
    from convlens.core.config import override, parse
    from convlens.data.catalog import DATA_SETS, own_place, settle
    from convlens.data.config import OWN, DataConfig

    if name in DATA_SETS:
        section = {"name": name, **({"folder": str(folder)} if folder is not None else {})}
    else:
        section = {"name": OWN, "folder": str(own_place(name))}
    section = override({"data": section}, assignments)["data"]
    return settle(parse(DataConfig, section, section="data"), frozenset(section))


def _draw(name: str, images: "ImageSet", settings: list[str], seed: int) -> "Figure":
    from convlens.core.config import override, parse
    from convlens.data.augment.settings import AugmentConfig
    from convlens.report.augmented import augmented_sheet
    from convlens.report.figures import contact_sheet

    if not settings:
        return contact_sheet(images, title=f"{name}: the first ten training images of each class")
    table = override({}, [f"augment.{setting}" for setting in settings])
    config = parse(AugmentConfig, table["augment"], section="augment")
    title = f"{name}: an image as it is, and in nine epochs with {', '.join(settings)}"
    return augmented_sheet(images, config, title=title, seed=seed)


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
    names = list(splits["train"]["classes"])
    print_table(
        ["class", "name", *splits],
        [
            [str(index), label, *(f"{about['classes'][label]:,}" for about in splits.values())]
            for index, label in enumerate(names)
        ],
    )


def _print_files(loaded: "DataSet") -> None:
    print_table(
        ["file", "MD5", "checksum"],
        [[Path(file.path).name, file.md5, _CHECKSUM[file.official]] for file in loaded.files],
    )
