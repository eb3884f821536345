"""The picture of a sweep is its numbers."""

import numpy as np

from convlens.report.sweep import draw_sweep
from convlens.train.finder import Sweep


def test_losses_are_drawn_by_rate_and_the_suggestion_is_marked() -> None:
    found = Sweep(rates=(0.1, 1.0, 10.0), losses=(3.0, 1.0, 4.0), smoothed=(3.0, 1.5, 2.0))
    (axes,) = draw_sweep(found, title="lenet").axes
    steps, smoothed, lowest, suggestion = axes.lines
    assert np.asarray(steps.get_xydata()).tolist() == [[0.1, 3], [1, 1], [10, 4]]
    assert np.asarray(smoothed.get_ydata()).tolist() == [3, 1.5, 2]
    assert np.asarray(lowest.get_xdata()).tolist() == [1, 1]
    assert np.asarray(suggestion.get_xdata()).tolist() == [0.1, 0.1]
    assert axes.get_xscale() == "log"
    assert axes.get_title() == "lenet"
