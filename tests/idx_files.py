"""IDX files made for tests: any array, and a small Fashion-MNIST that can be learned."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
NUM_TRAIN, NUM_TEST = 600, 100


def encode(array: npt.NDArray[Any]) -> bytes:
    """The array as an IDX file, by the format's description and not by the reader."""
    return header(array.dtype.str[1:], *array.shape) + array.astype(
        array.dtype.newbyteorder(">")
    ).tobytes("C")


def header(kind: str, *sizes: int) -> bytes:
    """The header of an array of `kind`, as in "u1", with these sizes."""
    return bytes([0, 0, CODES[kind], len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


def learnable(num_images: int, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Images and labels, as many of each class: a bright bar over noise, its place the class."""
    chance = np.random.default_rng(seed)
    labels = np.arange(num_images, dtype=np.uint8) % 10
    images = chance.integers(0, 60, (num_images, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 3 : 2 * label + 6, 4:24] += 150
    return images, labels


def write_small_fashion_mnist(folder: Path, *, zipped: bool = False) -> Path:
    """The four files in `folder`, 600 images to train on and 100 to test on; gives `folder`."""
    train_images, train_labels = learnable(NUM_TRAIN, seed=1)
    test_images, test_labels = learnable(NUM_TEST, seed=2)
    for name, array in (
        ("train-images-idx3-ubyte", train_images),
        ("train-labels-idx1-ubyte", train_labels),
        ("t10k-images-idx3-ubyte", test_images),
        ("t10k-labels-idx1-ubyte", test_labels),
    ):
        data = encode(array)
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data))
        else:
            (folder / name).write_bytes(data)
    return folder
