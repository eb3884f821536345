"""The IDX reader gives back what was written, and believes nothing that a file only claims."""

import gzip
import hashlib
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from convlens.core.errors import DataError
from convlens.data.idx import DTYPES, read_idx
from tests.idx_files import CODES, encode, header

PACKINGS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress]
kinds = st.sampled_from(sorted(CODES))
some_arrays = kinds.flatmap(
    lambda kind: arrays.arrays(
        np.dtype(kind), arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
    )
)
SMALL = encode(np.arange(6, dtype="i2").reshape(2, 3))  # 12 bytes of header, 12 of elements
LARGEST = 2**32 - 1


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path to write to, again and again."""
    return tmp_path_factory.mktemp("idx") / "file"


def refusal(path: Path, data: bytes) -> str:
    """What the reader says of these bytes."""
    path.write_bytes(data)
    with pytest.raises(DataError) as error:
        read_idx(path)
    assert str(path) in error.value.what
    assert "at byte" in error.value.what
    return error.value.what.removeprefix(f"{path}: ")


def test_the_six_types_are_those_of_the_format() -> None:
    assert {code: np.dtype(kind).str[1:] for code, kind in DTYPES.items()} == {
        code: kind for kind, code in CODES.items()
    }


@given(some_arrays, st.sampled_from(PACKINGS))
def test_what_was_written_is_read(
    file: Path, array: npt.NDArray[Any], pack: Callable[[bytes], bytes]
) -> None:
    data = encode(array)
    file.write_bytes(pack(data))
    found = read_idx(file)
    assert found.array.dtype == array.dtype  # in the machine's own byte order
    assert found.array.shape == array.shape
    assert found.array.tobytes() == array.tobytes()  # bit for bit, also where not a number
    assert found.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()


@given(some_arrays, st.sampled_from(PACKINGS), st.data())
def test_a_cut_file_is_refused_wherever_it_is_cut(
    file: Path, array: npt.NDArray[Any], pack: Callable[[bytes], bytes], data: st.DataObject
) -> None:
    whole = pack(encode(array))
    refusal(file, whole[: data.draw(st.integers(0, len(whole) - 1), label="cut")])


@pytest.mark.parametrize("cut", range(len(SMALL)))
def test_a_cut_is_located(file: Path, cut: int) -> None:
    message = refusal(file, gzip.compress(SMALL[:cut]))
    assert message.startswith(f"at byte {cut}: expected ")
    expected = ["two zero bytes"] * 2 + ["type and rank"] * 2 + ["2 sizes"] * 8
    expected += ["12 bytes of elements (2 x 3)"] * 12
    assert f"expected {expected[cut]} from byte " in message


def test_an_unzipped_file_too_short_for_its_sizes_is_refused_at_the_sizes(file: Path) -> None:
    assert refusal(file, SMALL[:-1]) == (
        "at byte 4: the sizes 2 x 3 ask for 12 bytes after the header, "
        "more than the file can hold (11)"
    )


@given(some_arrays, st.sampled_from(PACKINGS), st.binary(min_size=1, max_size=9))
def test_bytes_after_the_elements_are_refused(
    file: Path, array: npt.NDArray[Any], pack: Callable[[bytes], bytes], more: bytes
) -> None:
    data = encode(array)
    message = refusal(file, pack(data + more))
    assert message == f"at byte {len(data)}: expected the end of the file, found more bytes"


@given(
    st.binary(min_size=4, max_size=8).filter(lambda data: data[:2] not in {b"\0\0", b"\x1f\x8b"})
)
def test_a_wrong_magic_is_refused(file: Path, data: bytes) -> None:
    message = refusal(file, data)
    assert message == f"at byte 0: expected two zero bytes, found {data[:2].hex(' ')}"


@given(st.integers(0, 255).filter(lambda code: code not in CODES.values()))
def test_an_unknown_type_is_refused(file: Path, code: int) -> None:
    message = refusal(file, bytes([0, 0, code, 0, 0]))
    assert message == (
        f"at byte 2: expected an element type (08, 09, 0b, 0c, 0d, 0e), found {code:02x}"
    )


def test_a_rank_that_numpy_cannot_hold_is_refused(file: Path) -> None:
    message = refusal(file, header("u1", *[1] * 33) + b"\0")
    assert message == "at byte 3: expected a rank of at most 32, found 33"
    file.write_bytes(header("u1", *[1] * 32) + b"\7")
    assert read_idx(file).array.tolist() == np.full([1] * 32, 7).tolist()


@pytest.mark.parametrize("pack", PACKINGS)
@pytest.mark.parametrize(
    "sizes",
    [(LARGEST,), (LARGEST, LARGEST), (LARGEST,) * 4, (LARGEST,) * 32, (0, LARGEST, LARGEST)],
    ids=str,
)
def test_absurd_sizes_are_refused_without_the_memory_they_ask_for(
    file: Path, sizes: tuple[int, ...], pack: Callable[[bytes], bytes]
) -> None:
    data = pack(header("f8", *sizes) + bytes(100))
    tracemalloc.start()
    try:
        refusal(file, data)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1_000_000


@given(
    kinds,
    st.lists(st.sampled_from([1, 2**16, 2**31 - 1, 2**31, LARGEST]), min_size=1, max_size=4),
    st.integers(0, 4),
)
def test_no_elements_in_absurd_sizes_are_an_array_where_numpy_can_hold_it(
    file: Path, kind: str, sizes: list[int], place: int
) -> None:
    sizes.insert(place, 0)
    data = header(kind, *sizes)
    try:
        expected = np.empty(sizes, kind)
    except ValueError:
        shape = " x ".join(map(str, sizes))
        message = refusal(file, data)
        assert message == f"at byte 4: the sizes {shape} are more than an array can have"
    else:
        file.write_bytes(data)
        assert read_idx(file).array.shape == expected.shape


def test_a_file_that_unzips_to_far_more_than_it_promises_is_not_unzipped(file: Path) -> None:
    bomb = gzip.compress(header("u1", 10) + bytes(200_000_000))
    tracemalloc.start()
    try:
        message = refusal(file, bomb)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert message == "at byte 18: expected the end of the file, found more bytes"
    assert peak_bytes < 10_000_000


def test_a_gz_file_that_is_not_gzip_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path / "labels.gz", SMALL)
    assert message == "at byte 0: expected gzip (1f 8b), found 00 00"
    assert refusal(tmp_path / "labels.gz", b"").endswith("found nothing")


@given(st.integers(0, len(gzip.compress(SMALL)) - 1), st.integers(0, 7))
def test_a_flipped_bit_never_changes_the_array(file: Path, place: int, bit: int) -> None:
    data = bytearray(gzip.compress(SMALL))
    data[place] ^= 1 << bit
    file.write_bytes(data)
    try:
        found = read_idx(file)
    except DataError:
        return
    assert found.array.tolist() == [[0, 1, 2], [3, 4, 5]]  # the flip was in the zip's date or name


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda data: b"\0\0\x08" + data))
def test_any_bytes_are_an_array_or_a_data_error(file: Path, data: bytes) -> None:
    for pack in PACKINGS:
        file.write_bytes(pack(data))
        try:
            found = read_idx(file)
        except DataError:
            continue
        assert encode(found.array) == data


@given(st.binary(max_size=60))
def test_any_bytes_after_a_gzip_magic_are_an_array_or_a_data_error(file: Path, data: bytes) -> None:
    refusal(file, b"\x1f\x8b" + data)


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing: no such file"):
        read_idx(tmp_path / "missing")
    with pytest.raises(DataError, match="is a directory"):
        read_idx(tmp_path)
