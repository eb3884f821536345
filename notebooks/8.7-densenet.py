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
# # Densely connected networks: DenseNet
#
# Beside section 8.7 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-modern/densenet.html>. It needs ConvLens and matplotlib, no
# download and no GPU; read [notebook 8.6](8.6-resnet.ipynb) first.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/8.7-densenet.ipynb)
#
# Large networks are only counted here. Small ones are trained for 120 steps, a minute or two in all
# on two cores. With `CONVLENS_SHORT=1` in the environment it takes 5 steps and is done in seconds;
# what the text says of trainings holds for the full run.

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

from convlens.core.seed import reproducible

SHORT = os.environ.get("CONVLENS_SHORT") == "1"
STEPS = 5 if SHORT else 120
plt.rcParams["figure.dpi"] = 80

# %% [markdown]
# ## The idea
#
# A residual block *adds* what it computed to what it was given, and then nobody can tell the two
# apart. DenseNet puts them side by side, as more channels. Each layer of a dense block reads all
# that came before it, and adds $k$ channels of its own:
#
# $$x_{l} = [\, x_0,\; f_1(x_0),\; f_2(x_1),\; \ldots,\; f_l(x_{l-1}) \,], \qquad f = \mathrm{conv}_{3 \times 3} \circ \mathrm{relu} \circ \mathrm{BN}.$$
#
# $k$ is the *growth rate*. After $l$ layers there are $c_0 + l k$ channels. They would become too
# many, so between blocks stands a *transition*: a $1 \times 1$ convolution to fewer channels, and
# average pooling to half the height and width.

# %% [markdown]
# ## By hand


# %%
def conv_block(in_channels, channels):
    return nn.Sequential(
        nn.BatchNorm2d(in_channels), nn.ReLU(), nn.Conv2d(in_channels, channels, 3, padding=1)
    )


class DenseBlock(nn.Module):
    def __init__(self, in_channels, num_convs, growth):
        super().__init__()
        self.net = nn.ModuleList(
            conv_block(in_channels + index * growth, growth) for index in range(num_convs)
        )

    def forward(self, X):
        for block in self.net:
            X = torch.cat((X, block(X)), dim=1)
        return X


def transition_block(in_channels, channels):
    return nn.Sequential(
        *(nn.BatchNorm2d(in_channels), nn.ReLU(), nn.Conv2d(in_channels, channels, 1)),
        nn.AvgPool2d(2, stride=2),
    )


X = torch.randn(4, 3, 8, 8)
block, transition = DenseBlock(3, 2, 10), transition_block(23, 10)
Y = block(X)
print(tuple(Y.shape), tuple(transition(Y).shape))
assert Y.shape == (4, 23, 8, 8)  # as the book has it: 3 + 2 * 10 channels
assert transition(Y).shape == (4, 10, 4, 4)
assert torch.equal(Y[:, :3], X)  # what came in is still there, untouched

# %% [markdown]
# The same from ConvLens. Its default is the paper's DenseNet-BC, in which a $1 \times 1$
# convolution to $4k$ channels comes first in each layer; the book's has none. Copy the weights
# over and compare, in training and in evaluation mode:

# %%
from convlens.models import densenet
from convlens.models.catalog import num_parameters


def copy_weights(source, target):
    """Layer by layer, in the order in which the two define them."""
    layers = [
        [part for part in module.modules() if list(part.parameters(recurse=False))]
        for module in (source, target)
    ]
    for a, b in zip(*layers, strict=True):
        b.load_state_dict(a.state_dict())


pairs = (
    (block, densenet.DenseBlock(3, 2, 10, bottleneck=0, bias=True), X),
    (transition, densenet.Transition(23, 10, bias=True), Y.detach()),
)
for ours, theirs, x in pairs:
    copy_weights(ours, theirs)
    for mode in (True, False):
        assert torch.allclose(ours.train(mode)(x), theirs.train(mode)(x), atol=1e-5)
    assert num_parameters(ours) == num_parameters(theirs)
    print(f"{type(theirs).__name__:12} {num_parameters(theirs):>6,} parameters in both")

# %% [markdown]
# ## DenseNet
#
# ResNet's stem, four dense blocks of 4 layers with $k = 32$, three transitions that halve the
# channels, a last norm, a global mean, a linear layer. As a reader of the book writes it:

# %%
from convlens import d2l


