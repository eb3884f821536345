"""The same LeNet through `convlens.d2l`, the book's names over ConvLens, an epoch per turn.

The calls are those of `d2l_lenet.py`, with the import line changed. The weights go on from turn to
turn.
"""

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

from benchmarks.pipe import Message, serve


def prepare(_: Sequence[str]) -> tuple[Message, Callable[[Message], Message]]:
    """Import the names, read the data and build the network, each timed."""
    started = time.perf_counter()
    from convlens.d2l import torch as d2l

    imported = time.perf_counter()
    d2l.torch.manual_seed(0)
    data = d2l.FashionMNIST(batch_size=128)
    loaded = time.perf_counter()
    model = d2l.LeNet(lr=0.1)
    model.apply_init([next(iter(data.get_dataloader(True)))[0]], d2l.init_cnn)
    model.board.display = False
    ready: Message = {
        "import_seconds": imported - started,
        "data_seconds": loaded - imported,
        "build_seconds": time.perf_counter() - loaded,
        "threads": d2l.torch.get_num_threads(),
        "loader_workers": 0,
        "versions": {name: version(name) for name in ("convlens", "torch")},
    }

    def epoch(_: Message) -> Message:
        trainer = d2l.Trainer(max_epochs=1, quiet=True)
        begun = time.perf_counter()
        history = trainer.fit(model, data)
        seconds = time.perf_counter() - begun
        accuracy = history.val_accuracy[-1]
        assert accuracy is not None
        return {"seconds": seconds, "accuracy": accuracy}

    return ready, epoch


if __name__ == "__main__":
    serve(prepare)
