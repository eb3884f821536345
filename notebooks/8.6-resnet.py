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
# # Residual networks: ResNet and ResNeXt
#
# Beside section 8.6 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-modern/resnet.html>. It needs ConvLens and matplotlib, no
# download and no GPU; [notebook 8.5](8.5-batch-normalization.ipynb) explains batch norm.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/8.6-resnet.ipynb)
#
# Large networks are only counted here. Small ones are trained for 150 steps, a minute or two in
# all on two cores. With `CONVLENS_SHORT=1` in the environment it takes 5 steps and is done in
# seconds; what the text says of trainings holds for the full run.

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
STEPS = 5 if SHORT else 150
plt.rcParams["figure.dpi"] = 80

# %% [markdown]
# ## The idea
#
# Add layers to a network, and it should not get worse: the new layers only have to pass on what
# they are given. But a stack of convolutions finds it hard to learn just that, $f(x) = x$. So give
# it for free. A residual block computes
#
# $$y = \mathrm{relu}(x + g(x)), \qquad g = \mathrm{BN} \circ \mathrm{conv}_{3 \times 3} \circ \mathrm{relu} \circ \mathrm{BN} \circ \mathrm{conv}_{3 \times 3}$$
#
# and its layers learn $g$, what is to be *added* to $x$. Where the shape changes, a $1 \times 1$
# convolution brings $x$ to the new shape first.

# %% [markdown]
# ## By hand


# %%
class Residual(nn.Module):
    def __init__(self, in_channels, channels, *, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, stride=strides)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(in_channels, channels, 1, stride=strides) if use_1x1conv else None

    def forward(self, X):
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        return F.relu(Y + (X if self.conv3 is None else self.conv3(X)))


X = torch.randn(4, 3, 6, 6)
same, halved = Residual(3, 3), Residual(3, 6, use_1x1conv=True, strides=2)
print(tuple(same(X).shape), tuple(halved(X).shape))
assert same(X).shape == (4, 3, 6, 6)  # as the book has it
assert halved(X).shape == (4, 6, 3, 3)

# %% [markdown]
# The same block from ConvLens. Its default is torchvision's: no biases before a norm, and a norm
# after the $1 \times 1$ convolution. The book's has biases and no such norm. Copy the weights over
# and compare, in training and in evaluation mode:

# %%
from convlens import d2l
from convlens.models.catalog import num_parameters
from convlens.models.resnet import ResidualBlock


def copy_weights(source, target):
    """Layer by layer, in the order in which the two define them."""
    layers = [
        [part for part in module.modules() if list(part.parameters(recurse=False))]
        for module in (source, target)
    ]
    for a, b in zip(*layers, strict=True):
        b.load_state_dict(a.state_dict())


for ours, settings in ((same, {}), (halved, {"stride": 2})):
    theirs = ResidualBlock(3, len(ours.bn2.weight), bias=True, shortcut_norm=False, **settings)
    ordered = nn.ModuleList(ours.children())  # conv1, norm, conv2, norm, conv3: also its order
    copy_weights(ordered, theirs)
    for mode in (True, False):
        ours.train(mode)
        theirs.train(mode)
        assert torch.allclose(ours(X), theirs(X.clone()), atol=1e-5)
    assert num_parameters(ours) == num_parameters(theirs)
book = d2l.Residual(6, use_1x1conv=True, strides=2)  # lazy: it gets its weights from X
book(X)
assert num_parameters(book) == num_parameters(halved)
print(f"{num_parameters(halved):,} parameters in the halving block, by hand, here and in the book")

# %% [markdown]
# ## A block that does nothing
#
# Set $\gamma$ of the block's last norm to 0 (its $\beta$ is 0 from the start). Then $g(x) = 0$,
# whatever the other weights are, and the block gives back any $x \ge 0$ *exactly*. What comes out
# of a ReLU always is.

# %%
with torch.no_grad():
    same.bn2.weight.zero_()
    same.bn2.bias.zero_()
x = X.relu()
assert torch.equal(same(x), x)

# %% [markdown]
# So a deeper ResNet can do all that a shallower one can: the functions of the deeper contain those
# of the shallower. This is what the book calls *nested* function classes. Here is a network of 3
# blocks, and one of 6 that computes the same numbers, bit for bit. Its extra blocks stand at the
# end of each stage, with $\gamma = 0$ and all other weights random.

# %%
from convlens.models.resnet import ResNet, ResNetConfig
from convlens.nn.residual import zero_last_norms

