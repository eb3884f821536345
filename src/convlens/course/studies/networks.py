"""Sections 8.2 and 8.6: large networks, counted.

Source: d2l 8.2, exercises 1 and 2; d2l 8.6, exercise 1.
"""

import torch
from torch import nn

from convlens.course.study import Finding, Setup, Study
from convlens.inspection.summary import Summary, summarize
from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like
from convlens.models.catalog import MODELS, build
from convlens.models.googlenet import InceptionBlock
from convlens.models.resnet import ResidualBlock
from convlens.nn.residual import zero_last_norms


def _counted(name: str) -> Summary:
    preset = MODELS[name].preset
    with torch.device("meta"):
        model = build(name, preset)
    x = inputs_like(model, 1, preset.in_channels, preset.image_size, preset.image_size)
    return summarize(trace(model, x), model)


def parameters(setup: Setup) -> Finding:
    """Parameters and MACs of the book's AlexNet and VGG, and where they are."""
    del setup
    alexnet, vgg, slim = (_counted(name) for name in ("alexnet-d2l", "vgg11-d2l", "vgg11-slim"))
    by_parameters = vgg.num_parameters / alexnet.num_parameters
    by_macs = vgg.macs / alexnet.macs
    return Finding(
        numbers={
            "AlexNet, parameters": alexnet.num_parameters,
            "AlexNet, in linear layers": alexnet.parameters_by_kind["linear"],
            "AlexNet, MACs": alexnet.macs,
            "VGG-11, parameters": vgg.num_parameters,
            "VGG-11, in linear layers": vgg.parameters_by_kind["linear"],
            "VGG-11, MACs": vgg.macs,
            "slim VGG-11, parameters": slim.num_parameters,
            "slim VGG-11, MACs": slim.macs,
        },
        text=f"VGG-11 has {by_parameters:.1f} times AlexNet's parameters and {by_macs:.1f} times "
        f"its MACs. The slim VGG has fewer of both than AlexNet. Most parameters are in the linear "
        "layers, nearly all MACs in the convolutions.",
        holds=by_macs > 2 * by_parameters
        and slim.num_parameters < alexnet.num_parameters
        and slim.macs < alexnet.macs
        and all(
            net.parameters_by_kind["linear"] > net.num_parameters / 2 for net in (alexnet, vgg)
        ),
    )


def layers(setup: Setup) -> Finding:
    """The layers with weights in each piece that the printed summary of VGG-11 shows."""
    del setup
    found = _counted("vgg11-d2l")
    doubled = [part.name for part in found.parts if part.weight_layers == 2]
    return Finding(
        numbers={part.name: part.weight_layers for part in found.parts},
        text=f"{found.weight_layers} layers with weights in {len(found.parts)} pieces: "
        f"{', '.join(doubled)} hold two convolutions each, and those are the "
        f"{found.weight_layers - len(found.parts)} that are not seen.",
        holds=(found.weight_layers, len(found.parts), len(doubled)) == (11, 8, 3),
    )


def blocks(setup: Setup) -> Finding:
    """An Inception block and a residual block from 192 to 256 channels, on 12x12."""
    del setup
    inception = InceptionBlock(192, (64, (96, 128), (16, 32), 32), wide_kernel=5, batch_norm=False)
    residual = ResidualBlock(192, 256, bias=True, shortcut_norm=False)
    x = torch.randn(2, 192, 12, 12)
    costs = {
        name: trace(block, x[:1]).whole
        for name, block in (("Inception", inception), ("residual", residual))
    }
    same = ResidualBlock(192, 192)
    zero_last_norms(same)
    identity = torch.equal(same(x.abs()), x.abs())
    with torch.no_grad():
        for parameter in inception.parameters():
            nn.init.zeros_(parameter)
        nothing = bool((inception(x) == 0).all())
    ratio = costs["residual"].macs / costs["Inception"].macs
    return Finding(
        numbers={
            "Inception, parameters": costs["Inception"].num_parameters,
            "Inception, MACs": costs["Inception"].macs,
            "residual, parameters": costs["residual"].num_parameters,
            "residual, MACs": costs["residual"].macs,
            "residual with its last norm at zero is the identity": str(identity),
            "Inception with its weights at zero gives zero": str(nothing),
        },
        text=f"For the same channels the residual block takes {ratio:.1f} times the MACs. With its "
        "last norm at zero it is the identity, so a deeper network contains the shallower one; an "
        "Inception block at zero gives nothing.",
        holds=identity and nothing and ratio > 2,
    )


STUDIES = (
    Study(
        name="8.2-parameters",
        question="How do AlexNet and VGG compare in parameters and in computation?",
        notebook="60 and 138 million parameters, so VGG is slower.",
        verdict="partly",
        answer="Those are the ImageNet networks, quoted; the section's own have other numbers. And "
        "it is the MACs that make it slow, not the parameters.",
        experiment=parameters,
    ),
    Study(
        name="8.2-layers",
        question="The printed summary of VGG-11 shows eight pieces with weights. Where are the "
        "other three layers?",
        notebook="They are the linear layers, which are not displayed.",
        verdict="wrong",
        answer="In the last three blocks, which hold two convolutions each. The three linear "
        "layers are among the eight.",
        experiment=layers,
    ),
    Study(
        name="8.6-blocks",
        question="In what do an Inception block and a residual block differ?",
        notebook="One concatenates, one adds.",
        verdict="partly",
        answer="Inception looks with windows of several sizes and concatenates, cheaply, by 1x1 "
        "convolutions. A residual block adds to x, so it contains the identity and deeper networks "
        "contain shallower ones; Inception gives no such guarantee.",
        experiment=blocks,
    ),
)
