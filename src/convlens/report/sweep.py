"""The picture of a learning-rate sweep."""

from matplotlib.figure import Figure

from convlens.report.figures import COLORS
from convlens.train.finder import Sweep


def draw_sweep(found: Sweep, *, title: str) -> Figure:
    """Loss by learning rate, each step and smoothed, with the suggestion marked."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(found.rates, found.losses, color=COLORS[0], alpha=0.35, label="loss of a step")
    axes.plot(found.rates, found.smoothed, color=COLORS[0], label="smoothed")
    axes.axvline(found.lowest, color=COLORS[1], linestyle="--", label=f"lowest: {found.lowest:.2g}")
    axes.axvline(found.suggestion, color=COLORS[2], label=f"a tenth of it: {found.suggestion:.2g}")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.5 * max(found.smoothed[0], min(found.smoothed)))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss (nats per image)")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
