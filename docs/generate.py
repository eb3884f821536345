"""Write the reference pages from the code itself, or check that they are current.

python docs/generate.py            write docs/reference/*.md
python docs/generate.py --check    exit 1 if one of them is not what would be written
"""

import inspect
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from typer.testing import CliRunner

from convlens.cli.main import app
from convlens.data.augment.settings import AugmentConfig
from convlens.data.catalog import DATA_SETS
from convlens.data.config import DataConfig
from convlens.experiment.recipe import claim, shipped_recipes
from convlens.models.catalog import MODELS
from convlens.train.optim import TrainConfig

REFERENCE = Path(__file__).parent / "reference"
COMMANDS = (
    "train", "lr-find", "evaluate", "predict", "models", "summary", "compare-models", "recipes",
    "data", "data list", "data show", "data fetch", "runs", "runs show", "compare", "report",
    "doctor", "probe", "conv", "conv learn", "conv picture",
    "study", "study list", "study run", "study values",
    "reproduce",
)  # fmt: skip


def cli_page() -> str:
    """Every command's help."""
    parts = ["# The command line\n", "Made from the commands' own help by `make docs`.\n"]
    for command in ("", *COMMANDS):
        title = f"convlens {command}".strip()
        result = CliRunner().invoke(
            app, [*command.split(), "--help"], prog_name="convlens", env={"COLUMNS": "88"}
        )
        assert result.exit_code == 0, result.output
        parts.append(f"## {title}\n\n```text\n{result.output.strip()}\n```\n")
    return "\n".join(parts)


def config_page() -> str:
    """Every setting of a recipe: type, default and meaning."""
    parts = [
        "# The settings of a recipe\n",
        "Made from the dataclasses by `make docs`. Any of them can be given to `convlens train`\n"
        "as `--set section.key=value`, or written in a recipe's TOML file.\n",
        "## data\n\n" + _table(DataConfig()),
        "## augment\n\n" + _table(AugmentConfig()),
        "## train\n\n" + _table(TrainConfig()),
        "## model\n\n`model.name` is one of: " + ", ".join(f"`{name}`" for name in MODELS) + ".\n",
    ]
    for kind in dict.fromkeys(type(entry.preset) for entry in MODELS.values()):
        names = [f"`{name}`" for name, entry in MODELS.items() if type(entry.preset) is kind]
        parts.append(f"### {kind.__name__}: {', '.join(names)}\n\n" + _table(kind()))
    return "\n".join(parts)


def catalog_page() -> str:
    """Every model, recipe and data set."""
    parts = ["# Models, recipes, data sets\n", "Made from the tables by `make docs`.\n"]
    parts.append("## Models\n\n| model | what | source |\n| --- | --- | --- |")
    parts += [f"| `{name}` | {e.about} | {e.source} |" for name, e in MODELS.items()]
    parts.append("\n## Recipes\n\n| recipe | claim |\n| --- | --- |")
    parts += [f"| `{name}` | {claim(path)} |" for name, path in shipped_recipes().items()]
    parts.append("\n## Data sets\n\n| data set | what |\n| --- | --- |")
    parts += [f"| `{name}` | {entry.about} |" for name, entry in DATA_SETS.items()]
    return "\n".join(parts) + "\n"


PAGES = {"cli.md": cli_page, "config.md": config_page, "catalog.md": catalog_page}


def _table(config: Any) -> str:
    comments = dict(_comments(type(config)))
    lines = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for field in fields(config):
        value = getattr(config, field.name)
        kind = _type_text(type(config), field.name).replace("|", "\\|")
        meaning = comments.get(field.name, "")
        lines.append(f"| `{field.name}` | `{kind}` | `{value!r}` | {meaning} |")
    return "\n".join(lines) + "\n"


def _type_text(kind: type, name: str) -> str:
    """The annotation as it is written in the source; the choices where it is a name for some."""
    annotation = get_type_hints(kind)[name]
    if get_origin(annotation) is Literal:
        return f"Literal[{', '.join(json.dumps(choice) for choice in get_args(annotation))}]"
    found = re.search(rf"^    {name}: (.+?)(?: =|  #|$)", inspect.getsource(kind), re.MULTILINE)
    assert found is not None, f"{kind.__name__}.{name}"
    return found[1]


def _comments(kind: type) -> Iterator[tuple[str, str]]:
    """The trailing comment of each field, with the comment lines that follow it."""
    name, text = "", ""
    for line in inspect.getsource(kind).splitlines():
        if line.startswith("    def "):  # the fields are over
            break
        field = re.match(r"    (\w+): ", line)
        comment = _comment(line) if "#" in line else ""
        if field:
            if name:
                yield name, text
            name, text = field[1], comment
        elif name and comment:
            text = f"{text} {comment}"
    if name:
        yield name, text


def _comment(line: str) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(line.strip() + "\n").readline)
    return next((t.string[1:].strip() for t in tokens if t.type == tokenize.COMMENT), "")


def main() -> int:
    """Write or check; gives back the exit code."""
    stale: list[str] = []
    for name, page in PAGES.items():
        path, text = REFERENCE / name, page()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if "--check" in sys.argv[1:]:
            stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    if stale:
        print(f"not current in docs/reference: {', '.join(stale)}; run: make docs")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
