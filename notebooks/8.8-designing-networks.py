# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Designing convolution networks: AnyNet and RegNet
#
# Beside section 8.8 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-modern/cnn-design.html>. It needs ConvLens and matplotlib,
# no download and no GPU; [notebook 8.6](8.6-resnet.ipynb) explains ResNeXt blocks.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/8.8-designing-networks.ipynb)
#
# Large networks are only counted here. It trains 48 tiny networks for 50 steps each, a minute or
# two in all on two cores. With `CONVLENS_SHORT=1` in the environment it trains six for 3 steps and
# is done in seconds; what the text says of trainings holds for the full run.

# %%
import sys

if "google.colab" in sys.modules:  # Colab has PyTorch, but not ConvLens
    # %pip install -q convlens
    print("ConvLens is installed")

# %%
import os

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's own name for it

from convlens.core.seed import reproducible

SHORT = os.environ.get("CONVLENS_SHORT") == "1"
STEPS, SAMPLES = (3, 1) if SHORT else (50, 8)
plt.rcParams["figure.dpi"] = 80

# %% [markdown]
# ## The idea
#
# How deep, how wide, how many groups? One can search for *the* best network. Radosavovic and
# others (2020) search for a good *space* of networks instead: one in which most networks are good,
# described by a few numbers. To compare two spaces, draw $n$ networks from each, train each
# briefly, and look at the share that stays below an error $e$:
#
# $$\hat F(e) = \frac{1}{n} \sum_{i=1}^{n} \mathbf{1}(e_i < e).$$
#
# This is the *empirical distribution* of the error. A space whose curve lies further to the left
# is better, whatever its single best network is.
#
# The space they begin with is called AnyNet: a *stem* that sees the pixels, a *body* of stages, a
# *head* that classifies. In each stage the first block halves height and width. What is free is
# the depth $d_i$ (blocks) and the width $c_i$ (channels) of each stage, the width $g$ of a group,
# and the ratio $k$ of a bottleneck.

# %% [markdown]
# ## By hand


# %%
class Block(nn.Module):
    """A ResNeXt block; `group_width` is the channels in a group."""

    def __init__(self, in_channels, channels, group_width, strides):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(in_channels, channels, 1), nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(
            channels, channels, 3, stride=strides, padding=1, groups=channels // group_width
        )
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3, self.bn3 = nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()  # nothing
        if strides > 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride=strides), nn.BatchNorm2d(channels)
            )

    def forward(self, X):
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = F.relu(self.bn2(self.conv2(Y)))
        return F.relu(self.bn3(self.conv3(Y)) + self.shortcut(X))


# %% [markdown]
# The network, as a reader of the book writes it:

# %%
from convlens import d2l


class AnyNet(d2l.Classifier):
    def __init__(self, depths, widths, group_width, stem_width=32, lr=0.1, num_classes=10):
        super().__init__()
        self.save_hyperparameters()
        layers = [
            nn.Sequential(
                *(nn.Conv2d(1, stem_width, 3, stride=2, padding=1), nn.BatchNorm2d(stem_width)),
                nn.ReLU(),
            )
        ]
        before = stem_width
        for depth, width in zip(depths, widths, strict=True):
            layers.append(self.stage(before, depth, width))
            before = width
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, num_classes))
        self.net = nn.Sequential(*layers, head)

    def stage(self, in_channels, depth, width):
        first = Block(in_channels, width, self.group_width, 2)
        rest = [Block(width, width, self.group_width, 1) for _ in range(depth - 1)]
        return nn.Sequential(first, *rest)


class RegNetX32(AnyNet):
    def __init__(self, lr=0.1, num_classes=10):
        super().__init__((4, 6), (32, 80), 16, lr=lr, num_classes=num_classes)


by_hand = RegNetX32()
by_hand.layer_summary((1, 1, 96, 96))

# %% [markdown]
# The book's network has 4 blocks of 32 channels and 6 of 80. The same from the catalog, and the
# check: copy the weights over, and the two compute the same.

# %%
from convlens.inspection.trace import trace
from convlens.models.catalog import MODELS, build, num_parameters


def copy_weights(source, target):
    """Layer by layer, in the order in which the two define them."""
    layers = [
        [part for part in module.modules() if list(part.parameters(recurse=False))]
        for module in (source, target)
    ]
    for a, b in zip(*layers, strict=True):
        b.load_state_dict(a.state_dict())


model = build("regnet-x-32-d2l", MODELS["regnet-x-32-d2l"].preset)
blocks = [part for part in by_hand.modules() if isinstance(part, Block)]
parts = [by_hand.net[0]]
for block in blocks:  # conv1, conv2, conv3, each with its norm, and the shortcut
    parts += [block.conv1, block.bn1, block.conv2, block.bn2, block.conv3, block.bn3]
    parts.append(block.shortcut)
