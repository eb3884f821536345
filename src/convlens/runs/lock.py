"""One process at a time writes to a run folder.

The lock is the operating system's, on a file that names its holder, and it goes with the process:
however a training was killed, its folder is free.
"""

import json
import os
import platform
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from convlens.core.errors import RunError

NAME = "lock"
_LOCKED_BYTE = 1 << 20  # on Windows: past the file's end, so that its holder can be read


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Inside, no other process gets this lock; afterwards its file is gone.

    Raises:
        RunError: another process has it, says which; or `folder` cannot be written to.
    """
    path = folder / NAME
    try:
        file = _take(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RunError(f"{path}: cannot be written: {reason}", fix="see to the folder") from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows: an open file cannot be removed, and then it stays
            path.unlink()
        file.close()  # which also unlocks it


def _take(path: Path) -> BinaryIO:
    while True:
        file = path.open("a+b")
        if not _lock(file):
            holder = _holder(file)
            file.close()
            raise RunError(
                f"{path.parent}: {holder} is at work on this run",
                fix="wait until it has ended, or stop it with Ctrl-C",
            )
        if _still_at(path, file):
            file.truncate(0)
            about = {"pid": os.getpid(), "host": platform.node()}
            file.write(json.dumps(about).encode())
            file.flush()
            return file
        file.close()  # its holder has just removed it: what is locked is no file any more


def _still_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _holder(file: BinaryIO) -> str:
    file.seek(0)
    try:
        about = json.loads(file.read())
        return f"process {about['pid']} on {about['host']}"
    except (ValueError, KeyError, TypeError):  # it has not said so yet
        return "another process"


def _lock(file: BinaryIO) -> bool:
    """Lock `file` without waiting; False if another process has it locked."""
    try:
        if os.name == "nt":
            import msvcrt  # noqa: PLC0415 - Windows only

            file.seek(_LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl  # noqa: PLC0415 - not on Windows

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
