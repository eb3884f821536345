"""`convlens conv learn`: a kernel learned from what it should do."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from convlens.cli import options
from convlens.cli.console import print_json, say


def learn(
    seed: Annotated[
        int | None, typer.Option(help="Start at random, as a layer does.  [default: book's start]")
    ] = None,
    lr: Annotated[float, typer.Option(help="The learning rate.")] = 3e-2,
    epochs: Annotated[int, typer.Option(help="Steps of gradient descent.")] = 10,
    every: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs a line.  [default: ten lines in all]"),
    ] = None,
    png: Annotated[Path, typer.Option(help="Where loss and kernel are drawn.")] = Path("learn.png"),
    as_json: options.Json = False,
) -> None:
    """Learn the edge kernel (1, -1) from an image and its edges, by hand-derived gradients.

    \b
    Examples:
      convlens conv learn
      convlens conv learn --seed 3 --epochs 40
      convlens conv learn --lr 0.04 --json
    """
    import torch

    from convlens.ops.correlation import cross_correlation2d
    from convlens.ops.steps.learn import START, edge_image, learn_kernel, random_start
    from convlens.ops.steps.records import plain
    from convlens.report.figures import save_picture
    from convlens.report.learning import draw_learning

    x = edge_image()[None]
    truth = torch.tensor([[[1.0, -1.0]]])
    y = cross_correlation2d(x[None], truth[None])[0, 0]
    start = torch.tensor([[START]]) if seed is None else random_start(seed)
    every = every or max(1, math.ceil(epochs / 10))
    if not as_json:
        print(f"start: kernel {_row(start.tolist())}, lr {lr:g}, loss = sum of squared differences")
    steps: list[Any] = []
    for step in learn_kernel(x, y, start, lr=lr, num_epochs=epochs):
        steps.append(step)
        if step.epoch % every and step.epoch != epochs:
            continue
        if as_json:
            say(json.dumps(plain(step)))
            continue
        line = f"epoch {step.epoch:>{len(str(epochs))}}  loss {step.loss:.3f}"
        line += f"  kernel after the step {_row(step.kernel)}"
        print(line, flush=True)
    save_picture(draw_learning(steps, start=start[0, 0].tolist(), truth=truth[0, 0].tolist()), png)
    if as_json:
        content = {"start": start.tolist(), "truth": truth.tolist(), "lr": lr, "steps": steps}
        print_json({**plain(content), "png": str(png)})
        return
    print(f"kernel: {_row(steps[-1].kernel)}, where the image was made with (1, -1)")
    print(f"loss and kernel by epoch: {png}")
    print("next: convlens conv learn --seed 0 --epochs 40")


def _row(kernel: Any) -> str:
    return f"({', '.join(f'{entry:.4f}' for entry in kernel[0][0])})"
