"""Of two checkpoints one is always whole."""

from pathlib import Path

import pytest
import torch

from convlens.core.errors import RunError
from convlens.runs import seal
from convlens.runs.pair import NAMES, CheckpointPair
from convlens.runs.seal import read_sealed, write_sealed


def write(pair: CheckpointPair, step: int) -> None:
    pair.write({"step": torch.tensor(step)}, {"step": step})


def newest(folder: Path) -> tuple[int, int] | None:
    """The step of the newest checkpoint, by its note and by its tensor."""
    saved = CheckpointPair(folder).newest()
    return None if saved is None else (saved.note["step"], int(saved.tensors["step"]))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_where_none_was_written_there_is_none(tmp_path: Path) -> None:
    assert newest(tmp_path) is None


def test_the_newest_counts_and_the_one_before_stays(tmp_path: Path) -> None:
    pair = CheckpointPair(tmp_path)
    for step in range(1, 5):
        write(pair, step)
        assert newest(tmp_path) == (step, step)
        kept = {read_sealed(path)[1]["step"] for path in tmp_path.iterdir()}
        assert kept == {step, step - 1} - {0}


def test_another_process_writes_over_the_older_one(tmp_path: Path) -> None:
    for step in range(1, 6):
        pair = CheckpointPair(tmp_path)
        pair.newest()
        write(pair, step)
        assert newest(tmp_path) == (step, step)
    assert {path.name for path in tmp_path.iterdir()} == set(NAMES)


@pytest.mark.parametrize("num_written", [2, 3])
def test_a_damaged_newest_gives_way_to_the_one_before_and_is_written_over_first(
    tmp_path: Path, num_written: int
) -> None:
    pair = CheckpointPair(tmp_path)
    for step in range(1, num_written + 1):
        write(pair, step)
    damaged = tmp_path / NAMES[(num_written - 1) % 2]
    flip(damaged)
    after = CheckpointPair(tmp_path)
    saved = after.newest()
    assert saved is not None and saved.note["step"] == num_written - 1
    (what,) = after.damage
    assert what.startswith(f"{damaged}: damaged")
    write(after, 10)
    assert read_sealed(damaged)[1]["step"] == 10
    assert read_sealed(tmp_path / saved.name)[1]["step"] == num_written - 1


def test_two_damaged_ones_are_an_error_that_names_both(tmp_path: Path) -> None:
    pair = CheckpointPair(tmp_path)
    for step in (1, 2):
        write(pair, step)
    for name in NAMES:
        flip(tmp_path / name)
    with pytest.raises(RunError, match=r"checkpoint-a\.safetensors.*\n.*checkpoint-b\.safetensors"):
        newest(tmp_path)


def test_another_versions_is_not_used(tmp_path: Path) -> None:
    write_sealed(tmp_path / NAMES[0], {}, {"version": 99, "number": 1})
    with pytest.raises(RunError, match="another version of ConvLens"):
        newest(tmp_path)


def test_a_write_that_fails_leaves_the_newest_and_is_tried_again_in_the_same_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    pair = CheckpointPair(tmp_path)
    for step in (1, 2):
        write(pair, step)
    with monkeypatch.context() as patched, pytest.raises(OSError, match="no space"):
        patched.setattr(seal, "write_whole", full)
        write(pair, 3)
    assert newest(tmp_path) == (2, 2)
    write(pair, 4)
    assert {read_sealed(path)[1]["step"] for path in tmp_path.iterdir()} == {2, 4}


def test_removed_they_are_gone(tmp_path: Path) -> None:
    pair = CheckpointPair(tmp_path)
    write(pair, 1)
    pair.remove()
    assert list(tmp_path.iterdir()) == []
    pair.remove()