copy_weights(nn.ModuleList([*parts, by_hand.net[-1]]), model)
with reproducible(0):
    images = torch.rand(4, 1, 96, 96)
for mode in (True, False):
    with torch.no_grad():
        assert torch.allclose(by_hand.train(mode)(images), model.train(mode)(images), atol=1e-4)
assert num_parameters(by_hand) == num_parameters(model) == 179_290

traced = trace(model, images[:1])
assert round(traced.whole.macs / 1e9, 2) == 0.04
pieces = [layer for layer in traced.layers if layer.path in ("stem", "head") or layer.depth == 2]
pieces = [layer for layer in pieces if layer.path in ("stem", "head") or "stage" in layer.path]
print(f"{'':14}{'output':>10}{'parameters':>12}{'MACs':>14}")
for piece in pieces:
    shape = "x".join(map(str, piece.outputs[0][1:]))
    print(f"{piece.path:14}{shape:>10}{piece.num_parameters:>12,}{piece.macs:>14,}")
print(f"all: {traced.whole.num_parameters:,} parameters, {traced.whole.macs:,} MACs")
assert sum(piece.num_parameters for piece in pieces) == traced.whole.num_parameters

# %%
names = [piece.path.removeprefix("body.") for piece in pieces]
figure, axes = plt.subplots(1, 2, figsize=(8, 1.9), sharey=True, layout="constrained")
axes[0].barh(names, [piece.num_parameters / 1e3 for piece in pieces])
axes[1].barh(names, [piece.macs / 1e6 for piece in pieces], color="C1")
axes[0].set_title("thousand parameters")
axes[1].set_title("million MACs, at 96x96")
axes[0].invert_yaxis()

# %% [markdown]
# ## A design space, and parts of it
#
# A space small enough for a laptop: images of 14x14, a stem of 8 channels that keeps the size,
# three stages. Depths are 1 to 4, widths are multiples of 8 up to 64, the width of a group is 4 or
# 8, the same in all stages. (The paper finds that one group width and one bottleneck ratio for all
# stages do no harm; that already makes the space far smaller.) How many networks are that?

# %%
from itertools import product

DEPTHS, WIDTHS, GROUPS = range(1, 5), range(8, 65, 8), (4, 8)


def rises(numbers):
    return list(numbers) == sorted(numbers)


triples = {"depths": list(product(DEPTHS, repeat=3)), "widths": list(product(WIDTHS, repeat=3))}
every = len(triples["depths"]) * len(triples["widths"]) * len(GROUPS)
rising = [sum(map(rises, found)) for found in triples.values()]
assert every == 65_536
print(
    f"{every:,} networks; {rising[0] * rising[1] * len(GROUPS):,} whose depths and widths never fall"
)

# %% [markdown]
# The paper's next finding: in good networks the widths grow from stage to stage, and so do the
# depths. Let us see whether this holds here. Three spaces: *any*; *growing*, where neither falls
# from stage to stage; and *shrinking*, where neither rises. A fair comparison needs networks of
# about the same cost, so from each space we keep those with 0.15 to 0.3 million MACs only. Drawn
# at random, with a seed:

# %%
import random

from convlens.models import regnet

SPACES = {
    "any": lambda depths, widths: True,
    "growing": lambda depths, widths: rises(depths) and rises(widths),
    "shrinking": lambda depths, widths: rises(depths[::-1]) and rises(widths[::-1]),
}


def macs(config):
    """Counted on shapes alone."""
    with torch.device("meta"):
        return trace(regnet.AnyNet(config), torch.zeros(1, 1, 14, 14)).whole.macs


def sample(space, seed):
    """SAMPLES networks of a space, of 0.15 to 0.3 million MACs."""
    chance, found = random.Random(seed), []
    while len(found) < SAMPLES:
        depths = tuple(chance.choices(DEPTHS, k=3))
        widths = tuple(chance.choices(WIDTHS, k=3))
        group_width = chance.choice(GROUPS)
        if not SPACES[space](depths, widths):
            continue
        config = regnet.AnyNetConfig(
            **{"in_channels": 1, "num_classes": 10, "image_size": 14, "stem": "small"},
            **{"stem_width": 8, "depths": depths, "widths": widths, "group_width": group_width},
        )
        if 1.5e5 <= macs(config) <= 3e5:
            found.append(config)
    return found


SEEDS = (0, 1)
populations = {(space, seed): sample(space, seed) for space in SPACES for seed in SEEDS}
for (space, seed), found in populations.items():
    for config in found[:2] if seed == 0 else ():
        print(f"{space:10} depths {config.depths}, widths {config.widths}: {macs(config):,} MACs")

