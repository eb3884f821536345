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
# # Batch normalisation
#
# Beside section 8.5 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-modern/batch-norm.html>. It needs ConvLens and matplotlib,
# no download and no GPU; you should know LeNet (section 7.6).
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/8.5-batch-normalization.ipynb)
#
# It trains small networks for 200 steps, a minute or two in all on two cores. With
# `CONVLENS_SHORT=1` in the environment it takes 5 steps and is done in seconds; the numbers in the
# text are those of the full run.

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
STEPS = 5 if SHORT else 200
plt.rcParams["figure.dpi"] = 80

# %% [markdown]
# ## The idea
#
# Each layer of a network learns from what the layers below it give. While they learn too, the mean
# and the spread of what they give keep moving. Batch normalisation puts both back in place, at
# every step, for each channel on its own. Over a batch $B$ with $m$ values in a channel,
#
# $$\mu = \frac{1}{m} \sum_{x \in B} x, \qquad
# \sigma^2 = \frac{1}{m} \sum_{x \in B} (x - \mu)^2, \qquad
# \mathrm{BN}(x) = \gamma \, \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta.$$
#
# $\gamma$ and $\beta$ are learned, so the layer may choose another mean and spread if it wants
# them. For a linear layer $m$ is the number of examples; for a convolution it is examples $\times$
# height $\times$ width, since all places of a channel share one kernel.
#
# A single image at test time has no batch. So the layer remembers a running mean and a running
# variance while it trains, and uses those afterwards.

# %% [markdown]
# ## By hand


