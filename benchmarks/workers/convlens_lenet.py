"""ConvLens' recipe `lenet`, an epoch per turn.

What `convlens train lenet` does between reading the data and writing files: `fit` with the
recipe's settings on the CPU, one epoch and its validation on the test images. The weights go on
from turn to turn, and each turn shuffles anew.
"""

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version

from benchmarks.pipe import Message, serve
from convlens.core.allocator import keep_buffers


def prepare(_: Sequence[str]) -> tuple[Message, Callable[[Message], Message]]:
    """Import ConvLens, read the data and build the network, each timed."""
    started = time.perf_counter()
    keep_buffers()  # as the command starts, before torch is loaded
    # Timed, and ConvLens comes before torch, as in its own command.
    from convlens.core.seed import derive, reproducible
    from convlens.data.batches import Batches
    from convlens.data.catalog import load_data, split
    from convlens.experiment import execute
    from convlens.experiment.recipe import load_recipe
    from convlens.models.catalog import build
    from convlens.train.events import Evaluated, Event
    from convlens.train.loop import fit

    imported = time.perf_counter()
    recipe = load_recipe("lenet", ["train.epochs=1", "train.device=cpu"])
    splits = split(load_data(recipe.data), recipe.data.validation)
    loaded = time.perf_counter()
    with reproducible(derive(recipe.train.seed, 0)):
        model = build(recipe.model_name, recipe.model)
    pixels_to_numbers = execute.preparation(recipe.data)
    validation = Batches(splits.validation, execute.EVALUATION_BATCH, pixels_to_numbers)
    ready: Message = {
        "import_seconds": imported - started,
        "data_seconds": loaded - imported,
        "build_seconds": time.perf_counter() - loaded,
        "threads": _num_threads(),
        "loader_workers": 0,
        "versions": {name: version(name) for name in ("convlens", "torch")},
    }
    turns = 0

    def epoch(_: Message) -> Message:
        nonlocal turns
        seed = derive(recipe.train.seed, 1, turns)
        train = Batches(splits.train, recipe.train.batch_size, pixels_to_numbers, shuffle_seed=seed)
        turns += 1
        accuracies: list[float] = []

        def listen(event: Event) -> None:
            if isinstance(event, Evaluated):
                accuracies.append(event.accuracy)

        begun = time.perf_counter()
        fit(model, train, validation, recipe.train, listeners=[listen])
        return {"seconds": time.perf_counter() - begun, "accuracy": accuracies[-1]}

    return ready, epoch


def _num_threads() -> int:
    import torch

    return torch.get_num_threads()


if __name__ == "__main__":
    serve(prepare)
