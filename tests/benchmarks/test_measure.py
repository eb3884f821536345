import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measure import Machine, cpu_family, ratios, spread, take_turns, this_machine

seconds = st.lists(st.floats(0.001, 1e4), min_size=1, max_size=30)


@given(seconds)
def test_a_spread_is_in_order_and_within_the_values(values: list[float]) -> None:
    found = spread(values)
    assert found.n == len(values)
    assert found.low == min(values)
    assert found.high == max(values)
    in_order = [found.low, found.q1, found.median, found.q3, found.high]
    assert all(a <= b * (1 + 1e-12) for a, b in itertools.pairwise(in_order))


def test_one_value_is_its_own_spread() -> None:
    found = spread([2.5])
    assert (found.low, found.q1, found.median, found.q3, found.high) == (2.5,) * 5


def test_the_median_of_ratios_is_not_the_ratio_of_medians() -> None:
    slow, fast = [10.0, 20.0, 90.0], [1.0, 10.0, 3.0]
    assert ratios(slow, fast) == [10.0, 2.0, 30.0]
    assert spread(ratios(slow, fast)).median == 10.0
    assert spread(slow).median / spread(fast).median != 10.0


def test_ratios_want_whole_rounds() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_contestants_take_turns_in_order() -> None:
    calls: list[str] = []

    def contestant(name: str) -> int:
        calls.append(name)
        return len(calls)

    told: list[tuple[int, dict[str, int]]] = []
    results = take_turns(
        {"a": lambda: contestant("a"), "b": lambda: contestant("b")},
        2,
        warm_up=1,
        tell=lambda number, latest: told.append((number, dict(latest))),
    )
    assert calls == ["a", "b"] * 3
    assert results == {"a": [3, 5], "b": [4, 6]}  # the warm-up is not kept
    assert told == [(1, {"a": 3, "b": 4}), (2, {"a": 5, "b": 6})]


def machine(cpu: str, load: float | None = 0.0) -> Machine:
    return Machine(
        cpu=cpu,
        cores=4,
        capability="AVX2",
        threads=4,
        system="Linux x86_64",
        python="3.11.7",
        torch="2.13.0",
        load=load,
    )


@pytest.mark.parametrize(
    ("cpu", "slug"),
    [
        ("AMD EPYC, family 25 model 17", "amd-epyc-family-25-model-17-4-cores-avx2"),
        ("Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz", "intel-core-i7-9750h-4-cores-avx2"),
        ("Intel(R) Xeon(R) CPU @ 2.20GHz, family 6 model 79",
         "intel-xeon-family-6-model-79-4-cores-avx2"),
        ("Apple M2", "apple-m2-4-cores-avx2"),
    ],
)  # fmt: skip
def test_the_slug_names_the_hardware_and_nothing_else(cpu: str, slug: str) -> None:
    assert machine(cpu).slug == slug


def test_a_machine_with_a_high_load_is_busy() -> None:
    assert machine("x", load=1.0).busy
    assert not machine("x", load=0.0).busy
    assert not machine("x", load=None).busy


def test_the_family_is_the_first_processors() -> None:
    two = "cpu family\t: 6\nmodel\t\t: 85\nmodel name\t: X\n\ncpu family\t: 7\nmodel\t\t: 1\n"
    assert cpu_family(two) == "family 6 model 85"
    assert cpu_family("CPU implementer : 0x41\n") == ""
    assert cpu_family("") == ""


def test_this_machine_is_described() -> None:
    here = this_machine()
    assert here.cores >= 1
    assert here.cpu in here.hardware
    assert here.torch in here.software
