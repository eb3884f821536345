"""LeNet in Lightning's Trainer, an epoch per turn; runs in the peers' interpreter.

A LightningModule as its introduction writes one: the losses and the accuracy are logged by
`self.log`. torchvision's data set in a DataLoader, with the number of worker processes that was
fastest in a trial epoch of each before the first turn. float32 (its default), on the CPU. What is
no training is off, though it is on by default: the progress bar, the summary, the logger, the
checkpoints and the sanity check. The weights go on from turn to turn, each in a new Trainer.

Source: https://lightning.ai/docs/pytorch/stable/starter/introduction.html.
"""

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from benchmarks.pipe import Message, serve


def prepare(_: Sequence[str]) -> tuple[Message, Callable[[Message], Message]]:
    """Import Lightning, read the data and build the module, each timed."""
    started = time.perf_counter()
    import lightning  # pyright: ignore[reportMissingImports] - peers'
    import torch

    from benchmarks.workers.torchvision_batches import batches, data_sets, fastest

    imported = time.perf_counter()
    torch.manual_seed(0)
    sets = data_sets()
    loaded = time.perf_counter()
    model = _module(lightning)
    built = time.perf_counter()

    def trainer() -> Any:
        return lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )

    num_workers = fastest(lambda n: trainer().fit(_module(lightning), *batches(sets, n)))
    ready: Message = {
        "import_seconds": imported - started,
        "data_seconds": loaded - imported,
        "build_seconds": built - loaded,
        "threads": torch.get_num_threads(),
        "loader_workers": num_workers,
        "versions": {name: version(name) for name in ("lightning", "torch", "torchvision")},
    }

    def epoch(_: Message) -> Message:
        once, loaders = trainer(), batches(sets, num_workers)
        begun = time.perf_counter()
        once.fit(model, *loaders)
        seconds = time.perf_counter() - begun
        return {"seconds": seconds, "accuracy": float(once.callback_metrics["val_acc"])}

    return ready, epoch


def _module(lightning: Any) -> Any:
    """The network with its loss and its optimiser."""
    import torch
    import torch.nn.functional as F  # noqa: N812 - the field's own name for it

    from benchmarks.networks import lenet, xavier

    class LitLeNet(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = lenet().apply(xavier)

        def training_step(self, batch: Any, _: int) -> Any:
            x, y = batch
            loss = F.cross_entropy(self.net(x), y)
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch: Any, _: int) -> None:
            x, y = batch
            logits = self.net(x)
            self.log("val_loss", F.cross_entropy(logits, y))
            self.log("val_acc", (logits.argmax(1) == y).float().mean())

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    return LitLeNet()


if __name__ == "__main__":
    serve(prepare)
