"""torchvision's data set in PyTorch's DataLoader, an epoch per turn; in the peers' interpreter.

The data set, transforms and loader of `d2l.FashionMNIST`, with the size and the number of
worker processes of each request. The data are expected in `../data`.
"""

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

from benchmarks.pipe import Message, serve


def prepare(_: Sequence[str]) -> tuple[Message, Callable[[Message], Message]]:
    """Import torchvision and read the data."""
    import torch
    from torchvision import (  # pyright: ignore[reportMissingImports] - peers'
        datasets,
        transforms,
    )

    data = datasets.FashionMNIST("../data", train=True)
    ready: Message = {"versions": {name: version(name) for name in ("torch", "torchvision")}}

    def epoch(request: Message) -> Message:
        size = request["image_size"]
        data.transform = transforms.Compose(
            [transforms.Resize((size, size)), transforms.ToTensor()]
        )
        loader = torch.utils.data.DataLoader(
            data, request["batch_size"], shuffle=True, num_workers=request["workers"]
        )
        begun = time.perf_counter()
        num_images = sum(len(labels) for _, labels in loader)
        return {"seconds": time.perf_counter() - begun, "num_images": num_images}

    return ready, epoch


if __name__ == "__main__":
    serve(prepare)