# %%
class BatchNorm(nn.Module):
    """For (n, features) and for (n, channels, h, w)."""

    def __init__(self, features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.gamma = nn.Parameter(torch.ones(features))
        self.beta = nn.Parameter(torch.zeros(features))
        self.register_buffer("mean", torch.zeros(features))  # buffers: saved, moved, not trained
        self.register_buffer("var", torch.ones(features))

    def forward(self, X):
        axes = (0,) if X.ndim == 2 else (0, 2, 3)
        shape = (1, -1) if X.ndim == 2 else (1, -1, 1, 1)
        if self.training:
            mean = X.mean(axes)
            var = ((X - mean.reshape(shape)) ** 2).mean(axes)
            count = X.numel() / X.shape[1]
            with torch.no_grad():
                self.mean += self.momentum * (mean - self.mean)
                self.var += self.momentum * (var * count / (count - 1) - self.var)
        else:
            mean, var = self.mean, self.var
        X_hat = (X - mean.reshape(shape)) / torch.sqrt(var.reshape(shape) + self.eps)
        return self.gamma.reshape(shape) * X_hat + self.beta.reshape(shape)


# %% [markdown]
# Two details differ from the book's version. This one asks `self.training`, which `train()` and
# `eval()` set, and not whether gradients are on. And its running variance divides by $m - 1$, as
# PyTorch's does: that estimates the variance of all images, not of these. The batch itself is
# divided by its own $m$.
#
# Is it the same layer as PyTorch's, and as ConvLens' own? Three batches in training mode, then one
# in evaluation mode:

# %%
from convlens.nn.batch_norm import BatchNorm2d

with reproducible(0):
    batches = 3 * torch.randn(4, 16, 6, 5, 5) + 2
layers = {"by hand": BatchNorm(6), "ConvLens": BatchNorm2d(6), "PyTorch": nn.BatchNorm2d(6)}
results = {}
for name, layer in layers.items():
    layer.train()
    trained = [layer(batch) for batch in batches[:3]]
    (trained[-1] ** 3).sum().backward()
    _, bias_gradient = (p.grad for p in layer.parameters())
    statistics = [b for b in layer.buffers() if b.ndim == 1]
    layer.eval()
    results[name] = [*trained, layer(batches[3]), *statistics, bias_gradient]
    print(f"{name:8}  running mean {statistics[0][0]:.5f}, running variance {statistics[1][0]:.5f}")

for name in ("by hand", "ConvLens"):
    for ours, torchs in zip(results[name], results["PyTorch"], strict=True):
        assert torch.allclose(ours, torchs, rtol=1e-4, atol=1e-4)

dense, torchs = BatchNorm(6), nn.BatchNorm1d(6)
X = batches[0, :, :, 0, 0]
assert torch.allclose(dense(X), torchs(X), atol=1e-5)

# %% [markdown]
# After three batches the running mean has gone only $1 - 0.9^3 = 27\%$ of its way from 0 to 2.
# That is a common trap: evaluate a network after a handful of steps and its evaluation mode still
# uses statistics that are mostly their starting values.
#
# In training mode the answer for an image depends on the others in its batch. In evaluation mode
# it does not:

# %%
layer = layers["PyTorch"]
alone, together = batches[3][:1], batches[3]
layer.train()
difference = (layer(alone) - layer(together)[:1]).abs().max().item()
layer.eval()
assert torch.equal(layer(alone), layer(together)[:1])
assert difference > 0.01
print(f"training mode: the same image differs by up to {difference:.2f}; evaluation mode: by 0")

# %% [markdown]
# ## What it does to the numbers
#
# Twenty linear layers with ReLU, as they start, and one batch of noise. The weights are those that
# keep the spread about the same (He's rule), then 0.7 and 1.4 times as large:


# %%
def spreads(scale, norm):
    """The standard deviation after each of 20 layers."""
    with reproducible(0), torch.no_grad():
        x, found = torch.randn(256, 100), []
        for _ in range(20):
            linear = nn.Linear(100, 100, bias=False)
            nn.init.normal_(linear.weight, std=scale * (2 / 100) ** 0.5)
            x = linear(x)
            if norm:
                x = nn.BatchNorm1d(100)(x)
            x = x.relu()
            found.append(x.std().item())
    return found


figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
last = {}
for scale, style in ((0.7, ":"), (1.0, "-"), (1.4, "--")):
    for norm, axis in enumerate(axes):
        found = spreads(scale, bool(norm))
        axis.semilogy(range(1, 21), found, style, label=f"weights times {scale}", lw=3 - norm)
        last[scale, bool(norm)] = found[-1]
for axis, title in zip(axes, ("without batch norm", "with batch norm"), strict=True):
    axis.set(title=title, xlabel="layer", xticks=range(0, 21, 5))
    axis.grid(alpha=0.3)
    axis.legend()
axes[0].set_ylabel("standard deviation")
assert last[1.4, False] / last[0.7, False] > 1e5
assert abs(last[1.4, True] / last[0.7, True] - 1) < 1e-3

# %% [markdown]
# With batch norm the three lines lie on each other: the layer takes any factor out again. For
# weights $W$ and a number $c > 0$,
#
# $$\mathrm{BN}(c W x) = \mathrm{BN}(W x), \qquad
# \frac{\partial L}{\partial (cW)} = \frac{1}{c} \frac{\partial L}{\partial W}$$
#
# (as long as $\epsilon$ is small beside the variance). The second formula is why a large learning
# rate does less harm. If a step makes the weights too large, the next gradient is smaller by as
# much:

# %%
with reproducible(0):
    x = torch.randn(64, 100)
    weights = torch.randn(50, 100)
    direction = torch.randn(64, 50)
outputs, gradients = [], []
for c in (1, 10):
    W = (c * weights).requires_grad_()
    y = nn.BatchNorm1d(50)(x @ W.T)
    (y * direction).sum().backward()
    outputs.append(y.detach())
    gradients.append(W.grad)
assert torch.allclose(outputs[0], outputs[1], atol=1e-4)
assert torch.allclose(gradients[0], 10 * gradients[1], atol=1e-4)

# %% [markdown]
# ## LeNet with batch norm
#
# The book puts a norm between each convolution or linear layer and its activation. By hand, as a
# reader of the book writes it, on ConvLens' edition of the book's names:

# %%
from convlens import d2l


class BNLeNet(d2l.Classifier):
    def __init__(self, lr=0.1, num_classes=10):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            *(nn.Conv2d(1, 6, 5), BatchNorm(6), nn.Sigmoid(), nn.AvgPool2d(2, 2)),
            *(nn.Conv2d(6, 16, 5), BatchNorm(16), nn.Sigmoid(), nn.AvgPool2d(2, 2)),
            nn.Flatten(),
            *(nn.Linear(256, 120), BatchNorm(120), nn.Sigmoid()),
            *(nn.Linear(120, 84), BatchNorm(84), nn.Sigmoid()),
            nn.Linear(84, num_classes),
        )


