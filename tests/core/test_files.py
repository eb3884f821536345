"""Files are whole or not at all."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest

from convlens.core.files import sweep, write_whole


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, lambda stream: stream.write(b"old"))
    write_whole(path, lambda stream: stream.write(b"new"))
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, old: bytes | None, error: type[BaseException]
) -> None:
    path = tmp_path / "a.json"
    if old is not None:
        path.write_bytes(old)

    def fail(stream: BinaryIO) -> None:
        stream.write(b"half of the n")
        stream.flush()
        assert (path.read_bytes() if path.exists() else None) == old
        raise error("no space")

    with pytest.raises(error):
        write_whole(path, fail)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == (
        {"a.json": old} if old is not None else {}
    )


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_a_file_may_be_read_by_whom_the_user_lets(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "a", lambda stream: stream.write(b""))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


def test_what_killed_writers_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    def killed(stream: BinaryIO) -> None:
        stream.write(b"half")
        (left,) = tmp_path.glob(".a.json.*")
        (tmp_path / left.name.replace(".a.json.", ".a.json.x")).write_bytes(b"half")

    write_whole(tmp_path / "a.json", killed)
    (tmp_path / ".hidden").touch()
    (tmp_path / "b.part").touch()
    assert len(list(tmp_path.iterdir())) == 4
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", ".hidden", "b.part"}
