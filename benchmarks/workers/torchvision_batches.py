"""Fashion-MNIST by torchvision in PyTorch's DataLoader, as several peers train on it.

What PyTorch's own first tutorial does: `datasets.FashionMNIST` with `ToTensor`, batches of 128,
shuffled for training. The number of worker processes is the one that is fastest on this machine.
The data are expected in `../data`.
"""

import time
from collections.abc import Callable
from typing import Any

BATCH_SIZE = 128
NUM_WORKERS = (0, 2, 4)  # 0 is PyTorch's default, 4 is d2l's


def data_sets() -> tuple[Any, Any]:
    """The training and the test images, read but not yet turned into numbers."""
    from torchvision import (  # pyright: ignore[reportMissingImports] - peers'
        datasets,
        transforms,
    )

    def read(train: bool) -> Any:
        return datasets.FashionMNIST("../data", train=train, transform=transforms.ToTensor())

    return read(True), read(False)


def batches(sets: tuple[Any, Any], num_workers: int) -> tuple[Any, Any]:
    """A loader of shuffled training batches, and one of test batches."""
    from torch.utils.data import DataLoader

    train, test = sets
    return (
        DataLoader(train, BATCH_SIZE, shuffle=True, num_workers=num_workers),
        DataLoader(test, BATCH_SIZE, num_workers=num_workers),
    )


def fastest(epoch: Callable[[int], object]) -> int:
    """With how many worker processes one epoch takes least time."""
    seconds: dict[int, float] = {}
    for num_workers in NUM_WORKERS:
        begun = time.perf_counter()
        epoch(num_workers)
        seconds[num_workers] = time.perf_counter() - begun
    return min(NUM_WORKERS, key=lambda number: seconds[number])
