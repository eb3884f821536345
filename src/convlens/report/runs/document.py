"""Document: one or several runs as one page to hand in, with all that belongs to a result.

What a run lacks (it is unfinished, was never tested, its data are gone) is said on the page; the
rest is there all the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from convlens.core.config import write_toml
from convlens.core.errors import ConvLensError
from convlens.data.catalog import load_data
from convlens.data.image_set import ImageSet
from convlens.experiment.execute import recipe_of
from convlens.inspection.summary import Row, Summary, summarize
from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like
from convlens.models.catalog import build
from convlens.report.figures import draw_curves
from convlens.report.page import (
    Block,
    Heading,
    Listing,
    Paragraph,
    Picture,
    Preformatted,
    Section,
    Verdict,
    write_page,
)
from convlens.report.runs.curves import draw_overlaid
from convlens.report.runs.mistakes import (
    Predictions,
    draw_confusion,
    draw_mistakes,
    read_predictions,
    same_images,
    scores,
)
from convlens.report.runs.sides import (
    Entry,
    Side,
    group,
    judge,
    notes,
    origin_differences,
    setting_differences,
    test_interval,
)
from convlens.report.runs.tables import (
    ABSENT,
    SIDE_COLUMNS,
    difference_rows,
    halves,
    number,
    origin_table,
    percent,
    side_rows,
)
from convlens.runs.store import Run

NUM_MISTAKES = 18
MOST_ROWS = 60  # of a model's table; a larger one is told by its outer levels
MARK: dict[str, Verdict] = {"better": "good", "cannot tell": "partly"}


def save_report(runs: Sequence[Run], path: Path, *, folder: Path | None = None) -> list[str]:
    """Write the page on `runs` to `path`; gives back what could not be shown, a line each.

    `folder` has the data set's files, if they are not where they were.

    Raises:
        ConfigError: no run, or the place cannot be written to.
        RunError: a run that cannot be read.
    """
    sides = group(runs)
    report = _Report(folder)
    shown = [side.entries[0] for side in sides]
    sections = [report.overview(sides)]
    if len(sides) > 1 or len(sides[0].entries) > 1:
        sections.append(report.comparison(sides))
    for entry in shown:
        topics = report.topics(entry)
        if len(shown) == 1:
            sections += [Section(heading, blocks) for heading, blocks in topics]
        else:
            blocks = [block for heading, of in topics for block in (Heading(heading), *of)]
            sections.append(Section(f"Run {entry.run.name}", blocks))
    write_page(path, _title(sides), sections, subtitle=_subtitle(shown[0]))
    return report.missing


def _title(sides: Sequence[Side]) -> str:
    names = [entry.run.name for side in sides for entry in side.entries]
    if len(names) == 1:
        return f"Run {names[0]}"
    if len(names) <= 4:
        return f"Runs {', '.join(names)}"
    return f"{len(names)} runs, {len(sides)} recipe{'s' * (len(sides) > 1)}"


def _subtitle(entry: Entry) -> str:
    version = entry.origin.get("versions", {}).get("convlens")
    made = f" {version}" if version else ""
    started = entry.origin.get("started", "")[:10]
    return f"Trained by ConvLens{made}" + (f" on {started}." if started else ".")


class _Report:
    """Makes the parts of a page and notes what is missing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.missing: list[str] = []

    def lacks(self, entry: Entry, what: str) -> Paragraph:
        self.missing.append(f"{entry.run.name}: {what}")
        return Paragraph(f"Missing: {what}.", "partly")

    def overview(self, sides: Sequence[Side]) -> Section:
        entries = [entry for side in sides for entry in side.entries]
        blocks: list[Block] = []
        for entry in entries:
            status = entry.summary["status"]
            if status != "finished":
                error = entry.summary.get("error")
                why = f": {error}" if error else ""
                blocks.append(self.lacks(entry, f"the run {entry.run.name} is {status}{why}"))
        if len(entries) > 1:
            blocks += [Paragraph(_sentence(j.text), MARK.get(j.verdict)) for j in judge(sides)]
            blocks += [Listing(columns, rows) for columns, rows in halves(sides)]
            return Section("Overview", blocks)
        entry = entries[0]
        rows = [row for row in _numbers(entry) if row[1] != ABSENT]
        blocks.append(Listing(["what", "value"], rows))
        blocks += [Paragraph(note) for note in notes(sides)]
        return Section("Overview", blocks)

    def comparison(self, sides: Sequence[Side]) -> Section:
        entries = [entry for side in sides for entry in side.entries]
        letters = [side.name for side in sides]
        blocks: list[Block] = [
            Paragraph("Runs whose recipes are equal but for the seed are one side."),
            Listing(SIDE_COLUMNS, side_rows(sides)),
            *(Paragraph(note) for note in notes(sides)),
        ]
        settings, origins = setting_differences(sides), origin_differences(entries)
        if settings:
            caption = "The settings in which the sides differ."
            blocks.append(
                Listing(["setting", *letters], difference_rows(settings), caption=caption)
            )
        if origins:
            caption = "What differs beside the recipes; times compare on one machine only."
            blocks.append(Listing(*origin_table(entries, origins), caption=caption))
        try:
            blocks.append(
                Picture(draw_overlaid(sides), "The runs by epoch, a colour for each side.")
            )
        except ConvLensError as error:
            blocks.append(Paragraph(f"Missing: {error.what}.", "partly"))
        detailed = [side for side in sides if len(side.entries) > 1]
        if detailed:
            names = ", ".join(f"{side.entries[0].run.name} ({side.name})" for side in detailed)
            blocks.append(Paragraph(f"Of a side with several runs the first is shown: {names}."))
        return Section("Comparison", blocks)

    def topics(self, entry: Entry) -> list[tuple[str, list[Block]]]:
        """What there is to say of one run, by heading."""
        parts: list[tuple[str, Callable[[Entry], list[Block]]]] = [
            ("Curves", self._curves),
            ("Confusion and mistakes", self._predictions),
            ("The network", self._network),
            ("The recipe", self._recipe),
            ("Where this comes from", self._origin),
        ]
        return [(heading, part(entry)) for heading, part in parts]

    def _curves(self, entry: Entry) -> list[Block]:
        try:
            figure = draw_curves(entry.run.records(), title=entry.run.name)
        except ConvLensError as error:
            return [self.lacks(entry, error.what)]
        caption = "Training and validation loss, validation accuracy, by epoch."
        return [Picture(figure, caption)]

    def _predictions(self, entry: Entry) -> list[Block]:
        try:
            found = read_predictions(entry.run)
        except ConvLensError as error:
            return [self.lacks(entry, error.what)]
        if found is None:
            return [self.lacks(entry, "there are no predictions of the test images")]
        images, why = self._images(entry, found)
        names = images.class_names if images else _numbered(found)
        confusion = found.confusion()
        blocks: list[Block] = [
            Picture(
                draw_confusion(confusion, names),
                "Confusion matrix: how many test images of each true class (row) were taken for "
                "each class (column).",
            ),
            _class_table(found, names),
        ]
        mistakes = found.worst(NUM_MISTAKES)
        if not mistakes:
            return [*blocks, Paragraph("No test image was mistaken.", "good")]
        num_wrong = int((found.predicted != found.labels).sum())
        if images is not None:
            caption = (
                f"The {len(mistakes)} of {num_wrong:,} mistakes that were made with the highest "
                "probability: the true class, what it was taken for, and how surely."
            )
            blocks.append(Picture(draw_mistakes(mistakes, images), caption))
        else:
            blocks.append(self.lacks(entry, f"the images are not shown: {why}"))
        rows = [
            [
                f"{mistake.index:,}",
                names[mistake.label],
                names[mistake.predicted],
                percent(mistake.probability),
                percent(mistake.of_label),
            ]
            for mistake in mistakes
        ]
        columns = ["test image", "true class", "predicted", "probability", "of the true class"]
        caption = "The same mistakes; images are counted from 0."
        return [*blocks, Listing(columns, rows, caption=caption)]

    def _images(self, entry: Entry, found: Predictions) -> tuple[ImageSet | None, str]:
        """The test images of a run, or why there are none."""
        try:
            config = recipe_of(entry.run).data
            if self.folder is not None:
                config = replace(config, folder=str(self.folder))
            images = load_data(config).test
        except ConvLensError as error:
            return None, error.what
        if not same_images(found, images):
            return None, "the test set is not the one that this run was tested on"
        return images, ""

    def _network(self, entry: Entry) -> list[Block]:
        try:
            recipe = recipe_of(entry.run)
            with torch.device("meta"):
                network = build(recipe.model_name, recipe.model)
            size = recipe.model.image_size
            x = inputs_like(network, 1, recipe.model.in_channels, size, size)
            traced = trace(network, x, partial=True)
        except ConvLensError as error:
            return [self.lacks(entry, f"the network cannot be built: {error.what}")]
        depths = (None, 3, 2, 1)
        summaries = (summarize(traced, network, depth=depth) for depth in depths)
        found = next(found for found in summaries if len(found.rows) <= MOST_ROWS)
        return _network_tables(recipe.model_name, found)

    def _recipe(self, entry: Entry) -> list[Block]:
        text = write_toml(entry.run.read_recipe()).strip()
        again = "All settings, those left at their defaults too. Saved as a file, it trains again: "
        return [Paragraph(f"{again}convlens train recipe.toml"), Preformatted(text)]

    def _origin(self, entry: Entry) -> list[Block]:
        about = entry.origin
        if not about:
            return [self.lacks(entry, "nothing is known of where this run comes from")]
        versions = ", ".join(f"{name} {n}" for name, n in about.get("versions", {}).items())
        threads = f"{about.get('threads', ABSENT)} threads"
        pairs = {
            "command": about.get("command"),
            "started": about.get("started"),
            "versions": f"{versions}, python {about.get('python', ABSENT)}",
            "commit": about.get("commit"),
            "machine": f"{about.get('device_name', ABSENT)}, {threads}",
            "device": about.get("device"),
            "system": about.get("platform"),
            "run folder": entry.run.name,
        }
        files = [list(pair) for pair in about.get("data_md5", {}).items()]
        return [
            Listing(["what", "value"], [[k, str(v or ABSENT)] for k, v in pairs.items()]),
            *([Listing(["data", "MD5"], files)] if files else []),
        ]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _numbers(entry: Entry) -> list[list[str]]:
    summary, test = entry.summary, entry.test or {}
    best, last = entry.validation("best"), entry.validation("last")
    tested = ""
    if entry.test is not None:
        low, high = test_interval(entry.test)
        tested = f" of {test['num_images']:,} images ({100 * low:.2f} to {100 * high:.2f} %)"
    settings = entry.settings
    return [
        ["model", str(settings.get("model.name", ABSENT))],
        ["data", str(settings.get("data.name", ABSENT))],
        ["parameters", number(summary.get("num_parameters"), ",")],
        ["epochs", number(summary.get("epochs"), ",")],
        ["stopped early", summary.get("stopped") or ABSENT],
        ["seed", str(entry.seed)],
        ["test accuracy", f"{percent(test.get('accuracy'))}{tested}"],
        ["test loss", number(test.get("loss"), ".4f")],
        ["validation accuracy, last", percent(last["accuracy"]) if last else ABSENT],
        [
            "validation accuracy, best",
            f"{percent(best['accuracy'])} (epoch {best['epoch']})" if best else ABSENT,
        ],
        ["training loss, last epoch", number(summary.get("train_loss"), ".4f")],
        ["seconds", number(summary.get("seconds"), ",.1f")],
        ["images/s", number(summary.get("images_per_second"), ",.0f")],
    ]


