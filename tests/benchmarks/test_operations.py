import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it

from benchmarks import operations
from benchmarks.benchmark import Grid
from benchmarks.operations import (
    CLAIMED,
    CLAIMED_ON,
    NO_BACKWARD,
    NO_SCIPY,
    PROBLEMS,
    SCIPY,
    TORCH,
    Measured,
    Problem,
    check_same,
    claim_table,
    contestants,
    correlations,
    forward_and_backward,
    measure,
    problem_table,
    ratio_table,
    refusal_notes,
    report,
    scipy_refusal,
    turns,
)
from benchmarks.operations_figure import FORWARD, PASSES, TRAINING
from convlens.ops.catalog import IMPLEMENTATIONS, refusal

SMALL = Problem(batch=2, in_channels=2, side=6, out_channels=3, kernel=3, padding=1)


def found(**milliseconds: list[float]) -> Measured:
    made = Measured()
    made.milliseconds[FORWARD] = dict(milliseconds)
    return made


def rows(grid: Grid) -> dict[str, tuple[str, ...]]:
    return {row[0]: row[1:] for row in grid.rows}


def test_there_are_five_geometries_and_each_has_an_output() -> None:
    assert len(PROBLEMS) == 5
    for problem in PROBLEMS.values():
        assert min(problem.geometry.output_size(problem.side, problem.side)) >= 1


def test_every_implementation_of_the_catalog_computes_some_problem() -> None:
    for name in IMPLEMENTATIONS:
        assert any(not refusal(name, problem.geometry) for problem in PROBLEMS.values()), name


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_contestant_computes_a_problem_or_says_why_not(name: str) -> None:
    able, refusals = correlations(PROBLEMS[name])
    assert sorted([*able, *refusals]) == sorted(contestants())
    assert all(refusals.values())


def test_the_claim_is_about_the_image_and_the_kernel_it_names() -> None:
    problem = PROBLEMS[CLAIMED_ON]
    assert [list(tensor.shape) for tensor in problem.tensors()] == [[1, 1, 128, 128], [1, 1, 5, 5]]
    assert CLAIMED == 1_000
    for name in (operations.SLOWEST, operations.FASTER):
        assert name in IMPLEMENTATIONS


def test_what_is_left_out_is_something_that_could_be_measured() -> None:
    for name, problem in NO_BACKWARD:
        assert refusal(name, PROBLEMS[problem].geometry) == ""


def test_a_problem_is_the_same_each_time() -> None:
    for first, second in zip(SMALL.tensors(), SMALL.tensors(), strict=True):
        assert torch.equal(first, second)


def test_words_name_what_is_not_usual() -> None:
    assert PROBLEMS["teaching"].words == "1x1x128x128, 5x5 1->1"
    assert PROBLEMS["ResNet strided"].words == "8x64x24x24, 3x3 64->128, stride 2, padding 1"


def test_scipy_takes_one_plain_matrix_and_one_kernel() -> None:
    assert scipy_refusal(PROBLEMS["teaching"]) == ""
    assert "no batch" in scipy_refusal(Problem(side=8, kernel=3, batch=2))
    assert "no channels" in scipy_refusal(Problem(side=8, kernel=3, in_channels=2))
    assert "no stride" in scipy_refusal(Problem(side=8, kernel=3, stride=2))
    assert "padding" in scipy_refusal(Problem(side=8, kernel=3, padding=1))


def test_scipy_computes_the_same() -> None:
    pytest.importorskip("scipy.signal", reason="SciPy is not installed (the extra `bench`)")
    problem = Problem(side=9, kernel=4)
    x, kernel = problem.tensors()
    check_same(SCIPY, correlations(problem)[0][SCIPY](x, kernel), F.conv2d(x, kernel))


def test_without_scipy_the_others_run_and_the_result_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operations, "scipy_signal", lambda: None)
    able, refusals = correlations(PROBLEMS["teaching"])
    assert set(able) >= {"reference", "unfold", TORCH}
    assert refusals[SCIPY] == NO_SCIPY
    assert "make bench" in NO_SCIPY


def test_another_result_is_refused_and_rounding_is_not() -> None:
    exact = torch.tensor([[1.0, -8.0]])
    check_same("fft", exact + 1e-6, exact)
    for wrong in (exact + 0.01, exact * float("nan")):
        with pytest.raises(AssertionError, match="fft differs"):
            check_same("fft", wrong, exact)


def test_forward_and_backward_gives_both_gradients() -> None:
    x, kernel = (tensor.requires_grad_() for tensor in SMALL.tensors())
    gradient = torch.ones(2, 3, 4, 4)
    by_x, by_kernel = forward_and_backward(F.conv2d, x, kernel, gradient)
    assert by_x.shape == x.shape
    assert by_kernel.shape == kernel.shape


