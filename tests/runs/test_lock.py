"""A folder has one writer at a time, and none that is dead."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from convlens.core.errors import RunError
from convlens.runs import lock as module
from convlens.runs.lock import NAME, locked


def test_inside_the_holder_is_named_and_afterwards_nothing_is_left(tmp_path: Path) -> None:
    with locked(tmp_path):
        assert json.loads((tmp_path / NAME).read_bytes())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_second_one_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    with locked(tmp_path):
        for _ in range(2):
            with pytest.raises(RunError, match=f"process {os.getpid()} on .* is at work"):
                locked(tmp_path).__enter__()
    with locked(tmp_path):
        pass


def test_a_file_left_by_a_killed_process_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"pid": 1, "host": "elsewhere", "more": "than will be written"}')
    with locked(tmp_path):
        assert json.loads((tmp_path / NAME).read_bytes())["pid"] == os.getpid()


def test_a_holder_that_has_not_said_its_name_yet_holds_it_too(tmp_path: Path) -> None:
    with locked(tmp_path):
        (tmp_path / NAME).write_text("")
        with pytest.raises(RunError, match="another process is at work"):
            locked(tmp_path).__enter__()


def test_it_is_given_back_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="on purpose"), locked(tmp_path):
        raise ValueError("on purpose")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_on_a_file_that_its_holder_has_removed_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening the file and locking it, its holder ends and another one begins."""
    with locked(tmp_path):
        opened = (tmp_path / NAME).open("a+b")
    files, open_anew = [opened], Path.open

    def open_late(path: Path, mode: str) -> Any:
        return files.pop() if files else open_anew(path, mode)

    monkeypatch.setattr(Path, "open", open_late)
    with locked(tmp_path):
        assert opened.closed
        assert (tmp_path / NAME).exists()


def test_of_many_at_once_one_gets_it(tmp_path: Path) -> None:
    inside, most, got = [0], [0], [0]
    guard = threading.Lock()

    def work() -> None:
        for _ in range(50):
            try:
                with locked(tmp_path):
                    with guard:
                        inside[0] += 1
                        most[0] = max(most[0], inside[0])
                        got[0] += 1
                    with guard:
                        inside[0] -= 1
            except RunError:
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1 and got[0] >= 1


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written: no such file"):
        module.locked(tmp_path / "nowhere").__enter__()