# %% [markdown]
# Train each for 50 steps of 64 images, with a learning rate that rises to 0.2 and falls to 0, and
# take the error on 1,000 images held out of the training set. The two seeds give two populations
# of 8 networks per space: what one shows, the other should show too. (The paper trains 500
# networks per space for 10 epochs of ImageNet.)

# %%
from convlens.data.batches import Batches
from convlens.data.sets.fashion_mnist import load_fashion_mnist
from convlens.data.transform import Prepare
from convlens.train.events import Evaluated
from convlens.train.loop import fit
from convlens.train.optim import TrainConfig

BATCH, HELD_OUT = 64, 100 if SHORT else 1000
RECIPE = {"lr": 0.2, "schedule": "one-cycle", "batch_size": BATCH, "device": "cpu", "epochs": 1}
clothes = load_fashion_mnist().train
torch.set_num_threads(1)  # layers so small gain nothing from a second one


def error(config, seed):
    """The share of held-out images that are wrong after the training."""
    events, prepare = [], Prepare(14)
    with reproducible(seed):
        fit(
            regnet.AnyNet(config),
            Batches(clothes[: BATCH * STEPS], BATCH, prepare, shuffle_seed=seed),
            Batches(clothes[-HELD_OUT:], 500, prepare),
            TrainConfig(**RECIPE),
            listeners=[events.append],
        )
    return next(1 - event.accuracy for event in events if isinstance(event, Evaluated))


errors = {
    (space, seed): [error(config, 100 * seed + index) for index, config in enumerate(found)]
    for (space, seed), found in populations.items()
}


def mean(numbers):
    return sum(numbers) / len(numbers)