by_hand = BNLeNet()
by_hand.layer_summary((1, 1, 28, 28))

# %% [markdown]
# The same network from ConvLens' catalog, and the check: copy the weights over, and the two
# compute the same, in both modes.

# %%
from convlens.models.catalog import build, configure, num_parameters

model = build("lenet-bn", configure("lenet-bn", {}))
ours = [part for part in by_hand.net if list(part.parameters())]
theirs = [part for part in model.modules() if list(part.parameters(recurse=False))]
for mine, its in zip(ours, theirs, strict=True):
    for a, b in zip(mine.parameters(), its.parameters(), strict=True):
        a.data.copy_(b.data)

with reproducible(0):
    x = torch.rand(32, 1, 28, 28)
for mode in (True, False):
    by_hand.train(mode)
    model.train(mode)
    assert torch.allclose(by_hand(x), model(x), atol=1e-5)
assert num_parameters(by_hand) == num_parameters(model) == 44_878
print(f"{num_parameters(model):,} parameters in both")

# %% [markdown]
# Where are the parameters, and where is the work? A MAC is one multiplication with its addition:

# %%
from convlens.inspection.trace import trace

traced = trace(model, x[:1])
print(f"{'layer':14}{'output':>10}{'parameters':>12}{'MACs':>10}")
for layer in traced.leaves:
    shape = "x".join(map(str, layer.outputs[0][1:]))
    print(f"{layer.kind:14}{shape:>10}{layer.num_parameters:>12,}{layer.macs:>10,}")
norms = sum(leaf.num_parameters for leaf in traced.leaves if "Norm" in leaf.kind)
print(f"all: {num_parameters(model):,} parameters, {norms} in the norms")
print(f"all: {traced.whole.macs:,} MACs")
assert norms == 2 * (6 + 16 + 120 + 84)
assert round(traced.whole.macs / 1e6, 2) == 0.28

# %%
weighted = [leaf for leaf in traced.leaves if leaf.macs]
names = ["conv 1", "conv 2", "linear 1", "linear 2", "linear 3"]
figure, axes = plt.subplots(1, 2, figsize=(8, 2.6), sharey=True, layout="constrained")
axes[0].barh([*names, "norms"], [*(leaf.num_parameters / 1e3 for leaf in weighted), norms / 1e3])
axes[1].barh([*names, "norms"], [*(leaf.macs / 1e3 for leaf in weighted), 0], color="C1")
axes[0].set_title("thousand parameters")
axes[1].set_title("thousand MACs")
axes[0].invert_yaxis()
# %% [markdown]
# The norms are 452 numbers, one per cent of the parameters. They multiply and add too, once or
# twice for each number that passes. That is counted beside the MACs: `traced.whole.other_ops` has
# it with the activations and the pooling.

# %% [markdown]
# ## With and without, at many learning rates
#
# Now train LeNet with and without batch norm. The two networks have the same layers otherwise. We
# take ReLU, which gives the network *without* batch norm a chance: with sigmoid it is still at
# guessing after so few steps. Batches of 128, 200 steps (the book takes 10 epochs, 4,690 steps),
# accuracy on 2,000 images that are held out of the training set, two seeds each.

# %%
from contextlib import suppress

from convlens.core.errors import Diverged
from convlens.data.batches import Batches
from convlens.data.sets.fashion_mnist import load_fashion_mnist
from convlens.data.transform import Prepare
from convlens.train.events import Evaluated, StepsFinished
from convlens.train.loop import fit
from convlens.train.optim import TrainConfig

