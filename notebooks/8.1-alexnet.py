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
# # AlexNet
#
# Beside section 8.1 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-modern/alexnet.html>. It needs ConvLens and matplotlib, no
# download and no GPU; [notebook 7.6](7.6-lenet.ipynb) explains LeNet. It trains a small network for
# about a minute.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/8.1-alexnet.ipynb)

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
# LeNet, but larger: five convolutions and three linear layers, for images of 224 x 224. Three
# things made it possible to train so many layers.
#
# **ReLU instead of the sigmoid.** On its way back a gradient is multiplied by one slope per layer.
# The sigmoid's is never above $1/4$, that of ReLU is 1 wherever something passes:
#
# $$\sigma'(x) = \sigma(x)\,(1 - \sigma(x)) \le \tfrac14 \qquad
# \mathrm{relu}'(x) = 1 \text{ for } x > 0$$
#
# **Dropout** in the linear layers. While training, each number is set to zero with probability
# $p$, and the others are made larger so that the mean stays:
#
# $$h' = \begin{cases} 0 & \text{with probability } p \\
# h / (1 - p) & \text{otherwise} \end{cases}$$
#
# **More data and more computing.** A million photographs, changed a little each time they are
# seen, on two graphics cards.

# %%
x = torch.linspace(-6, 6, 1201, requires_grad=True)
(slope,) = torch.autograd.grad(torch.sigmoid(x).sum(), x)
print(f"steepest slope of the sigmoid: {slope.max():.4f}")
print(f"at best, through seven of them: {slope.max() ** 7:.1e}; through seven ReLUs: 1")
assert torch.isclose(slope.max(), torch.tensor(0.25))

with reproducible(0):
    dropped = nn.Dropout(0.5)(torch.ones(100_000))
print(f"after dropout: {sorted(set(dropped.tolist()))}, mean {dropped.mean():.2f}")
assert abs(dropped.mean() - 1) < 0.02

# %% [markdown]
# ## The network by hand
#
# In plain PyTorch, in the order in which an image passes. The book's edition has one channel in
# and ten classes out. A layer's output has $\lfloor (n + 2p - k) / s \rfloor + 1$ rows.


# %%
def conv_relu(in_channels, out_channels, kernel_size, **settings):
    return nn.Conv2d(in_channels, out_channels, kernel_size, **settings), nn.ReLU()


def linear_relu_dropout(in_features, out_features):
    return nn.Linear(in_features, out_features), nn.ReLU(), nn.Dropout(0.5)


def alexnet_by_hand():
    return nn.Sequential(
        *conv_relu(1, 96, 11, stride=4, padding=1),  # 224 -> 54: large steps over a large image
        nn.MaxPool2d(3, stride=2),  # 54 -> 26
        *conv_relu(96, 256, 5, padding=2),  # 26: the padding keeps the size
        nn.MaxPool2d(3, stride=2),  # 26 -> 12
        *conv_relu(256, 384, 3, padding=1),
        *conv_relu(384, 384, 3, padding=1),
        *conv_relu(384, 256, 3, padding=1),
        nn.MaxPool2d(3, stride=2),  # 12 -> 5
        nn.Flatten(),  # 256 * 5 * 5 = 6,400
        *linear_relu_dropout(256 * 5 * 5, 4096),
        *linear_relu_dropout(4096, 4096),
        nn.Linear(4096, 10),
    )


# %% [markdown]
# ## The same from ConvLens
#
# A model of the catalog has a name and settings. `stem`, `body` and `head` are the same in all
# models.

# %%
from convlens.models.catalog import build, configure, num_parameters

settings = configure("alexnet-d2l", {})
with reproducible(0):
    by_hand, net = alexnet_by_hand(), build("alexnet-d2l", settings)

theirs, ours = dict(by_hand.named_parameters()), dict(net.named_parameters())
for (left, a), (right, b) in zip(theirs.items(), ours.items(), strict=True):
    assert a.shape == b.shape
    print(f"{left:<10} {right:<25} {tuple(a.shape)!s:<18} {a.numel():>10,}")
print(f"in all {num_parameters(net):,}")
assert num_parameters(by_hand) == num_parameters(net) == 46_764_746

# %% [markdown]
# Are they the same function? Copy the numbers of one into the other, and give both an image.
# (`eval` turns dropout off.)

