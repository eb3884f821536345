"""`convlens study`: the book's questions, answered by experiments."""

from typing import TYPE_CHECKING, Annotated

import typer

from convlens.cli import options
from convlens.cli.console import print_json, print_pairs, print_table, say
from convlens.cli.exit_codes import CHECK_FAILED

if TYPE_CHECKING:  # torch is loaded inside the command, so that help stays fast
    from convlens.course.study import Finding, Study

app = typer.Typer(name="study", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def study(context: typer.Context, as_json: options.Json = False) -> None:
    """Answer the questions of the book's exercises by experiments.

    \b
    Examples:
      convlens study
      convlens study run 7.4-blocks
      convlens study values
    """
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@app.command("list")
def list_studies(as_json: options.Json = False) -> None:
    """List the studies.

    \b
    Examples:
      convlens study list
      convlens study list --json
    """
    _list(as_json=as_json)


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="A study of `convlens study list`.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is drawn by chance.")] = 0,
    full: Annotated[
        bool, typer.Option("--full", help="More cases, all images: minutes where it trains.")
    ] = False,
    folder: options.DataFolder = None,
    as_json: options.Json = False,
) -> None:
    """Run one study; the exit code is 1 if what comes out is not what the answer says.

    \b
    Examples:
      convlens study run 7.3-stride
      convlens study run 7.6-modern --full --seed 1
    """
    from convlens.course.catalog import STUDIES
    from convlens.course.study import Setup

    chosen = STUDIES[name]
    finding = chosen.run(Setup(seed=seed, quick=not full, folder=folder))
    if as_json:
        print_json({**chosen.to_table(), **finding.to_table()})
    else:
        _print(chosen, finding)
        names = list(STUDIES)
        say(f"next: convlens study run {names[(names.index(name) + 1) % len(names)]}")
    if not finding.holds:
        say("the finding does NOT agree with the answer")
        raise typer.Exit(CHECK_FAILED)


@app.command()
def values(as_json: options.Json = False) -> None:
    """Compute what the notebook printed again; the exit code is 1 if a value differs.

    \b
    Examples:
      convlens study values
      convlens study values --json
    """
    from convlens.course.values import VALUES
    from convlens.course.wording import nested

    checked = [value.check() for value in VALUES]
    agreed = sum(each.agrees for each in checked)
    if as_json:
        print_json({"agreed": agreed, "values": [each.to_table() for each in checked]})
    else:
        rows = [
            [
                each.value.section,
                each.value.what,
                nested(each.value.printed),
                nested(each.ours),
                "agrees" if each.agrees else "DIFFERS",
            ]
            for each in checked
        ]
        print_table(["section", "what", "the notebook printed", "ours", ""], rows)
        say(f"{agreed} of {len(checked)} values agree")
        say("next: convlens study list")
    if agreed < len(checked):
        raise typer.Exit(CHECK_FAILED)


def _list(*, as_json: bool) -> None:
    from convlens.course.catalog import STUDIES

    if as_json:
        print_json({"studies": [each.to_table() for each in STUDIES.values()]})
        return
    rows = [[each.name, f"d2l {each.section}", each.question] for each in STUDIES.values()]
    print_table(["study", "section", "question"], rows)
    say(f"next: convlens study run {rows[0][0]}")


def _print(study: "Study", finding: "Finding") -> None:
    from convlens.course.wording import number as as_text

    about = {
        "study": f"{study.name}, d2l {study.section}, exercise {study.exercise}",
        "question": study.question,
        "notebook": study.notebook,
    }
    print_pairs(about if not finding.ran else {**about, "ran": finding.ran})
    rows = [[what, as_text(number)] for what, number in finding.numbers.items()]
    clock = [[f"seconds, {what}", as_text(number)] for what, number in finding.seconds.items()]
    print_table(["what", "came out"], rows + clock)
    claims = [
        [
            _WHOSE[claim.part],
            claim.text,
            "true" if claim.true else "false",
            "" if claim.as_expected else "NOT as the answer has it",
        ]
        for claim in finding.claims
    ]
    print_table(["whose", "claim", "found", ""], claims)
    print_pairs(
        {
            "finding": finding.text,
            "answer": study.answer,
            "the notebook was": finding.verdict,
        }
    )


_WHOSE = {
    "said": "the notebook's, and right",
    "mistaken": "the notebook's alone",
    "missed": "missed by the notebook",
    "besides": "besides",
}
