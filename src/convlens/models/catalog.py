"""The models by name: a preset of settings, and the paper that it belongs to.

A plain name is the paper's network as torchvision has it, for 3 channels and 1,000 classes;
`-d2l` is the book's edition, for 1 channel and 10 classes. Channels, classes and sizes are
settings of every model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from convlens.core.config import check, parse, to_table
from convlens.core.names import Table
from convlens.models import alexnet, densenet, googlenet, regnet, resnet, resnext, vgg
from convlens.models.alexnet import AlexNet, AlexNetConfig
from convlens.models.densenet import DenseNet, DenseNetConfig
from convlens.models.googlenet import GoogLeNet, GoogLeNetConfig
from convlens.models.lenet import LeNet, LeNetConfig
from convlens.models.nin import NiN, NiNConfig
from convlens.models.preact_resnet import PreActResNet, PreActResNetConfig
from convlens.models.regnet import AnyNet, AnyNetConfig
from convlens.models.resnet import ResNet, ResNetConfig
from convlens.models.resnext import ResNeXt, ResNeXtConfig
from convlens.models.vgg import VGG, VGGConfig


@dataclass(frozen=True, slots=True)
class Paper:
    """What the presets of one module share."""

    build: Callable[[Any], nn.Module]
    source: str
    torchvision_names: Callable[[Any], dict[str, str]] | None = None  # None: not in torchvision


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One line of the catalog."""

    paper: Paper
    preset: Any  # the frozen config dataclass that the paper's `build` takes
    about: str

    @property
    def source(self) -> str:
        """Where the network is from."""
        return self.paper.source

    def build(self, config: Any) -> nn.Module:
        """The network of this config, freshly initialised."""
        return self.paper.build(config)


LENET = Paper(LeNet, "LeCun et al. (1998); d2l 7.6")
ALEXNET = Paper(AlexNet, "Krizhevsky et al. (2012); d2l 8.1", alexnet.torchvision_names)
VGGS = Paper(VGG, "Simonyan and Zisserman (2014); d2l 8.2", vgg.torchvision_names)
NIN = Paper(NiN, "Lin et al. (2013); d2l 8.3")
GOOGLENET = Paper(GoogLeNet, "Szegedy et al. (2014); d2l 8.4", googlenet.torchvision_names)
RESNET = Paper(ResNet, "He et al. (2015); d2l 8.6", resnet.torchvision_names)
WIDE = Paper(ResNet, "Zagoruyko and Komodakis (2016)", resnet.torchvision_names)
RESNEXT = Paper(ResNeXt, "Xie et al. (2016); d2l 8.6", resnext.torchvision_names)
PREACT = Paper(PreActResNet, "He et al. (2016); d2l 8.6, exercise 4")
DENSENET = Paper(DenseNet, "Huang et al. (2016); d2l 8.7", densenet.torchvision_names)
REGNET = Paper(AnyNet, "Radosavovic et al. (2020); d2l 8.8", regnet.torchvision_names)

D2L: dict[str, Any] = {"in_channels": 1, "num_classes": 10, "init": "xavier"}

