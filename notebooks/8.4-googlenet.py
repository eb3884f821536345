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
# # GoogLeNet: several windows at once
#
# Beside section 8.4 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-modern/googlenet.html>. It needs ConvLens and matplotlib,
# no download and no GPU; [notebook 8.3](8.3-nin.ipynb) explains convolutions of 1 x 1. It trains
# two networks for a few steps.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/8.4-googlenet.ipynb)

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
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
plt.rcParams["figure.dpi"] = 80

# %% [markdown]
# ## The idea
#
# Which window is best, 1 x 1, 3 x 3 or 5 x 5? An *Inception block* does not choose. It looks with
# all of them at once, and with a pooling, and keeps everything that they see, one behind the other
# in the channels:
#
# $$Y = \mathrm{concat}\big(f_1(X),\ f_3(g_3(X)),\ f_5(g_5(X)),\ f_p(\mathrm{pool}_3(X))\big)$$
#
# That would be expensive. So $g_3$ and $g_5$ are convolutions of 1 x 1 which first make the
# channels few. With $c$ channels in, $o$ out and $r$ between, a place costs
#
# $$\underbrace{25\, c\, o}_{5 \times 5 \text{ at once}} \qquad \text{or} \qquad
# \underbrace{c\, r + 25\, r\, o}_{\text{through } r \text{ channels}} \quad \text{MACs.}$$

# %%
c, r, o = 192, 16, 32  # the third branch of the first block
at_once, through = 25 * c * o, c * r + 25 * r * o
print(f"{at_once:,} MACs for a place, or {through:,}: {at_once / through:.1f} times fewer")

# %% [markdown]
# ## The block by hand


# %%
def conv_relu(in_channels, out_channels, kernel_size, **settings):
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, kernel_size, **settings), nn.ReLU())


class Inception(nn.Module):
    """Channels out are c1 + c2[1] + c3[1] + c4."""

    def __init__(self, c_in, c1, c2, c3, c4):
        super().__init__()
        self.one = conv_relu(c_in, c1, 1)
        self.three = nn.Sequential(conv_relu(c_in, c2[0], 1), conv_relu(*c2, 3, padding=1))
        self.five = nn.Sequential(conv_relu(c_in, c3[0], 1), conv_relu(*c3, 5, padding=2))
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv_relu(c_in, c4, 1))

    def forward(self, x):
        return torch.cat((self.one(x), self.three(x), self.five(x), self.pool(x)), dim=1)


from convlens.models.googlenet import InceptionBlock

with reproducible(0):
    x = torch.randn(2, 192, 12, 12)
    by_hand = Inception(192, 64, (96, 128), (16, 32), 32)
    ours = InceptionBlock(192, (64, (96, 128), (16, 32), 32), wide_kernel=5, batch_norm=False)
ours.load_state_dict(dict(zip(ours.state_dict(), by_hand.state_dict().values(), strict=True)))
y = by_hand(x)
assert y.shape == (2, 64 + 128 + 32 + 32, 12, 12)
assert torch.allclose(ours(x), y, atol=1e-5)
print(f"{tuple(x.shape)} -> {tuple(y.shape)}, the same numbers")

# %% [markdown]
# ## The network by hand
#
# Two plain stages, then nine Inception blocks in three stages, then the mean of each channel and
# one linear layer. The widths are the paper's.

# %%
WIDTHS = {
    "3a": (192, 64, (96, 128), (16, 32), 32),
    "3b": (256, 128, (128, 192), (32, 96), 64),
    "4a": (480, 192, (96, 208), (16, 48), 64),
    "4b": (512, 160, (112, 224), (24, 64), 64),
    "4c": (512, 128, (128, 256), (24, 64), 64),
    "4d": (512, 112, (144, 288), (32, 64), 64),
    "4e": (528, 256, (160, 320), (32, 128), 128),
    "5a": (832, 256, (160, 320), (32, 128), 128),
    "5b": (832, 384, (192, 384), (48, 128), 128),
}


def stage(number):
    return [Inception(*widths) for name, widths in WIDTHS.items() if name.startswith(number)]


def halve():
    return nn.MaxPool2d(3, stride=2, padding=1)


