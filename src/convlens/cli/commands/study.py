"""`convlens study`: the book's questions, answered by experiments."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from convlens.cli import options
from convlens.cli.console import print_json, print_pairs, print_table, say
from convlens.cli.exit_codes import CHECK_FAILED

if TYPE_CHECKING:  # torch is loaded inside the command, so that help stays fast
    from convlens.course.study import Finding, Number, Study

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
    full: Annotated[bool, typer.Option("--full", help="More cases.")] = False,
    as_json: options.Json = False,
) -> None:
    """Run one study; the exit code is 1 if what comes out is not what the answer says.

    \b
    Examples:
      convlens study run 7.3-stride
      convlens study run 7.4-order --full --seed 1
    """
    from convlens.course.catalog import STUDIES
    from convlens.course.study import Setup

    chosen = STUDIES[name]
    finding = chosen.run(Setup(seed=seed, quick=not full))
    if as_json:
        print_json({**_content(chosen), "finding": asdict(finding)})
    else:
        _print(chosen, finding)
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

    checked = [value.check() for value in VALUES]
    agreed = sum(each.agrees for each in checked)
    if as_json:
        content = [
            {
                "section": each.value.section,
                "what": each.value.what,
                "printed": each.value.printed,
                "ours": each.ours,
                "tolerance": each.value.tolerance,
                "agrees": each.agrees,
            }
            for each in checked
        ]
        print_json({"agreed": agreed, "values": content})
    else:
        rows = [
            [
                each.value.section,
                each.value.what,
                _short(each.value.printed),
                _short(each.ours),
                "agrees" if each.agrees else "DIFFERS",
            ]
            for each in checked
        ]
        print_table(["section", "what", "the notebook printed", "ours", ""], rows)
        say(f"{agreed} of {len(checked)} values agree")
        say("next: convlens study list")
    if agreed < len(checked):
        raise typer.Exit(CHECK_FAILED)


def _short(numbers: object) -> str:
    """Nested numbers in a line; equal rows told once."""
    if not isinstance(numbers, list):
        return f"{numbers:g}" if isinstance(numbers, float) else str(numbers)
    texts = [_short(each) for each in numbers]
    if len(texts) > 2 and len(set(texts)) == 1 and texts[0].startswith("["):
        return f"{len(texts)} x {texts[0]}"
    return f"[{' '.join(texts)}]"


def _list(*, as_json: bool) -> None:
    from convlens.course.catalog import STUDIES

    if as_json:
        print_json({"studies": [_content(each) for each in STUDIES.values()]})
        return
    rows = [[each.name, each.question, each.verdict] for each in STUDIES.values()]
    print_table(["study", "question", "the notebook was"], rows)
    say(f"next: convlens study run {rows[0][0]}")


def _print(study: "Study", finding: "Finding") -> None:
    print_pairs(
        {
            "question": study.question,
            "notebook": f"{study.notebook} ({study.verdict})",
            "answer": study.answer,
            "finding": finding.text,
        }
    )
    rows = [[name, _text(number)] for name, number in finding.numbers.items()]
    print_table(["what", "came out"], rows)
    say("next: convlens study list")


def _content(study: "Study") -> dict[str, str]:
    return {
        "name": study.name,
        "section": study.section,
        "question": study.question,
        "notebook": study.notebook,
        "verdict": study.verdict,
        "answer": study.answer,
    }


def _text(number: "Number") -> str:
    if isinstance(number, int):
        return f"{number:,}"
    return number if isinstance(number, str) else f"{number:.4g}"
