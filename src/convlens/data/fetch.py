"""Files from the internet: fetched once, checked, kept in a folder.

A file counts only when its size and its SHA-256 are the published ones, so it does not matter
where it comes from. The places of a file are tried in turn. What a broken connection left is
kept as `NAME.part` and gone on with, by HTTP's Range, at the same place or at the next one. A
finished file is put in place whole; of two processes that want it, the second waits.

`CONVLENS_MIRROR` names a place to try first, such as a classroom's own server or a folder of the
network (file:///...): there a file is looked for as `<data set>/<name>`.

Source: Fielding et al. (2022), https://www.rfc-editor.org/rfc/rfc9110, section 14 (Range).
"""

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.response import addinfourl

from convlens.core.errors import DataError
from convlens.data.cache import locked, made, unwritable

MIRROR = "CONVLENS_MIRROR"
TIMEOUT = 30.0  # seconds without a byte until a place is given up
IDLE_ATTEMPTS = 2  # at one place, one after the other, that bring nothing
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """A published file, by its contents, and the places it is at."""

    name: str
    urls: tuple[str, ...]  # the publisher's own first
    num_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file has come."""

    name: str
    url: str
    num_bytes: int  # on disk so far
    total_bytes: int


Listener = Callable[[Progress], None]
Response = http.client.HTTPResponse | addinfourl  # the second of a file:// place


class _GivenUpError(Exception):
    """This place cannot give the file; says why."""


def fetch(
    downloads: Sequence[Download],
    folder: Path,
    *,
    listen: Listener | None = None,
    timeout: float = TIMEOUT,
) -> list[Path]:
    """The files, in `folder`; what is not there yet, or damaged, is downloaded.

    Raises:
        DataError: no place gives a file, or `folder` cannot be written; says what is missing,
            where it is to be had and where to put it.
    """
    if any(not is_whole(folder / download.name, download) for download in downloads):
        with locked(made(folder)):
            for download in downloads:
                if not is_whole(folder / download.name, download):
                    _fetch_one(download, downloads, folder, listen or (lambda _: None), timeout)
    return [folder / download.name for download in downloads]


def is_whole(path: Path, download: Download) -> bool:
    """The file at `path` is the published one, to the last byte."""
    try:
        if path.stat().st_size != download.num_bytes:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == download.sha256
    except OSError:
        return False


def _fetch_one(
    download: Download, wanted: Sequence[Download], folder: Path, listen: Listener, timeout: float
) -> None:
    part = folder / f"{download.name}.part"
    reasons: list[str] = []
    mirror = os.environ.get(MIRROR)
    first = (f"{mirror.rstrip('/')}/{folder.name}/{download.name}",) if mirror else ()
    for url in (*first, *download.urls):
        try:
            _from_one_place(url, download, part, listen, timeout)
        except _GivenUpError as error:
            reasons.append(f"{urlsplit(url).netloc or url}: {error}")
        else:
            try:
                part.replace(folder / download.name)
            except OSError as error:
                raise unwritable(folder, error) from None
            return
    missing = [some for some in wanted if not is_whole(folder / some.name, some)]
    raise DataError(
        f"cannot download {download.name}: {'; '.join(reasons)}",
        fix="\n".join(
            [
                "connect to the internet and try again, or get by hand",
                *(f"  {some.urls[0]}" for some in missing),
                f"and put {'it' if len(missing) == 1 else 'them'} into {folder}",
            ]
        ),
    )


def _from_one_place(
    url: str, download: Download, part: Path, listen: Listener, timeout: float
) -> None:
    """Complete `part` from `url`; what was begun elsewhere and proves wrong is begun again."""
    while True:
        begun = part.exists()
        _collect(url, download, part, listen, timeout)
        if is_whole(part, download):
            return
        part.unlink()
        if not begun:
            raise _GivenUpError("what it sends is not the published file (by its SHA-256)")


def _collect(url: str, download: Download, part: Path, listen: Listener, timeout: float) -> None:
    """Fill `part`, by as many connections as it takes while they bring it further."""
    idle = 0
    furthest = _size(part)
    while _size(part) < download.num_bytes:
        problem = "the connection was cut"
        try:
            _receive(url, download, part, listen, timeout)
        except DataError:
            raise
        except (OSError, http.client.HTTPException) as error:
            problem = _reason(error, timeout)
        idle = 0 if _size(part) > furthest else idle + 1
        furthest = max(furthest, _size(part))
        if idle == IDLE_ATTEMPTS:
            raise _GivenUpError(problem)


def _receive(url: str, download: Download, part: Path, listen: Listener, timeout: float) -> None:
    """Append to `part` what one connection brings."""
    start = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "convlens"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            start = _start_of(response, start, download)
            with _opened(part, start) as stream:
                progress = Progress(download.name, url, start, download.num_bytes)
                _copy(response, stream, progress, listen)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _GivenUpError(f"{error.code} {error.reason}") from None
        part.unlink(missing_ok=True)  # so that the next connection begins anew


def _opened(part: Path, start: int) -> BinaryIO:
    try:
        stream = part.open("r+b" if start else "wb")
    except OSError as error:
        raise unwritable(part, error) from None
    stream.seek(start)
    return stream


def _start_of(response: Response, asked: int, download: Download) -> int:
    """The position in the file of the response's first byte: `asked`, or 0 if Range is ignored."""
    status = response.status
    if status == http.client.PARTIAL_CONTENT:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers["Content-Range"] or "")
        if found and int(found[1]) == asked and found[2] in ("*", str(download.num_bytes)):
            return asked
        raise _GivenUpError("it answers with another part of a file than was asked for")
    length = response.headers["Content-Length"]
    if length is not None and int(length) != download.num_bytes:
        raise _GivenUpError(f"its file has {int(length):,} bytes, not {download.num_bytes:,}")
    return 0


def _copy(response: Response, stream: BinaryIO, progress: Progress, listen: Listener) -> None:
    """All the bytes of the response to `stream`, never more than the file has."""
    position = progress.num_bytes
    while chunk := response.read1(_CHUNK_BYTES):
        position += len(chunk)
        if position > progress.total_bytes:
            stream.truncate(0)
            raise _GivenUpError(f"it sends more than {progress.total_bytes:,} bytes")
        try:
            stream.write(chunk)
        except OSError as error:
            raise unwritable(Path(stream.name), error) from None
        listen(Progress(progress.name, progress.url, position, progress.total_bytes))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _reason(error: Exception, timeout: float) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"nothing came for {timeout:g} seconds"
    if isinstance(cause, OSError):
        return (cause.strerror or str(cause) or type(cause).__name__).lower()
    return str(cause) or type(cause).__name__
