"""VGG against AlexNet: parameters, MACs, memory, and the layers that a summary seems to lose.

Source: d2l 8.2, exercises 1a and 2; Simonyan and Zisserman (2014),
https://arxiv.org/abs/1409.1556, Tables 1 and 2.
"""

from dataclasses import dataclass

import torch
from torch import nn

from convlens.course.study import Claim, Finding, Setup, Study
from convlens.inspection.summary import CONVOLUTIONS, summarize
from convlens.inspection.trace import trace
from convlens.inspection.training.memory import training_memory
from convlens.inspection.watch import inputs_like
from convlens.models.catalog import build, configure, num_parameters

SIDE = 224  # height and width of the images, pixels
BATCH = 128  # images in a step of training, as the notebook has it


@dataclass(frozen=True, slots=True)
class Sizes:
    """What one network has, does for an image, and holds in a step of training."""

    num_parameters: int
    conv_parameters: int
    linear_parameters: int
    macs: int
    conv_macs: int
    memory_bytes: int  # for a batch of images, by SGD without momentum


def sizes(name: str) -> Sizes:
    """The sizes of the catalog's model `name` for grey images of 224 pixels and 10 classes."""
    settings = {"in_channels": 1, "num_classes": 10, "image_size": SIDE}
    with torch.device("meta"):  # shapes without numbers
        model = build(name, configure(name, settings))
    traced = trace(model, inputs_like(model, 1, 1, SIDE, SIDE))
    kinds = summarize(traced, model, depth=0).parameters_by_kind
    images = inputs_like(model, BATCH, 1, SIDE, SIDE)
    return Sizes(
        num_parameters=num_parameters(model),
        conv_parameters=kinds["convolution"],
        linear_parameters=kinds["linear"],
        macs=traced.whole.macs,
        conv_macs=sum(leaf.macs for leaf in traced.leaves if isinstance(leaf.module, CONVOLUTIONS)),
        memory_bytes=training_memory(model, images, optimizer_slots=0).total_bytes,
    )


def parameters(
    setup: Setup, *, small: str = "alexnet-d2l", large: str = "vgg11-d2l",
    other: str = "resnet18-d2l",
) -> Finding:  # fmt: skip
    """AlexNet and VGG-11 of the book, counted; `other` tells parameters from computation."""
    del setup
    slim = "vgg11-slim"
    found = {name: sizes(name) for name in (small, large, slim, other)}
    with torch.device("meta"):
        alexnet, vgg16 = (num_parameters(build(name, configure(name, {})))
                          for name in ("alexnet", "vgg16"))  # fmt: skip
    a, v, s, r = (found[name] for name in (small, large, slim, other))
    times, macs_times = v.num_parameters / a.num_parameters, v.macs / a.macs
    return Finding(
        numbers={
            **{
                f"{name}: {what}": number
                for name, size in found.items()
                for what, number in (
                    ("parameters", size.num_parameters),
                    ("parameters in convolutions", size.conv_parameters),
                    ("parameters in linear layers", size.linear_parameters),
                    ("MACs", size.macs),
                    ("MACs in convolutions", size.conv_macs),
                    (f"MB in a step of {BATCH} images", round(size.memory_bytes / 1e6)),
                )
            },
            "alexnet for ImageNet: parameters": alexnet,
            "vgg16 for ImageNet: parameters": vgg16,
        },
        text=f"{large} has {times:.1f} times the parameters of {small} "
        f"({v.num_parameters:,} and {a.num_parameters:,}) but {macs_times:.1f} times its MACs "
        f"({v.macs / 1e9:.2f} G and {a.macs / 1e9:.2f} G). {other} has fewer parameters than "
        f"{small} ({r.num_parameters:,}), {r.macs / a.macs:.1f} times its MACs and "
        f"{r.memory_bytes / a.memory_bytes:.1f} times its memory in training; {slim} has fewer "
        f"parameters ({s.num_parameters:,}) and MACs than {small}.",
        claims=_claims(a, v, s, r, alexnet=alexnet, vgg16=vgg16),
    )


