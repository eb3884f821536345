"""d2l's own LeNet in d2l's own Trainer, an epoch per turn; runs in the peers' interpreter.

Source: d2l 7.6, https://d2l.ai/chapter_convolutional-neural-networks/lenet.html: its calls, on
the CPU, and with `max_epochs=1` so that each turn is one epoch. The weights go on from turn to
turn. The data are expected in `../data`, where d2l looks.

Arguments: "drawing", to draw the curves as d2l does by default, or "no-drawing".
"""

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

from benchmarks.pipe import Message, serve


def prepare(arguments: Sequence[str]) -> tuple[Message, Callable[[Message], Message]]:
    """Import d2l, read the data and build the network, each timed."""
    drawing = {"drawing": True, "no-drawing": False}[arguments[0]]
    started = time.perf_counter()
    import torch
    from d2l import torch as d2l  # pyright: ignore[reportMissingImports] - peers'

    imported = time.perf_counter()
    torch.manual_seed(0)
    data = d2l.FashionMNIST(batch_size=128)
    loaded = time.perf_counter()
    model = d2l.LeNet(lr=0.1)
    model.apply_init([next(iter(data.get_dataloader(True)))[0]], d2l.init_cnn)
    ready: Message = {
        "import_seconds": imported - started,
        "data_seconds": loaded - imported,
        "build_seconds": time.perf_counter() - loaded,
        "threads": torch.get_num_threads(),
        "loader_workers": data.num_workers,
        "versions": {name: version(name) for name in ("d2l", "torch", "torchvision")},
    }

    def epoch(_: Message) -> Message:
        d2l.plt.close("all")
        model.board = d2l.ProgressBoard(display=drawing)  # an empty one, as a new model has
        trainer = d2l.Trainer(max_epochs=1)
        begun = time.perf_counter()
        trainer.fit(model, data)
        seconds = time.perf_counter() - begun
        return {"seconds": seconds, "accuracy": float(model.board.data["val_acc"][-1].y)}

    return ready, epoch


if __name__ == "__main__":
    serve(prepare)
