"""A recipe as an estimator: `Classifier("lenet-modern", epochs=3).fit(X, y).predict(X)`.

It has the methods that scikit-learn asks for, so `clone`, `cross_val_score`, `GridSearchCV` and
`Pipeline` work with it; it does not need scikit-learn.

Source: scikit-learn's conventions, https://scikit-learn.org/stable/developers/develop.html.
"""

import importlib
import json
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convlens.core.errors import ConvLensError, RunError, ShapeError
from convlens.core.seed import derive
from convlens.core.shapes import Logits, Pixels
from convlens.data.catalog import split
from convlens.data.image_set import DataSet, ImageSet
from convlens.experiment.classifier.arrays import (
    classes_of,
    held_out,
    numbered,
    pixels_of,
    plain_labels,
)
from convlens.experiment.classifier.history import Epoch, History
from convlens.experiment.classifier.settings import (
    check_names,
    class_names,
    of_table,
    plain,
    resolved,
)
from convlens.experiment.execute import (
    evaluation_batches,
    initial_chance,
    preparation,
    training_batches,
)
from convlens.experiment.recipe import Recipe
from convlens.models.catalog import build
from convlens.runs.checkpoint import load_weights, save_weights
from convlens.runs.seal import read_sealed
from convlens.train.evaluate import predict_logits
from convlens.train.loop import fit
from convlens.train.optim import choose_device

_VERSION = 1  # of what `save` writes
_HOLD_OUT = 3  # what the seed is used for, beside `experiment/execute.py`
_OWN = ("recipe", "validation", "verbose")  # parameters that are no settings of the recipe


