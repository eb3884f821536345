"""Residual block against Inception: what each costs, learns, and can be.

Source: d2l 8.6, exercise 1; He et al. (2015), https://arxiv.org/abs/1512.03385, section 3.1;
Szegedy et al. (2014), https://arxiv.org/abs/1409.4842, Figure 2.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from convlens.course.studies.training import PREPARE, Effort, Trained, load, train
from convlens.course.study import Claim, Finding, Setup, Study
from convlens.data.image_set import DataSet
from convlens.inspection.trace import LayerRecord, trace
from convlens.models.googlenet import BLOCKS as INCEPTIONS
from convlens.models.googlenet import InceptionBlock
from convlens.models.resnet import ResidualBlock
from convlens.nn.residual import zero_last_norms
from convlens.train.evaluate import evaluating

CHANNELS, SIDE = 192, 12  # what Inception's first block is given in the book
WIDTHS = INCEPTIONS["stage2"]["3a"]
QUICK, FULL = Effort(5_120, epochs=2, num_test_images=5_000), Effort(60_000, epochs=2)
NUM_BLOCKS, NARROW = 8, 16  # of the networks that are trained: blocks, and their channels
CLEAR = 0.02  # of two accuracies on thousands of images: more than chance explains

Block = Callable[[int], nn.Module]  # of the channels, which it keeps


def residual(channels: int) -> nn.Module:
    """A residual block that keeps the shape."""
    return ResidualBlock(channels, channels)


def plain(channels: int) -> nn.Module:
    """The same layers without the addition of their input."""
    return nn.Sequential(ResidualBlock(channels, channels).residual, nn.ReLU())


def parallel(channels: int) -> nn.Module:
    """An Inception block that keeps the shape, with branches in 3a's proportions, normed."""
    eighth = channels // 8
    widths = (2 * eighth, (3 * eighth, 4 * eighth), (max(1, eighth // 2), eighth), eighth)
    return InceptionBlock(channels, widths, wide_kernel=5)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What the two blocks were seen to do."""

    joined: bool  # Inception gives the channels of its branches, one after the other
    summed: bool  # the residual block gives relu(f(x) + shortcut(x))
    changed: float  # greatest change of x by a silenced residual block
    left: float  # greatest output of an Inception block whose weights are zero
    deeper: bool  # one more silent block changes no answer of a trained network


def network(block: Block) -> nn.Sequential:
    """`head(body(stem(x)))` for images of 28 pixels, with a body of such blocks on 7 x 7."""
    stem = nn.Sequential(
        nn.Conv2d(1, NARROW, 5, stride=4, padding=2), nn.BatchNorm2d(NARROW), nn.ReLU()
    )
    body = nn.Sequential(*(block(NARROW) for _ in range(NUM_BLOCKS)))
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(NARROW, 10))
    return nn.Sequential(OrderedDict(stem=stem, body=body, head=head))


def blocks(
    setup: Setup,
    *,
    silence: Callable[[nn.Module], None] = zero_last_norms,
    added: Block = residual,
    effort: Effort | None = None,
) -> Finding:
    """Both blocks counted, silenced, and trained in stacks of eight.

    `silence` turns off what a residual block adds: its last norm's gamma is set to zero.
    """
    data = load(setup)
    effort = effort or (QUICK if setup.quick else FULL)
    trained = {
        name: train(lambda block=block: network(block), data, effort, setup.seed)
        for name, block in (("residual", added), ("plain", plain), ("Inception", parallel))
    }
    with torch.no_grad():
        inception = InceptionBlock(CHANNELS, WIDTHS, wide_kernel=5, batch_norm=False)
        wide = ResidualBlock(CHANNELS, inception.out_channels, bias=True, shortcut_norm=False)
        x = torch.rand(2, CHANNELS, SIDE, SIDE)
        costs = {"Inception": trace(inception, x[:1]).whole, "residual": trace(wide, x[:1]).whole}
        branches = (inception.branch1, inception.branch2, inception.branch3, inception.branch4)
        joined = torch.equal(inception(x), torch.cat([branch(x) for branch in branches], 1))
        summed = _adds(wide, x)
        silent = ResidualBlock(CHANNELS, CHANNELS)
        silence(silent)
        changed = float((silent.train()(x) - x).abs().max())
        left = _at_zero(inception, x)
    deeper = _deepened(trained["residual"].model, data, silence)
    seen = Seen(joined=joined, summed=summed, changed=changed, left=left, deeper=deeper)
    return _finding(costs, trained, seen)


def _adds(block: ResidualBlock, x: Tensor) -> bool:
    """Whether its output is relu(f(x) + shortcut(x)), with its batch norm at rest."""
    block.eval()
    return torch.equal(block(x), torch.relu(block.residual(x) + block.shortcut(x)))


def _at_zero(block: nn.Module, x: Tensor) -> float:
    """The greatest output once all weights and biases are zero."""
    for parameter in block.parameters():
        parameter.zero_()
    return float(block(x).abs().max())


def _deepened(model: nn.Module, data: DataSet, silence: Callable[[nn.Module], None]) -> bool:
    """Whether one more silent block changes no answer of the trained network."""
    more = ResidualBlock(NARROW, NARROW)
    silence(more)
    stem, body, head = (model.get_submodule(part) for part in ("stem", "body", "head"))
    deeper = nn.Sequential(stem, body, more.to(next(model.parameters()).device), head)
    x = PREPARE(data.test.images[:1_000]).to(next(model.parameters()).device)
    with evaluating(model), evaluating(deeper):
        return torch.equal(deeper(x), model(x))


def _without_narrowing() -> int:
    """MACs of an Inception block whose large windows look at all channels."""
    width1, (_, width2), (_, width3), width4 = WIDTHS
    taps = ((width1, 1), (width2, 3), (width3, 5), (width4, 1))  # channels out, kernel size
    with torch.device("meta"):
        x = torch.zeros(1, CHANNELS, SIDE, SIDE)
        layers = [nn.Conv2d(CHANNELS, width, k, padding=k // 2) for width, k in taps]
    return sum(trace(layer, x).whole.macs for layer in layers)


def _finding(costs: dict[str, LayerRecord], trained: dict[str, Trained], seen: Seen) -> Finding:
    inception, wide = costs["Inception"], costs["residual"]
    weights, macs = wide.num_parameters / inception.num_parameters, wide.macs / inception.macs
    accuracy = {name: each.test.accuracy for name, each in trained.items()}
    return Finding(
        numbers={
            **{f"parameters, {name} block": cost.num_parameters for name, cost in costs.items()},
            **{f"MACs, {name} block": cost.macs for name, cost in costs.items()},
            "MACs, Inception block without its 1x1 convolutions": _without_narrowing(),
            "change of x by a silenced residual block": seen.changed,
            "greatest output of a silenced Inception block": seen.left,
            **{
                f"test accuracy of {NUM_BLOCKS} blocks, {name}": share
                for name, share in accuracy.items()
            },
        },
        text=f"From {CHANNELS} to {inception.outputs[0][1]} channels the residual block has "
        f"{weights:.1f} times the parameters and {macs:.1f} times the MACs of Inception. Silenced, "
        f"it changes x by {seen.changed:g}; Inception then gives {seen.left:g} everywhere. "
        f"{NUM_BLOCKS} narrow blocks get "
        f"{accuracy['residual']:.1%} of the test images right if residual, "
        f"{accuracy['plain']:.1%} without the addition, {accuracy['Inception']:.1%} if Inception.",
        claims=_claims(costs, accuracy, seen),
        ran=f"three networks of {NUM_BLOCKS} blocks of {NARROW} channels, each "
        f"{trained['residual'].ran}; one seed",
        seconds={f"training, {name}": each.seconds for name, each in trained.items()},
    )


def _claims(
    costs: dict[str, LayerRecord], accuracy: dict[str, float], seen: Seen
) -> tuple[Claim, ...]:
    narrow, wide = costs["Inception"], costs["residual"]
    return (
        Claim("said", "Inception joins the channels of parallel branches", seen.joined),
        Claim("said", "a residual block adds its input to its output", seen.summed),
        Claim(
            "said",
            "the addition makes a deep network more accurate (by 0.02 or more)",
            accuracy["residual"] - accuracy["plain"] > CLEAR,
        ),
        Claim(
            "said",
            "more than as many Inception blocks of the same channels do (by 0.02 or more)",
            accuracy["residual"] - accuracy["Inception"] > CLEAR,
        ),
        Claim(
            "missed",
            "Inception is cheaper",
            narrow.macs < wide.macs and narrow.num_parameters < wide.num_parameters,
        ),
        Claim(
            "besides",
            "its 1x1 convolutions before the large windows save half or more",
            _without_narrowing() > 2 * narrow.macs,
        ),
        Claim("missed", "a residual block can be the identity", seen.changed == 0),
        Claim("missed", "so a deeper network contains the shallower", seen.deeper),
        Claim("missed", "Inception without its weights is no identity", seen.left == 0),
    )


BLOCKS = Study(
    name="8.6-blocks",
    section="8.6",
    exercise="1",
    question="How do an Inception block and a residual block differ, in work, in accuracy and in "
    "the functions that they can be?",
    notebook="Inception joins parallel branches along the channels, a residual block adds its "
    "input; that makes deep networks more accurate.",
    answer="Join against add is right. For the same channels Inception is the cheaper, as 1x1 "
    "convolutions narrow what its large windows see. A residual block is x + g(x), so with g = 0 "
    "it is the identity and a deeper network contains the shallower one; Inception has no such "
    "path. Deep stacks of few channels learn faster with the addition; how accurate whole "
    "networks get in the end also depends on their size.",
    experiment=blocks,
)
