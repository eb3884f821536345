"""LeNet in fastai's Learner, an epoch per turn; runs in the peers' interpreter.

`Learner.fit` on tensors in memory, as chapter 4 of fastai's own book does: fastai's `DataLoader`
on a list of (image, label), no worker processes (its default), pixels divided by 255 beforehand.
float32 (its default), `SGD` at 0.1 without momentum or decay, the accuracy as a metric. The
progress bar and the table it prints are off. The weights go on from turn to turn.

Source: https://github.com/fastai/fastbook/blob/master/04_mnist_basics.ipynb.
"""

import os
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.pipe import Message, serve


def prepare(_: Sequence[str]) -> tuple[Message, Callable[[Message], Message]]:
    """Import fastai, read the data and build the network, each timed."""
    os.environ["FASTAI_HOME"] = str(Path.cwd())  # it writes its settings there
    started = time.perf_counter()
    import torch
    import torch.nn.functional as F  # noqa: N812 - the field's own name for it
    from fastai.vision import all as fastai  # pyright: ignore[reportMissingImports] - peers'

    from benchmarks.networks import lenet, xavier
    from benchmarks.workers.torchvision_batches import BATCH_SIZE, data_sets

    imported = time.perf_counter()
    fastai.default_device(False)  # the CPU
    torch.manual_seed(0)
    pairs = [
        list(zip(read.data[:, None].float() / 255, read.targets, strict=True))
        for read in data_sets()
    ]
    loaded = time.perf_counter()
    loaders = fastai.DataLoaders(
        fastai.DataLoader(pairs[0], batch_size=BATCH_SIZE, shuffle=True),
        fastai.DataLoader(pairs[1], batch_size=BATCH_SIZE),
    )
    learner = fastai.Learner(
        loaders,
        lenet().apply(xavier),
        loss_func=F.cross_entropy,
        opt_func=fastai.SGD,
        metrics=fastai.accuracy,
    )
    ready: Message = {
        "import_seconds": imported - started,
        "data_seconds": loaded - imported,
        "build_seconds": time.perf_counter() - loaded,
        "threads": torch.get_num_threads(),
        "loader_workers": 0,
        "versions": {name: version(name) for name in ("fastai", "torch")},
    }

    def epoch(_: Message) -> Message:
        with learner.no_bar(), learner.no_logging():
            begun = time.perf_counter()
            learner.fit(1, 0.1)
            seconds = time.perf_counter() - begun
        return {"seconds": seconds, "accuracy": float(learner.recorder.values[-1][-1])}

    return ready, epoch


if __name__ == "__main__":
    serve(prepare)
