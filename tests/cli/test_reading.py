"""The reading of many pictures is shown in the way that suits, and that of few is not."""

import io
import sys
from pathlib import Path

import pytest

from convlens.cli import reading as module
from convlens.cli.reading import MANY, bar, plain_line, reading
from convlens.core.errors import DataError
from convlens.data.own.progress import Doing, Reading, told
from tests.cli.conftest import Convlens
from tests.pictures import write_shapes


class Terminal(io.StringIO):
    """Standard error as a terminal has it."""

    def isatty(self) -> bool:
        return True


def event(done: int, total: int = MANY, doing: Doing = "decoding", unreadable: int = 0) -> Reading:
    return Reading(
        doing=doing, source=Path("my/photos"), done=done, total=total, unreadable=unreadable
    )


def test_a_pipe_gets_one_line_before_many_are_decoded(capsys: pytest.CaptureFixture[str]) -> None:
    for done in (0, 1, MANY):
        plain_line(event(done, doing="looking at"))
        plain_line(event(done))
    plain_line(event(0, total=MANY - 1))
    assert capsys.readouterr().err == f"decoding the {MANY} pictures of my/photos, once\n"


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with bar() as listen:
        for done in (0, 1, MANY):
            listen(event(done, doing="looking at"))
        for done in (0, 1, 200):
            listen(event(done, unreadable=min(done, 3)))
    assert "decoding photos" in terminal.getvalue()
    assert f"200 of {MANY}, 3 unreadable" in terminal.getvalue()


def test_of_few_pictures_a_terminal_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with reading():
        list(told([1], doing="decoding", source=Path("a"), total=1))
    assert terminal.getvalue() == ""


@pytest.mark.parametrize(("as_json", "quiet"), [(True, False), (False, True)])
def test_one_that_wants_no_words_gets_none(
    capsys: pytest.CaptureFixture[str], *, as_json: bool, quiet: bool
) -> None:
    with reading(as_json=as_json, quiet=quiet):
        list(told([DataError("a")] * MANY, doing="decoding", source=Path("a"), total=MANY))
    assert capsys.readouterr().err == ""


def test_a_folder_is_shown_with_how_many_pictures_are_decoded(
    convlens: Convlens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "MANY", 6)
    photos = write_shapes(tmp_path / "photos", num_each=2)
    show = ("data", "show", photos, "--png", tmp_path / "sheet.png")
    line = f"decoding the 6 pictures of {photos}, once"
    assert line in convlens(*show).err
    assert line not in convlens(*show).err
    (photos / "disc" / "0.png").write_bytes(b"no picture")
    damaged = convlens(*show, "--json")
    assert (damaged.code, line in damaged.err) == (3, False)
    assert "1 of 6 pictures cannot be read" in damaged.err