SMALL = {"in_channels": 1, "num_classes": 10, "image_size": 28, "stem": "small", "width": 8}
with reproducible(0):
    shallow = ResNet(ResNetConfig(**SMALL, depths=(1, 1, 1)))
    deep = ResNet(ResNetConfig(**SMALL, depths=(2, 2, 2)))
    images = torch.rand(16, 1, 28, 28)
zero_last_norms(deep)
missing, unexpected = deep.load_state_dict(shallow.state_dict(), strict=False)
assert not unexpected
assert all("block2" in name for name in missing)  # what only the deeper one has
for mode in (True, False):
    assert torch.equal(shallow.train(mode)(images), deep.train(mode)(images))
print(f"{num_parameters(shallow):,} and {num_parameters(deep):,} parameters, the same function")

# %% [markdown]
# An Inception block, or a plain stack of convolution, norm and ReLU, has no such setting: with
# $\gamma = 0$ a plain block gives 0 and all is lost. (It can still *learn* to be the identity, but
# it must find the weights.) Many recipes start a ResNet with these zeros: `zero_init_residual` in
# `ResNetConfig`.

# %% [markdown]
# ## ResNet-18
#
# A stem that shrinks the image fourfold, four stages of two blocks, a global mean and one linear
# layer. As a reader of the book writes it:


# %%
def stage(in_channels, channels, first=False):
    change = {} if first else {"use_1x1conv": True, "strides": 2}
    return nn.Sequential(Residual(in_channels, channels, **change), Residual(channels, channels))


class ResNet18(d2l.Classifier):
    def __init__(self, lr=0.01, num_classes=10):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Sequential(
                nn.Conv2d(1, 64, 7, stride=2, padding=3),
                nn.BatchNorm2d(64),
                nn.ReLU(),
                nn.MaxPool2d(3, stride=2, padding=1),
            ),
            stage(64, 64, first=True),
            stage(64, 128),
            stage(128, 256),
            stage(256, 512),
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, num_classes)),
        )


by_hand = ResNet18()
by_hand.layer_summary((1, 1, 96, 96))

# %% [markdown]
# The same from the catalog, with its layers, parameters and MACs (a MAC is one multiplication with
# its addition). Blocks that are equal and follow each other are one row of the table.

# %%
from convlens.inspection.summary import summarize
from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like
from convlens.models.catalog import MODELS, build

model = build("resnet18-d2l", MODELS["resnet18-d2l"].preset)
blocks = [part for part in by_hand.modules() if isinstance(part, Residual)]
with reproducible(0):
    images = torch.rand(2, 1, 96, 96)
parts = nn.ModuleList(
    [by_hand.net[0], *(nn.ModuleList(block.children()) for block in blocks), by_hand.net[-1]]
)
copy_weights(parts, model)
with torch.no_grad():
    assert torch.allclose(by_hand.eval()(images), model.eval()(images), atol=1e-4)
assert num_parameters(by_hand) == num_parameters(model) == 11_178_378

summary = summarize(trace(model, images[:1]), model, depth=3)
assert round(summary.macs / 1e9, 2) == 0.32
print(f"{'':24}{'output':>12}{'parameters':>14}{'MACs':>14}")
for row in summary.rows:
    name = "  " * row.indent + (row.names[0] if len(row.names) == 1 else f"{len(row.names)} x ...")
    shape = "x".join(map(str, row.output))
    numbers = f"{row.num_parameters:>14,}{row.macs:>14,}"
    print(f"{name:24}{shape:>12}{numbers}")
print(f"all: {summary.num_parameters:,} parameters, {summary.macs:,} MACs")

# %% [markdown]
# Where are they? Each stage has half the height and half the width of the one before and twice the
# channels. So a $3 \times 3$ convolution there has *four times* the weights, at a *quarter* of the
# places: the parameters pile up at the end, and the work is even.

# %%
pieces = [row for row in summary.rows if row.path in ("stem", "head") or row.path.count(".") == 1]
pieces = [row for row in pieces if row.path in ("stem", "head") or "stage" in row.names[0]]
names = [row.path.removeprefix("body.") for row in pieces]
figure, axes = plt.subplots(1, 2, figsize=(8, 2.4), sharey=True, layout="constrained")
axes[0].barh(names, [row.num_parameters / 1e6 for row in pieces])
axes[1].barh(names, [row.macs / 1e6 for row in pieces], color="C1")
axes[0].set_title("million parameters")
axes[1].set_title("million MACs, at 96x96")
axes[0].invert_yaxis()
assert sum(row.num_parameters for row in pieces) == summary.num_parameters

