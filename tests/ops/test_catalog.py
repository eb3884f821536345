"""The one oracle test: every implementation against the reference, and the reference against torch.

How close "equal" is, with u = 2^-53 or 2^-24 the unit roundoff and K = (c / g) kh kw + 1 the
terms of a sum, the bias counted:

- A sum of K products, added in any order, is within `K u sum |terms|` of the exact one, to first
  order in u (Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1). So
  reference, native, unfold and matrix are each held to that bound, cell by cell, against an exact
  result; exact means float64 where float32 is tested.
- Winograd's sums have other terms: `|A|^T [(|G| |g| |G|^T) * (|B|^T |d| |B|)] |A|` is the sum of
  their sizes. The same algorithm run on absolute values gives it, cell by cell; the depth
  of the sums is 2 (m + 2) for the data, 2 x 3 for the kernel, K over the channels and 2 (m + 2) for
  the output, and two roundings for the entries of G that are no binary fractions.
- An FFT of N points is off by at most `7 u log2 N` of the 2-norm (Higham 2002, section 24.1); there
  are three, so a plane is within `(21 log2 N + K) u sum over c of |x_c|_2 |k_c|_2`.
"""

import math
from typing import get_args

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from convlens.core.errors import ConfigError
from convlens.ops.algorithms import native, winograd
from convlens.ops.algorithms.padding import pad
from convlens.ops.catalog import (
    IMPLEMENTATIONS,
    ImplementationName,
    adaptive_pool_by,
    choose,
    names_for,
    pool_by,
    refusal,
    transpose_by,
)
from convlens.ops.geometry import Geometry
from tests.strategies import Case, cases, normal, output_paddings, transposable, whole

EXACT_SUMS = ("reference", "native", "unfold", "matrix")
threes = cases(kernel=3, least_kernel=3, stride=1, dilation=1, spare=6)
any_case = st.one_of(cases(), threes)


