import pytest

from benchmarks.benchmark import ratio_grid, tell_round


def test_the_ratio_grid_has_a_row_per_pair() -> None:
    grid, ratios = ratio_grid({"slow": [4.0, 9.0], "fast": [2.0, 3.0]}, [("slow", "fast")])
    assert ratios == {"slow / fast": [2.0, 3.0]}
    assert grid.rows == (("slow / fast", "2.50", "2.25 to 2.75", "2.00 to 3.00", "2"),)
    assert len(grid.header) == len(grid.rows[0])


def test_a_round_is_told_beside_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    tell_round(3)(2, {"a": 1.5, "b": 20.0})
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "  round 2/3: a 1.5 s, b 20 s\n"
