"""Comparison: points and labels are the rows', and no label covers another or a point."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.text import Annotation, Text

from convlens.core.errors import ConfigError
from convlens.report.comparison import POINT, Box, ComparisonRow, arrange, draw_comparison
from convlens.report.figures import save_figure

ROWS = [
    ComparisonRow(name="lenet", macs=423_480, num_parameters=61_706, accuracy=0.875),
    ComparisonRow(name="vgg11", macs=7_609_090_048, num_parameters=132_863_336, accuracy=0.69),
    ComparisonRow(name="resnet18", macs=1_814_073_344, num_parameters=11_689_512, accuracy=0.7),
]
AREA = Box(200.0, 150.0, 400.0, 300.0)


def points(axes: Axes) -> list[list[float]]:
    (scatter,) = axes.collections
    return np.asarray(scatter.get_offsets()).tolist()


def labels(axes: Axes) -> dict[str, tuple[float, float]]:
    return {
        text.get_text(): (float(text.xy[0]), float(text.xy[1]))
        for text in axes.texts
        if isinstance(text, Annotation)
    }


def test_points_and_labels_are_the_rows() -> None:
    (axes,) = draw_comparison(ROWS, title="three networks").axes
    assert points(axes) == [[row.macs, row.accuracy] for row in ROWS]
    assert labels(axes) == {row.name: (row.macs, row.accuracy) for row in ROWS}
    assert len(axes.texts) == 3
    assert axes.get_title() == "three networks"


def test_the_axes_say_their_units() -> None:
    (axes,) = draw_comparison(ROWS, title="").axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert axes.get_xlabel() == "multiply-accumulates per image (MACs)"
    assert axes.get_ylabel() == "accuracy (%)"
    assert axes.xaxis.get_major_formatter()(1e9) == "1 G"
    assert float(axes.yaxis.get_major_formatter()(0.75)) == 75


@pytest.mark.parametrize(
    ("known", "label"),
    [
        (0, "number of parameters"),
        (1, "number of parameters (accuracy is known of 1 of 3)"),
        (2, "number of parameters (accuracy is known of 2 of 3)"),
    ],
)
def test_where_an_accuracy_is_missing_parameters_are_drawn(known: int, label: str) -> None:
    rows = [*ROWS[:known], *(replace(row, accuracy=None) for row in ROWS[known:])]
    (axes,) = draw_comparison(rows, title="").axes
    assert axes.get_ylabel() == label
    assert axes.get_yscale() == "log"
    assert points(axes) == [[row.macs, row.num_parameters] for row in ROWS]


def test_an_accuracy_of_zero_is_one_that_is_known() -> None:
    (axes,) = draw_comparison([replace(ROWS[0], accuracy=0.0)], title="").axes
    assert points(axes) == [[ROWS[0].macs, 0.0]]


@settings(max_examples=5)
@given(st.lists(st.tuples(st.integers(400, 20_000), st.floats(0.5, 0.9)), min_size=1, max_size=10))
def test_the_drawn_labels_do_not_overlap(values: list[tuple[int, float]]) -> None:
    rows = [
        ComparisonRow(name=f"network-{i}", macs=macs * 10**6, num_parameters=1, accuracy=accuracy)
        for i, (macs, accuracy) in enumerate(values)
    ]
    figure = draw_comparison(rows, title="")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    extents = [Text.get_window_extent(text) for text in axes.texts]
    assert not any(a.overlaps(b) for a, b in combinations(extents, 2))


def boxes(most: int) -> st.SearchStrategy[list[tuple[tuple[float, float], Box]]]:
    point = st.tuples(st.floats(20, 380), st.floats(20, 280))
    size = st.builds(Box, st.just(0.0), st.just(0.0), st.floats(20, 80), st.just(12.0))
    return st.lists(st.tuples(point, size), min_size=1, max_size=most)


@given(boxes(8))
def test_boxes_are_clear_of_each_other_of_points_and_of_the_edge(
    drawn: list[tuple[tuple[float, float], Box]],
) -> None:
    middles, sizes = [point for point, _ in drawn], [size for _, size in drawn]
    placed = arrange(middles, sizes, AREA)
    assert [(box.width, box.height) for box in placed] == [(s.width, s.height) for s in sizes]
    dots = [Box(x, y, 2 * POINT, 2 * POINT) for x, y in middles]
    assert max((a.overlap(b) for a, b in combinations(placed, 2)), default=0) < 1e-4
    assert max(box.overlap(dot) for box in placed for dot in dots) < 1e-4
    assert min(box.overlap(AREA) - box.width * box.height for box in placed) > -1e-4


def test_boxes_overlap_by_the_area_they_share() -> None:
    box = Box(0.0, 0.0, 4.0, 2.0)
    assert box.overlap(box) == 8
    assert box.overlap(Box(0.0, 0.0, 1.0, 1.0)) == Box(0.0, 0.0, 1.0, 1.0).overlap(box) == 1
    assert box.overlap(Box(4.0, 0.0, 4.0, 2.0)) == box.overlap(Box(9.0, 9.0, 1.0, 1.0)) == 0


def test_the_same_comparison_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_figure(draw_comparison(ROWS, title="three"), tmp_path / name)
    for ending in ("png", "svg"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ConfigError, match="no network"):
        draw_comparison([], title="none")
    with pytest.raises(ConfigError, match="logarithmic"):
        replace(ROWS[0], macs=0)
    with pytest.raises(ConfigError, match="logarithmic"):
        replace(ROWS[0], num_parameters=0)
    with pytest.raises(ConfigError, match=r"in \[0, 1\]"):
        replace(ROWS[0], accuracy=87.5)
