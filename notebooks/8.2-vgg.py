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
# # VGG: networks out of blocks
#
# Beside section 8.2 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-modern/vgg.html>. It needs ConvLens and matplotlib, no
# download and no GPU; [notebook 8.1](8.1-alexnet.ipynb) explains AlexNet and how we count. It
# trains a small network for about a minute.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/8.2-vgg.ipynb)

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
# Two things. **Small windows, many of them**: $n$ convolutions of 3 x 3 one after another see $2n
# + 1$ rows, as one large window does, but with fewer weights for $c$ channels in and out, and with
# a ReLU after each:
#
# $$\underbrace{9\,n\,c^2}_{n \text{ layers of } 3 \times 3}
# \quad < \quad \underbrace{(2n + 1)^2 c^2}_{\text{one layer}} \qquad \text{for } n \ge 2$$
#
# **Blocks**: repeat one pattern instead of choosing every layer by hand.

# %%
from convlens.inspection.receptive_field import receptive_fields

c, image = 64, torch.zeros(1, 64, 32, 32)
for n in (1, 2, 3, 4):
    side = 2 * n + 1
    several = nn.Sequential(*(nn.Conv2d(c, c, 3, padding=1, bias=False) for _ in range(n)))
    one = nn.Conv2d(c, c, side, padding=n, bias=False)
    few, many = (sum(p.numel() for p in net.parameters()) for net in (several, one))
    assert receptive_fields(several, image)[""].size == (side, side)
    assert receptive_fields(one, image)[""].size == (side, side)
    assert (few, many) == (9 * n * c * c, side * side * c * c)
    print(f"seeing {side} x {side}: {few:>7,} weights with n = {n}, {many:>7,} in one layer")

# %% [markdown]
# ## A block by hand
#
# Some 3 x 3 convolutions with ReLU, which keep height and width, then a pooling, which halves them.


# %%
def block_by_hand(num_convs, out_channels):
    layers = []
    for _ in range(num_convs):
        layers += [nn.LazyConv2d(out_channels, kernel_size=3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2, stride=2))


from convlens.models.vgg import vgg_block

with reproducible(0):
    x = torch.randn(2, 16, 12, 12)
    by_hand, ours = block_by_hand(2, 32), vgg_block(16, 32, 2)
    y = by_hand(x)  # a lazy layer learns from its first input how many channels come in
ours.load_state_dict(dict(zip(ours.state_dict(), by_hand.state_dict().values(), strict=True)))
assert torch.allclose(ours(x), y, atol=1e-6)
print(f"{tuple(x.shape)} -> {tuple(y.shape)}, the same numbers; names {list(ours.state_dict())}")

# %% [markdown]
# ## The network by hand
#
# As a reader of the book would write it, with the book's classes: `from convlens import d2l` gives
# them. The architecture is a list of pairs, convolutions and channels of each block.


# %%
from convlens import d2l

