"""The IDX file format, read strictly: an array of any rank behind a small header.

    bytes 0-1   zero
    byte  2     element type: 08 uint8, 09 int8, 0B int16, 0C int32, 0D float32, 0E float64
    byte  3     rank
    4 x rank    the sizes, unsigned, big-endian
    the rest    the elements, row by row, big-endian

A file may be gzipped. Nothing is believed: what the header promises is compared with what
the file can hold before a byte is allocated for it.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section on file formats.
"""

import gzip
import hashlib
import io
import math
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convlens.core.errors import DataError

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_RANK = 32  # what numpy can hold on every version
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_MAX_RATIO = 1032  # the most that DEFLATE can expand one byte to
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class IdxArray:
    """What an IDX file holds, and the checksum of the file once unzipped."""

    array: npt.NDArray[Any]  # in the machine's own byte order
    md5: str


def read_idx(path: Path) -> IdxArray:
    """The array in the IDX file at `path`, gzipped or not.

    Raises:
        DataError: the file is missing, is not IDX, or holds more or less than it promises;
            says the file, the offset (in the unzipped file) and what was expected there.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"{path}: {reason}") from None
    zipped = data.startswith(_GZIP_MAGIC)
    if path.suffix == ".gz" and not zipped:
        raise DataError(f"{path}: at byte 0: expected gzip (1f 8b), found {_hex(data[:2])}")
    room = len(data) * _GZIP_MAX_RATIO if zipped else len(data)
    file = io.BytesIO(data)
    stream = gzip.GzipFile(fileobj=file) if zipped else file
    return _Reader(path, stream, room).read()


class _Reader:
    """One pass over the unzipped bytes of one file, at most `room` of them."""

    def __init__(self, path: Path, stream: io.BufferedIOBase, room: int) -> None:
        self.path = path
        self.stream = stream
        self.room = room
        self.offset = 0
        self.digest = hashlib.md5(usedforsecurity=False)

    def read(self) -> IdxArray:
        zeros, code, rank = self._take(2, "two zero bytes"), *self._take(2, "type and rank")
        if zeros != b"\0\0":
            raise self._error(0, f"expected two zero bytes, found {_hex(zeros)}")
        if code not in DTYPES:
            known = ", ".join(f"{known:02x}" for known in DTYPES)
            raise self._error(2, f"expected an element type ({known}), found {code:02x}")
        if rank > MAX_RANK:
            raise self._error(3, f"expected a rank of at most {MAX_RANK}, found {rank}")
        sizes = np.frombuffer(self._take(4 * rank, f"{rank} sizes"), ">u4").tolist()
        dtype = np.dtype(DTYPES[code])
        num_bytes = math.prod(sizes) * dtype.itemsize
        shape = " x ".join(map(str, sizes)) or "1"
        if self.offset + num_bytes > self.room:
            raise self._error(
                4,
                f"the sizes {shape} ask for {num_bytes:,} bytes after the header, "
                f"more than the file can hold ({self.room - self.offset:,})",
            )
        if math.prod(size for size in sizes if size) * dtype.itemsize > sys.maxsize:
            raise self._error(4, f"the sizes {shape} are more than an array can have")
        elements = self._take(num_bytes, f"{num_bytes:,} bytes of elements ({shape})")
        if self._read(1):
            raise self._error(self.offset, "expected the end of the file, found more bytes")
        array = np.frombuffer(elements, dtype).reshape(sizes)
        return IdxArray(array.astype(dtype.newbyteorder("=")), self.digest.hexdigest())

    def _take(self, count: int, what: str) -> bytes:
        """The next `count` bytes, in pieces, so that a lie costs no more than the truth."""
        pieces: list[bytes] = []
        missing = count
        while missing and (piece := self._read(min(missing, _CHUNK_BYTES))):
            pieces.append(piece)
            missing -= len(piece)
        taken = b"".join(pieces)
        self.digest.update(taken)
        if missing:
            at = self.offset
            found = f"the end of the file after {len(taken):,} of them"
            raise self._error(at + len(taken), f"expected {what} from byte {at}, found {found}")
        self.offset += count
        return taken

    def _read(self, count: int) -> bytes:
        try:
            return self.stream.read(count)
        except (EOFError, OSError, zlib.error) as error:
            message = f"expected gzip data, found damage: {error}"
            raise self._error(self.offset, message) from None

    def _error(self, offset: int, message: str) -> DataError:
        return DataError(
            f"{self.path}: at byte {offset}: {message}",
            fix="get the file again, or name another folder with data.folder",
        )


def _hex(data: bytes) -> str:
    return data.hex(" ") or "nothing"
