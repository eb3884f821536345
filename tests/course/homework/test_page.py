"""The report holds every section, value, training and answer, and says what failed."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from convlens.course.homework.page import SECTIONS, save_report
from convlens.course.homework.replay import Homework
from convlens.course.wording import nested


def written(homework: Homework, tmp_path: Path) -> str:
    save_report(homework, tmp_path / "report.html")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def page(homework: Homework, tmp_path: Path) -> str:
    return unescape(written(homework, tmp_path))


def test_every_section_value_training_and_question_is_there(page: str, homework: Homework) -> None:
    for number, title in SECTIONS.items():
        assert f"{number} {title}</h2>" in page
    for each in homework.values:
        assert nested(each.value.printed) in page
        assert each.value.what in page
    for answered in homework.answers:
        assert answered.study.question in page
        assert answered.finding.text in page
    assert "Training: Tiny LeNet" in page
    assert f"{100 * homework.trainings[0].accuracy:.2f} %" in page
    assert page.count("<img ") == 3  # maps, learned kernel, one training
    assert "Everything came out as it should." in page


def test_a_training_that_was_never_published_has_no_published_accuracy(
    page: str, homework: Homework, tmp_path: Path
) -> None:
    assert "published for the book's ten epochs" in page
    (trained,) = homework.trainings
    without = replace(trained, training=replace(trained.training, published=None))
    assert "published" not in written(replace(homework, trainings=(without,)), tmp_path)


def test_the_report_asks_nobody_for_anything(page: str) -> None:
    assert not re.search(r"(?:src|href)='(?!data:|#)", page)
    assert not re.search(r"@import|url\(", page)


def test_a_fault_stands_at_the_top(homework: Homework, tmp_path: Path) -> None:
    wrong = replace(homework, values=(replace(homework.values[0], agrees=False),))
    page = written(wrong, tmp_path)
    assert f"Not as it should be: 7.2, {homework.values[0].value.what}" in unescape(page)
    assert "Everything came out" not in page


def test_only_the_quick_edition_says_that_it_is_less_than_the_book(
    homework: Homework, tmp_path: Path
) -> None:
    assert "This is the quick edition" in written(homework, tmp_path)
    assert "This is the quick edition" not in written(replace(homework, edition="full"), tmp_path)
