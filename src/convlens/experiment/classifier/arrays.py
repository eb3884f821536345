"""Arrays and lists of a notebook as images and labels; which part of them is held out."""

from collections.abc import Hashable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

from convlens.core.errors import ConfigError, DataError, ShapeError
from convlens.core.shapes import Labels, Pixels

_CHANNELS = (1, 3)  # grey or colour
_SHAPES = "(n, h, w), (n, h, w, c) or (n, c, h, w), where c is 1 or 3 and h equals w"


def pixels_of(images: Any) -> Pixels:
    """The images as bytes, channels first.

    Whole numbers are taken for pixels of 0 to 255, others for shares of 0 to 1, which are rounded
    to bytes.

    >>> pixels_of(np.array([[[0.0, 1.0], [0.5, 0.2]]])).tolist()
    [[[[0, 255], [128, 51]]]]

    Raises:
        ShapeError: they have another shape, or are not square.
        DataError: there are none, or a value is out of range.
    """
    array = images.detach().cpu().numpy() if isinstance(images, Tensor) else np.asarray(images)
    if array.dtype == object or array.dtype.kind not in "uif":
        raise DataError(f"images are arrays of numbers, not of {array.dtype}")
    if not array.size:
        raise DataError("there are no images")
    return torch.from_numpy(_bytes(_channels_first(array)))


def plain_labels(labels: Any) -> list[Hashable]:
    """The labels of an array, a tensor or a list as Python's own values.

    Raises:
        ShapeError: they are not in one dimension.
    """
    plain: list[Hashable] = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    if any(isinstance(label, list | np.ndarray) for label in plain):
        raise ShapeError("labels are one for each image, in one dimension", fix="try y.ravel()")
    return [label.item() if isinstance(label, np.generic | Tensor) else label for label in plain]


def classes_of(labels: Any) -> NDArray[Any]:
    """The different labels, in order if they have one, else as they come.

    >>> classes_of(["cat", "ant", "cat"]).tolist()
    ['ant', 'cat']

    Raises:
        ShapeError: they are not in one dimension.
        DataError: there are fewer than two.
    """
    found: list[Any] = list(dict.fromkeys(plain_labels(labels)))
    if len(found) < 2:
        raise DataError(f"a classifier needs at least two classes, and found {len(found)}")
    with suppress(TypeError):
        found.sort()
    kind = type(found[0])
    if issubclass(kind, str | int | float) and all(type(label) is kind for label in found):
        return np.array(found, dtype=labels.dtype if isinstance(labels, np.ndarray) else None)
    classes = np.empty(len(found), dtype=object)
    classes[:] = found
    return classes


def numbered(labels: Sequence[Hashable], classes: NDArray[Any]) -> Labels:
    """The place of each label among the classes.

    Raises:
        DataError: one is no class.
    """
    places = {label: place for place, label in enumerate(classes.tolist())}
    unknown = [label for label in labels if label not in places]
    if unknown:
        raise DataError(f"label {unknown[0]!r} is none of the classes that were learned")
    return torch.tensor([places[label] for label in labels])


def held_out(labels: Labels, wanted: int | float, seed: int) -> Bool[Tensor, "n"]:
    """True for `wanted` images, a count or a share, of each class as near its share as can be.

    >>> held_out(torch.tensor([0, 0, 1, 1, 1, 1]), 0.5, seed=0).sum()
    tensor(3)

    Raises:
        ConfigError: none would be left to train on, or to validate on.
    """
    count = round(wanted * len(labels)) if isinstance(wanted, float) else wanted
    if not 0 < count < len(labels) or (isinstance(wanted, float) and wanted >= 1):
        raise ConfigError(
            f"validation: {wanted} of {len(labels):,} images leaves none on one side",
            fix="give a count, or a share such as 0.1",
        )
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    order = order[labels[order].argsort(stable=True)]  # class by class, each shuffled
    every = (torch.arange(count, dtype=torch.float64) + 0.5) * len(labels) / count
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    chosen[order[every.long()]] = True
    return chosen


def _channels_first(array: NDArray[Any]) -> NDArray[Any]:
    shape = array.shape
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and not (shape[1] in _CHANNELS and shape[2] == shape[3]):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim == 4 and array.shape[1] in _CHANNELS and array.shape[2] == array.shape[3]:
        return array
    raise ShapeError(f"images are arrays of shape {_SHAPES}, not {shape}", fix=_remedy(shape))


def _remedy(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        side = round((shape[1]) ** 0.5)
        if side * side == shape[1]:
            return f"if each row is an image: X.reshape(-1, {side}, {side})"
    if len(shape) in (3, 4):
        return "cut a square out of each image, or pad it to one"
    return ""


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    whole = array.dtype.kind in "ui"
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= (255 if whole else 1)):  # so that NaN is refused too
        kind, limit = ("whole numbers", 255) if whole else ("floats", 1)
        raise DataError(
            f"pixels that are {kind} go from 0 to {limit}; these go from {low} to {high}",
            fix="divide by the largest that a pixel can be, so that they go from 0.0 to 1.0",
        )
    scaled = array if whole else np.rint(array.astype(np.float64) * 255)
    return np.ascontiguousarray(scaled, dtype=np.uint8)
