"""Seeds: quantiles are the printed tables', and intervals cover as often as they promise."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.report.runs.seeds import (
    Spread,
    gap,
    holm,
    incomplete_beta,
    share_interval,
    spread,
    student_cdf,
    student_quantile,
)

# NIST/SEMATECH e-Handbook of Statistical Methods, table of Student's t,
# https://www.itl.nist.gov/div898/handbook/eda/section3/eda3672.htm
T_TABLE = {
    0.90: {1: 3.078, 2: 1.886, 3: 1.638, 5: 1.476, 10: 1.372, 30: 1.310, 100: 1.290},
    0.95: {1: 6.314, 2: 2.920, 3: 2.353, 5: 2.015, 10: 1.812, 30: 1.697, 100: 1.660},
    0.975: {1: 12.706, 2: 4.303, 3: 3.182, 5: 2.571, 10: 2.228, 30: 2.042, 100: 1.984},
    0.995: {1: 63.657, 2: 9.925, 3: 5.841, 5: 4.032, 10: 3.169, 30: 2.750, 100: 2.626},
}
probabilities = st.floats(1e-6, 1 - 1e-6)
degrees = st.floats(0.5, 500)
accuracies = st.lists(st.integers(0, 1000).map(lambda n: n / 1000), min_size=2, max_size=8)


@pytest.mark.parametrize("probability", T_TABLE)
def test_quantiles_are_those_of_the_printed_table(probability: float) -> None:
    for freedom, printed in T_TABLE[probability].items():
        assert student_quantile(probability, float(freedom)) == pytest.approx(printed, abs=6e-4)


@settings(max_examples=40)
@given(probabilities, degrees)
def test_the_quantile_undoes_the_distribution(probability: float, freedom: float) -> None:
    found = student_quantile(probability, freedom)
    assert student_cdf(found, freedom) == pytest.approx(probability, rel=1e-8, abs=1e-10)


@given(st.floats(-50, 50))
def test_one_and_two_degrees_of_freedom_have_a_formula(t: float) -> None:
    assert student_cdf(t, 1.0) == pytest.approx(0.5 + math.atan(t) / math.pi, abs=1e-12)
    assert student_cdf(t, 2.0) == pytest.approx(0.5 + t / 2 / math.sqrt(2 + t * t), abs=1e-12)


@given(st.floats(-8, 8))
def test_many_degrees_of_freedom_are_the_normal_distribution(t: float) -> None:
    assert student_cdf(t, 1e7) == pytest.approx((1 + math.erf(t / math.sqrt(2))) / 2, abs=1e-6)


@given(st.floats(0, 1), st.integers(1, 20), st.integers(1, 20))
def test_the_incomplete_beta_function_of_whole_numbers_is_a_binomial_sum(
    x: float, a: int, b: int
) -> None:
    n = a + b - 1
    expected = sum(math.comb(n, j) * x**j * (1 - x) ** (n - j) for j in range(a, n + 1))
    assert incomplete_beta(x, float(a), float(b)) == pytest.approx(expected, abs=1e-11)


def test_a_spread_divides_by_one_less_than_the_runs() -> None:
    assert spread([0.5]) == Spread(n=1, mean=0.5, sd=None)
    assert spread([1.0, 3.0]) == Spread(n=2, mean=2.0, sd=math.sqrt(2))


def test_the_interval_is_welchs() -> None:
    """Two samples whose interval was computed by scipy 1.17.1: ttest_ind(equal_var=False)."""
    first = spread([0.9101, 0.9123, 0.9087, 0.9110])
    second = spread([0.9152, 0.9139, 0.9208])
    found = gap(first, second)
    assert found is not None
    assert found.difference == pytest.approx(second.mean - first.mean)
    assert (found.low, found.high) == pytest.approx((-0.001888652837784, 0.014105319505445))
    assert found.degrees == pytest.approx(2.517611610046005)


@settings(max_examples=40)
@given(accuracies, accuracies)
def test_the_other_way_round_is_the_same_with_the_other_sign(
    a: list[float], b: list[float]
) -> None:
    there, back = gap(spread(a), spread(b)), gap(spread(b), spread(a))
    if there is None or back is None:
        assert there is back
        return
    assert (back.difference, back.low, back.high) == pytest.approx(
        (-there.difference, -there.high, -there.low)
    )
    least = min(len(a), len(b)) - 1
    assert least - 1e-9 <= there.degrees <= len(a) + len(b) - 2 + 1e-9
    assert there.seen == back.seen


def test_no_spread_means_no_interval() -> None:
    one, some = spread([0.9]), spread([0.8, 0.9])
    assert gap(one, some) is None
    assert gap(some, one) is None
    assert gap(spread([0.9, 0.9]), spread([0.8, 0.8])) is None
    same = gap(spread([0.9, 0.9]), spread([0.9, 0.9, 0.9]))
    assert same is not None
    assert not same.seen


def test_the_p_value_is_welchs() -> None:
    """The p-value of scipy 1.17.1 for the same two samples."""
    first = spread([0.9101, 0.9123, 0.9087, 0.9110])
    found = gap(first, spread([0.9152, 0.9139, 0.9208]))
    assert found is not None
    assert found.p_value == pytest.approx(0.08812436469240116)
    same = gap(first, first)
    assert same is not None and same.p_value == 1
    flat = gap(spread([0.9, 0.9]), spread([0.9, 0.9]))
    assert flat is not None and flat.p_value == 1


@settings(max_examples=40)
@given(accuracies, accuracies, st.floats(0.5, 0.999))
def test_0_is_outside_the_bounds_where_the_p_value_is_small(
    a: list[float], b: list[float], confidence: float
) -> None:
    found = gap(spread(a), spread(b))
    if found is not None and abs(found.p_value - (1 - confidence)) > 1e-9:
        assert found.at(confidence).seen == (found.p_value < 1 - confidence)


p_values = st.lists(st.floats(0, 1), min_size=1, max_size=6)


@given(p_values)
def test_holms_steps_see_what_holm_sees(found: list[float]) -> None:
    """By the other definition: adjusted p-values, each the largest so far of (n - k) p_k."""
    ranked = sorted(found)
    adjusted = [
        max((len(found) - k) * p for k, p in enumerate(ranked[: i + 1])) for i in range(len(found))
    ]
    for p, level in zip(found, holm(found), strict=True):
        highest = adjusted[ranked.index(p)]
        if abs(highest - 0.05) > 1e-9:
            assert (p <= 1 - level) == (highest <= 0.05)


def test_holms_steps_worked_by_hand() -> None:
    assert holm([0.3]) == pytest.approx([0.95])
    assert holm([0.001, 0.02, 0.04]) == pytest.approx([1 - 0.05 / 3, 0.975, 0.95])
    assert holm([0.04, 0.02, 0.03]) == pytest.approx([1 - 0.05 / 3] * 3)
    assert holm([]) == []


@pytest.mark.parametrize(("n", "m", "ratio"), [(3, 3, 1.0), (3, 6, 4.0), (5, 4, 0.5)])
def test_intervals_cover_the_truth_as_often_as_they_promise(n: int, m: int, ratio: float) -> None:
    """250 comparisons of recipes whose true difference is 0.5 points."""
    chance = random.Random(f"{n} {m} {ratio}")
    covered = 0
    for _ in range(250):
        a = spread([chance.gauss(0.910, 0.002) for _ in range(n)])
        b = spread([chance.gauss(0.915, 0.002 * ratio) for _ in range(m)])
        found = gap(a, b)
        assert found is not None
        covered += found.low <= 0.005 <= found.high
    assert 226 <= covered <= 249  # of small samples, Welch's is a little wide


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_holds_it_and_stays_between_0_and_1(
    counts: tuple[int, int],
) -> None:
    num_correct, num_images = counts
    low, high = share_interval(num_correct, num_images)
    assert 0 <= low <= num_correct / num_images + 1e-12
    assert num_correct / num_images - 1e-12 <= high <= 1
    assert low < high
    other = share_interval(num_images - num_correct, num_images)
    assert other == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_the_bounds_of_a_share_are_where_the_share_is_z_errors_away() -> None:
    """Wilson's definition: at a bound p, |share - p| is 1.96 standard errors of p."""
    for bound in share_interval(871, 1_000):
        error = math.sqrt(bound * (1 - bound) / 1_000)
        assert abs(0.871 - bound) / error == pytest.approx(1.959964, abs=1e-6)