def run(name: str, case: Case, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    return choose(name, case.geometry).correlate(x, kernel, bias, case.geometry)


def able(case: Case) -> list[str]:
    return [name for name in IMPLEMENTATIONS if not refusal(name, case.geometry)]


def by_torch(case: Case, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """The same by torch alone, with none of this library's code."""
    given_settings = case.settings()
    mode = given_settings.pop("padding_mode")
    if mode != "zeros":
        top, left = given_settings.pop("padding")
        x = F.pad(x, (left, left, top, top), mode=mode)
    return F.conv2d(x, kernel, bias, **given_settings)


def allowed(
    name: str, case: Case, x: Tensor, kernel: Tensor, bias: Tensor | None, unit: float
) -> Tensor:
    """How far implementation `name` may be from the exact result, cell by cell."""
    x, kernel = x.abs().double(), kernel.abs().double()
    bias = None if bias is None else bias.abs().double()
    terms = kernel[0].numel() + 1
    sums = native.correlate(x, kernel, bias, case.geometry)
    if name.startswith("winograd"):
        transform = winograd.F2 if name == "winograd-2x2" else winograd.F4
        depth = 4 * (transform.tile + 2) + 6 + 2 + terms
        absolute = winograd.Transform(
            transform.tile,
            *(
                tuple(tuple(abs(entry) for entry in row) for row in rows)
                for rows in (transform.data, transform.kernel, transform.output)
            ),
        )
        inner = winograd.correlate_by(absolute)(x, kernel, bias, case.geometry)
        return 1.01 * depth * unit * inner
    if name == "fft":
        padded = pad(x, case.geometry)
        points = padded.shape[2] * padded.shape[3]
        groups = case.geometry.groups
        norms = torch.einsum(
            "ngc,goc->ngo",
            padded.flatten(2).norm(dim=2).unflatten(1, (groups, -1)),
            kernel.flatten(2).norm(dim=2).unflatten(0, (groups, -1)),
        ).flatten(1)
        factor = 21 * math.log2(max(points, 2)) + terms
        return factor * unit * (norms[:, :, None, None] + sums)
    return 1.01 * terms * unit * sums


@given(any_case)
@settings(max_examples=120)
def test_every_implementation_equals_the_reference_and_the_reference_torch(case: Case) -> None:
    x, kernel, bias = case.tensors()
    expected = by_torch(case, x, kernel, bias)
    reference = run("reference", case, x, kernel, bias)
    unit = 2.0**-53
    slack = allowed("reference", case, x, kernel, bias, unit)
    assert reference.shape == expected.shape
    assert (abs(reference - expected) <= 2 * slack).all()  # each is off by at most one slack
    for name in able(case):
        y = run(name, case, x, kernel, bias)
        bound = slack + allowed(name, case, x, kernel, bias, unit)
        assert y.shape == reference.shape, name
        assert (y.dtype, y.device) == (x.dtype, x.device), name
        assert (abs(y - reference) <= bound).all(), name


@given(any_case)
@settings(max_examples=80)
def test_in_float32_every_implementation_keeps_its_bound(case: Case) -> None:
    x, kernel, bias = case.tensors(torch.float32)
    exact = by_torch(case, x.double(), kernel.double(), None if bias is None else bias.double())
    for name in able(case):
        y = run(name, case, x, kernel, bias)
        assert y.dtype == torch.float32, name
        bound = allowed(name, case, x, kernel, bias, 2.0**-24)
        assert (abs(y - exact) <= bound).all(), name


@given(st.one_of(cases(kernel=4), threes))
@settings(max_examples=60)
def test_the_gradients_of_every_implementation_are_torchs(case: Case) -> None:
    x, kernel, bias = case.tensors()
    inputs = [t.requires_grad_() for t in (x, kernel, bias) if t is not None]
    expected_y = by_torch(case, x, kernel, bias)
    grad_y = normal(*expected_y.shape, seed=case.seed + 3)
    expected = torch.autograd.grad(expected_y, inputs, grad_y)
    for name in able(case):
        found = torch.autograd.grad(run(name, case, x, kernel, bias), inputs, grad_y)
        for mine, theirs in zip(found, expected, strict=True):
            scale = 1 + theirs.abs().amax() if theirs.numel() else 1.0
            assert (abs(mine - theirs) <= 1e-11 * scale).all(), name


@given(transposable, st.data())
@settings(max_examples=60)
def test_every_transpose_is_torchs_and_so_are_its_gradients(
    case: Case, data: st.DataObject
) -> None:
    geometry = case.geometry
    size = geometry.output_size(*case.shape[2:])  # an image that has a transpose
    extra = data.draw(output_paddings(geometry))
    x = whole(case.shape[0], case.out_channels, *size, seed=case.seed).requires_grad_()
    kernel = whole(*case.kernel_shape, seed=case.seed + 1).requires_grad_()
    bias = whole(case.shape[1], seed=case.seed + 2).requires_grad_() if case.has_bias else None
    inputs = [t for t in (x, kernel, bias) if t is not None]
    keywords = {name: v for name, v in case.settings().items() if name != "padding_mode"}
    expected_y = F.conv_transpose2d(x, kernel, bias, output_padding=extra, **keywords)
    grad_y = whole(*expected_y.shape, seed=case.seed + 3)
    expected = torch.autograd.grad(expected_y, inputs, grad_y)
    for name in names_for("transpose"):
        y = transpose_by(name)(x, kernel, bias, geometry, extra)
        assert torch.equal(y, expected_y), name
        found = torch.autograd.grad(y, inputs, grad_y)
        for mine, theirs in zip(found, expected, strict=True):
            assert torch.equal(mine, theirs), name


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_a_nan_stays_where_torch_keeps_it_or_the_table_says_that_it_spreads(name: str) -> None:
    x, kernel = normal(1, 1, 9, 9), normal(1, 1, 3, 3)
    x[0, 0, 4, 4] = math.nan
    geometry = Geometry.of(3, padding=1)
    expected = F.conv2d(x, kernel, padding=1).isnan()
    found = choose(name, geometry).correlate(x, kernel, None, geometry).isnan()
    assert found[expected].all()
    assert torch.equal(found, expected) == IMPLEMENTATIONS[name].keeps_nan_in_place


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_an_empty_batch_gives_an_empty_batch(name: str) -> None:
    geometry = Geometry.of(3, padding=1, groups=2)
    x, kernel = torch.ones(0, 4, 5, 7), torch.ones(6, 2, 3, 3)
    y = choose(name, geometry).correlate(x, kernel, torch.ones(6), geometry)
    assert y.shape == (0, 6, 5, 7)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_in_half_precision_out(name: str, dtype: torch.dtype) -> None:
    geometry = Geometry.of(3, padding=1)
    x, kernel = whole(1, 2, 6, 6).to(dtype), whole(2, 2, 3, 3).to(dtype)
    y = choose(name, geometry).correlate(x, kernel, None, geometry)
    assert y.dtype == dtype
    exact = F.conv2d(x.double(), kernel.double(), padding=1)
    assert (abs(y.double() - exact) < 0.1 * exact.abs().max()).all()


@given(any_case)
@settings(max_examples=50)
def test_winograd_refuses_exactly_what_it_is_not_made_for(case: Case) -> None:
    windows = (case.geometry.rows, case.geometry.columns)
    fits = all((w.kernel, w.stride, w.dilation) == (3, 1, 1) for w in windows)
    for name in ("winograd-2x2", "winograd-4x4"):
        assert (refusal(name, case.geometry) == "") == fits
    assert {"reference", "native", "unfold", "matrix", "fft"} <= set(able(case))


def test_a_refusal_says_why_and_names_those_who_can() -> None:
    with pytest.raises(ConfigError, match=r"(?s)3x3 kernel with stride 1.*5x5.*fft, matrix"):
        choose("winograd-2x2", Geometry.of(5))


def test_what_an_implementation_lacks_is_said() -> None:
    with pytest.raises(ConfigError, match=r"(?s)'fft' has no transpose.*matrix, native"):
        transpose_by("fft")
    with pytest.raises(ConfigError, match=r"(?s)'matrix' has no pool.*native, reference, unfold"):
        pool_by("matrix")
    with pytest.raises(ConfigError, match=r"(?s)'unfold' has no adaptive pool.*native, reference"):
        adaptive_pool_by("unfold")


def test_every_entry_says_what_it_is_and_where_it_comes_from() -> None:
    assert all(entry.about and entry.source for entry in IMPLEMENTATIONS.values())


def test_the_names_for_settings_are_the_names_of_the_table() -> None:
    assert list(get_args(ImplementationName)) == list(IMPLEMENTATIONS)
