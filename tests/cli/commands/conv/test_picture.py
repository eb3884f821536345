"""`convlens conv picture`, as a user meets it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Convlens


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Black at the left, red at the right."""
    array = np.zeros((6, 8, 3), dtype=np.uint8)
    array[:, 4:, 0] = 255
    Image.fromarray(array).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_an_edge_stands_out_around_mid_grey(convlens: Convlens, photo: Path) -> None:
    out = photo.with_name("edges.png")
    result = convlens("conv", "picture", photo, "--kernel", "sobel-x", "-o", out)
    assert result.code == 0
    assert "note: colour to grey" in result.out
    assert "levels: 0 to mid-grey 128" in result.out
    with Image.open(out) as picture:
        assert picture.mode == "L"
        assert np.asarray(picture)[3].tolist() == [128, 128, 128, 255, 255, 128, 128, 128]


def test_each_channel_by_itself_and_kernels_in_turn(convlens: Convlens, photo: Path) -> None:
    out = photo.with_name("same.png")
    result = convlens(
        "conv", "picture", photo, "-k", "identity", "-k", "0 1 0", "--per-channel", "-o", out,
        "--json",
    )  # fmt: skip
    assert result.json["kernels"] == ["identity", "0 1 0"]
    assert result.json["size"] == [8, 6]
    with Image.open(out) as picture, Image.open(photo) as original:
        assert np.array_equal(np.asarray(picture), np.asarray(original))


def test_mistakes_are_named(convlens: Convlens, photo: Path) -> None:
    for arguments, code, said in (
        ([photo, "-k", "sobelx"], 2, "did you mean 'sobel-x'?"),
        ([photo, "-k", "1 2 | 3 4"], 2, "give (kh, kw)"),
        ([photo, "-o", photo.with_name("a.jpg")], 2, ".png"),
        ([photo.with_name("none.png")], 3, "none.png"),
        ([photo, "--levels", "other"], 2, "as-is"),
    ):
        result = convlens("conv", "picture", *arguments)
        assert result.code == code
        assert said in result.err