for space in SPACES:
    cells = [f"{100 * mean(errors[space, seed]):5.1f} %" for seed in SEEDS]
    best = [f"{100 * min(errors[space, seed]):5.1f} %" for seed in SEEDS]
    print(f"{space:10} mean error {'  '.join(cells)}, best {'  '.join(best)}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for axis, seed in zip(axes, SEEDS, strict=True):
    for space, style in zip(SPACES, ("-", "--", ":"), strict=True):
        axis.ecdf([100 * e for e in errors[space, seed]], linestyle=style, label=space)
    axis.set(xlabel="error on held-out images, %", title=f"population {seed}", xlim=(15, 85))
    axis.grid(alpha=0.3)
axes[0].legend(loc="lower right")
axes[0].set_ylabel("share of networks below")
if not SHORT:
    for seed in SEEDS:
        assert mean(errors["growing", seed]) < mean(errors["shrinking", seed])

# %% [markdown]
# Shrinking networks are worse: in both populations their curve lies to the right of the others,
# and the mean error is more than 10 points higher, at the same cost. Between *any* and *growing*
# these few networks show no difference. In one population the one is ahead, in the other the
# other: with 8 networks a curve moves that much by chance. So the experiment confirms half of the
# finding (do not shrink) and is too small for the other half. Raise `SAMPLES` and `STEPS` if you
# have an hour.

# %% [markdown]
# ## From growing widths to a line
#
# The paper goes on to put the width of block $j$ (from 0, over all stages) on a straight line, and
# then to round it so that a stage has one width:
#
# $$u_j = w_0 + w_a j, \qquad s_j = \mathrm{round}(\log_{w_m}(u_j / w_0)), \qquad w_j = w_0 \, w_m^{s_j}.$$
#
# So all depths and widths follow from the number of blocks and three numbers: $w_0$, $w_a$ and
# $w_m$. The networks of this space are RegNets. The rule by hand (widths become multiples of 8,
# then of the group width):

# %%
import math


def rule(depth, w_0, w_a, w_m, group_width):
    """Depths and widths of the stages."""
    stages = {}
    for j in range(depth):
        step = round(math.log((w_0 + w_a * j) / w_0, w_m))
        width = round(w_0 * w_m**step / 8) * 8
        stages[width] = stages.get(width, 0) + 1
    widths = [max(1, int(width / group_width + 0.5)) * group_width for width in stages]
    return tuple(stages.values()), tuple(widths)


PAPER = {  # Radosavovic et al. (2020), Table 5
    "regnet-x-400mf": {"depth": 22, "w_0": 24, "w_a": 24.48, "w_m": 2.54, "group_width": 16},
    "regnet-x-800mf": {"depth": 16, "w_0": 56, "w_a": 35.73, "w_m": 2.28, "group_width": 16},
    "regnet-x-1-6gf": {"depth": 18, "w_0": 80, "w_a": 34.01, "w_m": 2.25, "group_width": 24},
    "regnet-x-3-2gf": {"depth": 25, "w_0": 88, "w_a": 26.31, "w_m": 2.25, "group_width": 48},
}
for name, numbers in PAPER.items():
    depths, widths = rule(**numbers)
    config = regnet.regnet(**numbers)
    assert (depths, widths) == (config.depths, config.widths)
    assert (depths, widths) == (MODELS[name].preset.depths, MODELS[name].preset.widths)
    assert rises(widths)
    print(f"{name}: depths {depths}, widths {widths}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for axis, name in zip(axes, ("regnet-x-400mf", "regnet-x-3-2gf"), strict=True):
    numbers = PAPER[name]
    depths, widths = rule(**numbers)
    js = range(numbers["depth"])
    axis.plot(js, [numbers["w_0"] + numbers["w_a"] * j for j in js], "--", label="line")
    by_block = [width for d, width in zip(depths, widths, strict=True) for _ in range(d)]
    axis.plot(js, by_block, "o", markersize=4, label="blocks")
    axis.set(title=name, xlabel="block", ylabel="channels", ylim=(0, None))
    axis.grid(alpha=0.3)
    axis.legend()

# %% [markdown]
# ## Exercises
#
# **1. Give the book's network four stages. Can you keep its cost?** At 96x96 the stem and each
# stage halve the image: 48, 24, 12, 6, 3. A new stage is cheap in MACs if it comes late, and dear
# in parameters:


# %%
def cost(settings):
    """Parameters and MACs of a variant of the book's network, counted on shapes alone."""
    preset = {"in_channels": 1, "num_classes": 10, "image_size": 96, "conv_bias": True}
    with torch.device("meta"):
        net = regnet.AnyNet(regnet.AnyNetConfig(**preset, **settings))
        whole = trace(net, torch.zeros(1, 1, 96, 96)).whole
    return whole.num_parameters, whole.macs


VARIANTS = {
    "the book's": {"depths": (4, 6), "widths": (32, 80)},
    "two stages more": {"depths": (4, 6, 2, 2), "widths": (32, 80, 160, 320)},
    "four, as cheap": {"depths": (4, 4, 4, 2), "widths": (32, 64, 128, 160)},
}
costs = {name: cost(settings) for name, settings in VARIANTS.items()}
for name, (parameters, work) in costs.items():
    print(f"{name:16}{parameters:>10,} parameters{work:>13,} MACs")
assert costs["the book's"][0] == 179_290
assert abs(costs["four, as cheap"][1] / costs["the book's"][1] - 1) < 0.05

# %% [markdown]
# **2. Replace the ResNeXt blocks by ResNet blocks.** With groups as wide as the stage there is one
# group, and the $3 \times 3$ convolution is an ordinary one. For $c$ channels it has $9 c^2$
# weights and not $9 \, c \, g$. How much does that cost in the book's network, whose groups are 16
# wide?

# %%
ungrouped = cost({**VARIANTS["the book's"], "group_width": 80})
extra = 4 * 9 * 32 * (32 - 16) + 6 * 9 * 80 * (80 - 16)  # in each block
assert ungrouped[0] - costs["the book's"][0] == extra
print(f"{ungrouped[0]:,} parameters, {extra:,} more; {ungrouped[1]:,} MACs")

# %% [markdown]
# **3. What if one breaks the principles?** That is the space *shrinking* above, at the same cost.
# See for yourself which networks do worst, and what they have in common:

# %%
ranked = sorted(
    (value, config.depths, config.widths)
    for key, found in populations.items()
    for value, config in zip(errors[key], found, strict=True)
)
for title, chosen in (("best", ranked[:4]), ("worst", ranked[-4:])):
    for value, depths, widths in chosen:
        print(f"{title:6}{100 * value:5.1f} %  depths {depths}, widths {widths}")

# %% [markdown]
# The worst have fewer blocks at the end than at the start, and only 8 channels at the end, where
# the classes must be told apart. The best have 8 channels in the first stage and more after it.
# But only one of these four has depths and widths that never fall, so the principle is a tendency,
# not a law.

# %% [markdown]
# ## Where to go next
#
# - This was the last section of the chapter. [Back to LeNet](7.6-lenet.ipynb), with what you know
#   now: which of these ideas would help it?
# - In a terminal: `convlens summary regnet-x-400mf`, and `convlens compare-models resnet18
#   regnet-x-1-6gf`.
# - The book's run, best with a GPU: `d2l.Trainer(max_epochs=10,
#   num_gpus=1).fit(RegNetX32(lr=0.05), d2l.FashionMNIST(batch_size=128, resize=(96, 96)))`.
