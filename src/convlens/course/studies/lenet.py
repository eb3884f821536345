"""LeNet: what ReLU and max-pooling gain, and what a trained network says of noise.

Source: d2l 7.6, exercises 1 and 5; Hein, Andriushchenko and Bitterwolf (2019),
https://arxiv.org/abs/1812.05641 (ReLU networks are sure of themselves far from the data).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from jaxtyping import Float
from torch import Tensor, nn

from convlens.core.shapes import Batch, Logits
from convlens.course.studies.training import PREPARE, Effort, load, train
from convlens.course.study import Claim, Finding, Number, Setup, Study
from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like
from convlens.models.catalog import build, configure
from convlens.train.evaluate import evaluating

BOOK, CHANGED = "lenet", "lenet-modern"  # of the catalog
QUICK, FULL = Effort(12_800, epochs=4), Effort(60_000, epochs=10)
NUM_IMAGES = 1_000  # of each kind that a trained network is shown


def make(name: str) -> nn.Module:
    """The catalog's network, its weights drawn as the book draws them."""
    return build(name, configure(name, {"init": "xavier"}))


def modern(setup: Setup, *, changed: str = CHANGED, effort: Effort | None = None) -> Finding:
    """Both networks trained the same way from the same seed; accuracy on the test images."""
    effort = effort or (QUICK if setup.quick else FULL)
    data = load(setup)
    book, new = (train(lambda name=name: make(name), data, effort, setup.seed)
                 for name in (BOOK, changed))  # fmt: skip
    costs = [trace(each.model, inputs_like(each.model, 1, 1, 28, 28)).whole for each in (book, new)]
    before, after = book.test.accuracy, new.test.accuracy
    return Finding(
        numbers={
            "test accuracy, sigmoid and average": before,
            "test accuracy, ReLU and maximum": after,
            "gain": after - before,
            "test loss, sigmoid and average": book.test.loss,
            "test loss, ReLU and maximum": new.test.loss,
            "parameters, sigmoid and average": costs[0].num_parameters,
            "parameters, ReLU and maximum": costs[1].num_parameters,
            "MACs, sigmoid and average": costs[0].macs,
            "MACs, ReLU and maximum": costs[1].macs,
        },
        text=f"After {effort.epochs} epochs {after:.1%} of the test images are right with ReLU and "
        f"max-pooling, {before:.1%} with sigmoid and average pooling." + _caveat(effort),
        claims=(
            Claim(
                "said",
                "ReLU and max-pooling make it far better (by 0.05 or more)",
                after - before > 0.05,
            ),
            Claim(
                "besides",
                "with as many parameters",
                costs[0].num_parameters == costs[1].num_parameters,
            ),
            Claim("besides", "and as many MACs", costs[0].macs == costs[1].macs),
        ),
        ran=f"two networks, each {new.ran}; one seed",
        seconds={"training, sigmoid and average": book.seconds,
                 "training, ReLU and maximum": new.seconds},
    )  # fmt: skip


def _caveat(effort: Effort) -> str:
    if effort.epochs >= FULL.epochs and effort.num_images >= FULL.num_images:
        return ""
    return (
        " That is a short training: the sigmoid network is slow to start, and in the book's ten"
        " epochs of 60,000 images it makes up for part of the difference."
    )


