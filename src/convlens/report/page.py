"""Page: one HTML file that holds everything, to be read, printed or handed in.

It asks no other host for anything: styles and pictures are inside. Texts are escaped, so that a
name somebody chose cannot become markup.

Source: https://html.spec.whatwg.org.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal, assert_never

from matplotlib.figure import Figure

from convlens.core.errors import ConfigError
from convlens.core.files import write_whole

Verdict = Literal["good", "partly", "wrong"]  # how a cell or a paragraph is marked
MARKS: dict[Verdict, str] = {"good": "✓", "partly": "~", "wrong": "✗"}  # also without colours

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.8rem; line-height: 1.2; margin-bottom: 0.3rem; }
h2 { font-size: 1.3rem; margin-top: 2.2rem; border-bottom: 1px solid #bbb; }
h3 { font-size: 1.08rem; margin: 1.6rem 0 0.3rem; }
nav ol { columns: 2; padding-left: 1.2rem; }
table { border-collapse: collapse; margin: 0.8rem 0; font-size: 0.92rem; }
caption { caption-side: top; text-align: left; color: #444; padding-bottom: 0.2rem; }
th, td { padding: 0.2rem 0.7rem; text-align: left; vertical-align: top;
         border-bottom: 1px solid #ddd; }
th { border-bottom: 2px solid #888; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre { background: #f4f4f4; padding: 0.6rem 0.8rem; overflow-x: auto; font-size: 0.85rem; }
figure { margin: 1rem 0; }
figure img { max-width: 100%; height: auto; }
figcaption { color: #444; font-size: 0.92rem; }
.good { color: #00614a; } .partly { color: #7a5200; } .wrong { color: #a31515; }
tr.good { color: inherit; } tr.good td.mark { color: #00614a; }
.scroll { overflow-x: auto; }
@media print {
  body { font-size: 10.5pt; margin: 0; max-width: none; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  figure img { max-height: 11cm; }
  pre { white-space: pre-wrap; }
  a { color: inherit; text-decoration: none; }
}
"""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; with a verdict it is marked by a sign and a colour."""

    text: str
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Preformatted:
    """Text whose spaces and lines are meant, as a command prints it."""

    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A table; rows as long as the columns. Cells that are numbers stand to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    verdicts: Sequence[Verdict | None] = ()  # one for each row, or none at all

    def __post_init__(self) -> None:
        ragged = next((row for row in self.rows if len(row) != len(self.columns)), None)
        if ragged is not None:
            raise ConfigError(f"a row of {len(ragged)} cells under {len(self.columns)} columns")
        if self.verdicts and len(self.verdicts) != len(self.rows):
            raise ConfigError(f"{len(self.verdicts)} verdicts for {len(self.rows)} rows")


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing, kept inside the page as a PNG; `caption` also is what is read aloud."""

    figure: Figure
    caption: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a section."""

    text: str


Block = Heading | Paragraph | Preformatted | Listing | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    heading: str
    blocks: Sequence[Block]


def render(title: str, sections: Sequence[Section], *, subtitle: str = "", lang: str = "en") -> str:
    """The page as HTML.

    >>> "<h2 id='section-1'>Numbers</h2>" in render("Run 1", [Section("Numbers", [])])
    True
    """
    contents = "".join(
        f"<li><a href='#section-{number}'>{escape(section.heading)}</a></li>"
        for number, section in enumerate(sections, start=1)
    )
    bodies = "\n".join(
        f"<section>\n<h2 id='section-{number}'>{escape(section.heading)}</h2>\n"
        + "\n".join(_block(block) for block in section.blocks)
        + "\n</section>"
        for number, section in enumerate(sections, start=1)
    )
    return (
        f"<!doctype html>\n<html lang='{escape(lang, quote=True)}'>\n<head>\n"
        "<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        "<link rel='icon' href='data:,'>\n"  # else a browser asks for /favicon.ico
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(subtitle)}</p>\n"
        f"<nav aria-label='Contents'><ol>{contents}</ol></nav>\n{bodies}\n</body>\n</html>\n"
    )


def write_page(
    path: Path, title: str, sections: Sequence[Section], *, subtitle: str = "", lang: str = "en"
) -> None:
    """Write the page to `path`, whole or not at all.

    Raises:
        ConfigError: the place cannot be written to.
    """
    text = render(title, sections, subtitle=subtitle, lang=lang).encode("utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: file.write(text))
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _block(block: Block) -> str:
    match block:
        case Paragraph(text, verdict):
            return f"<p{_class(verdict)}>{escape(f'{_mark(verdict)} {text}'.lstrip())}</p>"
        case Heading(text):
            return f"<h3>{escape(text)}</h3>"
        case Preformatted(text):
            return f"<pre>{escape(text)}</pre>"
        case Listing():
            return _listing(block)
        case Picture(figure, caption):
            return (
                f"<figure><img alt='{escape(caption, quote=True)}' src='{_data_url(figure)}'>"
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )
        case _:
            assert_never(block)


def _listing(listing: Listing) -> str:
    verdicts = listing.verdicts or [None] * len(listing.rows)
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in listing.columns)
    if listing.verdicts:
        head += "<th scope='col'></th>"
    rows: list[str] = []
    for row, verdict in zip(listing.rows, verdicts, strict=True):
        mark = f"<td class='mark'>{_mark(verdict)}</td>" if listing.verdicts else ""
        rows.append(f"<tr{_class(verdict)}>{''.join(_cell(cell) for cell in row)}{mark}</tr>")
    caption = f"<caption>{escape(listing.caption)}</caption>" if listing.caption else ""
    return (
        f"<div class='scroll'><table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n"
        + "\n".join(rows)
        + "\n</tbody></table></div>"
    )


def _cell(text: str) -> str:
    numeric = bool(text) and text.strip("-+.,% 0123456789e") == "" and text not in "-"
    return f"<td class='number'>{escape(text)}</td>" if numeric else f"<td>{escape(text)}</td>"


def _class(verdict: Verdict | None) -> str:
    return "" if verdict is None else f" class='{verdict}'"


def _mark(verdict: Verdict | None) -> str:
    return "" if verdict is None else MARKS[verdict]


def _data_url(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight", metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