def _numbered(found: Predictions) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(found.num_classes))


def _class_table(found: Predictions, names: Sequence[str]) -> Listing:
    rows = [
        [
            names[score.label],
            f"{score.num_images:,}",
            percent(score.recall),
            percent(score.precision),
            ABSENT
            if score.taken_for is None
            else f"{names[score.taken_for]} ({score.num_taken:,})",
        ]
        for score in scores(found.confusion())
    ]
    columns = ["class", "images", "recall", "precision", "most often taken for"]
    caption = (
        "Recall: the share of a class that was found. Precision: the share of what was taken for "
        "the class that is it."
    )
    return Listing(columns, rows, caption=caption)


def _network_tables(model: str, found: Summary) -> list[Block]:
    rows = [
        [
            _layer(row),
            row.kind,
            "x".join(map(str, row.output or ())),
            *("" if row.is_open else f"{n:,}" for n in (row.num_parameters, row.macs)),
        ]
        for row in found.rows
    ]
    total = (
        f"{model}: {found.num_parameters:,} parameters, {found.macs:,} MACs per image "
        f"({found.flops:,} FLOPs), {found.weight_layers} layers with weights."
    )
    columns = ["layer", "kind", "output", "parameters", "MACs"]
    return [Paragraph(total), Listing(columns, rows)]


def _layer(row: Row) -> str:
    indent = "\u2003" * row.indent  # a space that a browser keeps
    if len(row.names) == 1:
        return indent + row.names[0]
    return f"{indent}{row.names[0]} ... {row.names[-1]}  {len(row.names)}x"
