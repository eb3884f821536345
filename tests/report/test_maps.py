"""Maps show every number, as many panels as there are maps."""

import pytest
import torch

from convlens.core.errors import ConfigError
from convlens.report.maps import LARGEST, draw_maps


def test_every_number_stands_in_its_cell() -> None:
    figure = draw_maps([("X", torch.tensor([[1.0, 0.0], [-2.5, 3.0]]))])
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "0", "-2.5", "3"]
    assert figure.axes[0].get_title() == "X"


def test_maps_of_any_number_have_a_panel_each_and_the_rest_is_empty() -> None:
    figure = draw_maps([(str(index), torch.zeros(2, 3)) for index in range(5)], columns=3)
    assert [axes.axison for axes in figure.axes] == [True] * 5 + [False]
    assert draw_maps([("zeros", torch.zeros(1, 1))]).axes[0].images


def test_plus_and_minus_of_one_size_lie_as_far_from_the_middle() -> None:
    (image,) = draw_maps([("X", torch.tensor([[4.0, -2.0]]))]).axes[0].images
    low, high = image.get_clim()
    assert low == -high
    assert high > 4


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(ConfigError, match="no map"):
        draw_maps([])
    with pytest.raises(ConfigError, match="13x1 numbers cannot be read"):
        draw_maps([("tall", torch.zeros(LARGEST + 1, 1))])