def googlenet_by_hand(num_classes=10):
    return nn.Sequential(
        nn.Sequential(conv_relu(1, 64, 7, stride=2, padding=3), halve()),
        nn.Sequential(conv_relu(64, 64, 1), conv_relu(64, 192, 3, padding=1), halve()),
        nn.Sequential(*stage("3"), halve()),
        nn.Sequential(*stage("4"), halve()),
        nn.Sequential(*stage("5"), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(1024, num_classes),
    )


# %% [markdown]
# ## The same from ConvLens

# %%
from convlens.models.catalog import build, configure, num_parameters

with reproducible(0):
    by_hand = googlenet_by_hand()
    net = build("googlenet-d2l", configure("googlenet-d2l", {}))
    image = torch.randn(1, 1, 96, 96)

theirs, ours = dict(by_hand.named_parameters()), dict(net.named_parameters())
assert [a.shape for a in theirs.values()] == [b.shape for b in ours.values()]
assert num_parameters(by_hand) == num_parameters(net) == 5_977_530
for left, right in list(zip(theirs, ours, strict=True))[6:20:2]:
    print(f"{left:<21}{right:<47}{tuple(ours[right].shape)}")

by_hand.load_state_dict(dict(zip(theirs, net.state_dict().values(), strict=True)))
with torch.no_grad():
    assert torch.allclose(by_hand.eval()(image), net.eval()(image), atol=1e-5)
print(f"the same logits; {num_parameters(net):,} parameters")

# %% [markdown]
# ## Layer by layer
#
# On the device `meta`, which has shapes and no numbers. The book feeds images of 96 x 96.

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


net, x = on_paper("googlenet-d2l")
traced = trace(net, x)
found = summarize(traced, net, depth=3)
print(f"{'layer':<17}{'kind':<17}{'output':<12}{'parameters':>11}{'MACs':>13}")
for row in found.rows:
    if row.kind != "ReLU":
        layer, output = "  " * row.indent + ", ".join(row.names), "x".join(map(str, row.output))
        numbers = "" if row.is_open else f"{row.num_parameters:>11,}{row.macs:>13,}"
        print(f"{layer:<17}{row.kind:<17}{output:<12}{numbers}")
print(f"in all {found.num_parameters:,} parameters and {found.macs:,} MACs")

sizes = {layer.path: layer.outputs[0][1:] for layer in traced.layers}
pieces = ("stem", "body.stage1", "body.stage2", "body.stage3", "head.flatten", "head")
assert [sizes[path] for path in pieces] == [  # as the book prints them
    *((64, 24, 24), (192, 12, 12), (480, 6, 6), (832, 3, 3), (1024,), (10,)),
]
assert round(found.macs / 1e9, 2) == 0.28

# %% [markdown]
# One block in full, with its 1 x 1 convolutions before the larger windows:

# %%
for row in summarize(traced, net).rows:
    if row.path.startswith("body.stage2.inception3a.") and row.kind == "Conv2d":
        path = row.path.removeprefix("body.stage2.inception3a.")
        print(f"{path:<20}{row.arithmetic:<28}{row.macs:>11,} MACs")

# %% [markdown]
# ## Where the parameters are, and where the work is

# %%
pieces = {"stem", "body.stage1", "head"}
parts = [p for p in traced.layers if p.path in pieces or p.kind == "InceptionBlock"]
names = [layer.path.split(".")[-1].removeprefix("inception") for layer in parts]
shares = {
    "parameters": [100 * layer.num_parameters / found.num_parameters for layer in parts],
    "MACs": [100 * layer.macs / found.macs for layer in parts],
}

figure, axis = plt.subplots(figsize=(8.5, 3.4), layout="constrained")
for shift, (what, share), color in zip((-0.2, 0.2), shares.items(), (BLUE, ORANGE), strict=True):
    places = [place + shift for place in range(len(names))]
    bars = axis.bar(places, share, width=0.38, color=color, label=what)
    axis.bar_label(bars, fmt="%.0f", fontsize=8)
axis.set_xticks(range(len(names)), names)
axis.set_ylabel("per cent of the network")
axis.margins(y=0.12)
axis.legend()
plt.show()

# %% [markdown]
# And what the four branches give to the output of each block:

# %%
branches = (
    ("1 x 1", BLUE, lambda w: w[1]),
    ("3 x 3", ORANGE, lambda w: w[2][1]),
    ("5 x 5", GREEN, lambda w: w[3][1]),
    ("pooling", PINK, lambda w: w[4]),
)
figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
below = [0] * len(WIDTHS)
for label, color, channels_of in branches:
    channels = [channels_of(widths) for widths in WIDTHS.values()]
    axis.bar(list(WIDTHS), channels, bottom=below, color=color, label=label)
    below = [a + b for a, b in zip(below, channels, strict=True)]
axis.set(ylabel="channels out", xlabel="block")
axis.legend()
plt.show()
assert below[-1] == 1024

# %% [markdown]
# ## What a place sees
#
# Where branches meet, a place sees what any of them sees: in each block the 5 x 5 window decides.
# The 1 x 1 branch beside it still looks at single places, so one output holds near and far
# together.

# %%
from convlens.inspection.receptive_field import receptive_fields

net224, x224 = on_paper("googlenet-d2l", image_size=224)
fields = receptive_fields(net224, x224)
for path in ("stem", "body.stage1", "body.stage2", "body.stage3", "body.stage4"):
    field = fields[path]
    print(
        f"{path:<12} sees {field.size[0]:>3} pixels, the next place {field.jump[0]:>2} further on"
    )
block = "body.stage2.inception3a"
print("in block 3a:", {f"branch{i}": fields[f"{block}.branch{i}"].size[0] for i in range(1, 5)})
assert fields[block].size == fields[f"{block}.branch3"].size

# %% [markdown]
# ## Training, on a processor: with batch norm and without
#
# The book trains on 96 x 96 for ten epochs, on a GPU. This is **not the book's run**: 28 x 28
# pixels and 150 steps of 50 images. We train twice. Once the book's network, which has no batch
# norm; once with a batch norm behind each convolution (part of the section's exercise 1), all else
# equal.

# %%
from dataclasses import asdict

from convlens.data.batches import Batches
from convlens.data.catalog import DataConfig, load_data, split
from convlens.data.transform import Prepare
from convlens.train.events import Evaluated
from convlens.train.loop import fit
from convlens.train.optim import TrainConfig

STEPS = 5 if SHORT else 50  # in an epoch
config = TrainConfig(
    epochs=1 if SHORT else 3,
    batch_size=50,
    lr=0.02,
    schedule="one-cycle",
    momentum=0.9,
    device="cpu",
    log_every=5,
)
data = split(load_data(DataConfig()), "held-out")
prepare = Prepare(28, mean=(0.286,), std=(0.353,))


def train(batch_norm):
    """The trained network, and the loss by step."""
    curve = []

    def listen(event):
        if isinstance(event, Evaluated):
            print(f"  epoch {event.epoch}: loss {event.loss:.3f}, accuracy {event.accuracy:.1%}")
        record = asdict(event)
        if "step" in record:
            curve.append(((record["epoch"] - 1) * STEPS + record["step"], record["loss"]))

    settings = {"image_size": 28, "batch_norm": batch_norm, "init": "kaiming"}
    with reproducible(0):
        model = build("googlenet-d2l", configure("googlenet-d2l", settings))
        fit(
            model,
            Batches(data.train[: STEPS * config.batch_size], 50, prepare, shuffle_seed=0),
            Batches(data.validation[: 100 if SHORT else 1000], 500, prepare),
            config,
            listeners=[listen],
        )
    return model, curve


print("without batch norm")
_, plain = train(batch_norm=False)
print("with batch norm")
model, normed = train(batch_norm=True)

figure, axis = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
for curve, color, style, label in (
    (plain, BLUE, "-", "without batch norm, as in the book"),
    (normed, ORANGE, "--", "with batch norm"),
):
    axis.plot(*zip(*curve, strict=True), style, color=color, label=label)
axis.set(xlabel="step", ylabel="training loss", ylim=0)
axis.grid(alpha=0.3)
axis.legend()
plt.show()
assert SHORT or normed[-1][1] < plain[-1][1]

# %% [markdown]
# One seed and few steps, so it is no final word; but the way from the last layer back to the first
# is long here, and the norms keep it open. Section 8.5 explains them.
#
# ## What it gets right, and what not

# %%
from convlens.train.evaluate import predict_logits

test = data.test[: 200 if SHORT else 2000]
chances = predict_logits(model, Batches(test, 500, prepare)).softmax(1)
sure, chosen = chances.max(1)
right = chosen == test.labels

for index, name in enumerate(test.class_names):
    these = test.labels == index
    wrong = torch.bincount(chosen[these & ~right], minlength=10)
    often = f"most often taken for {test.class_names[int(wrong.argmax())]}" if wrong.any() else ""
    print(f"{name:<11} {right[these].float().mean():>5.0%} right  {often}")
print(f"all         {right.float().mean():>5.0%} right of {len(test):,}")
assert SHORT or right.float().mean() > 0.5

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
# **1.** Compare the sizes of AlexNet, VGG, NiN and GoogLeNet. (Exercise 4.) By which trick does
# each of the last two save its parameters? And is the smallest also the fastest? (Exercise 5.)

# %%
nets = {
    "AlexNet": ("alexnet-d2l", 46_764_746),
    "VGG-11": ("vgg11-d2l", 128_806_154),
    "NiN": ("nin", 1_992_166),
    "GoogLeNet": ("googlenet-d2l", 5_977_530),
}
macs = {}
figure, axis = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
for label, (name, wanted) in nets.items():
    whole = trace(*on_paper(name, image_size=224)).whole
    assert whole.num_parameters == wanted
    macs[label] = whole.macs
    print(f"{label:<10}{whole.num_parameters:>12,} parameters{whole.macs:>15,} MACs at 224 x 224")
    axis.scatter(whole.macs / 1e9, whole.num_parameters / 1e6, color=BLUE)
    place = (whole.macs / 1e9, whole.num_parameters / 1e6)
    axis.annotate(label, place, xytext=(6, 4), textcoords="offset points")
axis.set(xscale="log", yscale="log", xlim=(0.5, 20), ylim=(1, 300))
axis.set(xlabel="billion MACs for an image", ylabel="million parameters")
axis.grid(alpha=0.3, which="both")
plt.show()
assert [round(n / 1e9, 2) for n in macs.values()] == [0.94, 7.55, 0.76, 1.50]

# %% [markdown]
# NiN has no linear layer; GoogLeNet has a small one, behind a global mean, and few channels before
# its large windows. GoogLeNet has an eighth of AlexNet's parameters and yet does more work. The
# book feeds it images of 96 x 96, where it takes 0.28 billion MACs.
#
# **2.** How small may an image be? (Exercise 2.) Each layer that halves is padded: it turns $n$
# rows into $\lceil n / 2 \rceil$, and 1 stays 1. The edition of torchvision has other poolings.
# What about that?

# %%
from convlens.core.errors import ShapeError
from convlens.inspection.smallest import smallest_input


def smallest(name):
    def runs(size):
        try:
            trace(*on_paper(name, image_size=size))
        except ShapeError:
            return False
        return True

    return smallest_input(runs)


least = {name: smallest(name) for name in ("alexnet-d2l", "nin", "googlenet-d2l", "googlenet")}
print(least)
assert least["googlenet-d2l"] == 1

# %% [markdown]
# It runs, but from a single pixel there is not much to be learned.
#
# **3.** What would an Inception block cost without its 1 x 1 convolutions before the windows?
# Change the block, then count both for all nine.


# %%
class Expensive(Inception):
    def __init__(self, c_in, c1, c2, c3, c4):
        super().__init__(c_in, c1, c2, c3, c4)
        self.three = conv_relu(c_in, c2[1], 3, padding=1)
        self.five = conv_relu(c_in, c3[1], 5, padding=2)


total = {Inception: [0, 0], Expensive: [0, 0]}
for name, widths in WIDTHS.items():
    side = {"3": 12, "4": 6, "5": 3}[name[0]]
    for kind, sums in total.items():
        with torch.device("meta"):
            whole = trace(kind(*widths), torch.zeros(1, widths[0], side, side)).whole
        assert whole.outputs[0][1] == widths[1] + widths[2][1] + widths[3][1] + widths[4]
        sums[0] += whole.num_parameters
        sums[1] += whole.macs
for kind, (parameters, work) in total.items():
    print(f"{kind.__name__:<10}{parameters:>11,} parameters{work:>14,} MACs")
times = [b / a for a, b in zip(*total.values(), strict=True)]
print(f"{times[0]:.1f} times the parameters, {times[1]:.1f} times the work, as many channels out")
assert total[Inception][0] == sum(p.num_parameters for p in parts if p.kind == "InceptionBlock")

# %% [markdown]
# ## Where to go next
#
# The next notebook is [8.5, batch normalization](8.5-batch-normalization.ipynb): why the second
# curve above fell faster. In the terminal:
#
# ```
# convlens summary googlenet-d2l --depth 3
# convlens compare-models alexnet-d2l vgg11-d2l nin googlenet-d2l --rounds 0
# ```
