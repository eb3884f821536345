"""Page: a replayed homework as one HTML file that can be handed in."""

from pathlib import Path

import torch

from convlens.course.homework.replay import Answered, Homework
from convlens.course.homework.trainings import Trained
from convlens.course.wording import nested, numbers
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.steps.learn import START, edge_image
from convlens.report.figures import draw_curves
from convlens.report.learning import draw_learning
from convlens.report.maps import draw_maps
from convlens.report.page import (
    Block,
    Heading,
    Listing,
    Paragraph,
    Picture,
    Section,
    Verdict,
    write_page,
)

TITLE = "Convolutional networks: the homework, replayed and checked"
SECTIONS = {
    "7.1": "From dense layers to convolutions",
    "7.2": "Convolutions for images",
    "7.3": "Padding and stride",
    "7.4": "Several channels in and out",
    "7.5": "Pooling",
    "7.6": "LeNet",
    "8.2": "Networks of blocks: VGG",
    "8.6": "Residual networks",
}
MARK: dict[str, Verdict] = {"right": "good", "partly": "partly", "wrong": "wrong"}


def save_report(homework: Homework, path: Path) -> None:
    """Write the report.

    Raises:
        ConfigError: the place cannot be written to.
    """
    sections = [
        _overview(homework),
        *(_section(homework, number) for number in SECTIONS),
        _origin(homework),
    ]
    write_page(path, TITLE, sections, subtitle=_subtitle(homework))


def _subtitle(homework: Homework) -> str:
    about = homework.provenance
    return (
        "Sections 7.1 to 7.6, 8.2 and 8.6 of Dive into Deep Learning. "
        f"Made by ConvLens {about['versions']['convlens']} on {about['started'][:10]}, "
        f"{homework.edition} edition, seed {homework.seed}."
    )


def _overview(homework: Homework) -> Section:
    values, kernel = homework.values, homework.kernel
    verdicts = [each.finding.verdict for each in homework.answers]
    counts = ", ".join(f"{verdicts.count(kind)} {kind}" for kind in dict.fromkeys(verdicts))
    faults = homework.faults
    rows: list[tuple[str, str, bool]] = [
        ("formulas of 7.1", *_of([holds for _, holds in homework.formulas], "hold")),
        ("printed values computed again", *_of([each.agrees for each in values], "agree")),
        (
            "the learned kernel",
            f"({', '.join(f'{entry:.4f}' for entry in kernel.kernel)}); {kernel.num_within} of "
            f"{kernel.num_starts} random starts end within the bounds",
            kernel.agrees,
        ),
        *(
            (f"{each.training.title}: test accuracy", f"{100 * each.accuracy:.2f} %", each.agrees)
            for each in homework.trainings
        ),
        (
            "exercises answered by experiment",
            *_of([each.finding.holds for each in homework.answers], "confirm the answer given"),
        ),
    ]
    blocks: list[Block] = [
        Paragraph("Everything came out as it should.", "good")
        if not faults
        else Paragraph(f"Not as it should be: {'; '.join(faults)}.", "wrong"),
        Listing(
            ["what", "came out"],
            [row[:2] for row in rows],
            verdicts=["good" if fine else "wrong" for *_, fine in rows],
        ),
        Paragraph(f"The answers of the notebook were: {counts}."),
    ]
    if homework.edition == "quick":
        blocks.append(
            Paragraph(
                "This is the quick edition: both LeNets are trained as the book trains them, the "
                "large networks only for some steps on small images, as their tables say. "
                "The full edition trains them at the book's sizes: convlens reproduce --full"
            )
        )
    return Section("Overview", blocks)


def _of(fine: list[bool], what: str) -> tuple[str, bool]:
    return f"{sum(fine)} of {len(fine)} {what}", all(fine)


def _section(homework: Homework, number: str) -> Section:
    blocks: list[Block] = []
    if number == "7.1":
        blocks.append(_formulas(homework))
    values = [each for each in homework.values if each.value.section == number]
    if values:
        rows = [[each.value.what, nested(each.value.printed), nested(each.ours)] for each in values]
        verdicts: list[Verdict] = ["good" if each.agrees else "wrong" for each in values]
        caption = "What the notebook printed, and what is computed here."
        columns = ["what", "the notebook printed", "ours"]
        blocks.append(Listing(columns, rows, caption=caption, verdicts=verdicts))
    if number == "7.2":
        blocks += _convolution(homework)
    for trained in homework.trainings:
        if trained.training.section == number:
            blocks += _training(trained)
    answers = [each for each in homework.answers if each.study.section == number]
    for answered in answers:
        blocks += _answer(answered)
    return Section(f"{number} {SECTIONS[number]}", blocks)


