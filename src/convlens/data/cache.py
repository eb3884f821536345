"""The cache folder: what was downloaded, and what was decoded, kept for the next start.

`CONVLENS_CACHE` names it; else it is where the platform keeps caches: `~/.cache/convlens`, on
macOS `~/Library/Caches/convlens`, on Windows `%LOCALAPPDATA%\\convlens`. It may be deleted at
any time: all of it can be fetched or made again.
"""

import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from convlens.core.errors import DataError
from convlens.core.files import write_whole

VARIABLE = "CONVLENS_CACHE"
_POLL_SECONDS = 0.1


def cache_folder(*parts: str) -> Path:
    """The folder `parts` inside the cache, whether it is there or not."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser().absolute().joinpath(*parts)
    if sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches.joinpath("convlens", *parts)


def made(folder: Path) -> Path:
    """`folder`, which is there afterwards.

    Raises:
        DataError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    return folder


def unwritable(path: Path, error: OSError) -> DataError:
    """The error that says why the cache cannot be written at `path`, and how to move it."""
    reason = (error.strerror or str(error)).lower()
    return DataError(
        f"{path}: cannot be written: {reason}", fix=f"name another cache folder: {VARIABLE}=FOLDER"
    )


def keep(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file of the cache by `write(stream)`, whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    try:
        write_whole(path, write)
    except OSError as error:
        raise unwritable(path, error) from None


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Inside, no other process or thread that asks for this folder is inside; it waits.

    A file system that knows no locks is tolerated: then two may work at once, and since files
    are checked and put in place whole, they only do the work twice.
    """
    try:
        stream = (folder / ".lock").open("a+b")
    except OSError as error:
        raise unwritable(folder, error) from None
    with stream:
        _lock(stream)  # closing the file, also by dying, gives the lock back
        yield


def _lock(stream: IO[bytes]) -> None:
    while not _try_lock(stream):
        time.sleep(_POLL_SECONDS)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(stream: IO[bytes]) -> bool:
        stream.seek(0)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(stream: IO[bytes]) -> bool:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
        return True
