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
from convlens.models.quicknet import QuickNet, QuickNetConfig
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

    name: str
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
QUICKNET = Paper(QuickNet, "after Jordan (2024)")
REGNET = Paper(AnyNet, "Radosavovic et al. (2020); d2l 8.8", regnet.torchvision_names)

# Blocks in each of four stages, by the number of layers: Table 1 of He et al. (2015).
DEPTHS = {34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
D2L: dict[str, Any] = {"in_channels": 1, "num_classes": 10, "init": "xavier"}


def _table(*entries: ModelEntry) -> Table[ModelEntry]:
    return Table("model", *((entry.name, entry) for entry in entries))


MODELS: Table[ModelEntry] = _table(
    ModelEntry("lenet", LENET, LeNetConfig(), "the book's LeNet: sigmoid, average pooling"),
    ModelEntry(
        "lenet-modern",
        LENET,
        LeNetConfig(activation="relu", pooling="max", init="kaiming"),
        "the same layers with ReLU and max-pooling",
    ),
    ModelEntry(
        "lenet-bn",
        LENET,
        LeNetConfig(batch_norm=True, stem_padding=0),
        "the book's LeNet with batch norm (d2l 8.5)",
    ),
    ModelEntry("alexnet", ALEXNET, AlexNetConfig(), "torchvision's narrower edition"),
    ModelEntry(
        "alexnet-d2l",
        ALEXNET,
        AlexNetConfig(
            **D2L, widths=(96, 256, 384, 384, 256), stem_padding=1, pool_size=0, dropout_after=True
        ),
        "the book's AlexNet",
    ),
    ModelEntry("vgg11", VGGS, VGGConfig(depths=(1, 1, 2, 2, 2)), "8 convolutions, 3 linear layers"),
    ModelEntry(
        "vgg11-bn",
        VGGS,
        VGGConfig(depths=(1, 1, 2, 2, 2), batch_norm=True),
        "8 convolutions with batch norm, 3 linear layers",
    ),
    ModelEntry(
        "vgg13", VGGS, VGGConfig(depths=(2, 2, 2, 2, 2)), "10 convolutions, 3 linear layers"
    ),
    ModelEntry(
        "vgg13-bn",
        VGGS,
        VGGConfig(depths=(2, 2, 2, 2, 2), batch_norm=True),
        "10 convolutions with batch norm, 3 linear layers",
    ),
    ModelEntry(
        "vgg16", VGGS, VGGConfig(depths=(2, 2, 3, 3, 3)), "13 convolutions, 3 linear layers"
    ),
    ModelEntry(
        "vgg16-bn",
        VGGS,
        VGGConfig(depths=(2, 2, 3, 3, 3), batch_norm=True),
        "13 convolutions with batch norm, 3 linear layers",
    ),
    ModelEntry(
        "vgg19", VGGS, VGGConfig(depths=(2, 2, 4, 4, 4)), "16 convolutions, 3 linear layers"
    ),
    ModelEntry(
        "vgg19-bn",
        VGGS,
        VGGConfig(depths=(2, 2, 4, 4, 4), batch_norm=True),
        "16 convolutions with batch norm, 3 linear layers",
    ),
    ModelEntry("vgg11-d2l", VGGS, VGGConfig(**D2L, pool_size=0), "the book's VGG-11"),
    ModelEntry(
        "vgg11-slim",
        VGGS,
        VGGConfig(**D2L, pool_size=0, widths=(16, 32, 64, 128, 128)),
        "the book's VGG-11 with a quarter of the channels, as it trains it",
    ),
    ModelEntry("nin", NIN, NiNConfig(init="xavier"), "the book's NiN: no linear layer"),
    ModelEntry("googlenet", GOOGLENET, GoogLeNetConfig(), "with batch norm, as torchvision's"),
    ModelEntry(
        "googlenet-aux",
        GOOGLENET,
        GoogLeNetConfig(aux=True),
        "the same with two auxiliary classifiers while training",
    ),
    ModelEntry(
        "googlenet-d2l",
        GOOGLENET,
        GoogLeNetConfig(
            **D2L, image_size=96, batch_norm=False, pools="padded", wide_kernel=5, dropout=0.0
        ),
        "the book's GoogLeNet, without batch norm",
    ),
    ModelEntry("resnet18", RESNET, ResNetConfig(), "basic blocks"),
    ModelEntry("resnet34", RESNET, ResNetConfig(depths=DEPTHS[34]), "basic blocks"),
    ModelEntry(
        "resnet50", RESNET, ResNetConfig(block="bottleneck", depths=DEPTHS[50]), "bottlenecks"
    ),
    ModelEntry(
        "resnet101", RESNET, ResNetConfig(block="bottleneck", depths=DEPTHS[101]), "bottlenecks"
    ),
    ModelEntry(
        "resnet152", RESNET, ResNetConfig(block="bottleneck", depths=DEPTHS[152]), "bottlenecks"
    ),
    ModelEntry(
        "resnet18-d2l",
        RESNET,
        ResNetConfig(**D2L, image_size=96, conv_bias=True, shortcut_norm=False),
        "the book's ResNet-18: biases, no norm in its shortcuts",
    ),
    ModelEntry(
        "wide-resnet50-2",
        WIDE,
        ResNetConfig(block="bottleneck", depths=DEPTHS[50], bottleneck_width=2),
        "bottlenecks twice as wide inside",
    ),
    ModelEntry(
        "wide-resnet101-2",
        WIDE,
        ResNetConfig(block="bottleneck", depths=DEPTHS[101], bottleneck_width=2),
        "bottlenecks twice as wide inside",
    ),
    ModelEntry(
        "resnext50-32x4d", RESNEXT, ResNeXtConfig(), "bottlenecks of 32 groups of 4 channels"
    ),
    ModelEntry(
        "resnext101-32x8d",
        RESNEXT,
        ResNeXtConfig(depths=DEPTHS[101], group_width=8),
        "bottlenecks of 32 groups of 8 channels",
    ),
    ModelEntry(
        "resnext101-64x4d",
        RESNEXT,
        ResNeXtConfig(depths=DEPTHS[101], groups=64),
        "bottlenecks of 64 groups of 4 channels",
    ),
    ModelEntry(
        "resnext18-d2l",
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
    ModelEntry(
        "preact-resnet18", PREACT, PreActResNetConfig(), "basic blocks, norm and ReLU first"
    ),
    ModelEntry(
        "preact-resnet34",
        PREACT,
        PreActResNetConfig(depths=DEPTHS[34]),
        "basic blocks, norm and ReLU first",
    ),
    ModelEntry(
        "preact-resnet50",
        PREACT,
        PreActResNetConfig(block="bottleneck", depths=DEPTHS[50]),
        "bottlenecks, norm and ReLU first",
    ),
    ModelEntry(
        "preact-resnet101",
        PREACT,
        PreActResNetConfig(block="bottleneck", depths=DEPTHS[101]),
        "bottlenecks, norm and ReLU first",
    ),
    ModelEntry(
        "preact-resnet152",
        PREACT,
        PreActResNetConfig(block="bottleneck", depths=DEPTHS[152]),
        "bottlenecks, norm and ReLU first",
    ),
    ModelEntry("densenet121", DENSENET, DenseNetConfig(), "each layer sees all before it"),
    ModelEntry(
        "densenet161",
        DENSENET,
        DenseNetConfig(stem_width=96, growth_rate=48, depths=(6, 12, 36, 24)),
        "wider: 48 channels a layer",
    ),
    ModelEntry(
        "densenet169",
        DENSENET,
        DenseNetConfig(depths=(6, 12, 32, 32)),
        "each layer sees all before it",
    ),
    ModelEntry(
        "densenet201",
        DENSENET,
        DenseNetConfig(depths=(6, 12, 48, 32)),
        "each layer sees all before it",
    ),
    ModelEntry(
        "densenet-d2l",
        DENSENET,
        DenseNetConfig(**D2L, image_size=96, depths=(4, 4, 4, 4), bottleneck=0, conv_bias=True),
        "the book's DenseNet",
    ),
    ModelEntry(
        "regnet-x-400mf",
        REGNET,
        regnet.regnet(depth=22, w_0=24, w_a=24.48, w_m=2.54, group_width=16),
        "RegNetX of 0.4 GMAC",
    ),
    ModelEntry(
        "regnet-x-800mf",
        REGNET,
        regnet.regnet(depth=16, w_0=56, w_a=35.73, w_m=2.28, group_width=16),
        "RegNetX of 0.8 GMAC",
    ),
    ModelEntry(
        "regnet-x-1-6gf",
        REGNET,
        regnet.regnet(depth=18, w_0=80, w_a=34.01, w_m=2.25, group_width=24),
        "RegNetX of 1.6 GMAC",
    ),
    ModelEntry(
        "regnet-x-3-2gf",
        REGNET,
        regnet.regnet(depth=25, w_0=88, w_a=26.31, w_m=2.25, group_width=48),
        "RegNetX of 3.2 GMAC",
    ),
    ModelEntry(
        "regnet-x-32-d2l",
        REGNET,
        AnyNetConfig(**D2L, image_size=96, depths=(4, 6), widths=(32, 80), conv_bias=True),
        "the book's RegNetX-32",
    ),
    ModelEntry("quicknet", QUICKNET, QuickNetConfig(), "3 convolutions on whitened images"),
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