# %%
by_hand.load_state_dict(dict(zip(theirs, net.state_dict().values(), strict=True)))
with reproducible(1):
    image = torch.randn(1, 1, 224, 224)
with torch.no_grad():
    assert torch.allclose(by_hand.eval()(image), net.eval()(image), atol=1e-5)
print("the same logits")
del by_hand, net, theirs, ours, a, b  # 47 million numbers each

# %% [markdown]
# ## Layer by layer
#
# To count and to see shapes, no numbers are needed. On PyTorch's device `meta` a tensor has a
# shape and no memory, so even the largest network costs nothing. `trace` watches one pass.

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


def show(found):
    print(f"{'layer':<14}{'kind':<12}{'output':<14}{'parameters':>12}{'MACs':>14}")
    for row in found.rows:
        layer, output = "  " * row.indent + ", ".join(row.names), "x".join(map(str, row.output))
        numbers = "" if row.is_open else f"{row.num_parameters:>12,}{row.macs:>14,}"
        print(f"{layer:<14}{row.kind:<12}{output:<14}{numbers}")
    print(f"in all {found.num_parameters:,} parameters and {found.macs:,} MACs")


net, x = on_paper("alexnet-d2l")
traced = trace(net, x)
found = summarize(traced, net)
show(found)

# %% [markdown]
# A MAC is one product added to a sum. The shapes are those that the book prints:

# %%
sizes = [leaf.outputs[0][1:] for leaf in traced.leaves if leaf.kind in {"Conv2d", "MaxPool2d"}]
assert sizes == [
    *((96, 54, 54), (96, 26, 26), (256, 26, 26), (256, 12, 12)),
    *((384, 12, 12), (384, 12, 12), (256, 12, 12), (256, 5, 5)),
]
assert [leaf.outputs[0][1:] for leaf in traced.leaves if leaf.kind == "Linear"] == [
    *((4096,), (4096,), (10,)),
]
assert round(found.macs / 1e9, 2) == 0.94

# %% [markdown]
# ## Where the parameters are, and where the work is
#
# Not in the same place. A linear layer uses each weight once per image. A convolution uses it once
# per place of its output: few weights, much work.

# %%
weighted = [leaf for leaf in traced.leaves if leaf.kind in {"Conv2d", "Linear"}]
names = [leaf.path.removeprefix("body.") for leaf in weighted]
shares = {
    "parameters": [100 * leaf.num_parameters / found.num_parameters for leaf in weighted],
    "MACs": [100 * leaf.macs / found.macs for leaf in weighted],
}

figure, axis = plt.subplots(figsize=(8, 3.4), layout="constrained")
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
# ## What a place sees
#
# The *receptive field* of a number is the part of the image that it can depend on. Layer by layer,
# with kernel $k_l$ and stride $s_l$, it grows by
#
# $$r_l = r_{l-1} + (k_l - 1) \prod_{m < l} s_m$$
#
# so the strides of the first layers make all later windows large.

# %%
from convlens.inspection.receptive_field import receptive_fields

fields = receptive_fields(net, x)
seen, jump = 1, 1
for leaf in traced.leaves:
    if leaf.kind in {"Conv2d", "MaxPool2d"}:
        kernel, stride = leaf.module.kernel_size, leaf.module.stride
        kernel, stride = (n if isinstance(n, int) else n[0] for n in (kernel, stride))
        seen, jump = seen + (kernel - 1) * jump, jump * stride
        field = fields[leaf.path]
        assert field.size == (seen, seen) and field.jump == (jump, jump)
        print(f"{leaf.path:<20} sees {seen:>3} pixels, the next place {jump:>2} further on")
assert fields["head.linear1"].whole  # a linear layer sees the whole image

# %% [markdown]
# The same as a picture: the window of the place in the middle, on a boot enlarged from 28 to 224
# pixels.

# %%
from convlens.data.catalog import DataConfig, load_data, split
from convlens.data.transform import Prepare

data = split(load_data(DataConfig()), "held-out")
boot = Prepare(224)(data.test.images[:1])[0, 0]

