"""What was sealed comes back, and no change of the file goes unnoticed."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import RunError
from convlens.runs.seal import read_sealed, write_sealed

TENSORS = {
    "a": torch.tensor([[1.5, -0.0], [torch.inf, 1e-42]]),
    "b.c": torch.arange(5, dtype=torch.uint8),
    "none": torch.empty(0, 3, dtype=torch.int64),
    "scalar": torch.tensor(7),
}
NOTE = {"epoch": 3, "loss": 0.1 + 0.2, "zeros": "0" * 64, "ü": [None, True]}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path to write to, again and again."""
    return tmp_path_factory.mktemp("sealed") / "a.safetensors"


def test_tensors_and_note_come_back(file: Path) -> None:
    write_sealed(file, TENSORS, NOTE)
    tensors, note = read_sealed(file)
    assert note == NOTE
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype and tensors[name].shape == tensor.shape
        assert tensors[name].numpy().tobytes() == tensor.numpy().tobytes()


def test_any_reader_of_safetensors_reads_it(file: Path) -> None:
    write_sealed(file, TENSORS, NOTE)
    assert torch.equal(safetensors.torch.load_file(file)["b.c"], TENSORS["b.c"])


@given(st.data())
def test_a_flipped_bit_is_noticed_wherever_it_is(file: Path, data: st.DataObject) -> None:
    write_sealed(file, TENSORS, NOTE)
    content = bytearray(file.read_bytes())
    position = data.draw(st.integers(0, 8 * len(content) - 1), label="bit")
    content[position // 8] ^= 1 << position % 8
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"a\.safetensors: (damaged|not a whole)"):
        read_sealed(file)


def test_a_file_cut_anywhere_is_refused(file: Path) -> None:
    write_sealed(file, TENSORS, NOTE)
    whole = file.read_bytes()
    for cut in range(0, len(whole), 7):
        file.write_bytes(whole[:cut])
        with pytest.raises(RunError, match=r"damaged|not a whole"):
            read_sealed(file)


@pytest.mark.parametrize(
    "note",
    ["[]", "3", "{", '{"sha256": 3}', '{"sha256": ""}', '{"sha256": "12"}'],
)
def test_a_note_that_none_of_ours_wrote_is_refused(file: Path, note: str) -> None:
    safetensors.torch.save_file(TENSORS, file, metadata={"convlens": note})
    with pytest.raises(RunError, match=r"damaged|not a whole"):
        read_sealed(file)


def test_a_file_without_a_checksum_is_believed_only_where_none_is_required(file: Path) -> None:
    safetensors.torch.save_file(TENSORS, file)
    assert read_sealed(file, required=False)[1] == {}
    with pytest.raises(RunError, match="damaged"):
        read_sealed(file)


def test_a_missing_file_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_sealed(tmp_path / "a.safetensors")
