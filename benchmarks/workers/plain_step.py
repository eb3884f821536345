"""Training steps in a plain PyTorch loop, some per turn, in a process that is left as it is.

What a careful user writes without looking at memory layouts or allocators: `torch.nn`, contiguous
(NCHW) tensors, all images ready as floats of the network's size in memory, a shuffled index per
batch, `torch.optim.SGD`. Nothing of ConvLens is imported.

Argument: the name of the network. `start.pt` in the working folder holds its first weights, the
images and the settings.
"""

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

from benchmarks.pipe import Message, serve


def prepare(arguments: Sequence[str]) -> tuple[Message, Callable[[Message], Message]]:
    """Build the network with the given weights, and resize the images."""
    import torch
    import torch.nn.functional as F  # noqa: N812 - the field's own name for it
    from torch import Tensor

    from benchmarks.networks import NETWORKS

    start = torch.load("start.pt", weights_only=True)
    model, batch_size = NETWORKS[arguments[0]](), start["batch_size"]
    with torch.no_grad():
        for parameter, weight in zip(model.parameters(), start["weights"], strict=True):
            assert parameter.shape == weight.shape
            parameter.copy_(weight)
    optimizer = torch.optim.SGD(model.parameters(), **start["sgd"])
    mean, std = (torch.tensor(start[name])[:, None, None] for name in ("mean", "std"))
    x_all, y_all = (start["images"].float() / 255 - mean) / std, start["labels"]
    if (size := start["image_size"]) != x_all.shape[2]:
        x_all = F.interpolate(x_all, size=(size, size), mode="bilinear")

    def step(chosen: Tensor) -> Tensor:
        loss = F.cross_entropy(model(x_all[chosen]), y_all[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    def answer(request: Message) -> Message:
        model.train()
        if num_checked := request.get("check", 0):  # the first steps, the images in order
            torch.manual_seed(0)
            in_order = torch.arange(len(y_all)).split(batch_size)[:num_checked]
            return {"losses": [step(chosen).item() for chosen in in_order]}
        batches = torch.randperm(len(y_all)).split(batch_size)
        begun = time.perf_counter()
        for chosen in batches:
            step(chosen)
        return {"milliseconds": (time.perf_counter() - begun) / len(batches) * 1e3}

    return {"versions": {"torch": version("torch")}, "keeps_buffers": False}, answer


if __name__ == "__main__":
    serve(prepare)
