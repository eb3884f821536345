"""The report of runs opens in a browser, on screen and on paper."""

from pathlib import Path

import pytest

from convlens.data.image_set import DataSet
from convlens.report.runs.document import save_report
from tests.browser.conftest import Watched
from tests.report.runs.folders import make_run, write_predictions

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(small: DataSet, small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    labels = small.test.labels.tolist()
    predicted = [(label + 1) % 10 if i % 10 == 3 else label for i, label in enumerate(labels)]
    runs = [
        make_run(folder, f"lenet-{number}", data={"folder": str(small_folder)}, lr=0.1 * number)
        for number in (1, 2)
    ]
    for run in runs:
        write_predictions(run, labels, predicted)
    save_report(runs, folder / "report.html")
    return folder / "report.html"


def test_it_asks_no_other_host_and_fits_any_window(report: Path, watched: Watched) -> None:
    page = watched.page
    page.goto(report.as_uri())
    page.wait_for_load_state("networkidle")
    assert all(url.startswith(("file:", "data:")) for url in watched.requests), watched.requests
    assert watched.errors == []
    widths: list[int] = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) == 7  # three of each run, and the curves of both
    assert min(widths) > 300
    for width in (1000, 400):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_paper_no_table_is_cut_off(report: Path, watched: Watched) -> None:
    page = watched.page
    page.goto(report.as_uri())
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 1000})  # A4 within margins of 15 mm
    cut: list[str] = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth)"
        ".map(box => box.innerText)"
    )
    assert cut == []
    assert page.pdf(format="A4").startswith(b"%PDF")