class DenseNet(d2l.Classifier):
    def __init__(self, lr=0.1, num_classes=10, growth=32, depths=(4, 4, 4, 4)):
        super().__init__()
        self.save_hyperparameters()
        channels = 64
        layers = [
            nn.Sequential(
                *(nn.Conv2d(1, channels, 7, stride=2, padding=3), nn.BatchNorm2d(channels)),
                *(nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)),
            )
        ]
        for stage, depth in enumerate(depths):
            layers.append(DenseBlock(channels, depth, growth))
            channels += depth * growth
            if stage < len(depths) - 1:
                layers.append(transition_block(channels, channels // 2))
                channels //= 2
        layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, num_classes))


by_hand = DenseNet()
by_hand.layer_summary((1, 1, 96, 96))

# %% [markdown]
# From the catalog, with the check:

# %%
from convlens.inspection.summary import summarize
from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like
from convlens.models.catalog import MODELS, build

model = build("densenet-d2l", MODELS["densenet-d2l"].preset)
copy_weights(by_hand, model)
with reproducible(0):
    images = torch.rand(2, 1, 96, 96)
with torch.no_grad():
    assert torch.allclose(by_hand.eval()(images), model.eval()(images), atol=1e-4)
assert num_parameters(by_hand) == num_parameters(model) == 758_226

traced = trace(model, images[:1])
assert round(traced.whole.macs / 1e9, 2) == 0.13
pieces = [
    layer
    for layer in traced.layers
    if layer.path in ("stem", "body.stage4.norm", "head")
    or layer.kind in ("DenseBlock", "Transition")
]
print(f"{'':24}{'output':>12}{'parameters':>12}{'MACs':>14}")
for piece in pieces:
    shape = "x".join(map(str, piece.outputs[0][1:]))
    print(f"{piece.path:24}{shape:>12}{piece.num_parameters:>12,}{piece.macs:>14,}")
print(f"all: {traced.whole.num_parameters:,} parameters, {traced.whole.macs:,} MACs")
assert sum(piece.num_parameters for piece in pieces) == traced.whole.num_parameters

# %% [markdown]
# On the left the channels after each layer: up by 32 in a dense block, halved by a transition. On
# the right, where the parameters and the MACs are. The later blocks have more weights, since they
# read more channels; the first has most of the work, since it has most places.

# %%
steps = [layer for layer in traced.layers if layer.kind in ("DenseLayer", "Transition")]
channels = [64, *(step.outputs[0][1] for step in steps)]
assert channels[1:6] == [96, 128, 160, 192, 96]
assert channels[6:] == [128, 160, 192, 224, 112, 144, 176, 208, 240, 120, 152, 184, 216, 248]
names = [p.path.removeprefix("body.").replace("stage", "").replace(".", " ") for p in pieces]
figure, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained", width_ratios=(3, 2, 2))
axes[0].step(range(len(channels)), channels, where="post")
axes[0].set(title="channels", xlabel="dense layers and transitions", ylim=(0, None))
axes[0].grid(alpha=0.3)
axes[1].barh(names, [piece.num_parameters / 1e3 for piece in pieces])
axes[2].barh(names, [piece.macs / 1e6 for piece in pieces], color="C1")
axes[1].set_title("thousand parameters")
axes[2].set_title("million MACs, at 96x96")
axes[2].set_yticks([])
for axis in axes[1:]:
    axis.invert_yaxis()

# %% [markdown]
# ## With and without the connections
#
# Now the same number of layers, once dense and once *plain*: each layer reads only the one before
# it. To be fair, the plain network gets as many channels in each layer as make its parameters
# about equal. Images of 14x14, two blocks of 3 or of 8 layers, a growth rate of 8, batches of 64,
# learning rate 0.1, 120 steps, two seeds. This is not the book's run: that is 10 epochs of the
# network above, on 96x96 images.

# %%
from convlens.data.batches import Batches
from convlens.data.sets.fashion_mnist import load_fashion_mnist
from convlens.data.transform import Prepare
from convlens.train.events import StepsFinished
from convlens.train.loop import fit
from convlens.train.optim import TrainConfig

BATCH, HELD_OUT = 64, 100
clothes = load_fashion_mnist().train


def dense(depth, pool=nn.AvgPool2d):
    between = transition_block(16 + 8 * depth, 8 + 4 * depth)
    between[-1] = pool(2, stride=2)
    blocks = [DenseBlock(16, depth, 8), between, DenseBlock(8 + 4 * depth, depth, 8)]
    return assemble(blocks, 8 + 4 * depth + 8 * depth)


def plain(depth):
    width = {3: 16, 8: 22}[depth]
    first = [conv_block(16 if index == 0 else width, width) for index in range(depth)]
    second = [conv_block(width, width) for _ in range(depth)]
    return assemble([*first, transition_block(width, width), *second], width)


