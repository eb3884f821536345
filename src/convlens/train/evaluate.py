"""What a model makes of images it is not trained on: logits, and exact averages of them."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from jaxtyping import Int64
from torch import Tensor, nn

from convlens.core.shapes import Labels, Logits
from convlens.data.batches import Batches, share
from convlens.train.parallel.world import ALONE, World


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Averages over images, not over batches."""

    loss: float  # mean cross-entropy, natural logarithm
    num_correct: int
    num_images: int
    seconds: float
    confusion: Int64[Tensor, "true predicted"] = field(compare=False, repr=False)  # images

    @property
    def accuracy(self) -> float:
        """The share of images whose largest logit is the right one, in [0, 1]."""
        return self.num_correct / self.num_images


@contextmanager
def evaluating(model: nn.Module) -> Generator[None]:
    """Inside, `model` is in evaluation mode and builds no graph; then each part as before."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for part, training in modes:
            part.training = training


def predict_logits(model: nn.Module, batches: Batches, world: World = ALONE) -> Logits:
    """The logits of every image, in the order of the batches; bfloat16 becomes float32.

    Several processes take a share of the batches each, and all get all logits: to the bit those
    that one process would.
    """
    mine = share(range(len(batches)), world.rank, world.size)
    with evaluating(model):
        own = [model(x) for x, _ in batches.epoch(start=mine.start, stop=mine.stop)]
    logits = torch.cat(own) if world.alone else _together(own, mine.start, batches, world)
    return logits.float() if logits.dtype == torch.bfloat16 else logits


def _together(own: list[Logits], first: int, batches: Batches, world: World) -> Logits:
    """The logits of all processes; `own` are this one's, from the batch `first` on."""
    device = batches.data.images.device
    logits = torch.zeros(len(batches.data), len(batches.data.class_names), device=device)
    if own:
        start = first * batches.batch_size
        here = torch.cat(own)
        logits[start : start + len(here)] = here
    return world.sum(logits)  # all others hold 0 there


def evaluate(model: nn.Module, batches: Batches, world: World = ALONE) -> Evaluation:
    """Loss and accuracy of `model` over all images of `batches`, which must be in order."""
    started = time.perf_counter()
    assert batches.shuffle_seed is None, "labels are taken in order"
    return measure(
        predict_logits(model, batches, world), batches.data.labels, time.perf_counter() - started
    )


def measure(logits: Logits, labels: Labels, seconds: float = 0.0) -> Evaluation:
    """Loss and accuracy of these logits; summed in float64, so that order cannot matter."""
    return Evaluation(
        loss=F.cross_entropy(logits.cpu().double(), labels.cpu()).item(),
        num_correct=int((logits.argmax(1) == labels).sum()),
        num_images=len(labels),
        seconds=seconds,
        confusion=confusion(logits, labels),
    )


def confusion(logits: Logits, labels: Labels) -> Int64[Tensor, "true predicted"]:
    """How many images of the class of the row were taken for the class of the column.

    >>> confusion(torch.tensor([[2.0, 1.0], [0.0, 3.0], [1.0, 2.0]]), torch.tensor([0, 0, 1]))
    tensor([[1, 1],
            [0, 1]])
    """
    num_classes = logits.shape[1]
    pairs = labels.cpu() * num_classes + logits.argmax(1).cpu()
    return pairs.bincount(minlength=num_classes**2).view(num_classes, num_classes)
