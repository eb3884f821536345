"""ConvLens' batches, an epoch per turn and nothing trained, in a process as its command makes it.

All training images of Fashion-MNIST as bytes in memory: a gather per batch, scaled, and resized
to the size of each request by two matrix products.
"""

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

from benchmarks.pipe import Message, serve
from convlens.core.allocator import keep_buffers


def prepare(_: Sequence[str]) -> tuple[Message, Callable[[Message], Message]]:
    """Read the images."""
    keep_buffers()  # as the command starts, before torch is loaded
    from convlens.data.batches import Batches
    from convlens.data.catalog import load_data
    from convlens.data.config import DataConfig
    from convlens.data.transform import Prepare

    images = load_data(DataConfig()).train
    ready: Message = {"versions": {name: version(name) for name in ("convlens", "torch")}}

    def epoch(request: Message) -> Message:
        batches = Batches(
            images, request["batch_size"], Prepare(request["image_size"]), shuffle_seed=0
        )
        begun = time.perf_counter()
        num_images = sum(len(labels) for _, labels in batches.epoch())
        return {"seconds": time.perf_counter() - begun, "num_images": num_images}

    return ready, epoch


if __name__ == "__main__":
    serve(prepare)