def _formulas(homework: Homework) -> Listing:
    return Listing(
        ["formula", "in the notebook", "checked on random whole numbers"],
        [
            [f"{each.what}: {each.formula}", each.slip or "the same", each.check]
            for each, _ in homework.formulas
        ],
        caption="The formulas that the notebook wrote down, as they should be.",
        verdicts=["good" if holds else "wrong" for _, holds in homework.formulas],
    )


def _convolution(homework: Homework) -> list[Block]:
    kernel = homework.kernel
    edge, edges = edge_image(), torch.tensor([[1.0, -1.0]])
    diagonal = torch.eye(6)

    def respond(x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return cross_correlation2d(x[None, None], k[None, None])[0, 0]

    maps = [
        ("X", edge),
        ("X by K = (1, -1)", respond(edge, edges)),
        ("X transposed, by K", respond(edge.T, edges)),
        ("diagonal X", diagonal),
        ("diagonal X by K", respond(diagonal, edges)),
        ("diagonal X by K transposed", respond(diagonal, edges.T)),
    ]
    start, truth = list(START), [1.0, -1.0]
    return [
        Picture(
            draw_maps(maps, columns=3),
            "Vertical edges are found and horizontal ones are not; a diagonal one answers to both "
            "kernels.",
        ),
        Picture(
            draw_learning(kernel.steps, start=start, truth=truth),
            "The kernel learned from the image and its edges: loss before each step, and entries "
            "after it.",
        ),
        Paragraph(
            f"From {kernel.num_starts} random starts the kernel ends within "
            f"{kernel.error_bound:.3f} of (1, -1) and the last loss is below "
            f"{kernel.loss_bound:.3f}, as it must by the eigenvalues 30 and 6, in "
            f"{kernel.num_within} of {kernel.num_starts} cases.",
            "good" if kernel.agrees else "wrong",
        ),
    ]


def _training(trained: Trained) -> list[Block]:
    training, summary = trained.training, trained.run.summary()
    low, high = training.expected_in(trained.edition)
    rows = [
        ["trained", trained.what],
        ["parameters", f"{summary['num_parameters']:,}"],
        ["training loss, last epoch", f"{summary['train_loss']:.4f}"],
        ["test loss", f"{summary['test']['loss']:.4f}"],
        ["test accuracy", f"{100 * trained.accuracy:.2f} %"],
        ["expected of this edition", f"{100 * low:.0f} to {100 * high:.0f} %"],
        *(
            [["published for the book's ten epochs", f"{100 * training.published:.1f} %"]]
            if training.published is not None
            else []
        ),
        ["time", f"{summary['seconds']:.1f} s, {summary['images_per_second']:,.0f} images/s"],
    ]
    caption = "kept from an earlier replay" if trained.kept else ""
    return [
        Heading(f"Training: {training.title}"),
        Listing(["what", "came out"], rows, caption=caption),
        Paragraph(
            "The accuracy is where it should be."
            if trained.agrees
            else "The accuracy is not where it should be.",
            "good" if trained.agrees else "wrong",
        ),
        Picture(
            draw_curves(trained.run.records(), title=training.title),
            f"{training.title}: training and validation loss, validation accuracy. "
            "As in the book, the validation images are the test images.",
        ),
    ]


def _answer(answered: Answered) -> list[Block]:
    study, finding = answered.study, answered.finding
    claims = [
        [claim.text, claim.part, "true" if claim.true else "false"] for claim in finding.claims
    ]
    marks: list[Verdict] = ["good" if claim.as_expected else "wrong" for claim in finding.claims]
    return [
        Heading(f"Exercise {study.exercise}: {study.question}"),
        Paragraph(f"Answer: {study.answer}"),
        Paragraph(
            f"The notebook's answer ({finding.verdict}): {study.notebook}",
            MARK.get(finding.verdict),
        ),
        Paragraph(f"Found: {finding.text}", "good" if finding.holds else "wrong"),
        *([Paragraph(f"How: {finding.ran}")] if finding.ran else []),
        Listing(["number", "value"], [list(pair) for pair in numbers(finding).items()]),
        Listing(["claim", "in the notebook", "found"], claims, verdicts=marks),
    ]


def _origin(homework: Homework) -> Section:
    about = homework.provenance
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    rows = [
        ["versions", f"{versions}, python {about['python']}"],
        ["commit", str(about["commit"])],
        ["machine", f"{about['cpu']}, {about['threads']} threads, {about['cpu_capability']}"],
        ["system", about["platform"]],
        ["command", about["command"]],
        ["time", f"{homework.seconds:.0f} s"],
        *(
            [f"run of {each.training.title}", str(each.run.path)]
            for each in homework.trainings
        ),
    ]  # fmt: skip
    return Section("Where this comes from", [Listing(["what", "value"], rows)])