MODELS: Table[ModelEntry] = Table(
    "model",
    ("lenet", ModelEntry(LENET, LeNetConfig(), "the book's LeNet: sigmoid, average pooling")),
    (
        "lenet-modern",
        ModelEntry(
            LENET,
            LeNetConfig(activation="relu", pooling="max", init="kaiming"),
            "the same layers with ReLU and max-pooling",
        ),
    ),
    (
        "lenet-bn",
        ModelEntry(
            LENET,
            LeNetConfig(batch_norm=True, stem_padding=0),
            "the book's LeNet with batch norm (d2l 8.5)",
        ),
    ),
    ("alexnet", ModelEntry(ALEXNET, AlexNetConfig(), "torchvision's narrower edition")),
    (
        "alexnet-d2l",
        ModelEntry(
            ALEXNET,
            AlexNetConfig(
                **D2L,
                widths=(96, 256, 384, 384, 256),
                stem_padding=1,
                pool_size=0,
                dropout_after=True,
            ),
            "the book's AlexNet",
        ),
    ),
    (
        "vgg11",
        ModelEntry(VGGS, VGGConfig(depths=(1, 1, 2, 2, 2)), "8 convolutions, 3 linear layers"),
    ),
    (
        "vgg11-bn",
        ModelEntry(
            VGGS,
            VGGConfig(depths=(1, 1, 2, 2, 2), batch_norm=True),
            "8 convolutions with batch norm, 3 linear layers",
        ),
    ),
    (
        "vgg13",
        ModelEntry(VGGS, VGGConfig(depths=(2, 2, 2, 2, 2)), "10 convolutions, 3 linear layers"),
    ),
    (
        "vgg13-bn",
        ModelEntry(
            VGGS,
            VGGConfig(depths=(2, 2, 2, 2, 2), batch_norm=True),
            "10 convolutions with batch norm, 3 linear layers",
        ),
    ),
    (
        "vgg16",
        ModelEntry(VGGS, VGGConfig(depths=(2, 2, 3, 3, 3)), "13 convolutions, 3 linear layers"),
    ),
    (
        "vgg16-bn",
        ModelEntry(
            VGGS,
            VGGConfig(depths=(2, 2, 3, 3, 3), batch_norm=True),
            "13 convolutions with batch norm, 3 linear layers",
        ),
    ),
    (
        "vgg19",
        ModelEntry(VGGS, VGGConfig(depths=(2, 2, 4, 4, 4)), "16 convolutions, 3 linear layers"),
    ),
    (
        "vgg19-bn",
        ModelEntry(
            VGGS,
            VGGConfig(depths=(2, 2, 4, 4, 4), batch_norm=True),
            "16 convolutions with batch norm, 3 linear layers",
        ),
    ),
    ("vgg11-d2l", ModelEntry(VGGS, VGGConfig(**D2L, pool_size=0), "the book's VGG-11")),
    (
        "vgg11-slim",
        ModelEntry(
            VGGS,
            VGGConfig(**D2L, pool_size=0, widths=(16, 32, 64, 128, 128)),
            "the book's VGG-11 with a quarter of the channels, as it trains it",
        ),
    ),
    ("nin", ModelEntry(NIN, NiNConfig(init="xavier"), "the book's NiN: no linear layer")),
    ("googlenet", ModelEntry(GOOGLENET, GoogLeNetConfig(), "with batch norm, as torchvision's")),
    (
        "googlenet-aux",
        ModelEntry(
            GOOGLENET,
            GoogLeNetConfig(aux=True),
            "the same with two auxiliary classifiers while training",
        ),
    ),
    (
        "googlenet-d2l",
        ModelEntry(
            GOOGLENET,
            GoogLeNetConfig(
                **D2L, image_size=96, batch_norm=False, pools="padded", wide_kernel=5, dropout=0.0
            ),
            "the book's GoogLeNet, without batch norm",
        ),
    ),
    ("resnet18", ModelEntry(RESNET, ResNetConfig(), "basic blocks")),
    ("resnet34", ModelEntry(RESNET, ResNetConfig(depths=(3, 4, 6, 3)), "basic blocks")),
    (
        "resnet50",
        ModelEntry(RESNET, ResNetConfig(block="bottleneck", depths=(3, 4, 6, 3)), "bottlenecks"),
    ),
    (
        "resnet101",
        ModelEntry(RESNET, ResNetConfig(block="bottleneck", depths=(3, 4, 23, 3)), "bottlenecks"),
    ),
    (
        "resnet152",
        ModelEntry(RESNET, ResNetConfig(block="bottleneck", depths=(3, 8, 36, 3)), "bottlenecks"),
    ),
    (
        "resnet18-d2l",
        ModelEntry(
            RESNET,
            ResNetConfig(**D2L, image_size=96, conv_bias=True, shortcut_norm=False),
            "the book's ResNet-18: biases, no norm in its shortcuts",
        ),
    ),
    (
        "wide-resnet50-2",
        ModelEntry(
            WIDE,
            ResNetConfig(block="bottleneck", depths=(3, 4, 6, 3), bottleneck_width=2),
            "bottlenecks twice as wide inside",
        ),
    ),
    (
        "wide-resnet101-2",
        ModelEntry(
            WIDE,
            ResNetConfig(block="bottleneck", depths=(3, 4, 23, 3), bottleneck_width=2),
            "bottlenecks twice as wide inside",
        ),
    ),
    (
        "resnext50-32x4d",
        ModelEntry(RESNEXT, ResNeXtConfig(), "bottlenecks of 32 groups of 4 channels"),
    ),
    (
        "resnext101-32x8d",
        ModelEntry(
            RESNEXT,
            ResNeXtConfig(depths=(3, 4, 23, 3), group_width=8),
            "bottlenecks of 32 groups of 8 channels",
        ),
    ),
    (
        "resnext101-64x4d",
        ModelEntry(
            RESNEXT,
            ResNeXtConfig(depths=(3, 4, 23, 3), groups=64),
            "bottlenecks of 64 groups of 4 channels",
        ),
    ),
    (
        "resnext18-d2l",
        ModelEntry(
            RESNEXT,
            ResNeXtConfig(
                **D2L,
                image_size=96,
                depths=(2, 2, 2, 2),
                width=64,
                groups=4,
                group_width=16,
                conv_bias=True,
            ),
            "the book's ResNeXt block in the stages of ResNet-18",
        ),
    ),
    (
        "preact-resnet18",
        ModelEntry(PREACT, PreActResNetConfig(), "basic blocks, norm and ReLU first"),
    ),
    (
        "preact-resnet34",
        ModelEntry(
            PREACT, PreActResNetConfig(depths=(3, 4, 6, 3)), "basic blocks, norm and ReLU first"
        ),
    ),
    (
        "preact-resnet50",
        ModelEntry(
            PREACT,
            PreActResNetConfig(block="bottleneck", depths=(3, 4, 6, 3)),
            "bottlenecks, norm and ReLU first",
        ),
    ),
    (
        "preact-resnet101",
        ModelEntry(
            PREACT,
            PreActResNetConfig(block="bottleneck", depths=(3, 4, 23, 3)),
            "bottlenecks, norm and ReLU first",
        ),
    ),
    (
        "preact-resnet152",
        ModelEntry(
            PREACT,
            PreActResNetConfig(block="bottleneck", depths=(3, 8, 36, 3)),
            "bottlenecks, norm and ReLU first",
        ),
    ),
    ("densenet121", ModelEntry(DENSENET, DenseNetConfig(), "each layer sees all before it")),
    (
        "densenet161",
        ModelEntry(
            DENSENET,
            DenseNetConfig(stem_width=96, growth_rate=48, depths=(6, 12, 36, 24)),
            "wider: 48 channels a layer",
        ),
    ),
    (
        "densenet169",
        ModelEntry(
            DENSENET, DenseNetConfig(depths=(6, 12, 32, 32)), "each layer sees all before it"
        ),
    ),
    (
        "densenet201",
        ModelEntry(
            DENSENET, DenseNetConfig(depths=(6, 12, 48, 32)), "each layer sees all before it"
        ),
    ),
    (
        "densenet-d2l",
        ModelEntry(
            DENSENET,
            DenseNetConfig(**D2L, image_size=96, depths=(4, 4, 4, 4), bottleneck=0, conv_bias=True),
            "the book's DenseNet",
        ),
    ),
    (
        "regnet-x-400mf",
        ModelEntry(
            REGNET,
            regnet.regnet(depth=22, w_0=24, w_a=24.48, w_m=2.54, group_width=16),
            "RegNetX of 0.4 GMAC",
        ),
    ),
    (
        "regnet-x-800mf",
        ModelEntry(
            REGNET,
            regnet.regnet(depth=16, w_0=56, w_a=35.73, w_m=2.28, group_width=16),
            "RegNetX of 0.8 GMAC",
        ),
    ),
    (
        "regnet-x-1-6gf",
        ModelEntry(
            REGNET,
            regnet.regnet(depth=18, w_0=80, w_a=34.01, w_m=2.25, group_width=24),
            "RegNetX of 1.6 GMAC",
        ),
    ),
    (
        "regnet-x-3-2gf",
        ModelEntry(
            REGNET,
            regnet.regnet(depth=25, w_0=88, w_a=26.31, w_m=2.25, group_width=48),
            "RegNetX of 3.2 GMAC",
        ),
    ),
    (
        "regnet-x-32-d2l",
        ModelEntry(
            REGNET,
            AnyNetConfig(**D2L, image_size=96, depths=(4, 6), widths=(32, 80), conv_bias=True),
            "the book's RegNetX-32",
        ),
    ),
)


def configure(name: str, settings: Mapping[str, Any]) -> Any:
    """The preset of model `name` with some settings replaced.

    Raises:
        UnknownName: no model of that name.
        ConfigError: an unknown setting, a wrong type or a value out of range.
    """
    preset = MODELS[name].preset
    return parse(type(preset), {**to_table(preset), **settings}, section="model")


def build(name: str, config: Any) -> nn.Module:
    """Model `name` with this config, freshly initialised from torch's generator.

    Raises:
        UnknownName: no model of that name.
        ConfigError: a value out of range.
        ShapeError: the images are too small for its layers.
    """
    return MODELS[name].build(check(config, section="model"))


def num_parameters(model: nn.Module) -> int:
    """How many numbers a training changes."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
