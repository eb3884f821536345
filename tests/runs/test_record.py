"""Records are read back as they were written, whatever killed their writer."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import RunError
from convlens.runs.record import SCHEMA_LINE, append, cut, read, sync, without_times

values = st.integers() | st.floats(allow_nan=False) | st.text() | st.booleans() | st.none()
fields = st.dictionaries(st.text().filter(lambda key: key != "event"), values, max_size=3)
events = st.lists(st.tuples(st.text(), fields), min_size=1, max_size=5)


def write(path: Path, some: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Append these events to a new file; gives what should be read back."""
    path.unlink(missing_ok=True)
    for event, content in some:
        append(path, event, content)
    return [{"event": event, **content} for event, content in some]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path to write to, again and again."""
    return tmp_path_factory.mktemp("records") / "metrics.jsonl"


@given(events)
def test_what_was_written_is_read(file: Path, some: list[tuple[str, dict[str, Any]]]) -> None:
    written = write(file, some)
    assert read(file) == written


def test_the_first_line_is_the_schema_and_each_line_is_json(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    append(path, "A", {"x": 1})
    append(path, "B", {})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [SCHEMA_LINE, {"event": "A", "x": 1}, {"event": "B"}]


@given(events, st.data())
def test_a_file_cut_anywhere_holds_every_line_that_was_finished(
    file: Path, some: list[tuple[str, dict[str, Any]]], data: st.DataObject
) -> None:
    written = write(file, some)
    whole = file.read_bytes()
    cut = data.draw(st.integers(0, len(whole)), label="cut")
    file.write_bytes(whole[:cut])
    num_finished = max(whole[:cut].count(b"\n") - 1, 0)  # but the schema's
    assert read(file) == written[:num_finished]


@given(events, st.data())
def test_a_writer_goes_on_after_a_file_cut_anywhere(
    file: Path, some: list[tuple[str, dict[str, Any]]], data: st.DataObject
) -> None:
    written = write(file, some)
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole)), label="cut")
    file.write_bytes(whole[:at])
    num_finished = max(whole[:at].count(b"\n") - 1, 0)
    append(file, "New", {"x": "y" * 10_000})
    assert read(file) == [*written[:num_finished], {"event": "New", "x": "y" * 10_000}]
    append(file, "Newer", {})
    assert len(read(file)) == num_finished + 2


def test_half_a_line_longer_than_a_block_is_cut_off_whole(file: Path) -> None:
    write(file, [("A", {})])
    with file.open("ab") as stream:
        stream.write(b"x" * 10_000)
    append(file, "B", {})
    assert read(file) == [{"event": "A"}, {"event": "B"}]


@given(events, st.data(), st.sampled_from([b"", b'{"event": "Ha']))
def test_what_comes_after_a_checkpoint_is_cut_off(
    file: Path, some: list[tuple[str, dict[str, Any]]], data: st.DataObject, half: bytes
) -> None:
    written = write(file, some)
    with file.open("ab") as stream:
        stream.write(half)
    num_records = data.draw(st.integers(0, len(written)), label="records")
    cut(file, num_records)
    assert read(file) == written[:num_records]
    append(file, "New", {})
    assert read(file) == [*written[:num_records], {"event": "New"}]


def test_records_that_are_missing_are_an_error_and_stay(file: Path) -> None:
    written = write(file, [("A", {}), ("B", {})])
    with pytest.raises(RunError, match="2 events, but 3 had been written"):
        cut(file, 3)
    assert read(file) == written


def test_no_file_is_cut_to_nothing_only(tmp_path: Path) -> None:
    cut(tmp_path / "metrics.jsonl", 0)
    with pytest.raises(RunError, match="0 events, but 1 had"):
        cut(tmp_path / "metrics.jsonl", 1)


def test_syncing_changes_nothing(file: Path) -> None:
    written = write(file, [("A", {}), ("B", {})])
    sync(file)
    assert read(file) == written


def test_no_file_holds_no_records(tmp_path: Path) -> None:
    assert read(tmp_path / "metrics.jsonl") == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "line 3 is not JSON"),
        (b"\xff", "line 3 is not JSON"),
        (b"3", "line 3 is not an event"),
    ],
)
def test_damage_before_the_last_line_is_located(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "metrics.jsonl"
    append(path, "A", {})
    with path.open("ab") as stream:
        stream.write(line + b"\n")
    append(path, "B", {})
    with pytest.raises(RunError, match=rf"metrics\.jsonl: {message}"):
        read(path)


@pytest.mark.parametrize("first", [{"event": "Schema", "version": 99}, {"event": "A"}])
def test_another_schema_is_refused(tmp_path: Path, first: dict[str, Any]) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps(first) + "\n")
    with pytest.raises(RunError, match="another version of ConvLens"):
        read(path)


def test_times_are_what_ends_in_seconds_or_per_second() -> None:
    record = {"event": "A", "seconds": 1, "train_seconds": 2, "images_per_second": 3, "loss": 4}
    assert without_times([record]) == [{"event": "A", "loss": 4}]