@final
class Classifier:
    """A network that learns arrays of images by a recipe.

    After `fit` it has `classes_`, `model_` (the network), `recipe_` (every setting that was used)
    and `history_` (the numbers of each epoch).

    Args:
        recipe: a shipped recipe's name, or the path of a .toml file; its data are not used.
        validation: how many of the images, or which share of them, are held out and watched.
            None: as the recipes do, the last tenth of each class, or 5,000 of 50,000 and more.
        verbose: print a line for each epoch.
        settings: of the recipe, as in `lr=0.1`, `model__activation="relu"`.
    """

    _estimator_type = "classifier"  # for scikit-learn before 1.6
    classes_: NDArray[Any]
    model_: nn.Module
    recipe_: Recipe
    history_: list[Epoch]

    def __init__(
        self,
        recipe: str = "lenet-modern",
        *,
        validation: int | float | None = None,
        verbose: bool = False,
        **settings: Any,
    ) -> None:
        check_names(recipe, settings)
        self.recipe, self.validation, self.verbose = recipe, validation, verbose
        self.settings = settings

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value!r}" for name, value in self.settings.items())
        return f"Classifier({self.recipe!r}{settings})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags: Any = importlib.import_module("sklearn.utils")
        return tags.Tags(
            estimator_type="classifier",
            target_tags=tags.TargetTags(required=True),
            classifier_tags=tags.ClassifierTags(),
            input_tags=tags.InputTags(two_d_array=False, three_d_array=True),
        )

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All that the constructor was given."""
        del deep  # there are no estimators inside
        return {**{name: getattr(self, name) for name in _OWN}, **self.settings}

    def set_params(self, **params: Any) -> "Classifier":
        """Replace parameters, or add settings; the next `fit` goes by them.

        Raises:
            UnknownName, ConfigError: no such recipe or setting.
        """
        wanted = {**self.get_params(), **params}
        settings = {name: value for name, value in wanted.items() if name not in _OWN}
        check_names(wanted["recipe"], settings)
        self.recipe, self.validation, self.verbose = (wanted[name] for name in _OWN)
        self.settings = settings
        return self

    def fit(
        self,
        X: Any,  # noqa: N803 - scikit-learn's name
        y: Any,
        *,
        validation: tuple[Any, Any] | None = None,
    ) -> "Classifier":
        """Learn `y`, a label for each image of `X`, from weights that the seed decides.

        Args:
            validation: images and labels to watch, instead of some of `X`.

        Raises:
            ShapeError, DataError: images or labels that cannot be used.
            UnknownName, ConfigError: settings that make no sense.
            Diverged: the loss is no longer finite.
        """
        classes = classes_of(y)
        images = _labelled(pixels_of(X), y, classes)
        recipe = resolved(self.recipe, self.settings, images)
        if validation is None:
            train, watched = self._split(images, recipe.train.seed)
        else:
            pixels = _of_shape(pixels_of(validation[0]), images.images.shape[1:])
            train, watched = images, _labelled(pixels, validation[1], classes)
        history = History(verbose=self.verbose)
        for note in recipe.notes:
            history.say(note)
        device = choose_device(recipe.train.device)
        prepare, train = preparation(recipe.data), train.to(device)
        with initial_chance(recipe):
            model = build(recipe.model_name, recipe.model).to(device)
            fit(
                model,
                training_batches(train, recipe.train, prepare, recipe.augment),
                evaluation_batches(watched.to(device), recipe.data),
                recipe.train,
                listeners=[history],
            )
        self.model_, self.recipe_, self.classes_ = model.eval(), recipe, classes
        self.history_, self._shape = history.epochs, images.images.shape[1:]
        return self

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803 - scikit-learn's name
        """The most probable label of each image.

        Raises:
            ShapeError, DataError: images that are not like those that were learned.
            ConvLensError: nothing was learned yet.
        """
        places = self._logits(X).argmax(1).cpu().numpy()
        return self.classes_[places]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803 - scikit-learn's name
        """The probability of each of `classes_` for each image; a row sums to 1.

        Raises:
            ShapeError, DataError: images that are not like those that were learned.
            ConvLensError: nothing was learned yet.
        """
        return self._logits(X).double().softmax(1).cpu().numpy()

    def score(self, X: Any, y: Any) -> float:  # noqa: N803 - scikit-learn's name
        """The share of images whose label is predicted, in [0, 1].

        Raises:
            ShapeError, DataError: images that are not like those that were learned.
            ConvLensError: nothing was learned yet.
        """
        predicted, labels = self.predict(X).tolist(), plain_labels(y)
        _check_lengths(len(predicted), len(labels))
        return sum(map(_equal, predicted, labels)) / len(labels)

    def save(self, path: str | Path) -> None:
        """Write network, classes and settings into one safetensors file, which holds no code.

        Raises:
            RunError: the file cannot be written, or a label or parameter is no JSON value.
            ConvLensError: nothing was learned yet.
        """
        self._check_fitted()
        about = {
            "classifier": _VERSION,
            "parameters": {name: plain(value) for name, value in self.get_params().items()},
            "name": self.recipe_.name,
            "recipe": self.recipe_.to_table(),
            "classes": self.classes_.tolist(),
            "dtype": self.classes_.dtype.str,
            "shape": list(self._shape),
            "history": self.history_,
        }
        try:
            same = json.loads(json.dumps(about["classes"])) == about["classes"]
            json.dumps(about)
        except TypeError as error:
            raise RunError(f"{path}: cannot say the classifier in JSON: {error}") from None
        if not same:
            raise RunError(f"{path}: labels to be saved are text, numbers or truth values")
        try:
            save_weights(Path(path), self.model_, about)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RunError(f"{path}: cannot be written: {reason}") from None

    @classmethod
    def load(cls, path: str | Path) -> "Classifier":
        """The classifier that `save` wrote; no code is run.

        Raises:
            RunError: no such file, a damaged one, or no classifier in it.
        """
        path = Path(path)
        try:
            about = read_sealed(path)[1]
        except FileNotFoundError:
            raise RunError(f"{path}: no such file") from None
        if about.get("classifier") != _VERSION:
            raise RunError(f"{path}: not a classifier that this version of ConvLens saved")
        found = cls()
        parameters = about["parameters"]
        found.recipe, found.validation, found.verbose = (parameters.pop(name) for name in _OWN)
        found.settings = parameters
        found.recipe_ = of_table(about["name"], about["recipe"])
        with torch.random.fork_rng():  # building draws initial weights that are replaced at once
            model = build(found.recipe_.model_name, found.recipe_.model)
        load_weights(path, model)
        if found.recipe_.train.channels_last:  # as it was trained, or the last bits differ
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        found.model_ = model.to(choose_device(found.recipe_.train.device)).eval()
        found.classes_ = np.empty(len(about["classes"]), dtype=about["dtype"])
        found.classes_[:] = about["classes"]
        found.history_, found._shape = about["history"], torch.Size(about["shape"])
        return found

    def _split(self, images: ImageSet, seed: int) -> tuple[ImageSet, ImageSet]:
        """What is trained on, and what is held out."""
        if self.validation is None:
            parts = split(DataSet(images, images[:0], ()), "held-out")
            return parts.train, parts.validation
        chosen = held_out(images.labels, plain(self.validation), derive(seed, _HOLD_OUT))
        return _chosen(images, ~chosen), _chosen(images, chosen)

    def _logits(self, images: Any) -> Logits:
        self._check_fitted()
        pixels = _of_shape(pixels_of(images), self._shape)
        names, device = self.recipe_.data.classes or (), next(self.model_.parameters()).device
        unlabelled = ImageSet(pixels, torch.zeros(len(pixels), dtype=torch.int64), names)
        return predict_logits(
            self.model_, evaluation_batches(unlabelled.to(device), self.recipe_.data)
        )

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise ConvLensError("this classifier has learned nothing yet", fix="call fit(X, y)")


def _labelled(pixels: Pixels, labels: Any, classes: NDArray[Any]) -> ImageSet:
    given = plain_labels(labels)
    _check_lengths(len(pixels), len(given))
    return ImageSet(pixels, numbered(given, classes), class_names(classes))


def _check_lengths(num_images: int, num_labels: int) -> None:
    if num_images != num_labels:
        raise ShapeError(f"{num_images:,} images but {num_labels:,} labels")


def _of_shape(pixels: Pixels, shape: torch.Size) -> Pixels:
    if pixels.shape[1:] != shape:
        here, there = ("x".join(map(str, size)) for size in (pixels.shape[1:], shape))
        raise ShapeError(f"the images are {here}, but those that were learned {there}")
    return pixels


def _chosen(images: ImageSet, chosen: torch.Tensor) -> ImageSet:
    return ImageSet(images.images[chosen], images.labels[chosen], images.class_names)


def _equal(one: object, other: object) -> bool:
    return one == other
