"""What is drawn is what was learned."""

import numpy as np

from convlens.ops.steps.learn import LearningStep
from convlens.report.learning import draw_learning

STEPS = [
    LearningStep(1, 4.0, (((1.0, 1.0),),), (((0.5, -0.25),),)),
    LearningStep(2, 1.0, (((1.0, 1.0),),), (((1.0, -0.75),),)),
]


def test_the_curves_are_the_steps() -> None:
    loss, kernel = draw_learning(STEPS, start=[0.0, 0.0], truth=[1.0, -1.0]).axes
    assert np.asarray(loss.lines[0].get_xydata()).tolist() == [[1, 4], [2, 1]]
    assert loss.get_yscale() == "log"
    first, wanted, second, _ = kernel.lines
    assert np.asarray(first.get_xydata()).tolist() == [[0, 0], [1, 0.5], [2, 1]]
    assert np.asarray(second.get_xydata()).tolist() == [[0, 0], [1, -0.25], [2, -0.75]]
    assert wanted.get_ydata() == [1, 1]
    assert "-0.7500" in str(second.get_label())


def test_a_loss_of_zero_is_drawn_on_a_plain_axis() -> None:
    done = [LearningStep(1, 0.0, (((0.0,),),), (((1.0,),),))]
    assert draw_learning(done, start=[1.0], truth=[1.0]).axes[0].get_yscale() == "linear"
