"""LeNet in a plain PyTorch loop, an epoch per turn; runs in the peers' interpreter.

The loop of PyTorch's own first tutorial: zero the gradients, forward, backward, step; then the
test images under `no_grad`. torchvision's data set in a DataLoader, with the number of worker
processes that was fastest in a trial epoch of each before the first turn. float32, contiguous
tensors, no progress shown. The weights go on from turn to turn.

Source: https://docs.pytorch.org/tutorials/beginner/basics/quickstart_tutorial.html.
"""

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

from benchmarks.pipe import Message, serve


def prepare(_: Sequence[str]) -> tuple[Message, Callable[[Message], Message]]:
    """Import torch and torchvision, read the data and build the network, each timed."""
    started = time.perf_counter()
    import torch
    import torchvision  # pyright: ignore[reportMissingImports] - peers'
    from torch import nn

    from benchmarks.networks import lenet, xavier
    from benchmarks.workers.torchvision_batches import batches, data_sets, fastest

    imported = time.perf_counter()
    torch.manual_seed(0)
    sets = data_sets()
    loaded = time.perf_counter()

    def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
        model = lenet().apply(xavier)
        return model, torch.optim.SGD(model.parameters(), lr=0.1)

    def train_and_test(
        model: nn.Module, optimizer: torch.optim.Optimizer, num_workers: int
    ) -> float:
        train, test = batches(sets, num_workers)
        loss_function = nn.CrossEntropyLoss()
        model.train()
        for x, y in train:
            optimizer.zero_grad()
            loss = loss_function(model(x), y)
            loss.backward()
            optimizer.step()
        model.eval()
        num_correct = 0
        with torch.no_grad():
            for x, y in test:
                num_correct += int((model(x).argmax(1) == y).sum())
        return num_correct / len(sets[1])

    model, optimizer = fresh()
    built = time.perf_counter()
    num_workers = fastest(lambda number: train_and_test(*fresh(), number))
    ready: Message = {
        "import_seconds": imported - started,
        "data_seconds": loaded - imported,
        "build_seconds": built - loaded,
        "threads": torch.get_num_threads(),
        "loader_workers": num_workers,
        "versions": {"torch": version("torch"), "torchvision": torchvision.__version__},
    }

    def epoch(_: Message) -> Message:
        begun = time.perf_counter()
        accuracy = train_and_test(model, optimizer, num_workers)
        return {"seconds": time.perf_counter() - begun, "accuracy": accuracy}

    return ready, epoch


if __name__ == "__main__":
    serve(prepare)
