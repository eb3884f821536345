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
# # Network in Network (NiN)
#
# Beside section 8.3 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-modern/nin.html>. It needs ConvLens and matplotlib, no
# download and no GPU; [notebook 8.2](8.2-vgg.ipynb) explains blocks, [7.4](7.4-channels.ipynb)
# channels. It trains a small network for about a minute.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/8.3-nin.ipynb)

# %%
import sys

if "google.colab" in sys.modules:  # Colab has PyTorch, but not ConvLens
    # %pip install -q convlens
    print("ConvLens is installed")

# %% [markdown]
# With `CONVLENS_SHORT=1` in the environment the training below takes only a few steps: enough to
# see that all cells run, too few to learn anything.

# %%
import os

import matplotlib.pyplot as plt
import torch
from torch import nn

from convlens.core.seed import reproducible

SHORT = os.environ.get("CONVLENS_SHORT") == "1"
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
plt.rcParams["figure.dpi"] = 80

# %% [markdown]
# ## The idea
#
# In AlexNet and VGG most parameters are in the linear layers at the end. NiN has none. It uses two
# other things.
#
# **Convolutions of 1 x 1** are linear layers for each place: they mix the channels, and see no
# neighbours. Two of them with ReLU are a small network at every place, hence the name.
#
# $$Y_{o,i,j} = b_o + \sum_c W_{o,c}\, X_{c,i,j}$$
#
# **Global average pooling** instead of linear layers: the last block has one channel for each
# class, and the mean of channel $k$ is the logit of class $k$.
#
# $$z_k = \frac{1}{hw} \sum_{i,j} Y_{k,i,j}$$
#
# The first, as code: the same weights as a convolution and as a linear layer over the channels.

# %%
with reproducible(0):
    x = torch.randn(2, 5, 4, 6)
    conv = nn.Conv2d(5, 3, kernel_size=1)
linear = nn.Linear(5, 3)
linear.load_state_dict({"weight": conv.weight[:, :, 0, 0], "bias": conv.bias})
places_last = x.movedim(1, -1)  # channels last: a linear layer works on the last axis
assert torch.allclose(conv(x), linear(places_last).movedim(-1, 1), atol=1e-6)
print("a convolution of 1 x 1 is a linear layer at each place")

# %% [markdown]
# ## The block and the network by hand
#
# A block is a convolution with a window, and two of 1 x 1. The windows are AlexNet's.


# %%
def block_by_hand(in_channels, out_channels, kernel_size, stride=1, padding=0):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, kernel_size=1),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, kernel_size=1),
        nn.ReLU(),
    )


