"""`convlens reproduce`: the student's notebook, replayed and checked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convlens.cli import options
from convlens.cli.console import fail, percent, print_json, print_table, say
from convlens.cli.exit_codes import CHECK_FAILED, INTERRUPTED

if TYPE_CHECKING:  # torch is loaded inside the command, so that help stays fast
    from convlens.course.homework.replay import Homework
    from convlens.course.homework.trainings import Edition


def reproduce(
    *,
    full: Annotated[
        bool,
        typer.Option(
            "--full/--quick",
            help="The book's sizes and epochs (hours on two cores), or minutes' worth of them.",
        ),
    ] = False,
    out: Annotated[Path, typer.Option(help="Where report and run folders are.")] = Path("homework"),
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn by chance.")] = 0,
    folder: options.DataFolder = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Replay a student's notebook of 7.1 to 7.6, 8.2 and 8.6: every value, training and answer.

    It ends with a table, and leaves a report, report.html, that can be handed in. The exit code is
    1 if something did not come out as it should. Broken off, the same command goes on; what is
    finished is not trained again.

    \b
    Examples:
      convlens reproduce
      convlens reproduce --full --out homework-full
      convlens reproduce --json > result.json
    """
    from convlens.cli.progress import progress
    from convlens.course.homework.content import content, save_content
    from convlens.course.homework.page import save_report
    from convlens.course.homework.replay import replay

    edition: Edition = "full" if full else "quick"
    runs = out / "runs"
    if not quiet:
        _announce(edition, runs, seed, folder)
    try:
        with progress(as_json=as_json, quiet=quiet) as listeners:
            homework = replay(
                edition,
                runs,
                seed=seed,
                folder=folder,
                listeners=listeners,
                tell=lambda line: None if quiet or as_json else say(line),
            )
    except KeyboardInterrupt:
        fail("interrupted", "to go on: the same command again")
        raise typer.Exit(INTERRUPTED) from None
    report = out / "report.html"
    save_report(homework, report)
    save_content(homework, out / "report.json")
    if as_json:
        print_json(content(homework))
    else:
        _show(homework, report)
    if homework.faults:
        raise typer.Exit(CHECK_FAILED)


def _announce(edition: "Edition", runs: Path, seed: int, folder: Path | None) -> None:
    """How long it will take here, by a few steps of each training, before anything is begun."""
    from convlens.course.homework.estimate import in_words, seconds_left
    from convlens.course.homework.trainings import TRAININGS, found

    say(f"the {edition} edition; a few steps of each training are timed first")
    total = 0.0
    for training in TRAININGS:
        recipe = training.recipe_for(edition, seed=seed, folder=folder)
        earlier = found(recipe, runs)
        seconds = seconds_left(recipe, earlier)
        total += seconds
        size, epochs = recipe.data.image_size, recipe.train.epochs
        what = f"{training.title}, {size}x{size}, {epochs} epoch{'s' if epochs > 1 else ''}"
        say(f"  {what}: {in_words(seconds) if seconds else 'finished before'}")
    say(
        f"in all about {in_words(total)}, if the machine does nothing else, and a minute for the "
        "rest; Ctrl-C ends it, the same command goes on"
    )


def _show(homework: "Homework", report: Path) -> None:
    _show_values(homework)
    _show_trainings(homework)
    print_table(
        ["study", "the notebook was", "finding", "right answer"],
        [
            [
                each.study.name,
                each.finding.verdict,
                each.finding.text,
                "confirmed" if each.finding.holds else "NOT CONFIRMED",
            ]
            for each in homework.answers
        ],
        title="exercises",
    )
    for fault in homework.faults:
        say(f"not as it should be: {fault}")
    if not homework.faults:
        say(f"everything came out as it should, in {homework.seconds:.0f} s")
    print(f"report: {report}")
    print(f"next:   open {report} in a browser, or: convlens study run 7.4-blocks")


def _show_values(homework: "Homework") -> None:
    from convlens.course.wording import nested

    print_table(
        ["section", "what", "the notebook printed", "ours", "verdict"],
        [
            [
                each.value.section,
                each.value.what,
                nested(each.value.printed),
                nested(each.ours),
                _agrees(each.agrees),
            ]
            for each in homework.values
        ],
        title="printed values",
    )
    kernel = homework.kernel
    print(
        f"the learned kernel: {nested(list(kernel.kernel))}; {kernel.num_within} of "
        f"{kernel.num_starts} random starts end within {kernel.error_bound:.3f} of (1, -1)"
    )


def _show_trainings(homework: "Homework") -> None:
    print_table(
        ["section", "training", "test accuracy", "expected", "published", "seconds", "verdict"],
        [
            [
                each.training.section,
                f"{each.training.title}: {each.what}",
                percent(each.accuracy),
                " to ".join(f"{100 * end:.0f}" for end in each.training.expected_in(each.edition)),
                "-" if (shown := each.training.published) is None else f"{100 * shown:.1f}",
                f"{each.run.summary()['seconds']:.1f}",
                _agrees(each.agrees),
            ]
            for each in homework.trainings
        ],
        title="trainings",
    )


def _agrees(fine: bool) -> str:
    return "agrees" if fine else "DIFFERS"
