"""Sizes and aliasing."""

import numpy as np
import pytest
import torch

from convlens.course.studies.padding import Hertz, Wave, aliasing, by_window, low_pass, peak, shape
from convlens.course.study import Setup


def rounded_up(size: int, kernel: int, padding: int, stride: int) -> int:
    return -(-(size - kernel + 2 * padding) // stride) + 1


def one_tap(cutoff: Hertz, rate: int) -> Wave:
    del cutoff, rate
    return torch.ones(1, dtype=torch.float64)


def silence(cutoff: Hertz, rate: int) -> Wave:
    return 0 * low_pass(cutoff, rate)


def test_the_shape_is_two_by_two() -> None:
    assert shape(Setup()).numbers["by formula"] == "2 x 2"
    assert by_window(8, 3, 0, 3) == (8 - 3 + 0 + 3) // 3


def test_a_formula_that_rounds_up_is_found_out() -> None:
    assert not shape(Setup(), output_size=rounded_up).holds


def test_the_long_run_tries_more() -> None:
    tried = [shape(Setup(quick=quick)).numbers["other settings"] for quick in (True, False)]
    assert tried == [5 * 60, 35 * 60]


def test_3000_hz_comes_back_as_1000_hz() -> None:
    numbers = aliasing(Setup()).numbers
    wave = np.sin(2 * np.pi * 3000 * np.arange(8000) / 8000)[::2]
    assert numbers["heard after the stride, Hz"] == np.abs(np.fft.rfft(wave)).argmax() == 1000
    assert numbers["rate after the stride, Hz"] == 4000


def test_a_tone_below_the_new_limit_does_not_alias() -> None:
    assert not aliasing(Setup(), tone=500).holds


def test_without_a_stride_nothing_is_lost() -> None:
    assert not aliasing(Setup(), stride=1).holds


@pytest.mark.parametrize("smooth", [one_tap, silence])
def test_a_filter_that_passes_all_or_nothing_is_found_out(smooth: object) -> None:
    finding = aliasing(Setup(), smooth=smooth)  # type: ignore[arg-type]
    wrong = [claim.text for claim in finding.claims if not claim.as_expected]
    assert wrong == ["a low-pass filter before the stride removes it, and keeps what is low"]


@pytest.mark.parametrize(("tone", "heard"), [(2500, 1500), (3500, 500), (3900, 100)])
def test_other_tones_fold_too(tone: int, heard: int) -> None:
    finding = aliasing(Setup(), tone=tone)
    assert finding.holds
    assert finding.numbers["heard after the stride, Hz"] == heard


def test_two_samples_averaged_pass_what_the_formula_says() -> None:
    passed = aliasing(Setup()).numbers["amplitude, averaged over 2 first"]
    # cos(pi f / rate) of the tone, whose samples meet its crest only in part
    assert passed == pytest.approx(np.cos(np.pi * 3000 / 8000), rel=0.1)


def test_the_filter_keeps_what_is_low() -> None:
    spectrum = np.abs(np.fft.rfft(low_pass(1000, 8000).numpy(), 8000))
    assert abs(spectrum[200] - 1) < 0.01
    assert spectrum[2000] < 0.01
    assert peak(low_pass(1000, 8000), 101) < 2000