def nin_by_hand(num_classes=10):
    return nn.Sequential(
        block_by_hand(1, 96, 11, stride=4),  # 224 -> 54
        nn.MaxPool2d(3, stride=2),  # 54 -> 26
        block_by_hand(96, 256, 5, padding=2),
        nn.MaxPool2d(3, stride=2),  # 26 -> 12
        block_by_hand(256, 384, 3, padding=1),
        nn.MaxPool2d(3, stride=2),  # 12 -> 5
        nn.Dropout(0.5),
        block_by_hand(384, num_classes, 3, padding=1),  # a channel for each class
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


# %% [markdown]
# ## The same from ConvLens

# %%
from convlens.models.catalog import build, configure, num_parameters

with reproducible(0):
    by_hand, net = nin_by_hand(), build("nin", configure("nin", {}))

theirs, ours = dict(by_hand.named_parameters()), dict(net.named_parameters())
for (left, a), (right, b) in zip(theirs.items(), ours.items(), strict=True):
    assert a.shape == b.shape
    if a.ndim == 4:
        print(f"{left:<11} {right:<32} {tuple(a.shape)!s:<18} {a.numel():>8,}")
assert num_parameters(by_hand) == num_parameters(net) == 1_992_166

by_hand.load_state_dict(dict(zip(theirs, net.state_dict().values(), strict=True)))
with reproducible(1):
    image = torch.randn(1, 1, 224, 224)
with torch.no_grad():
    assert torch.allclose(by_hand.eval()(image), net.eval()(image), atol=1e-6)
print(f"the same logits; {num_parameters(net):,} parameters with the biases")

# %% [markdown]
# ## Layer by layer
#
# On the device `meta`, which has shapes and no numbers.

# %%
from convlens.inspection.summary import summarize
from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like


def on_paper(name, **changes):
    """The network on `meta`, and one image for it."""
    config = configure(name, changes)
    with torch.device("meta"):
        model = build(name, config)
    return model, inputs_like(model, 1, config.in_channels, config.image_size, config.image_size)


net, x = on_paper("nin")
traced = trace(net, x)
found = summarize(traced, net)
print(f"{'layer':<14}{'kind':<17}{'output':<12}{'parameters':>12}{'MACs':>14}")
for row in found.rows:
    if row.kind not in {"ReLU", "Dropout"}:
        layer, output = "  " * row.indent + ", ".join(row.names), "x".join(map(str, row.output))
        numbers = "" if row.is_open else f"{row.num_parameters:>12,}{row.macs:>14,}"
        print(f"{layer:<14}{row.kind:<17}{output:<12}{numbers}")
print(f"in all {found.num_parameters:,} parameters and {found.macs:,} MACs")

assert found.layers_by_kind["linear"] == 0
sizes = {layer.path: layer.outputs[0][1:] for layer in traced.layers}
pieces = ("stem.block", "stem.pool", "body.stage1", "body.stage2", "head.block", "head")
assert [sizes[path] for path in pieces] == [  # as the book prints them
    *((96, 54, 54), (96, 26, 26), (256, 12, 12), (384, 5, 5), (10, 5, 5), (10,)),
]
assert round(found.macs / 1e6) == 762

# %% [markdown]
# ## Where the parameters are, and where the work is

# %%
weighted = [leaf for leaf in traced.leaves if leaf.kind == "Conv2d"]
names = [leaf.path.removeprefix("body.").replace("block.", "") for leaf in weighted]
shares = {
    "parameters": [100 * leaf.num_parameters / found.num_parameters for leaf in weighted],
    "MACs": [100 * leaf.macs / found.macs for leaf in weighted],
}

figure, axis = plt.subplots(figsize=(8.5, 3.4), layout="constrained")
for shift, (what, share), color in zip((-0.2, 0.2), shares.items(), (BLUE, ORANGE), strict=True):
    places = [place + shift for place in range(len(names))]
    bars = axis.bar(places, share, width=0.38, color=color, label=what)
    axis.bar_label(bars, fmt="%.0f", fontsize=8)
axis.set_xticks(range(len(names)), names, rotation=25, ha="right", fontsize=9)
axis.set_ylabel("per cent of the network")
axis.margins(y=0.12)
axis.legend()
plt.show()

alexnet = trace(*on_paper("alexnet-d2l")).whole
print(f"AlexNet has {alexnet.num_parameters / found.num_parameters:.0f} times the parameters,")
print(f"but only {alexnet.macs / found.macs:.1f} times the work")

# %% [markdown]
# Without linear layers the two go together: a convolution's work is its weights times the places of
# its output.
#
# ## What a place sees
#
# A convolution of 1 x 1 sees what the layer before it sees, and not a pixel more.

# %%
from convlens.inspection.receptive_field import receptive_fields

fields = receptive_fields(net, x)
for leaf in traced.leaves:
    if leaf.kind in {"Conv2d", "MaxPool2d"}:
        rows = f"{fields[leaf.path].size[0]:>3} pixels"
        print(
            f"{leaf.path:<25} sees {rows}, the next place {fields[leaf.path].jump[0]:>2} further on"
        )
for block in ("stem.block", "body.stage1.block", "body.stage2.block", "head.block"):
    assert fields[f"{block}.conv1"].size == fields[f"{block}.conv3"].size
assert fields["head.pool"].whole  # the mean of all places has seen the whole image

# %% [markdown]
# ## Training, on a processor
#
# The book trains on 224 x 224 for ten epochs, on a GPU. This is **not the book's run**: a sixth to
# an eighth of the channels, a 3 x 3 stem for 28 x 28 pixels (`stem="small"`), less dropout, and
# 800 steps of 50 images. The rate rises at first and falls at the end (`one-cycle`), because this
# network is slow to leave its start.

# %%
from dataclasses import asdict

from convlens.data.batches import Batches
from convlens.data.catalog import DataConfig, load_data, split
from convlens.data.transform import Prepare
from convlens.report.figures import draw_curves
from convlens.train.events import Evaluated
from convlens.train.loop import fit
from convlens.train.optim import TrainConfig

STEPS = 5 if SHORT else 160  # in an epoch
config = TrainConfig(
    epochs=1 if SHORT else 5,
    batch_size=50,
    lr=0.03,
    schedule="one-cycle",
    momentum=0.9,
    device="cpu",
    log_every=16,
)
data = split(load_data(DataConfig()), "held-out")
prepare = Prepare(28, mean=(0.286,), std=(0.353,))
records = []


def listen(event):
    records.append({"event": type(event).__name__, **asdict(event)})
    if isinstance(event, Evaluated):
        print(f"epoch {event.epoch}: loss {event.loss:.3f}, accuracy {event.accuracy:.1%}")


with reproducible(0):
    settings = {"image_size": 28, "stem": "small", "widths": (16, 32, 48), "dropout": 0.2}
    model = build("nin", configure("nin", {**settings, "init": "kaiming"}))
    print(f"{num_parameters(model):,} parameters")
    fit(
        model,
        Batches(data.train[: STEPS * config.batch_size], 50, prepare, shuffle_seed=0),
        Batches(data.validation[: 100 if SHORT else 2000], 500, prepare),
        config,
        listeners=[listen],
    )
draw_curves(records, title="a small NiN at 28 x 28")

# %% [markdown]
# ## What it gets right, and what not

# %%
from convlens.train.evaluate import predict_logits

test = data.test[: 200 if SHORT else 5000]
chosen = predict_logits(model, Batches(test, 500, prepare)).argmax(1)
right = chosen == test.labels

for index, name in enumerate(test.class_names):
    these = test.labels == index
    wrong = torch.bincount(chosen[these & ~right], minlength=10)
    often = f"most often taken for {test.class_names[int(wrong.argmax())]}" if wrong.any() else ""
    print(f"{name:<11} {right[these].float().mean():>5.0%} right  {often}")
print(f"all         {right.float().mean():>5.0%} right of {len(test):,}")
assert SHORT or right.float().mean() > 0.5

# %% [markdown]
# ## Seeing the logits
#
# In NiN the logits have a place. The last block gives a map for each class, and the mean of a map
# is the logit: so the map shows *where* in the image the network found evidence for that class.

# %%
boot = prepare(test.images[:1])
model.eval()
with torch.no_grad():
    maps = model.head.block(model.body(model.stem(boot)))  # dropout does nothing in evaluation
    logits = model(boot)
assert torch.allclose(maps.mean((2, 3)), logits, atol=1e-5)

figure, axes = plt.subplots(2, 6, figsize=(10, 3.8), layout="constrained")
panels = [(boot[0, 0], "the image", "gray", None)]
top = float(maps.max()) or 1.0
for name, plane, logit in zip(test.class_names, maps[0], logits[0], strict=True):
    panels.append((plane, f"{name}\nlogit {logit:.1f}", "viridis", (0, top)))
for axis in axes.flat:
    axis.set_axis_off()
for axis, (plane, title, colors, limits) in zip(axes.flat, panels, strict=False):
    axis.imshow(plane, cmap=colors, clim=limits)
    axis.set_title(title, fontsize=9)
plt.show()

# %% [markdown]
# The maps are never negative, for the last layer is a ReLU. So no class can have evidence against
# it, only none for it. And where a ReLU gives zero, no gradient comes back through it. So let us
# see how often a logit is exactly zero, that is, a whole map is: among all images, and among those
# of that very class.

# %%
logits = predict_logits(model, Batches(test, 500, prepare))
silent = logits == 0
for index, name in enumerate(test.class_names):
    own = test.labels == index
    everywhere, at_home = silent[:, index].float().mean(), silent[own, index].float().mean()
    mean, rival = logits[own, index].mean(), logits[own].amax(1).mean()
    print(
        f"{name:<11} zero for {everywhere:>4.0%} of all, {at_home:>4.0%} of its own images;",
        end=" ",
    )
    print(f"on its own {mean:>5.2f} on average, the largest logit there {rival:>5.2f}")

# %% [markdown]
# In the run stored here the map of *dress* is zero on its own images, to the rounding of the
# table, and on nearly all others. That goes with its 0 % above: every dress is given to a class
# with some evidence. The label "dress" cannot mend it, because the ReLU passes no gradient where
# it gives zero. This is one run: with another seed or another number of threads it may be another
# class, or none. GoogLeNet, in the next notebook, ends in a linear layer without ReLU, whose
# logits may be negative and always have a gradient.
#
# ## Exercises
#
# **1.** What does a NiN take: parameters, computing, memory to train, memory to predict? (Exercise
# 4.) To predict, a layer's input and output must be there at once, and all weights; nothing is
# kept for a way back.

# %%
from math import prod

from convlens.inspection.training.memory import training_memory

weights = found.num_parameters * 4
at_once = max(
    sum(map(prod, leaf.inputs)) + sum(map(prod, leaf.outputs))
    for leaf in traced.leaves
    if leaf.kind != "ReLU"  # which works in place
)
print(f"{found.num_parameters:,} parameters, {found.macs:,} MACs for an image")
for batch in (1, 128):
    memory = training_memory(net, x.expand(batch, -1, -1, -1), optimizer_slots=0)
    predict = weights + 4 * at_once * batch
    print(f"{batch:>3} images: training {memory.total_bytes / 1e6:.0f} MB, ", end="")
    print(f"prediction {predict / 1e6:.0f} MB")

# %% [markdown]
# **2.** Why are there two layers of 1 x 1 in a block? (Exercise 1.) Whether one or three learn
# better, only training tells. What they cost, you can say before: each has $c_\text{out}^2 +
# c_\text{out}$ parameters in a block of $c_\text{out}$ channels.


# %%
def nin_with(num_pointwise, kernel_size=1):
    """NiN with so many convolutions behind the first in each block, of this size."""
    net = nin_by_hand()
    for place, block in enumerate(net):
        if isinstance(block, nn.Sequential):
            width, layers = block[0].out_channels, [*block[:2]]
            for _ in range(num_pointwise):
                layers += [
                    nn.Conv2d(width, width, kernel_size, padding=kernel_size // 2),
                    nn.ReLU(),
                ]
            net[place] = nn.Sequential(*layers)
    return net


pairs_of_channels = sum(c * c + c for c in (96, 256, 384, 10))
for number in (0, 1, 2, 3):
    with torch.device("meta"):
        changed = nin_with(number)
    whole = trace(changed, x).whole
    print(f"{number} of 1 x 1: {whole.num_parameters:,} parameters, {whole.macs:,} MACs")
    assert whole.num_parameters == found.num_parameters + (number - 2) * pairs_of_channels

# %% [markdown]
# **3.** What if the 1 x 1 convolutions were 3 x 3? (Exercise 2.) Each has nine times the weights
# and nine times the work, and places see more. How much is that for the whole network?

# %%
with torch.device("meta"):
    changed = nin_with(2, kernel_size=3)
wide = trace(changed, x).whole
pointwise = [leaf for leaf in weighted if leaf.module.kernel_size == (1, 1)]
print(f"{wide.num_parameters:,} parameters, {wide.num_parameters / found.num_parameters:.1f} times")
print(f"{wide.macs:,} MACs, {wide.macs / found.macs:.1f} times")
assert wide.macs == found.macs + 8 * sum(leaf.macs for leaf in pointwise)
print("the last block sees", receptive_fields(changed, x)["7"].size[0], end=" ")
print("rows of pixels instead of", fields["head.block"].size[0])

# %% [markdown]
# **4.** Put a linear layer in the place of the global pooling. (Exercise 3.) How many parameters
# more is that, behind the last block, and how many behind the 384 channels before it? What else is
# lost?

# %%
behind_last = 10 * 5 * 5 * 10 + 10
behind_body = 384 * 5 * 5 * 10 + 10
print(f"behind the last block {behind_last:,}, behind the body {behind_body:,}")
with torch.device("meta"):
    fixed = nn.Sequential(net.stem, net.body, nn.Flatten(), nn.Linear(384 * 5 * 5, 10))
extra = sum(p.numel() for p in fixed[-1].parameters())
assert extra == behind_body

from convlens.inspection.smallest import runs_at, smallest_input

larger = {"NiN": runs_at(net, 1, 300), "with a linear layer": runs_at(fixed, 1, 300)}
smallest = smallest_input(lambda size: runs_at(net, 1, size))
print(f"runs on 300 x 300: {larger}; NiN runs from {smallest} pixels on")
assert larger == {"NiN": True, "with a linear layer": False} and smallest == 67

# %% [markdown]
# What is lost is the freedom of size: the mean of a channel is one number for any image.

# %% [markdown]
# ## Where to go next
#
# The next notebook is [8.4, GoogLeNet](8.4-googlenet.ipynb): windows of several sizes at once, kept
# cheap by convolutions of 1 x 1. In the terminal:
#
# ```
# convlens summary nin --fields
# convlens compare-models nin alexnet-d2l --rounds 0
# ```
