"""Numbers become greys as the sentence says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from PIL import Image

from convlens.core.errors import ConfigError
from convlens.ops.kernels import kernel
from convlens.report.levels import LEVELS, levels_for, save_levels, to_levels
from tests.strategies import normal, seeds


@given(seeds)
def test_levels_keep_the_order_of_the_values(seed: int) -> None:
    values = 300 * normal(1, 4, 5, seed=seed)
    for levels in LEVELS:
        pixels = to_levels(values, levels)[0].flatten()
        ordered = pixels[values.flatten().argsort()].int()
        assert (ordered.diff() >= 0).all()


@given(seeds)
def test_signed_levels_put_zero_at_mid_grey_and_the_rest_around_it(seed: int) -> None:
    values = normal(1, 4, 5, seed=seed)
    values[0, 0, 0] = 0
    pixels, how = to_levels(values, "signed")
    mirrored, _ = to_levels(-values, "signed")
    assert pixels[0, 0, 0] == 128
    assert ((pixels.int() + mirrored.int() - 256).abs() <= 1).all()
    assert "0 to mid-grey 128" in how


def test_each_way_says_what_it_did() -> None:
    values = torch.tensor([[[-10.0, 0.0, 100.0, 300.0]]])
    pixels, how = to_levels(values, "as-is")
    assert pixels.tolist() == [[[0, 0, 100, 255]]]
    assert "50.00 % outside 0..255 are cut off" in how
    pixels, how = to_levels(values, "stretch")
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert how == "-10 to black and 300 to white"
    assert to_levels(torch.zeros(1, 2, 2), "signed")[0].unique().tolist() == [128]


def test_kernels_that_sum_to_zero_are_signed() -> None:
    signed = {"sobel-x", "laplacian", "edge-y", "derivative:3", "edge:1,2"}
    for name in (*signed, "blur", "gaussian", "sharpen", "emboss", "identity"):
        assert (levels_for(kernel(name)) == "signed") == (name in signed), name


def test_a_picture_is_written_grey_or_coloured(tmp_path: Path) -> None:
    pixels = torch.arange(24, dtype=torch.uint8).reshape(3, 2, 4)
    save_levels(pixels, tmp_path / "colour.png")
    save_levels(pixels[:1], tmp_path / "grey.png")
    with Image.open(tmp_path / "colour.png") as image:
        assert np.array_equal(np.asarray(image), pixels.permute(1, 2, 0).numpy())
    with Image.open(tmp_path / "grey.png") as image:
        assert np.array_equal(np.asarray(image), pixels[0].numpy())


def test_what_cannot_be_drawn_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not finite"):
        to_levels(torch.full((1, 1, 1), float("nan")), "as-is")
    pixels = torch.zeros(1, 1, 1, dtype=torch.uint8)
    with pytest.raises(ConfigError, match=r"end its name in \.png"):
        save_levels(pixels, tmp_path / "a.jpg")
    with pytest.raises(ConfigError, match="cannot be written"):
        save_levels(pixels, tmp_path / "missing" / "a.png")
