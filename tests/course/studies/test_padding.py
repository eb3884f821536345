"""The experiments of 7.3 can fail, and their numbers are others' numbers too."""

import pytest
import torch

from convlens.course.studies import padding
from convlens.course.study import Setup
from convlens.ops.geometry import Geometry


def test_a_wrong_formula_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Geometry, "output_size", lambda *_: (2, 2))
    finding = padding.shape(Setup())
    assert not finding.holds
    assert finding.numbers["agreed"] < finding.numbers["settings tried"]  # type: ignore[operator]


def test_the_long_run_tries_more() -> None:
    tried = [padding.shape(Setup(quick=quick)).numbers["settings tried"] for quick in (True, False)]
    assert tried == [4 * 60, 35 * 60]


def test_the_folded_tone_is_where_the_theorem_puts_it() -> None:
    numbers = padding.aliasing(Setup()).numbers
    assert numbers["tone after stride 2, Hz"] == 4000 - 3000
    # Two samples averaged pass a tone f with strength cos(pi f / rate).
    expected = float(torch.cos(torch.tensor(torch.pi * 3000 / 8000)))
    assert numbers["its strength after averaging two"] == pytest.approx(expected, abs=1e-3)