# %% [markdown]
# ## Plain against residual, deeper and deeper
#
# ResNet-18 on 96x96 images takes hours to train without a GPU. The effect shows on a small scale
# too. Images of 14x14, two stages of $n$ blocks, 8 and 16 channels, with batch norm; the *plain*
# networks are the same without the sums (and so without the one $1 \times 1$ convolution). Batches
# of 64, learning rate 0.1, 150 steps, two seeds. This is not the book's run.

# %%
from convlens.data.batches import Batches
from convlens.data.sets.fashion_mnist import load_fashion_mnist
from convlens.data.transform import Prepare
from convlens.train.events import Evaluated, StepsFinished
from convlens.train.loop import fit
from convlens.train.optim import TrainConfig

BATCH, HELD_OUT = 64, 100 if SHORT else 2000
clothes = load_fashion_mnist().train


class Nothing(nn.Module):
    """The shortcut of a plain network: adds zero."""

    def forward(self, X):
        return torch.zeros((), dtype=X.dtype)


def network(n, residual):
    """4n + 2 layers with weights."""
    settings = {**SMALL, "image_size": 14}
    net = ResNet(ResNetConfig(**settings, depths=(n, n)))
    if not residual:
        for part in net.modules():
            if isinstance(part, ResidualBlock):
                part.shortcut = Nothing()
    return net


def train(n, residual, seed):
    """Training losses (mean of each 10 steps), and the accuracy on held-out images."""
    events, prepare = [], Prepare(14)
    with reproducible(seed):
        fit(
            network(n, residual),
            Batches(clothes[: BATCH * STEPS], BATCH, prepare, shuffle_seed=seed),
            Batches(clothes[-HELD_OUT:], 500, prepare),
            TrainConfig(epochs=1, batch_size=BATCH, lr=0.1, device="cpu", log_every=10),
            listeners=[events.append],
        )
    losses = [event.loss for event in events if isinstance(event, StepsFinished)]
    return losses, next(event.accuracy for event in events if isinstance(event, Evaluated))