def test_slow_contestants_have_the_first_rounds_only() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in ("slow", "fast")}
    taken = turns(calls, 4, 2, {"slow"})
    assert {name: len(values) for name, values in taken.items()} == {"slow": 2, "fast": 4}
    assert order.count("slow") == 2
    last_slow = len(order) - 1 - order[::-1].index("slow")
    assert "fast" in order[order.index("slow") : last_slow]
    few = turns(calls, 1, 2, {"slow"})
    assert [len(values) for values in few.values()] == [1, 1]


def test_a_measured_problem_has_all_contestants_in_both_passes() -> None:
    taken = measure("small", SMALL, 2)
    for part in PASSES:
        assert sorted([*taken.milliseconds[part], *taken.refusals[part]]) == sorted(contestants())
    assert set(taken.milliseconds[TRAINING]) == {*IMPLEMENTATIONS, TORCH}
    assert all(len(values) == 2 for values in taken.milliseconds[FORWARD].values())


def test_what_is_too_large_is_refused_with_the_reason_of_the_implementation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("convlens.ops.algorithms.matrix.MAX_ENTRIES", 10)
    taken = measure("small", SMALL, 1)
    for part in PASSES:
        assert "matrix" not in taken.milliseconds[part]
        assert "more than 10" in taken.refusals[part]["matrix"]


def test_ratios_are_of_the_rounds_that_both_had() -> None:
    taken = found(reference=[10.0, 30.0], native=[1.0, 2.0, 100.0])
    assert taken.ratios(FORWARD, "reference") == [10.0, 15.0]
    assert taken.ratios(FORWARD, "native", "reference") == [0.1, 2.0 / 30.0]


def test_the_ratio_table_has_a_place_for_every_contestant_on_every_problem() -> None:
    taken = {
        "teaching": found(native=[1.0, 1.0], unfold=[2.0, 4.0]),
        "ResNet": found(native=[2.0]),
    }
    grid = ratio_table(taken, FORWARD)
    assert grid.header == ("forward, times native", "teaching", "ResNet")
    assert [row[0] for row in grid.rows] == list(contestants())
    assert rows(grid)["unfold"] == ("3.00", "no")


@pytest.mark.parametrize(("milliseconds", "verdict"), [(999.0, "missed"), (1000.0, "reached")])
def test_the_claim_is_judged_and_its_ratio_told_either_way(
    milliseconds: float, verdict: str
) -> None:
    grid = claim_table(found(reference=[milliseconds], unfold=[1.0]))
    (row,) = grid.rows
    assert row[0] == "reference / unfold"
    assert row[1] in {"999", "1,000"}
    assert row[-2:] == ("1", verdict)


def test_a_problem_table_has_median_spread_n_and_ratio() -> None:
    grid = problem_table("teaching", found(native=[1.0, 2.0, 3.0], unfold=[2.0, 4.0, 9.0]))
    told = rows(grid)["unfold"]
    assert told == (FORWARD, "4.00", "3.00 to 6.50", "2.00 to 9.00", "3", "2.00")
    assert len(grid.header) == len(told) + 1
    assert "reference" not in rows(grid)


def test_a_reason_is_told_once_with_all_it_holds_for() -> None:
    first, second = Measured(), Measured()
    for part in PASSES:
        first.refusals[part] = {"winograd-2x2": "no", "winograd-4x4": "no"}
        second.refusals[part] = {"winograd-2x2": "no", "winograd-4x4": "no"}
    second.refusals[TRAINING]["matrix"] = "too large"
    assert refusal_notes({"A": first, "B": second}) == [
        "no winograd-2x2, winograd-4x4 on A, B: no",
        "no matrix on B (forward+backward): too large",
    ]


def test_the_report_has_all_numbers_and_a_panel_for_each_problem() -> None:
    numbers = {"native": [1.0, 2.0], "unfold": [1.5, 3.0], "reference": [1e4]}
    made = report({name: found(**numbers) for name in PROBLEMS})
    assert len(made.grids) == len(PASSES) + 1 + len(PROBLEMS)
    assert made.data["milliseconds"]["ResNet"][FORWARD] == numbers
    assert made.figure is not None
    panels = [axes for axes in made.figure.axes if axes.get_title()]
    assert [axes.get_title().splitlines()[0] for axes in panels] == list(PROBLEMS)
    labels = [label.get_text() for label in panels[0].get_yticklabels()]
    assert labels == list(contestants())
    for axes in panels:
        assert axes.get_xscale() == "log"
        said = [text.get_text() for text in axes.texts]
        assert said == ["cannot"] * (len(contestants()) - len(numbers))
