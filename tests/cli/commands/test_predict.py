"""`convlens predict`, as a user meets it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Convlens


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A dark shape on white, in colour, wider than high."""
    pixels = np.full((40, 60, 3), 255, np.uint8)
    pixels[10:30, 20:40] = (120, 20, 60)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path


def test_probabilities_sum_to_one_and_every_conversion_is_told(
    convlens: Convlens, trained: Path, picture: Path
) -> None:
    result = convlens("predict", trained, picture, picture, "--json")
    assert result.code == 0
    first, second = result.json["predictions"]
    assert first == second
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert len(first["probabilities"]) == 10
    ranked = list(first["probabilities"].values())
    assert ranked == sorted(ranked, reverse=True)
    notes = " ".join(first["notes"])
    for done in ("colour to grey", "inverted", "60x40 to 28x28"):
        assert done in notes


def test_the_top_classes_are_printed_for_people(
    convlens: Convlens, trained: Path, picture: Path
) -> None:
    result = convlens("predict", trained, picture, "--top", "2")
    lines = result.out.splitlines()
    assert lines[0] == str(picture)
    assert [line.split()[1] for line in lines[1:3]] == ["%", "%"]
    assert lines[3].startswith("  note: ")


def test_what_is_not_a_picture_is_named(
    convlens: Convlens, trained: Path, picture: Path, tmp_path: Path
) -> None:
    text = tmp_path / "letter.png"
    text.write_text("Dear reader")
    result = convlens("predict", trained, picture, text)
    assert result.code == 3
    assert f"{text}: not a picture" in result.err
    assert result.out == ""