DEPTHS, SEEDS = ((1, 3), (0,)) if SHORT else ((1, 3, 8), (0, 1))
runs = {
    (n, residual, seed): train(n, residual, seed)
    for n in DEPTHS
    for residual in (False, True)
    for seed in SEEDS
}
print("held-out images right, a number for each seed")
for n in DEPTHS:
    for residual in (False, True):
        scores = "  ".join(f"{100 * runs[n, residual, seed][1]:5.1f} %" for seed in SEEDS)
        print(f"{4 * n + 2:3} layers, {'residual' if residual else 'plain':9} {scores}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for axis, residual in zip(axes, (False, True), strict=True):
    for color, n in enumerate(DEPTHS):
        for seed in SEEDS:
            losses = runs[n, residual, seed][0]
            steps = [min(10 * (i + 1), STEPS) for i in range(len(losses))]
            label = f"{4 * n + 2} layers" if seed == 0 else None
            axis.plot(steps, losses, "-" if residual else "--", color=f"C{color}", label=label)
    axis.set(title="residual" if residual else "plain", xlabel="step", ylim=(0, None))
    axis.grid(alpha=0.3)
    axis.legend()
axes[0].set_ylabel("training loss, two seeds")
if not SHORT:
    final = {key: losses[-1] for key, (losses, _) in runs.items()}
    for n in (3, 8):  # from 14 layers on the sum helps, by either seed
        assert max(final[n, True, s] for s in SEEDS) < min(final[n, False, s] for s in SEEDS)
    # Deeper is worse for the plain network, in training loss already: it is no overfitting.
    assert min(final[8, False, s] for s in SEEDS) > max(final[3, False, s] for s in SEEDS)

# %% [markdown]
# With the sum, more layers give a lower training loss, and 34 layers train as readily as 14.
# Without it 14 layers are still better than 6, but 34 are worse than 14, by either seed. It is the
# *training* loss that is worse, so this is no overfitting: the deeper plain network could do all
# that the shallower can, and does not find it. What longer training would give was not tried. (The
# accuracies are less clear at 14 layers: so early, at this learning rate, they jump from step to
# step.)

# %% [markdown]
# ## Why? Follow the gradient
#
# The derivative of $x + g(x)$ is $1 + g'(x)$. Through the sum, the gradient of each block's output
# reaches its input as it is, plus something. Through a plain block it is multiplied by $g'(x)$,
# again and again. Here is one batch through networks of 34 layers as they start, and the size of
# the gradient of the loss with respect to what each block gives out:


# %%
def gradient_sizes(residual, seed):
    with reproducible(seed):
        net = network(8, residual)
        x = Prepare(14)(clothes.images[:BATCH])
    outputs = []
    for part in net.modules():
        if isinstance(part, ResidualBlock):
            part.register_forward_hook(lambda _, __, output: outputs.append(output))
    loss = F.cross_entropy(net(x), clothes.labels[:BATCH])
    return [gradient.norm().item() for gradient in torch.autograd.grad(loss, outputs)]


figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
sizes = {(r, s): gradient_sizes(r, s) for r in (False, True) for s in (0, 1)}
for (residual, seed), found in sizes.items():
    label = ("residual" if residual else "plain") if seed == 0 else None
    color, style = ("C0", "-") if residual else ("C1", "--")
    axis.semilogy(range(1, 17), found, style, color=color, label=label)
axis.set(xlabel="block", ylabel="size of the gradient", title="34 layers, as they start, two seeds")
axis.grid(alpha=0.3)
axis.legend()
for (residual, seed), found in sizes.items():
    name = "residual" if residual else "plain"
    print(f"{name:9} seed {seed}: first block {found[0] / found[-1]:6.1f} times the last")
assert all(sizes[False, s][0] > 5 * sizes[True, s][0] for s in (0, 1))

# %% [markdown]
# In the plain network the gradient at the first block is more than a hundred times that at the
# last. It does not vanish: batch norm prevents that, but each plain block makes it about 1.4 times
# as large on its way down. No learning rate suits all layers then. With the sums it is within a
# factor of about ten to sixteen. (The step at block 9 is where the second stage begins.)

# %% [markdown]
# ## ResNeXt: many narrow paths
#
# A ResNeXt block is a bottleneck: a $1 \times 1$ convolution to $b$ channels, a $3 \times 3$
# convolution on those, a $1 \times 1$ convolution to the output's channels. The middle one is cut
# into $k$ *groups*, each of which reads only its own $b / k$ channels. It has $k$ times fewer
# weights: $9 \, b^2 / k$ and not $9 \, b^2$.
#
# A grouped convolution is nothing but that many small ones side by side:

# %%
grouped = nn.Conv2d(32, 32, 3, padding=1, groups=2, bias=False)
halves = [nn.Conv2d(16, 16, 3, padding=1, bias=False) for _ in range(2)]
for half, weight in zip(halves, grouped.weight.chunk(2), strict=True):
    half.weight = nn.Parameter(weight)
x = torch.randn(4, 32, 96, 96)
apart = torch.cat([half(part) for half, part in zip(halves, x.chunk(2, 1), strict=True)], 1)
assert torch.allclose(grouped(x), apart, atol=1e-5)

# %% [markdown]
# The block by hand, and from ConvLens:

# %%
from convlens.models.resnext import ResNeXtBlock


class ByHand(nn.Module):
    def __init__(self, channels, inner, groups):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1, groups=groups)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, channels, 1), nn.BatchNorm2d(channels)

    def forward(self, X):
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = F.relu(self.bn2(self.conv2(Y)))
        return F.relu(self.bn3(self.conv3(Y)) + X)


hand = ByHand(32, 32, groups=2)
block = ResNeXtBlock(32, 32, inner_channels=32, groups=2, bias=True)
copy_weights(hand, block)
assert hand(x).shape == (4, 32, 96, 96)  # as the book has it
assert torch.allclose(hand(x), block(x.clone()), atol=1e-5)

# %% [markdown]
# Mind the name `groups`. In the paper and in PyTorch it is the *number* of groups. In the book's
# block it is the number of channels *in* a group: `ResNeXtBlock(32, 16, 1)` has 2 groups, not 16.
# ConvLens keeps the book's meaning under the book's name only:

# %%
book = d2l.ResNeXtBlock(32, 16, 1)
assert book(x).shape == (4, 32, 96, 96)
assert book.conv2.groups == 2
assert num_parameters(book) == num_parameters(hand) == num_parameters(block)
print(f"the book's block: {book.conv2.groups} groups of {32 // book.conv2.groups} channels")

