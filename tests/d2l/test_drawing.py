"""Images and curves in pyplot's figures."""

from collections.abc import Iterator

import pytest
import torch

from convlens import d2l
from convlens.d2l.drawing import array_of, notebook, plt


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    with plt.rc_context():
        yield
    plt.close("all")


def test_this_is_no_notebook_and_asking_for_svg_changes_nothing() -> None:
    assert notebook() is None
    d2l.use_svg_display()


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3), (2, 2)])
def test_images_of_any_grid_are_shown_with_their_titles(rows: int, columns: int) -> None:
    places = d2l.show_images(torch.rand(4, 5, 6), rows, columns, titles=["a", "b"])
    assert len(places) == rows * columns
    assert places[0].get_title() == "a"
    assert places[0].images[0].get_cmap().name == "gray"


def test_places_without_an_image_stay_empty_and_channels_come_last() -> None:
    places = d2l.show_images([torch.rand(3, 8, 9), torch.rand(1, 8, 9)], 1, 3)
    assert places[0].images[0].get_array().shape == (8, 9, 3)
    assert [len(place.images) for place in places] == [1, 1, 0]


def test_curves_are_drawn_over_one_x_or_each_over_its_own() -> None:
    x = torch.arange(0, 3, 0.1)
    d2l.plot(x, [x**2, 2 * x - 3], "x", "f(x)", legend=["f", "g"])
    axes = plt.gca()
    assert len(axes.lines) == 2 and axes.get_ylabel() == "f(x)"
    d2l.plot([x, x[:5]], [x, x[:5]], xlim=(0, 2), ylim=(0.1, 1), yscale="log")
    assert [len(line.get_xdata()) for line in axes.lines] == [30, 5]  # pyright: ignore
    d2l.plot([3.0, 1.0, 2.0])
    assert list(axes.lines[0].get_ydata()) == [3, 1, 2]  # pyright: ignore[reportArgumentType]


def test_figures_get_the_size_that_is_set() -> None:
    d2l.set_figsize((2, 3))
    assert plt.rcParams["figure.figsize"] == [2, 3]
    assert plt.figure().get_size_inches().tolist() == [2, 3]


def test_arrays_come_of_tensors_with_a_gradient_and_of_lists() -> None:
    assert array_of(torch.ones(2, requires_grad=True)).tolist() == [1, 1]
    assert array_of([1, 2]).tolist() == [1, 2]
