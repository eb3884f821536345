"""The matrices of Winograd's algorithm; its results are tested in tests/ops/test_catalog.py."""

from fractions import Fraction

import pytest

from convlens.ops.algorithms.winograd import F2, F4, Transform

TRANSFORMS = pytest.mark.parametrize("transform", [F2, F4], ids=["F(2x2,3x3)", "F(4x4,3x3)"])


def exact(rows: tuple[tuple[int | float, ...], ...]) -> list[list[Fraction]]:
    return [[Fraction(entry).limit_denominator(24) for entry in row] for row in rows]


@TRANSFORMS
def test_the_matrices_are_an_identity_in_exact_arithmetic(transform: Transform) -> None:
    """`A^T [(G g) * (B^T d)]` is the correlation for every g and d: for every pair of units."""
    a, g, b = exact(transform.output), exact(transform.kernel), exact(transform.data)
    for output in range(transform.tile):
        for tap in range(3):
            for pixel in range(transform.tile + 2):
                product = sum(
                    a[output][s] * g[s][tap] * b[s][pixel] for s in range(transform.tile + 2)
                )
                assert product == (1 if pixel == output + tap else 0)


@TRANSFORMS
def test_it_multiplies_less_than_the_definition(transform: Transform) -> None:
    multiplications = (transform.tile + 2) ** 2 / transform.tile**2
    assert multiplications == {2: 4, 4: 2.25}[transform.tile]


def test_larger_tiles_amplify_more() -> None:
    assert F2.amplification() == (3 * 1.5 * 2) ** 2
    assert F4.amplification() == (19 * 1 * 10) ** 2
