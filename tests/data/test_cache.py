"""The cache is where it is asked for, files in it are whole, and one works in it at a time."""

import sys
import threading
from pathlib import Path

import pytest

from convlens.core.errors import DataError
from convlens.data.cache import cache_folder, keep, locked, made


def test_the_variable_names_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path / "c"))
    assert cache_folder("mnist") == tmp_path / "c" / "mnist"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CONVLENS_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="where caches are is the platform's matter")
def test_without_it_the_cache_is_the_platforms(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CONVLENS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("own") == tmp_path / "convlens" / "own"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "convlens"


def test_a_cache_that_cannot_be_made_says_how_to_move_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for work in (
        lambda: made(tmp_path / "file" / "cache"),
        lambda: keep(tmp_path / "nowhere" / "a", lambda stream: stream.write(b"a")),
        lambda: locked(tmp_path / "nowhere").__enter__(),
    ):
        with pytest.raises(DataError, match="cannot be written") as error:
            work()
        assert error.value.fix == "name another cache folder: CONVLENS_CACHE=FOLDER"


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(stream: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(path, fail)
    assert path.read_bytes() == b"old"
    keep(path, lambda stream: stream.write(b"new"))
    assert path.read_bytes() == b"new"
    assert [path] == list(tmp_path.iterdir())


def test_a_second_one_waits_until_the_first_is_out(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with locked(tmp_path):
            order.append("second")

    with locked(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]
