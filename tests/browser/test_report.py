"""The report of a homework opens in a browser, on screen and on paper."""

from pathlib import Path

import pytest

from convlens.course.homework.page import SECTIONS, TITLE, save_report
from tests.browser.conftest import Watched
from tests.course.homework.tiny import tiny_homework

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("homework")
    save_report(tiny_homework(folder, small_folder), folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def opened(report: Path, watched: Watched) -> Watched:
    watched.page.goto(report.as_uri())
    return watched


def test_it_asks_no_other_host_and_the_console_is_silent(opened: Watched) -> None:
    page = opened.page
    page.wait_for_load_state("networkidle")
    assert opened.requests[0].endswith("/report.html")
    assert all(url.startswith(("file:", "data:")) for url in opened.requests), opened.requests
    assert opened.errors == []
    assert page.title() == TITLE


def test_every_picture_is_drawn_and_nothing_is_wider_than_the_window(opened: Watched) -> None:
    page = opened.page
    widths: list[int] = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) == 3
    assert min(widths) > 300
    for width in (1000, 400):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_contents_lead_to_the_sections(opened: Watched) -> None:
    page = opened.page
    assert page.locator("nav a").count() == len(SECTIONS) + 2
    page.locator("nav a", has_text="8.6").click()
    heading = page.locator("h2", has_text="8.6")
    assert heading.bounding_box() is not None
    assert page.evaluate("document.documentElement.scrollTop") > 500


def test_on_paper_the_contents_are_left_out_and_the_text_is_black_on_white(
    opened: Watched,
) -> None:
    page = opened.page
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") >= 4