MODERN = Study(
    name="7.6-modern",
    section="7.6",
    exercise="1",
    question="What do max-pooling and ReLU change in LeNet, in place of average pooling and "
    "sigmoid?",
    notebook="It trains much better; seen in a curve, no number given.",
    answer="The accuracy rises by far, at the same number of parameters and MACs. Sigmoids hardly "
    "pass a gradient back at first: that network learns almost nothing in its first epochs.",
    experiment=modern,
)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What a network makes of a set of images; activations by layer, in their order."""

    top_class: str  # the class that most images are put in
    top_share: float  # of the images that are put there
    confidence: float  # mean of the greatest softmax probability
    means: Mapping[str, Float[Tensor, " _"]]  # of each number of a layer, over the images
    likeness: Mapping[str, float]  # of the activations of two different images, mean cosine


def respond(model: nn.Module, x: Batch, class_names: tuple[str, ...]) -> Response:
    """The answers and activations of a network with the parts stem, body and head."""
    activations, logits = _activations(model, x)
    probabilities = logits.softmax(1)
    counts = probabilities.argmax(1).bincount(minlength=len(class_names))
    return Response(
        top_class=class_names[int(counts.argmax())],
        top_share=float(counts.max()) / len(x),
        confidence=float(probabilities.amax(1).mean()),
        means={name: features.mean(0) for name, features in activations.items()},
        likeness={name: likeness(features) for name, features in activations.items()},
    )


def _activations(model: nn.Module, x: Batch) -> tuple[dict[str, Float[Tensor, "n _"]], Logits]:
    """Of the stem, of the body, of each activation in the head; and the logits."""
    with evaluating(model):
        stem = model.get_submodule("stem")(x)
        y = model.get_submodule("body")(stem)
        found = {"stem": stem.flatten(1), "body": y.flatten(1)}
        for name, layer in model.get_submodule("head").named_children():
            y = layer(y)
            if isinstance(layer, nn.ReLU):
                found[f"head.{name}"] = y
    return found, y


def likeness(features: Float[Tensor, "n features"]) -> float:
    """The mean cosine between two of the rows, over all pairs; 0 if there is one row only.

    >>> likeness(torch.tensor([[1.0, 0.0], [2.0, 0.0]])), likeness(torch.eye(3))
    (1.0, 0.0)
    """
    rows = F.normalize(features, dim=1)
    pairs = len(rows) * (len(rows) - 1)
    alone = rows.square().sum()
    return float((rows.sum(0).square().sum() - alone) / pairs) if pairs else 0.0


def strange_images() -> dict[str, Float[Tensor, "_ 1 28 28"]]:
    """Images that show nothing: uniform noise in 0..1, standard normal noise, and black."""
    shape = (NUM_IMAGES, 1, 28, 28)
    return {
        "uniform noise": torch.rand(shape),
        "normal noise": torch.randn(shape),
        "black": torch.zeros(1, 1, 28, 28),
    }


def noise(setup: Setup, *, model: nn.Module | None = None, effort: Effort | None = None) -> Finding:
    """Test images, noise and black in a trained ReLU LeNet, or in `model`."""
    data, ran, seconds = load(setup), "nothing was trained here", {}
    if model is None:
        effort = effort or (QUICK if setup.quick else FULL)
        trained = train(lambda: make(CHANGED), data, effort, setup.seed)
        model, seconds = trained.model, {"training": trained.seconds}
        ran = f"{CHANGED}, {trained.ran}: {trained.test.accuracy:.1%} right"
    device = next(model.parameters()).device
    images = {"test images": PREPARE(data.test.images[:NUM_IMAGES]), **strange_images()}
    names = data.train.class_names
    found = {kind: respond(model, x.to(device), names) for kind, x in images.items()}
    test = found.pop("test images")
    told = (
        f"{100 * response.top_share:.0f} % of {kind} is called {response.top_class!r}, mean "
        f"confidence {response.confidence:.2f}"
        for kind, response in found.items()
    )
    return Finding(
        numbers=_noise_numbers(test, found),
        text=f"{'; '.join(told)} (test images {test.confidence:.2f}, chance {1 / len(names):.2f}).",
        claims=_noise_claims(test, found, chance=1 / len(names)),
        ran=ran,
        seconds=seconds,
    )


def _noise_numbers(test: Response, found: Mapping[str, Response]) -> dict[str, Number]:
    numbers: dict[str, Number] = {}
    for kind, r in (("test images", test), *found.items()):
        numbers[f"{kind}: most frequent class"] = r.top_class
        numbers[f"{kind}: its share"] = r.top_share
        numbers[f"{kind}: mean confidence"] = r.confidence
        for layer, mean in r.means.items():
            numbers[f"{kind}: mean activation, {layer}"] = float(mean.mean())
            if r is not test:
                numbers[f"{kind}: distance from test images, {layer}"] = _distance(r, test, layer)
            if kind != "black":
                numbers[f"{kind}: likeness of two, {layer}"] = r.likeness[layer]
    return numbers


def _distance(one: Response, test: Response, layer: str) -> float:
    """Between the mean activations, in lengths of the test images'."""
    length = float(test.means[layer].norm())
    return float((one.means[layer] - test.means[layer]).norm()) / length if length else 0.0


def _noise_claims(
    test: Response, found: Mapping[str, Response], *, chance: float
) -> tuple[Claim, ...]:
    uniform, normal = found["uniform noise"], found["normal noise"]
    both, last = (uniform, normal), list(test.means)[-1]
    usual = test.means[last]
    shrunk = float((uniform.means[last] < usual / 2).float().mean())
    grown = float((normal.means[last] > usual * 2).float().mean())
    return (
        Claim(
            "said",
            "deep activations of strange images are far from those of usual ones (by 0.3 or more)",
            all(_distance(r, test, last) > 0.3 for r in found.values()),
        ),
        Claim(
            "mistaken",
            "noise has no structure in any layer: two of it are less alike than two test images",
            all(r.likeness[name] <= test.likeness[name] for r in both for name in test.means),
        ),
        Claim(
            "mistaken",
            "nor have the answers: no class gets twice its share",
            all(r.top_share < 2 * chance for r in both),
        ),
        Claim(
            "missed",
            "of the last hidden numbers a quarter or more shrinks to less than half in uniform "
            "noise, a tenth or more doubles in normal noise",
            shrunk > 0.25 and grown > 0.1,
        ),
        Claim(
            "missed",
            "softmax must choose: one class gets three times its share or more",
            all(r.top_share > 3 * chance for r in both),
        ),
        Claim(
            "missed",
            "the network is far surer of noise than chance (twice or more)",
            all(r.confidence > 2 * chance for r in both),
        ),
    )


NOISE = Study(
    name="7.6-noise",
    section="7.6",
    exercise="5",
    question="What do the activations and answers of a trained LeNet become when the image shows "
    "nothing that it knows, such as noise?",
    notebook="Strange images change the deep activations and so the scores; noise gives random "
    "activations without structure and answers that cannot be trusted.",
    answer="The activations do change: in uniform noise most shrink, in normal noise many grow. "
    "But they are far from random: deep layers find two images of noise more alike than two "
    "pictures, softmax must choose, and one class gets most of one kind of noise, with much more "
    "confidence than chance. That is worse than a random answer, as it does not look like one.",
    experiment=noise,
)
