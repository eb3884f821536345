"""LeNet in Keras 3 on PyTorch, an epoch per turn; runs in the peers' interpreter.

`fit` on NumPy arrays in memory with `validation_data`, as Keras' own examples do: pixels divided
by 255 beforehand, channels last (its default), labels as numbers. float32, no worker processes;
`verbose=0`, so no progress bar. Weights start by Glorot (Xavier), its default, and biases at 0.
The weights go on from turn to turn.

Source: https://keras.io/examples/vision/mnist_convnet/.
"""

import os
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.pipe import Message, serve

RAW = Path("../data/FashionMNIST/raw")


def prepare(_: Sequence[str]) -> tuple[Message, Callable[[Message], Message]]:
    """Import Keras, read the data and build the network, each timed."""
    os.environ["KERAS_BACKEND"] = "torch"
    os.environ["KERAS_TORCH_DEVICE"] = "cpu"
    os.environ["KERAS_HOME"] = str(Path.cwd())  # it writes its settings there
    started = time.perf_counter()
    import keras  # pyright: ignore[reportMissingImports] - peers'
    import torch

    imported = time.perf_counter()
    keras.utils.set_random_seed(0)
    x, y = _read("train")
    validation = _read("t10k")
    loaded = time.perf_counter()
    model = _lenet(keras)
    ready: Message = {
        "import_seconds": imported - started,
        "data_seconds": loaded - imported,
        "build_seconds": time.perf_counter() - loaded,
        "threads": torch.get_num_threads(),
        "loader_workers": 0,
        "versions": {name: version(name) for name in ("keras", "torch")},
    }

    def epoch(_: Message) -> Message:
        begun = time.perf_counter()
        history = model.fit(x, y, batch_size=128, epochs=1, validation_data=validation, verbose=0)
        seconds = time.perf_counter() - begun
        return {"seconds": seconds, "accuracy": float(history.history["val_accuracy"][-1])}

    return ready, epoch


def _read(part: str) -> tuple[Any, Any]:
    """Images as floats with a last axis for the channel, and labels."""
    import numpy as np

    images = np.frombuffer((RAW / f"{part}-images-idx3-ubyte").read_bytes(), np.uint8, offset=16)
    labels = np.frombuffer((RAW / f"{part}-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)
    return images.reshape(-1, 28, 28, 1).astype("float32") / 255, labels.astype("int64")


def _lenet(keras: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 5, padding="same", activation="sigmoid"),
            layers.AveragePooling2D(2, 2),
            layers.Conv2D(16, 5, activation="sigmoid"),
            layers.AveragePooling2D(2, 2),
            layers.Flatten(),
            layers.Dense(120, activation="sigmoid"),
            layers.Dense(84, activation="sigmoid"),
            layers.Dense(10),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


if __name__ == "__main__":
    serve(prepare)
