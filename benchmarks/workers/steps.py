"""Steps of a recipe in a fresh process, in the layout that is asked for; one line of JSON.

`python -m benchmarks.workers.steps RECIPE LAYOUT NUM_STEPS [BATCH_SIZE]`. Whether large buffers
are kept is the environment's to say, as for the command line: CONVLENS_KEEP_BUFFERS.
"""

import json
import resource
import statistics
import sys
import time

from convlens.core.allocator import keep_buffers


def main(recipe_name: str, layout: str, num_steps: str, batch_size: str) -> None:
    """Take the steps, after two that are not timed, and print time, faults, memory."""
    keep_buffers()  # before torch is loaded
    import torch

    from convlens.core.seed import reproducible
    from convlens.data.catalog import load_data
    from convlens.experiment.execute import preparation, training_batches
    from convlens.experiment.recipe import load_recipe
    from convlens.models.catalog import build
    from convlens.train.machine.denormals import flushing_denormals
    from convlens.train.task import Classification

    settings = ["train.device=cpu", f"train.channels_last={layout}"]
    recipe = load_recipe(recipe_name, [*settings, f"train.batch_size={batch_size}"])
    count = (int(num_steps) + 2) * recipe.train.batch_size
    images = load_data(recipe.data).train[:count]
    batches = training_batches(images, recipe.train, preparation(recipe.data))
    with reproducible(0), flushing_denormals():
        task = Classification(
            build(recipe.model_name, recipe.model), batches, batches, recipe.train
        )
        times: list[float] = []
        faults: list[int] = []  # of pages, since the process started
        began = time.perf_counter()
        for step, batch in enumerate(task.epoch(1), start=1):
            task.learning_rate(1, step)
            task.gradient(batch)
            with torch.no_grad():
                task.optimizer.step()
            times.append(time.perf_counter() - began)
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
            began = time.perf_counter()
    found = {
        "milliseconds": 1e3 * statistics.median(times[2:]),
        "faults": (faults[-1] - faults[1]) / (len(faults) - 2),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
