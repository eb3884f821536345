"""A download is told in the way that suits: words, JSON lines, a moving line, or not at all."""

import json
import sys

import pytest

from convlens.cli.downloads import download, json_line, listener, live_line, plain_line
from convlens.core.errors import UnknownName
from convlens.data.fetch import Progress

HALF = Progress("a.gz", "https://example.org/a.gz", 1_500_000, 3_000_000)
ALL = Progress("a.gz", "https://example.org/a.gz", 3_000_000, 3_000_000)


def test_a_pipe_gets_a_line_when_the_file_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    plain_line(HALF)
    plain_line(ALL)
    said = capsys.readouterr().err
    assert said == "downloaded a.gz, 3.0 MB, from https://example.org/a.gz\n"


def test_json_is_one_object_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    json_line(HALF)
    json_line(ALL)
    assert json.loads(capsys.readouterr().err) == {
        "event": "Downloaded", "name": "a.gz", "url": "https://example.org/a.gz",
        "num_bytes": 3_000_000, "total_bytes": 3_000_000,
    }  # fmt: skip


def test_a_terminal_gets_a_line_that_moves(capsys: pytest.CaptureFixture[str]) -> None:
    live_line(HALF)
    live_line(ALL)
    assert capsys.readouterr().err == "\ra.gz: 1.5 of 3.0 MB\ra.gz: 3.0 of 3.0 MB\n"


def test_the_listener_suits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert listener(as_json=False, quiet=True) is None
    assert listener(as_json=True, quiet=False) is json_line
    for terminal, expected in ((True, live_line), (False, plain_line)):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        assert listener(as_json=False, quiet=False) is expected


def test_what_is_in_the_package_needs_no_download(capsys: pytest.CaptureFixture[str]) -> None:
    download("fashion-mnist")
    assert capsys.readouterr().err == ""
    with pytest.raises(UnknownName, match="fashion-mnist"):
        download("fashion-mnst")