BATCH, HELD_OUT = 128, 200 if SHORT else 2000
images = load_fashion_mnist().train


def train(make, lr, seed):
    """Training losses (mean of each 10 steps), and the accuracy on held-out images."""
    events = []
    with reproducible(seed):
        net = make()
        with suppress(Diverged):  # the loss is no longer finite: then there is no accuracy
            fit(
                net,
                Batches(images[: BATCH * STEPS], BATCH, Prepare(28), shuffle_seed=seed),
                Batches(images[-HELD_OUT:], 500, Prepare(28)),
                TrainConfig(epochs=1, batch_size=BATCH, lr=lr, device="cpu", log_every=10),
                listeners=[events.append],
            )
    losses = [event.loss for event in events if isinstance(event, StepsFinished)]
    accuracy = [event.accuracy for event in events if isinstance(event, Evaluated)]
    return losses, accuracy[0] if accuracy else float("nan")


def lenet(batch_norm):
    settings = {"batch_norm": batch_norm, "activation": "relu"}
    return lambda: build("lenet-bn", configure("lenet-bn", settings))


RATES, SEEDS = ((0.1, 1.0), (0,)) if SHORT else ((0.03, 0.1, 0.3, 1.0, 3.0), (0, 1))
runs = {
    (norm, lr, seed): train(lenet(norm), lr, seed)
    for norm in (False, True)
    for lr in RATES
    for seed in SEEDS
}
print(f"{'lr':>5}{'without':>17}{'with':>15}")
for lr in RATES:
    cells = [
        " ".join(f"{100 * runs[norm, lr, seed][1]:6.1f}" for seed in SEEDS)
        for norm in (False, True)
    ]
    print(f"{lr:>5}  {cells[0]:>15}{cells[1]:>15}   % right, seeds 0 and 1")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for norm, style, color in ((False, "--", "C1"), (True, "-", "C0")):
    label = "with batch norm" if norm else "without"
    for seed in SEEDS:
        losses = runs[norm, 0.1, seed][0]
        x = [min(10 * (i + 1), STEPS) for i in range(len(losses))]
        axes[0].plot(x, losses, style, color=color, label=label if seed == 0 else None)
        accuracies = [100 * runs[norm, lr, seed][1] for lr in RATES]
        axes[1].semilogx(RATES, accuracies, style, marker="o", color=color)
axes[0].set(title="training loss at lr 0.1, two seeds", xlabel="step", ylim=(0, None))
axes[1].set(title="held-out accuracy, %", xlabel="learning rate", ylim=(0, 100))
axes[0].legend()
for axis in axes:
    axis.grid(alpha=0.3)

# %%
if not SHORT:
    for lr in RATES:  # batch norm is better at every rate, by either seed
        assert min(runs[True, lr, s][1] for s in SEEDS) > max(runs[False, lr, s][1] for s in SEEDS)
    assert all(runs[True, lr, s][1] > 0.7 for lr in RATES for s in SEEDS)
    assert all(not runs[False, lr, s][1] > 0.2 for lr in (1.0, 3.0) for s in SEEDS)

# %% [markdown]
# With batch norm the network is better after 200 steps at every rate here, by either seed, and
# hardly minds which rate it is: between 0.03 and 3, a factor of a hundred, it gets 76 to 82 %
# right. Without it the best rate gets 73 % at most, and from a rate of 1 on it only guesses (10
# %). That is what 200 steps show of this small network; a longer training was not tried. The gain
# here is in speed, and in how little the rate has to be searched for.

# %% [markdown]
# ## Exercises
#
# **1. Does a layer before batch norm need a bias?** No: $\mu$ takes away whatever the bias adds.
# Change it as you like, the output stays, and the bias gets no gradient. (Such biases are why the
# book's networks have a few parameters more than torchvision's.)

# %%
with reproducible(0):
    net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.BatchNorm2d(6))
    x = torch.rand(32, 1, 28, 28)
before = net(x)
(before**3).sum().backward()
weight_gradient, bias_gradient = net[0].weight.grad, net[0].bias.grad
with torch.no_grad():
    net[0].bias += 100 * torch.randn(6)
