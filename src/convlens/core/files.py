"""Files that are whole: the old one or the new one, never half of it."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_PART = ".part"  # ends the names of files that are being written


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file by `write(stream)` so that `path` is the old file or the new, never half.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp's own mode is for secrets
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left half written; nobody may be writing there."""
    for path in folder.glob(f".*{_PART}"):
        path.unlink(missing_ok=True)
