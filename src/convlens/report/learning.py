"""Learning: the loss and the kernel of a gradient descent, epoch by epoch."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from convlens.ops.steps.learn import LearningStep
from convlens.report.figures import COLORS


def draw_learning(
    steps: Sequence[LearningStep], *, start: Sequence[float], truth: Sequence[float]
) -> Figure:
    """The loss before each step, and each entry of a row kernel with what it should become."""
    epochs = [step.epoch for step in steps]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    loss, entries = figure.subplots(1, 2)
    losses = [step.loss for step in steps]
    loss.plot(epochs, losses, color=COLORS[0], marker="o" if len(steps) <= 30 else None)
    if min(losses) > 0:
        loss.set_yscale("log")
    loss.set_title(f"loss, last {losses[-1]:.3f}")
    loss.set_ylabel("sum of squared differences")
    after = [list(start), *(step.kernel[0][0] for step in steps)]
    for index, wanted in enumerate(truth):
        color = COLORS[index % len(COLORS)]
        values = [kernel[index] for kernel in after]
        label = f"entry {index}, last {values[-1]:.4f}"
        marker = "o" if len(steps) <= 30 else None
        entries.plot([0, *epochs], values, color=color, marker=marker, label=label)
        entries.axhline(wanted, color=color, linestyle=":", label=f"wanted: {wanted:g}")
    entries.set_title("kernel after each step")
    entries.legend()
    for axes in (loss, entries):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    return figure
