"""A page is one file that asks nobody for anything, and escapes what people typed."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from convlens.core.errors import ConfigError
from convlens.report.page import (
    MARKS,
    Heading,
    Listing,
    Paragraph,
    Picture,
    Preformatted,
    Section,
    render,
    write_page,
)

VOID = {"meta", "link", "img"}


class Reader(HTMLParser):
    """Checks that tags are closed, and keeps texts, tags and what they refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def drawing() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 2])
    return figure


SECTIONS = [
    Section("Numbers", [Listing(["what", "value"], [["loss", "0.25"], ["name", "a-1"]])]),
    Section("Words", [Heading("Inside"), Paragraph("Good.", "good"), Preformatted("a  b\n c")]),
    Section("Pictures", [Picture(drawing(), "two points")]),
]


def test_a_page_is_well_formed_and_holds_everything_in_order() -> None:
    reader = read(render("Title", SECTIONS, subtitle="sub"))
    text = "".join(reader.texts)
    places = [text.index(word) for word in ("sub", "loss", "0.25", "Inside", "Good.", "a  b\n c")]
    assert places == sorted(places)
    assert text.count("two points") == 1
    assert (reader.tags.count("h2"), reader.tags.count("h3")) == (3, 1)


def test_a_page_asks_nobody_for_anything() -> None:
    html = render("Title", SECTIONS)
    for link in read(html).links:
        assert link.startswith(("#", "data:")), link
    assert not re.search(r"https?://|@import|url\(", html)


def test_what_people_typed_does_not_become_markup() -> None:
    evil = "<script>alert('x')</script>&\"'"
    html = render(
        evil,
        [
            Section(
                evil, [Heading(evil), Paragraph(evil), Preformatted(evil), Picture(drawing(), evil)]
            ),
            Section("t", [Listing([evil], [[evil]], caption=evil)]),
        ],
        subtitle=evil,
    )
    reader = read(html)
    assert "script" not in reader.tags
    assert "".join(reader.texts).count(evil) == 12  # as the text that it is


def test_numbers_stand_to_the_right_and_words_do_not() -> None:
    html = render("t", [Section("s", [Listing(["a", "b"], [["1,234.5", "run-1"], ["-", "91 %"]])])])
    assert "<td class='number'>1,234.5</td>" in html
    assert "<td>run-1</td>" in html
    assert "<td>-</td>" in html
    assert "<td class='number'>91 %</td>" in html


def test_a_verdict_is_a_sign_and_not_only_a_colour() -> None:
    for verdict, mark in MARKS.items():
        html = render("t", [Section("s", [Paragraph("said", verdict)])])
        assert f"<p class='{verdict}'>{mark} said</p>" in html


def test_the_rows_of_a_table_have_the_verdicts() -> None:
    listing = Listing(["a"], [["1"], ["2"]], verdicts=["wrong", None])
    html = render("t", [Section("s", [listing])])
    assert f"<tr class='wrong'><td class='number'>1</td><td>{MARKS['wrong']}</td></tr>" in html
    assert "<tr><td class='number'>2</td><td></td></tr>" in html


def test_ragged_tables_are_refused() -> None:
    with pytest.raises(ConfigError, match="a row of 1 cells under 2 columns"):
        Listing(["a", "b"], [["1"]])
    with pytest.raises(ConfigError, match="1 verdicts for 2 rows"):
        Listing(["a"], [["1"], ["2"]], verdicts=["good"])


def test_a_page_is_written_where_asked(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    write_page(path, "Title", SECTIONS, lang="ko")
    assert path.read_text(encoding="utf-8") == render("Title", SECTIONS, lang="ko")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file"):
        write_page(tmp_path / "file" / "page.html", "Title", [])