# %% [markdown]
# Groups pay for width. At about the same parameters and MACs, ResNeXt-50 has twice ResNet-50's
# channels in its $3 \times 3$ convolutions, in 32 groups. No weights are made here, only shapes
# (PyTorch's device "meta"):


# %%
def counted(name):
    """The summary of a network of the catalog, without making its weights."""
    preset = MODELS[name].preset
    with torch.device("meta"):
        net = build(name, preset)
        x = inputs_like(net, 1, preset.in_channels, preset.image_size, preset.image_size)
    return summarize(trace(net, x), net)


for name in ("resnet50", "resnext50-32x4d"):
    found = counted(name)
    print(f"{name:16} {found.num_parameters:>11,} parameters  {found.macs / 1e9:.2f} G MACs")
assert counted("resnext50-32x4d").num_parameters == 25_028_904
assert counted("resnet50").num_parameters == 25_557_032

# %% [markdown]
# ## Exercises
#
# **1. In what do an Inception block and a residual block differ, in cost and in what they can
# express?** ConvLens has a study of this question. It builds both, counts and tries:

# %%
from convlens.course.catalog import STUDIES
from convlens.course.study import Setup

study = STUDIES["8.6-blocks"]
finding = study.run(Setup())
print(study.answer, finding.text, sep="\n\n")
assert finding.holds

# %% [markdown]
# **2. Build the deeper networks of the paper's Table 1.** How many parameters should they have?
# Take the table, which gives the blocks per stage, and count by a formula of your own. A basic
# block from $i$ to $c$ channels has $9ic + 9c^2$ weights. A bottleneck with inner channels $c$ has
# $ic + 9c^2 + 4c^2$ and ends with $4c$ channels. Every convolution is followed by a norm, with two
# numbers for each channel, and has no bias.


# %%
def by_formula(blocks, bottleneck):
    def conv(i, o, k):
        return i * o * k * k + 2 * o  # with its norm

    total, i = conv(3, 64, 7), 64
    for c, count in zip((64, 128, 256, 512), blocks, strict=True):
        for index in range(count):
            o = 4 * c if bottleneck else c
            if bottleneck:
                total += conv(i, c, 1) + conv(c, c, 3) + conv(c, o, 1)
            else:
                total += conv(i, c, 3) + conv(c, c, 3)
            if index == 0 and i != o:
                total += conv(i, o, 1)  # the shortcut
            i = o
    return total + i * 1000 + 1000  # the linear layer


TABLE_1 = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
TABLE_1[152] = (3, 8, 36, 3)
for layers, blocks in TABLE_1.items():
    found = counted(f"resnet{layers}")
    assert found.num_parameters == by_formula(blocks, bottleneck=layers >= 50)
    assert found.weight_layers - found.shortcut_layers == layers  # what the name counts
    print(f"ResNet-{layers:<4}{found.num_parameters:>11,} parameters{found.macs / 1e9:6.2f} G MACs")

# %% [markdown]
# **3. What does a bottleneck save?** Two $3 \times 3$ convolutions on 256 channels against $1
# \times 1$ to 64, $3 \times 3$, and $1 \times 1$ back to 256. By the formula it is $18 \cdot
# 256^2$ weights against $2 \cdot 256 \cdot 64 + 9 \cdot 64^2$, 17 times fewer:

# %%
from convlens.models.resnet import Bottleneck

with torch.device("meta"):
    x = torch.zeros(1, 256, 14, 14)
    basic, narrow = ResidualBlock(256, 256), Bottleneck(256, 256, inner_channels=64)
costs = [trace(part, x).whole.macs for part in (basic, narrow)]
assert costs == [14 * 14 * 18 * 256**2, 14 * 14 * (2 * 256 * 64 + 9 * 64**2)]
print(f"{costs[0]:,} and {costs[1]:,} MACs: {costs[0] / costs[1]:.1f} times fewer")

# %% [markdown]
# ## Where to go next
#
# - The next notebook: [8.7, DenseNet](8.7-densenet.ipynb). It concatenates where ResNet adds.
# - In a terminal: `convlens compare-models resnet18 resnet50 resnext50-32x4d`, and `convlens study
#   run 8.6-blocks`.
# - With a GPU, the book's run: `d2l.Trainer(max_epochs=10, num_gpus=1).fit(ResNet18(),
#   d2l.FashionMNIST(batch_size=128, resize=(96, 96)))`.