figure, axis = plt.subplots(figsize=(4.4, 4.4), layout="constrained")
axis.imshow(boot, cmap="gray")
pieces = ("stem.conv", "stem.pool", "body.stage1.conv", "body.stage1.pool", "body.stage2.pool")
for path, color in zip(pieces, ("#F0E442", ORANGE, "#56B4E9", GREEN, "#CC79A7"), strict=True):
    side = next(leaf.outputs[0][-1] for leaf in traced.leaves if leaf.path == path)
    top, left, bottom, right = fields[path].box(side // 2, side // 2, 224, 224)
    edges = [left, right, right, left, left], [top, top, bottom, bottom, top]
    axis.plot(*edges, color=color, linewidth=2, label=f"{path}: {fields[path].size[0]}")
axis.legend(fontsize=8, loc="upper left")
axis.set_axis_off()
plt.show()

# %% [markdown]
# ## A trap: weights that keep PyTorch's start
#
# The book starts its convolutions by Xavier's rule, through `net.apply(...)` in a constructor. Its
# layers are *lazy*: they get their weights with the first image. Before that, a lazy layer is not
# of the type that the function looks for, so it passes by and says nothing.


# %%
def xavier(layer):
    if type(layer) in {nn.Conv2d, nn.Linear}:
        nn.init.xavier_uniform_(layer.weight)


def first_deviation(start):
    """The deviation of the first kernels, if `start` is applied before the first image."""
    layers = nn.Sequential(nn.LazyConv2d(96, 11, stride=4, padding=1), nn.ReLU())
    layers.apply(start)
    layers(torch.zeros(1, 1, 224, 224))
    return float(layers[0].weight.detach().std())


from convlens import d2l

with reproducible(0):
    missed = first_deviation(xavier)
    made = first_deviation(d2l.init_cnn)  # ConvLens' own remembers the wish until there are weights
print(f"applied too early: {missed:.4f}, PyTorch's own start; as it was meant: {made:.4f}")
assert abs(missed - (1 / (3 * 121)) ** 0.5) < 0.001  # uniform within 1 / sqrt(fan in)
assert abs(made - (2 / (121 + 96 * 121)) ** 0.5) < 0.001  # Xavier: 2 / (fan in + fan out)

# %% [markdown]
# ## Training, on a processor
#
# The book trains on 224 x 224 for ten epochs, on a GPU. That is out of reach here, so this is
# **not the book's run**: the same layers with a sixth of the channels or fewer, a 3 x 3 stem for
# 28 x 28 pixels (`stem="small"`), as the section's exercise 5 asks for, and 512 steps of 50
# images. The rate rises at first and falls at the end (`one-cycle`).

# %%
small = {
    "image_size": 28,
    "stem": "small",
    "widths": (16, 32, 64, 64, 32),
    "hidden": 128,
    "init": "kaiming",  # a start that is made for ReLU
}
small_net, small_x = on_paper("alexnet-d2l", **small)
small_found = summarize(trace(small_net, small_x), small_net)
print(f"{small_found.num_parameters:,} parameters, {small_found.macs:,} MACs")
print(f"{found.num_parameters / small_found.num_parameters:,.0f} times fewer parameters,")
print(f"{found.macs / small_found.macs:,.0f} times less work for an image")

# %%
from dataclasses import asdict

from convlens.data.batches import Batches
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
prepare = Prepare(28, mean=(0.286,), std=(0.353,))
records = []


def listen(event):
    records.append({"event": type(event).__name__, **asdict(event)})
    if isinstance(event, Evaluated):
        print(f"epoch {event.epoch}: loss {event.loss:.3f}, accuracy {event.accuracy:.1%}")


with reproducible(0):
    model = build("alexnet-d2l", configure("alexnet-d2l", small))
    fit(
        model,
        Batches(data.train[: STEPS * config.batch_size], 50, prepare, shuffle_seed=0),
        Batches(data.validation[: 100 if SHORT else 2000], 500, prepare),
        config,
        listeners=[listen],
    )
draw_curves(records, title="a small AlexNet at 28 x 28")

# %% [markdown]
# Guessing among ten classes has the loss $\ln 10 = 2.3$. The untrained network is worse than that:
# it is sure of wrong answers. The training loss is above the validation's because dropout disturbs
# the network while it trains, and because it is a mean over steps that are past.
#
# ## What it gets right, and what not
#
# Some test images that it has never seen, class by class:

# %%
from convlens.train.evaluate import predict_logits

test = data.test[: 200 if SHORT else 5000]
chances = predict_logits(model, Batches(test, 500, prepare)).softmax(1)
sure, chosen = chances.max(1)
right = chosen == test.labels

for index, name in enumerate(test.class_names):
    these = test.labels == index
    wrong = torch.bincount(chosen[these & ~right], minlength=10)
    often = f"most often taken for {test.class_names[int(wrong.argmax())]}" if wrong.any() else ""
    print(f"{name:<11} {right[these].float().mean():>5.0%} right  {often}")
print(f"all         {right.float().mean():>5.0%} right of {len(test):,}")
assert SHORT or right.float().mean() > 0.6

# %% [markdown]
# And the mistakes that it was surest of:

# %%
worst = (sure * ~right).topk(8).indices
figure, axes = plt.subplots(1, 8, figsize=(11, 2), layout="constrained")
for axis, index in zip(axes, worst, strict=True):
    axis.imshow(test.images[index, 0], cmap="gray")
    true, false = test.class_names[test.labels[index]], test.class_names[chosen[index]]
    axis.set_title(f"{true}\nsays {false}\n{sure[index]:.0%} sure", fontsize=8)
    axis.set_axis_off()
plt.show()

# %% [markdown]
# ## Exercises
#
# **1.** Which part of AlexNet needs most of the memory, which most of the computing? (Exercise 1.)
# Guess, then count the bytes of the weights and the MACs by kind of layer.

# %%
from convlens.inspection.training.memory import training_memory

for kind in ("Conv2d", "Linear"):
    layers = [leaf for leaf in weighted if leaf.kind == kind]
    weights = sum(leaf.num_parameters for leaf in layers) * 4 / 1e6
    macs = sum(leaf.macs for leaf in layers) / 1e6
    print(f"{kind}: {weights:.0f} MB of weights, {macs:.0f} million MACs")
    assert round(macs) == {"Conv2d": 895, "Linear": 43}[kind]

for batch in (1, 16, 128):
    memory = training_memory(net, x.expand(batch, -1, -1, -1), optimizer_slots=0)
    kept, whole = memory.activations_bytes / 1e6, memory.total_bytes / 1e6
    print(f"a training step of {batch:>3} images: {whole:,.0f} MB, {kept:,.0f} of them activations")

# %% [markdown]
# The linear layers hold nine tenths of the weights, the convolutions do nine tenths and more of
# the work. In training, weights and their gradients are the larger part for a small batch; what is
# kept of each image for the way back is the larger part for a large one.
#
# **2.** What is the smallest image that this AlexNet can take? Go backward from one place after
# the last pooling: a window of 3 with stride 2 that gives $n$ rows needs $2(n - 1) + 3$ of them.

# %%
from convlens.core.errors import ShapeError
from convlens.inspection.smallest import smallest_input


def runs(size):
    try:
        trace(*on_paper("alexnet-d2l", image_size=size))
    except ShapeError:
        return False
    return True


rows = 1
for kernel, stride, padding in ((3, 2, 0), (3, 2, 0), (3, 2, 0), (11, 4, 1)):
    rows = (rows - 1) * stride + kernel - 2 * padding
print(f"by hand {rows}, by trying {smallest_input(runs)}")
assert rows == smallest_input(runs) == 65

# %% [markdown]
# **3.** AlexNet is too large for Fashion-MNIST. (Exercise 5.) With the small stem and all the
# channels of the large one, what does a pass over a 28 x 28 image cost? Find the layer that you
# would make narrower first.

# %%
wide_net, wide_x = on_paper("alexnet-d2l", image_size=28, stem="small")
wide = trace(wide_net, wide_x)
heaviest = max((leaf for leaf in wide.leaves), key=lambda leaf: leaf.macs)
largest = max((leaf for leaf in wide.leaves), key=lambda leaf: leaf.num_parameters)
print(f"{wide.whole.num_parameters:,} parameters, {wide.whole.macs:,} MACs")
print(f"most work: {heaviest.path}, {heaviest.macs / wide.whole.macs:.0%}")
print(f"most parameters: {largest.path}, {largest.num_parameters / wide.whole.num_parameters:.0%}")
assert heaviest.path == "body.stage1.conv"
assert heaviest.macs == 28 * 28 * 5 * 5 * 96 * 256

# %% [markdown]
# ## Where to go next
#
# The next notebook is [8.2, VGG](8.2-vgg.ipynb): networks out of blocks. In the terminal:
#
# ```
# convlens summary alexnet-d2l --fields
# convlens compare-models lenet alexnet-d2l --rounds 0
# ```