VGG11 = ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512))
SLIM = tuple((num_convs, channels // 4) for num_convs, channels in VGG11)


class VGG(d2l.Classifier):
    def __init__(self, arch, lr=0.1, num_classes=10):
        super().__init__()
        self.save_hyperparameters()
        hidden = [[nn.LazyLinear(4096), nn.ReLU(), nn.Dropout(0.5)] for _ in range(2)]
        self.net = nn.Sequential(
            *(block_by_hand(*pair) for pair in arch),
            nn.Flatten(),
            *hidden[0],
            *hidden[1],
            nn.LazyLinear(num_classes),
        )


with torch.device("meta"):  # shapes without numbers: the real one holds half a gigabyte
    large = VGG(VGG11)
large.layer_summary((1, 1, 224, 224))

# %% [markdown]
# ## The same from ConvLens

# %%
from convlens.inspection.summary import summarize
from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like
from convlens.models.catalog import build, configure, num_parameters


def on_paper(name, **changes):
    """The network on `meta`, and one image for it."""
    config = configure(name, changes)
    with torch.device("meta"):
        model = build(name, config)
    return model, inputs_like(model, 1, config.in_channels, config.image_size, config.image_size)


net, x = on_paper("vgg11-d2l")
assert [p.shape for p in large.parameters()] == [p.shape for p in net.parameters()]
assert num_parameters(large) == num_parameters(net) == 128_806_154

# %% [markdown]
# The same function too? For that real numbers are needed, so take the slim edition, with a quarter
# of the channels, on a small image. Copy the numbers of one into the other:

# %%
with reproducible(0):
    slim = build("vgg11-slim", configure("vgg11-slim", {"image_size": 32}))
    theirs = VGG(SLIM)
    image = torch.randn(1, 1, 32, 32)
    theirs(image)
copied = zip(theirs.state_dict(), slim.state_dict().values(), strict=True)
theirs.load_state_dict(dict(copied))
with torch.no_grad():
    assert torch.allclose(theirs.eval()(image), slim.eval()(image), atol=1e-5)
print("the same logits")
del theirs, slim

# %% [markdown]
# ## Layer by layer
#
# The first block is the stem, the other four are stages of the body.

# %%
traced = trace(net, x)
found = summarize(traced, net)
print(f"{'layer':<13}{'kind':<12}{'output':<14}{'parameters':>12}{'MACs':>16}")
for row in found.rows:
    if row.kind not in {"ReLU", "Dropout"}:
        layer, output = "  " * row.indent + ", ".join(row.names), "x".join(map(str, row.output))
        numbers = "" if row.is_open else f"{row.num_parameters:>12,}{row.macs:>16,}"
        print(f"{layer:<13}{row.kind:<12}{output:<14}{numbers}")
print(f"in all {found.num_parameters:,} parameters and {found.macs:,} MACs")

outputs = {layer.path: layer.outputs[0][1:] for layer in traced.layers}
assert [outputs[path] for path in ("stem", *(f"body.stage{i}" for i in range(1, 5)))] == [
    *((64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)),
]
assert outputs["head.flatten"] == (25_088,)
assert round(found.macs / 1e9, 2) == 7.55

# %% [markdown]
# ## Where the parameters are, and where the work is

# %%
weighted = [leaf for leaf in traced.leaves if leaf.kind in {"Conv2d", "Linear"}]
names = [leaf.path.removeprefix("body.") for leaf in weighted]
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

# %% [markdown]
# One linear layer, the first, holds most parameters: it has a weight for every pair of one of
# 25,088 features and one of 4,096. The work is in the middle. From block to block a convolution
# has a quarter of the places but up to four times the pairs of channels, so its work stays about
# the same:
#
# $$\text{MACs} = 9\, h\, w\, c_\text{in}\, c_\text{out} \qquad
# \tfrac{h}{2} \cdot \tfrac{w}{2} \cdot 2 c_\text{in} \cdot 2 c_\text{out} = h\, w\, c_\text{in}\,
# c_\text{out}$$
#
# ## What a place sees

# %%
fields = receptive_fields(net, x)
seen, jump = 1, 1
for leaf in traced.leaves:
    if leaf.kind in {"Conv2d", "MaxPool2d"}:
        kernel, stride = (3, 1) if leaf.kind == "Conv2d" else (2, 2)
        seen, jump = seen + (kernel - 1) * jump, jump * stride
        assert fields[leaf.path].size == (seen, seen) and fields[leaf.path].jump == (jump, jump)
        if leaf.kind == "MaxPool2d":
            print(f"{leaf.path:<17} sees {seen:>3} pixels, the next place {jump:>2} further on")

# %% [markdown]
# ## Training, on a processor
#
# The book trains the slim network on 224 x 224 for ten epochs, on a GPU. This is **not the book's
# run**: the slim convolutions on 32 x 32, the smallest size they accept, with 128 hidden features
# instead of 4,096, and 512 steps of 50 images.
# The rate rises at first and falls at the end (`one-cycle`).

# %%
from dataclasses import asdict

from convlens.data.batches import Batches
from convlens.data.catalog import DataConfig, load_data, split
from convlens.data.transform import Prepare
from convlens.report.figures import draw_curves
from convlens.train.events import Evaluated
from convlens.train.loop import fit
from convlens.train.optim import TrainConfig

STEPS = 5 if SHORT else 128  # in an epoch
config = TrainConfig(
    epochs=1 if SHORT else 4,
    batch_size=50,
    lr=0.02,
    schedule="one-cycle",
    momentum=0.9,
    device="cpu",
    log_every=16,
)
data = split(load_data(DataConfig()), "held-out")
prepare = Prepare(32, mean=(0.286,), std=(0.353,))
records = []


def listen(event):
    records.append({"event": type(event).__name__, **asdict(event)})
    if isinstance(event, Evaluated):
        print(f"epoch {event.epoch}: loss {event.loss:.3f}, accuracy {event.accuracy:.1%}")


with reproducible(0):
    settings = {"image_size": 32, "hidden": 128, "init": "kaiming"}
    model = build("vgg11-slim", configure("vgg11-slim", settings))
    print(f"{num_parameters(model):,} parameters")
    fit(
        model,
        Batches(data.train[: STEPS * config.batch_size], 50, prepare, shuffle_seed=0),
        Batches(data.validation[: 100 if SHORT else 2000], 500, prepare),
        config,
        listeners=[listen],
    )
draw_curves(records, title="a slim VGG-11 at 32 x 32")

# %% [markdown]
# ## What it gets right, and what not
#
# A row for each true class, a column for what the network says, in images it has never seen:

# %%
from convlens.train.evaluate import predict_logits

test = data.test[: 200 if SHORT else 5000]
chosen = predict_logits(model, Batches(test, 500, prepare)).argmax(1)
right = (chosen == test.labels).float().mean()
table = torch.zeros(10, 10, dtype=torch.long)
table.index_put_((test.labels, chosen), torch.tensor(1), accumulate=True)
print(f"{right:.1%} right of {len(test):,} test images")
assert SHORT or right > 0.6

figure, axis = plt.subplots(figsize=(5.6, 5.2), layout="constrained")
axis.imshow(table / table.sum(1, keepdim=True), cmap="Blues", vmin=0, vmax=1)
for row in range(10):
    for column in range(10):
        if table[row, column]:
            color = "white" if table[row, column] > table[row].sum() / 2 else "black"
            number = int(table[row, column])
            axis.text(column, row, number, ha="center", va="center", color=color, fontsize=8)
axis.set_xticks(range(10), test.class_names, rotation=45, ha="right")
axis.set_yticks(range(10), test.class_names)
axis.set(xlabel="the network says", ylabel="true class")
plt.show()

# %% [markdown]
# Shirts, pullovers, coats and t-shirts are the hard ones. Shoes are taken for other shoes.
#
# What do the blocks make of an image? Of each one, the mean of all its channels: fewer places, and
# less of a picture, from block to block.

# %%
stages = [model.stem, *model.body][:4]  # the fifth leaves a single place
maps = [prepare(test.images[:1])]
with torch.no_grad():
    for stage in stages:
        maps.append(stage(maps[-1]))

figure, axes = plt.subplots(1, 5, figsize=(9, 2.2), layout="constrained")
titles = ("image", *(f"block {number}" for number in range(1, 5)))
for axis, features, name in zip(axes, maps, titles, strict=True):
    axis.imshow(features[0].mean(0), cmap="gray")
    channels, height, width = features.shape[1:]
    axis.set_title(f"{name}\n{channels} x {height} x {width}", fontsize=9)
    axis.set_axis_off()
plt.show()

# %% [markdown]
# ## Exercises
#
# **1.** Which is larger, AlexNet or VGG, and which is slower? (Exercise 1.) Parameters and work
# are two different answers. Count both, by kind of layer.

# %%
from convlens.course.catalog import STUDIES
from convlens.course.study import Setup

finding = STUDIES["8.2-parameters"].run(Setup())
for what, number in finding.numbers.items():
    print(f"{what:<48}{number:>13,}")
print(finding.text)
assert finding.holds
assert finding.numbers["alexnet-d2l: parameters"] == 46_764_746
assert finding.numbers["vgg11-slim: parameters"] == 43_093_322

# %% [markdown]
# **2.** The network is called VGG-11, but the book's summary shows eight pieces with weights.
# Where are the other three? (Exercise 2.)

# %%
print({part.name: part.weight_layers for part in found.parts})
finding = STUDIES["8.2-layers"].run(Setup())
print(finding.text)
assert finding.holds and found.weight_layers == 11

# %% [markdown]
# **3.** VGG-16 and VGG-19 are other lists of pairs. (Exercise 3.) Write the list for VGG-16, then
# compare the counts with the published network, which has 3 channels in and 1,000 classes.

# %%
VGG16 = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
with torch.device("meta"):
    answer = VGG(VGG16, num_classes=1000)
    answer(torch.zeros(1, 3, 224, 224))
assert num_parameters(answer) == 138_357_544

for name in ("vgg11", "vgg13", "vgg16", "vgg19"):
    summary = summarize(trace(*(pair := on_paper(name))), pair[0])
    counts = f"{summary.num_parameters:,} parameters, {summary.macs / 1e9:.1f} billion MACs"
    print(f"{name}: {summary.weight_layers} layers with weights, {counts}")
    assert str(summary.weight_layers) == name.removeprefix("vgg")

# %% [markdown]
# **4.** What changes with the size of the image? (Exercise 4.) The convolutions keep their weights
# and have less work; the first linear layer has fewer features to read. And below 32 pixels
# nothing is left after five times halving.

# %%
for size in (32, 56, 84, 96, 224):
    small, small_x = on_paper("vgg11-d2l", image_size=size)
    whole = trace(small, small_x).whole
    side = size // 32
    assert small.head.linear1.in_features == 512 * side * side
    print(f"{size:>3} pixels: {whole.num_parameters:>11,} parameters, {whole.macs:>13,} MACs")

from convlens.core.errors import ShapeError

try:
    on_paper("vgg11-d2l", image_size=31)
except ShapeError as error:
    print("31 pixels:", error.what)
else:
    raise AssertionError("31 pixels should not do")

# %% [markdown]
# **5.** Make the head cheaper. (Exercise 1.) Take the mean of each of the 512 channels, and one
# linear layer: what is left of the parameters, and how little does the work change? The next
# section does so.

# %%
from convlens.nn.head import linear_head

with torch.device("meta"):
    cheap = nn.Sequential(net.stem, net.body, linear_head(512, 10))
whole = trace(cheap, x).whole
print(f"parameters {found.num_parameters:,} -> {whole.num_parameters:,}")
print(f"MACs {found.macs:,} -> {whole.macs:,}")
assert whole.num_parameters == found.parameters_by_kind["convolution"] + 512 * 10 + 10
assert whole.macs > 0.98 * found.macs

# %% [markdown]
# ## Where to go next
#
# The next notebook is [8.3, Network in Network](8.3-nin.ipynb): no linear layers at all. In the
# terminal:
#
# ```
# convlens summary vgg11-d2l --depth 2
# convlens compare-models alexnet-d2l vgg11-d2l vgg11-slim --rounds 0
# ```
