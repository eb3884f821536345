"""Training steps in ConvLens' own loop, some per turn, in a process as its command makes it.

`fit` with the recipe's settings, images as bytes in memory; its gather, scaling, resizing and its
records of the loss are part of a step, the validation is not.

Arguments: the name of the recipe, and settings of it. `start.pt` in the working folder holds the
first weights and the images.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version

from benchmarks.pipe import Message, serve
from convlens.core.allocator import keep_buffers


def prepare(arguments: Sequence[str]) -> tuple[Message, Callable[[Message], Message]]:
    """Build the recipe's network with the given weights."""
    kept = keep_buffers().kept  # as the command starts, before torch is loaded
    from convlens.data.batches import Batches
    from convlens.data.image_set import ImageSet
    from convlens.experiment.execute import preparation, training_batches
    from convlens.experiment.recipe import load_recipe
    from convlens.models.catalog import build
    from convlens.train.events import EpochFinished, Event, StepsFinished
    from convlens.train.loop import fit

    import torch  # isort: skip - ConvLens comes before torch, as in its own command

    recipe = load_recipe(arguments[0], arguments[1:])
    config, prepare_images = recipe.train, preparation(recipe.data)
    start = torch.load("start.pt", weights_only=True)
    model = build(recipe.model_name, recipe.model)
    with torch.no_grad():
        for parameter, weight in zip(model.parameters(), start["weights"], strict=True):
            parameter.copy_(weight)
    images = ImageSet(start["images"], start["labels"], tuple("0123456789"))
    shuffled = training_batches(images, config, prepare_images)
    few = Batches(images[:2], 2, prepare_images)  # fit wants a validation; its time is not counted

    def answer(request: Message) -> Message:
        losses: list[float] = []
        finished: list[EpochFinished] = []

        def listen(event: Event) -> None:
            if isinstance(event, StepsFinished):
                losses.append(event.loss)
            elif isinstance(event, EpochFinished):
                finished.append(event)

        if num_checked := request.get("check", 0):  # the first steps, the images in order
            torch.manual_seed(0)
            first = images[: num_checked * config.batch_size]
            in_order = Batches(first, config.batch_size, prepare_images)
            fit(model, in_order, few, replace(config, log_every=1), listeners=[listen])
            return {"losses": losses}
        fit(model, shuffled, few, config, listeners=[listen])
        return {"milliseconds": finished[-1].seconds / len(shuffled) * 1e3}

    versions = {name: version(name) for name in ("convlens", "torch")}
    return {"versions": versions, "keeps_buffers": kept}, answer


if __name__ == "__main__":
    serve(prepare)