def assemble(blocks, channels):
    head = [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), *blocks, *head, nn.Linear(channels, 10))


def train(make, seed):
    """Training losses: the mean of each 10 steps."""
    events, prepare = [], Prepare(14)
    with reproducible(seed):
        fit(
            make(),
            Batches(clothes[: BATCH * STEPS], BATCH, prepare, shuffle_seed=seed),
            Batches(clothes[-HELD_OUT:], HELD_OUT, prepare),
            TrainConfig(epochs=1, batch_size=BATCH, lr=0.1, device="cpu", log_every=10),
            listeners=[events.append],
        )
    return [event.loss for event in events if isinstance(event, StepsFinished)]


DEPTHS, SEEDS = ((3,), (0,)) if SHORT else ((3, 8), (0, 1))
runs = {}
for depth in DEPTHS:
    for make in (plain, dense):
        size = num_parameters(make(depth))
        for seed in SEEDS:
            runs[make.__name__, depth, seed] = train(lambda make=make, d=depth: make(d), seed)
        last = "  ".join(f"{runs[make.__name__, depth, seed][-1]:.3f}" for seed in SEEDS)
        print(f"2 x {depth} layers, {make.__name__:6} {size:>7,} parameters, last loss {last}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for axis, depth in zip(axes, DEPTHS, strict=False):
    for name, style, color in (("plain", "--", "C1"), ("dense", "-", "C0")):
        for seed in SEEDS:
            losses = runs[name, depth, seed]
            x = [min(10 * (i + 1), STEPS) for i in range(len(losses))]
            axis.plot(x, losses, style, color=color, label=name if seed == 0 else None)
    axis.set(title=f"2 x {depth} layers, two seeds", xlabel="step", ylim=(0, None))
    axis.grid(alpha=0.3)
    axis.legend()
axes[0].set_ylabel("training loss")
if not SHORT:
    final = {key: losses[-1] for key, losses in runs.items()}
    assert max(final["dense", 8, s] for s in SEEDS) < min(final["plain", 8, s] for s in SEEDS)

# %% [markdown]
# With 2 x 8 layers the dense network has the lower training loss, by either seed, at about the
# same parameters. With 2 x 3 layers it is the other way round: there the plain network can be
# wide, and there is little depth to bridge. So the connections are worth their channels in a
# network that is deep. In a shallow one the channels are better spent on width.

# %% [markdown]
# ## Exercises
#
# **1. Why average pooling in the transition? What if it is max-pooling?** Try it, with 2 x 3
# layers and the seeds above:

# %%
for pool in (nn.AvgPool2d, nn.MaxPool2d):
    last = [train(lambda pool=pool: dense(3, pool), seed)[-1] for seed in SEEDS]
    print(f"{pool.__name__}: last training loss " + "  ".join(f"{loss:.3f}" for loss in last))

# %% [markdown]
# Here, for this small network and short training, max-pooling is a little ahead, by either seed.
# That is no law. The reason for the average is that it keeps a share of each number, and later
# layers are to read what earlier ones made; the maximum throws three of four numbers away and
# passes no gradient to them. Two seeds and 120 steps cannot decide for the book's network. Try
# your own.

# %% [markdown]
# **2. Why has DenseNet fewer parameters than ResNet?** The book's two networks, by the number of
# channels that their $3 \times 3$ convolutions read and make:


# %%
def counted(name):
    """The trace and the summary of a network of the catalog, without making its weights."""
    preset = MODELS[name].preset
    with torch.device("meta"):
        net = build(name, preset)
        x = inputs_like(net, 1, preset.in_channels, preset.image_size, preset.image_size)
    traced = trace(net, x)
    return traced, summarize(traced, net)


for name in ("resnet18-d2l", "densenet-d2l"):
    traced, summary = counted(name)
    convs = [leaf.module for leaf in traced.leaves if leaf.kind == "Conv2d"]
    convs = [conv for conv in convs if conv.kernel_size == (3, 3)]
    mean_in = sum(conv.in_channels for conv in convs) / len(convs)
    mean_out = sum(conv.out_channels for conv in convs) / len(convs)
    weights = sum(conv.weight.numel() for conv in convs)
    print(f"{name:14}{summary.num_parameters:>11,} parameters, of which {weights:,} are in")
    print(
        f"{'':14}{len(convs):>11} 3x3 convolutions, {mean_in:.0f} to {mean_out:.0f} channels each"
    )
assert counted("resnet18-d2l")[1].num_parameters == 11_178_378
assert counted("densenet-d2l")[1].num_parameters == 758_226

# %% [markdown]
# A layer of DenseNet makes 32 channels only: it need not copy what is there already. A layer of
# ResNet's last stage makes all 512 anew, and $9 \cdot 512^2$ weights are 2.4 million in one
# convolution.

# %% [markdown]
# **3. But memory?** Each layer's input is kept for the backward pass, and inputs overlap: the
# first layer's channels are stored again in each later concatenation. Count what one step of
# training holds, at 96x96 and 224x224, for a batch of 32 (on the "meta" device: shapes, no
# numbers):

# %%
from torch.utils.checkpoint import checkpoint

from convlens.inspection.training.memory import training_memory


def memory(name, size, change=None):
    with torch.device("meta"):
        net = build(name, MODELS[name].preset)
        x = torch.zeros(32, 1, size, size)
    return training_memory(net if change is None else change(net), x)


for size in (96, 224):
    for name in ("resnet18-d2l", "densenet-d2l"):
        found = memory(name, size)
        weights, peak = found.parameters_bytes / 1e6, found.peak_bytes / 1e6
        print(f"{name:14}{size:>5} pixels: weights {weights:5.1f} MB, at the peak {peak:7.1f} MB")
assert memory("densenet-d2l", 224).peak_bytes > memory("resnet18-d2l", 224).peak_bytes

# %% [markdown]
# Fifteen times fewer weights, and more memory. One way out is *checkpointing*: keep only the input
# of each layer's function $f$ and compute the inside again when the backward pass comes to it. It
# costs a second forward pass and changes no gradient:


# %%
class Checkpointed(nn.Module):
    def __init__(self, inside):
        super().__init__()
        self.inside = inside

    def forward(self, x):
        return checkpoint(self.inside, x, use_reentrant=False, preserve_rng_state=False)


def checkpointed(net):
    for layer in net.modules():
        if isinstance(layer, densenet.DenseLayer):
            layer.growth = Checkpointed(layer.growth)
    return net


gradients = []
for change in (None, checkpointed):
    with reproducible(0):
        net = densenet.DenseBlock(3, 4, 10, bottleneck=0, bias=True)
        x = torch.randn(4, 3, 8, 8)
    if change is not None:
        net = change(net)
    net(x).square().sum().backward()
    gradients.append([parameter.grad for parameter in net.parameters()])
for a, b in zip(*gradients, strict=True):
    assert torch.allclose(a, b, atol=1e-4)

before, after = (memory("densenet-d2l", 224, change) for change in (None, checkpointed))
print(f"peak at 224 pixels: {before.peak_bytes / 1e6:.0f} MB, ", end="")
print(f"checkpointed {after.peak_bytes / 1e6:.0f} MB")
assert after.peak_bytes < 0.8 * before.peak_bytes

# %% [markdown]
# (What a checkpoint runs twice moves its batch norms' running statistics twice as well. Training
# is the same, the running mean just follows a little faster.)

# %% [markdown]
# **4. Build the networks of the paper's Table 1.** Count their parameters by a formula of your
# own. A layer of DenseNet-BC with $i$ channels in has a norm ($2i$), $4k \cdot i$ weights, a norm
# ($8k$) and $9 \cdot 4k \cdot k$ weights, no biases:


# %%
def by_formula(depths, k, stem):
    total, i = 3 * stem * 49 + 2 * stem, stem
    for stage, depth in enumerate(depths):
        for _ in range(depth):
            total += 2 * i + 4 * k * i + 8 * k + 36 * k * k
            i += k
        if stage < len(depths) - 1:
            total += 2 * i + i * (i // 2)
            i //= 2
    return total + 2 * i + i * 1000 + 1000


TABLE_1 = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32), 161: (6, 12, 36, 24)}
for layers, depths in TABLE_1.items():
    _, summary = counted(f"densenet{layers}")
    k, stem = (48, 96) if layers == 161 else (32, 64)
    assert summary.num_parameters == by_formula(depths, k, stem)
    assert summary.weight_layers == layers  # the number in the name
    print(f"DenseNet-{layers} {summary.num_parameters:>11,} parameters", end="")
    print(f"{summary.macs / 1e9:6.2f} G MACs")

# %% [markdown]
# ## Where to go next
#
# - The next notebook: [8.8, designing networks](8.8-designing-networks.ipynb), on how to choose
#   depths and widths.
# - In a terminal: `convlens compare-models resnet18-d2l densenet-d2l`, and `convlens summary
#   densenet121`.
# - With a GPU, the book's run: `d2l.Trainer(max_epochs=10, num_gpus=1).fit(DenseNet(lr=0.01),
#   d2l.FashionMNIST(batch_size=128, resize=(96, 96)))`.