assert torch.allclose(before, net(x), atol=1e-2)  # float32 next to 100 has few digits left
assert bias_gradient.abs().max() < 1e-3 * weight_gradient.abs().max()
print(f"largest gradient: weights {weight_gradient.abs().max():.1f}, ", end="")
print(f"bias {bias_gradient.abs().max():.5f}")

# %% [markdown]
# **2. And when the network is trained?** Then $\mu$ and $\sigma$ are fixed numbers and the norm is
# a linear function. It can be put into the convolution before it, and costs nothing any more.
# Which weight and bias does that convolution need? With $s = \gamma / \sqrt{\sigma^2 + \epsilon}$
# they are $s W$ and $s (b - \mu) + \beta$:

# %%
conv, norm = net.eval()
scale = norm.weight / (norm.running_var + norm.eps).sqrt()
folded = nn.Conv2d(1, 6, 5)
with torch.no_grad():
    folded.weight.copy_(conv.weight * scale[:, None, None, None])
    folded.bias.copy_((conv.bias - norm.running_mean) * scale + norm.bias)
assert torch.allclose(folded(x), net(x), atol=1e-4)

# %% [markdown]
# **3. Is it the mean or the variance that helps?** Make two half norms, one that only takes the
# mean away and one that only divides, and train with each. (Learning rate 1, where the network
# without a norm learns nothing. Only convolutions get the half norm here.)


# %%
class HalfNorm(BatchNorm):
    """Takes away the mean, or divides by the spread; not both."""

    def __init__(self, features, keep):
        super().__init__(features)
        self.keep = keep

    def forward(self, X):
        mean = X.mean((0, 2, 3), keepdim=True) if self.training else self.mean[:, None, None]
        var = X.var((0, 2, 3), correction=0) if self.training else self.var
        if self.training:
            super().forward(X.detach())  # moves the running statistics
        spread = (var + self.eps).sqrt()[:, None, None]
        Y = X - mean if self.keep == "mean" else X / spread
        return self.gamma[:, None, None] * Y + self.beta[:, None, None]


def with_norm(norm):
    return lambda: nn.Sequential(
        *(nn.Conv2d(1, 6, 5), norm(6), nn.ReLU(), nn.AvgPool2d(2, 2)),
        *(nn.Conv2d(6, 16, 5), norm(16), nn.ReLU(), nn.AvgPool2d(2, 2)),
        *(nn.Flatten(), nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()),
        nn.Linear(84, 10),
    )


kinds = {
    "none": nn.Identity,
    "mean only": lambda features: HalfNorm(features, "mean"),
    "variance only": lambda features: HalfNorm(features, "variance"),
    "both": nn.BatchNorm2d,
}
halves = {}
for name, norm in kinds.items():
    halves[name] = [train(with_norm(norm), 1.0, seed)[1] for seed in SEEDS]
    cells = [f"{100 * a:.1f} %" if a >= 0 else "diverged" for a in halves[name]]
    print(f"{name:14}" + "".join(f"{cell:>10}" for cell in cells))
if not SHORT:
    assert min(halves["both"]) > 0.7
    assert all(not accuracy > 0.2 for name in kinds if name != "both" for accuracy in halves[name])

# %% [markdown]
# Neither half is enough at this rate: only the two together train. (Where it says that it
# diverged, the loss was no longer a finite number.) Dividing alone leaves each channel with a mean
# that may be much larger than its spread; taking the mean away alone leaves the scale to grow.

# %% [markdown]
# ## Where to go next
#
# - The next notebook: [8.6, ResNet](8.6-resnet.ipynb). Batch norm is one of the two things that
#   let networks become a hundred layers deep; the other is a sum.
# - The book's run, on the whole of Fashion-MNIST, in two lines: `model = BNLeNet();
#   d2l.Trainer(max_epochs=10).fit(model, d2l.FashionMNIST(batch_size=128))`.
# - In a terminal: `convlens summary lenet-bn`, and beside it `convlens compare-models lenet
#   lenet-bn`.