def _claims(
    a: Sizes, v: Sizes, slim: Sizes, r: Sizes, *, alexnet: int, vgg16: int
) -> tuple[Claim, ...]:
    """Of AlexNet, VGG and two more networks, and of two networks' parameters on ImageNet."""
    return (
        Claim(
            "said",
            "on ImageNet AlexNet has about 60 and VGG-16 about 138 million",
            abs(alexnet - 60e6) < 2e6 and abs(vgg16 - 138e6) < 1e6,
        ),
        Claim("said", "VGG has far more parameters", v.num_parameters > 2 * a.num_parameters),
        Claim(
            "said",
            "VGG takes more computation and more memory",
            v.macs > a.macs and v.memory_bytes > a.memory_bytes,
        ),
        Claim(
            "mistaken",
            "that is so because more parameters are more computation",
            (r.num_parameters > a.num_parameters) == (r.macs > a.macs),
        ),
        Claim(
            "mistaken",
            "and more memory",
            (r.num_parameters > a.num_parameters) == (r.memory_bytes > a.memory_bytes),
        ),
        Claim(
            "missed",
            "in both, linear layers hold most parameters and convolutions do most of the work",
            all(
                2 * each.linear_parameters > each.num_parameters and 2 * each.conv_macs > each.macs
                for each in (a, v)
            ),
        ),
        Claim(
            "missed",
            "from AlexNet to VGG the work grows more than twice as much as the parameters",
            v.macs / a.macs > 2 * v.num_parameters / a.num_parameters,
        ),
        Claim(
            "besides",
            "the slim VGG that the notebook trained has fewer parameters than AlexNet",
            slim.num_parameters < a.num_parameters,
        ),
    )


PARAMETERS = Study(
    name="8.2-parameters",
    section="8.2",
    exercise="1a",
    question="How many parameters do AlexNet and VGG have, and is that why VGG is slower and needs "
    "more memory?",
    notebook="About 60 million and, for VGG-16, 138 million; more parameters mean more work and "
    "memory, so VGG is slower.",
    answer="Those numbers are for ImageNet and are not the section's networks, whose VGG-11 has "
    "less than three times AlexNet's parameters and eight times its MACs. Nearly all parameters "
    "are in the linear layers, nearly all work is in the convolutions: one does not follow from "
    "the other, as ResNet-18 shows with fewer parameters than AlexNet, more MACs and more memory.",
    experiment=parameters,
)


def layers(setup: Setup, *, name: str = "vgg11-d2l") -> Finding:
    """Layers with weights, part by part of what a summary shows."""
    del setup
    with torch.device("meta"):
        model = build(name, configure(name, {}))
    traced = trace(model, inputs_like(model, 1, 1, SIDE, SIDE))
    summary = summarize(traced, model)
    parts = [part for part in summary.parts if part.weight_layers]
    convolutions, linear = (summary.layers_by_kind[kind] for kind in ("convolution", "linear"))
    linear_names = {path.rpartition(".")[2] for path, part in model.named_modules()
                    if isinstance(part, nn.Linear)}  # fmt: skip
    shown_linear = sum(part.name in linear_names for part in parts)
    hidden = sum(part.weight_layers - 1 for part in parts)
    doubled = [part for part in parts if part.weight_layers == 2 and part.name not in linear_names]
    return Finding(
        numbers={
            "layers with weights": summary.weight_layers,
            "convolutions": convolutions,
            "linear layers": linear,
            "parts with weights": len(parts),
            "linear layers shown as parts": shown_linear,
            "layers beyond the first in their part": hidden,
            **{f"layers in {part.name}": part.weight_layers for part in parts},
        },
        text=f"{summary.weight_layers} layers with weights ({convolutions} convolutions, "
        f"{linear} linear) are shown as {len(parts)} parts: {hidden} are inside a part that "
        f"already has one, and {shown_linear} of the {linear} linear layers are parts themselves.",
        claims=(
            Claim(
                "mistaken", "the linear layers are left out of the display", shown_linear < linear
            ),
            Claim(
                "missed",
                "three layers are the second convolutions of three blocks",
                hidden == len(doubled) == 3,
            ),
            Claim(
                "besides",
                "eight parts hold all eleven",
                len(parts) == 8 and len(parts) + hidden == summary.weight_layers == 11,
            ),
        ),
    )


LAYERS = Study(
    name="8.2-layers",
    section="8.2",
    exercise="2",
    question="VGG-11 prints eight parts with weights, but has eleven layers: where are the other "
    "three?",
    notebook="They are the linear layers, which the display leaves out.",
    answer="The three linear layers are printed. A block of two convolutions is printed as one "
    "part, and there are three such blocks: the other three layers are their second convolutions.",
    experiment=layers,
)
