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
# # LeNet
#
# Beside section 7.6 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-neural-networks/lenet.html>. It needs ConvLens and matplotlib;
# Fashion-MNIST is inside the package, so nothing is downloaded. Notebooks
# [7.2](7.2-convolutions.ipynb) to [7.5](7.5-pooling.ipynb) explain the parts.
#
# This one trains two networks for ten epochs each on all 60,000 images: a minute or two on two cores.
# With the environment variable `CONVLENS_SHORT=1` it trains one epoch each, to try the steps.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/7.6-lenet.ipynb)

# %%
import sys

if "google.colab" in sys.modules:  # Colab has PyTorch, but not ConvLens
    # %pip install -q convlens
    print("ConvLens is installed")

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from convlens.core.seed import reproducible

SHORT = os.environ.get("CONVLENS_SHORT") == "1"
EPOCHS = 1 if SHORT else 10
plt.rcParams["figure.dpi"] = 80

# %% [markdown]
# ## The network
#
# LeNet read hand-written digits in the 1990s. It is a chain of what the last notebooks were about: a
# **stem** and a **body** that turn the picture into smaller and smaller maps, more and more of them,
# and a **head** that decides:
#
# $$\text{logits} = \text{head}(\text{body}(\text{stem}(x)))$$
#
# The sizes follow from the windows, one after the other. By arithmetic:

# %%
from convlens.ops.window import Window

size = 28
for name, window in (
    ("convolution 5x5, padding 2", Window(5, padding=2)),
    ("pooling 2x2", Window(2, stride=2)),
    ("convolution 5x5", Window(5)),
    ("pooling 2x2", Window(2, stride=2)),
):
    size = window.output_size(size)
    print(f"{name:27} {size:2} x {size}")
print("16 channels of 5 x 5 make", 16 * size * size, "numbers for the head")

# %% [markdown]
# Then by one pass through the network itself. `trace` writes down each layer that ran, with its
# parameters and its multiply-accumulates (MACs):

# %%
from convlens.inspection.receptive_field import receptive_fields
from convlens.inspection.trace import trace
from convlens.models.catalog import MODELS, build, configure

with reproducible(0):
    lenet = build("lenet", MODELS["lenet"].preset)
x = torch.rand(1, 1, 28, 28)
traced = trace(lenet, x)
fields = receptive_fields(lenet, x)

print("layer        output          parameters     MACs   one number sees")
for record in traced.leaves:
    shape = " x ".join(map(str, record.outputs[0][1:]))
    field = fields[record.path]
    seen = "everything" if field.whole else f"{field.size[0]} x {field.size[1]}"
    print(f"{record.kind:12} {shape:15} {record.num_parameters:10,} {record.macs:8,}   {seen}")
print(f"{'in all':28} {traced.whole.num_parameters:10,} {traced.whole.macs:8,}")

# %% [markdown]
# The head has most of the parameters, the convolutions most of the work. The shapes are the book's,
# and so is the number of parameters of its own code:

# %%
from convlens import d2l

shapes = [record.outputs[0][1:] for record in traced.leaves]
assert shapes[:6] == [(6, 28, 28)] * 2 + [(6, 14, 14)] + [(16, 10, 10)] * 2 + [(16, 5, 5)]
assert shapes[6:] == [(400,), (120,), (120,), (84,), (84,), (10,)]

book = d2l.LeNet()
book.apply_init([x], d2l.init_cnn)
assert sum(p.numel() for p in book.parameters()) == traced.whole.num_parameters == 61_706

# %% [markdown]
# With the same weights the book's network gives the same numbers as ConvLens', and so does the one whose
# convolutions and pooling run by *loops*:

# %%
by_loops = build("lenet", configure("lenet", {"implementation": "reference"}))
by_loops.load_state_dict(lenet.state_dict())
weights = dict(zip(book.state_dict(), lenet.state_dict().values(), strict=True))
book.load_state_dict(weights)
with torch.no_grad():
    assert torch.allclose(by_loops(x), lenet(x), atol=1e-5)
    assert torch.allclose(book(x), lenet(x), atol=1e-6)

# %% [markdown]
# ## The data

# %%
from convlens.data.sets.fashion_mnist import load_fashion_mnist

data = load_fashion_mnist()
figure, axes = plt.subplots(2, 5, figsize=(8, 3.8), layout="constrained")
for axis, index in zip(axes.flat, range(10), strict=True):
    first = int((data.train.labels == index).nonzero()[0])
    axis.imshow(data.train.images[first, 0], cmap="gray")
    axis.set_title(data.train.class_names[index])
    axis.set_axis_off()
plt.show()
print(f"{len(data.train):,} images to learn from, {len(data.test):,} to test on")

# %% [markdown]
# ## Training
#
# A **recipe** is everything that decides a result: data, model, training. The shipped recipe `lenet`
# is the book's: plain gradient descent, learning rate 0.1, batches of 128, Xavier's initial weights,
# accuracy taken on the test images. The second network changes two settings and nothing else: ReLU
# for the sigmoid, and the maximum for the mean. (Exercise 1 of the section.)

# %%
from convlens.experiment.execute import execute
from convlens.experiment.recipe import load_recipe
from convlens.train.events import Evaluated


def report(event):
    if isinstance(event, Evaluated):
        print(f"epoch {event.epoch:2}: test loss {event.loss:.3f}, accuracy {event.accuracy:.1%}")


book_recipe = load_recipe("lenet", [f"train.epochs={EPOCHS}"])
print(book_recipe.model, book_recipe.train, sep="\n")

# %%
sigmoid_run = execute(book_recipe, listeners=[report])

# %%
modern_recipe = load_recipe(
    "lenet", [f"train.epochs={EPOCHS}", "model.activation=relu", "model.pooling=max"]
)
modern_run = execute(modern_recipe, listeners=[report])

# %% [markdown]
# ## The curves

# %%
from convlens.report.figures import draw_curves

draw_curves(sigmoid_run.records(), title="the book's LeNet: sigmoid, average pooling")

# %%
draw_curves(modern_run.records(), title="the same with ReLU and max pooling")

# %%
accuracy = {}
for name, run in (("sigmoid", sigmoid_run), ("ReLU", modern_run)):
    accuracy[name] = run.summary()["test"]["accuracy"]
    print(f"{name:8} {accuracy[name]:.1%} of the test images are right")
if not SHORT:  # after one epoch nothing can be said
    assert 0.68 < accuracy["sigmoid"] < 0.80
    assert 0.86 < accuracy["ReLU"] < 0.91

# %% [markdown]
# ## What the sigmoid does in the first epochs
#
# The book's network does nothing at first: its accuracy stays at 10 %, which is guessing. The training
# loss, step by step, stands on a plateau at $\ln 10 \approx 2.303$, the loss of a network that gives all
# ten classes the same probability.

# %%
figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
for run, name, color in ((sigmoid_run, "sigmoid", "#0072B2"), (modern_run, "ReLU", "#D55E00")):
    records = run.records()
    per_epoch = records[0]["steps_per_epoch"]
    steps = [record for record in records if record["event"] == "StepsFinished"]
    when = [record["epoch"] - 1 + record["step"] / per_epoch for record in steps]
    axis.plot(when, [record["loss"] for record in steps], color=color, label=name)
axis.axhline(np.log(10), color="gray", linestyle=":", label="ln 10: guessing")
axis.set(xlabel="epoch", ylabel="training loss", xlim=(0, min(EPOCHS, 5)), ylim=0)
axis.legend()
axis.grid(alpha=0.3)
plt.show()

# %% [markdown]
# Why? Two things, both before the first step. **First**, the slope of the sigmoid is at most 1/4, and
# there are four sigmoids on the way back, so the gradient shrinks from layer to layer. **Second**, the
# sigmoid maps everything near 0 to about 1/2, so at the start all pictures look nearly the same to the
# head.

# %%
batch = data.train.images[:512].float() / 255
labels = data.train.labels[:512]
sizes, spread = {}, {}
for name, recipe in (("sigmoid", book_recipe), ("ReLU", modern_recipe)):
    with reproducible(1):
        net = build("lenet", recipe.model)
    logits = net(batch)
    nn.functional.cross_entropy(logits, labels).backward()
    sizes[name] = [float(p.grad.square().mean().sqrt()) for p in net.parameters() if p.dim() > 1]
    spread[name] = float(logits.detach().std(0).mean())
    print(f"{name:8} from picture to picture a logit varies by {spread[name]:.4f}")

figure, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
names = ("conv 1", "conv 2", "linear 1", "linear 2", "linear 3")
for shift, (name, values) in zip((-0.2, 0.2), sizes.items(), strict=True):
    color = "#0072B2" if name == "sigmoid" else "#D55E00"
    axis.bar(np.arange(5) + shift, values, width=0.38, color=color, label=name)
axis.set_xticks(range(5), names)
axis.set_yscale("log")
axis.set(ylabel="size of the gradient", title="before the first step")
axis.legend()
plt.show()
assert sizes["sigmoid"][0] < sizes["ReLU"][0] / 10
assert spread["sigmoid"] < spread["ReLU"] / 10

# %% [markdown]
# The last layer learns from the start; the first ones hear almost nothing. (The scale is logarithmic:
# each line is a factor of ten.)
#
# ## What the trained network does
#
# Every run keeps its predictions for the test images. Which class is taken for which?

# %%
predictions = np.load(modern_run.path / "predictions.npz")
true, chosen = predictions["labels"], predictions["logits"].argmax(1)
confusion = np.zeros((10, 10), dtype=int)
np.add.at(confusion, (true, chosen), 1)
assert confusion.trace() == round(accuracy["ReLU"] * 10_000)

figure, axis = plt.subplots(figsize=(6.4, 5.6), layout="constrained")
shown = axis.imshow(confusion, cmap="Blues", vmin=0, vmax=1000)
for i in range(10):
    for j in range(10):
        if confusion[i, j] >= 10:
            color = "white" if confusion[i, j] > 500 else "black"
            axis.text(j, i, confusion[i, j], ha="center", va="center", fontsize=8, color=color)
axis.set_xticks(range(10), data.test.class_names, rotation=45, ha="right")
axis.set_yticks(range(10), data.test.class_names)
axis.set(xlabel="the network says", ylabel="it is", title="1,000 test images of each class")
plt.show()

# %% [markdown]
# Shirts are the hard ones: they go among the T-shirts, the pullovers and the coats. Here are the
# mistakes of which the network was most sure:

# %%
probabilities = torch.tensor(predictions["logits"]).softmax(1)
wrong = torch.tensor(chosen != true).nonzero()[:, 0]
surest = wrong[probabilities[wrong].amax(1).argsort(descending=True)[:10]]

figure, axes = plt.subplots(2, 5, figsize=(9, 4.6), layout="constrained")
for axis, index in zip(axes.flat, surest.tolist(), strict=True):
    says, truth = data.test.class_names[chosen[index]], data.test.class_names[true[index]]
    axis.imshow(data.test.images[index, 0], cmap="gray")
    axis.set_title(f"says {says},\nis {truth}", fontsize=9)
    axis.set_axis_off()
plt.show()

# %% [markdown]
# ## Exercises
#
# **1.** Is it the ReLU or the max pooling that helps more? (Exercise 1 of the section.) Guess; then train
# with only one of them: `convlens train lenet --set model.activation=relu`, and
# `convlens train lenet --set model.pooling=max`. `convlens runs` shows both. The experiment behind the
# answer, on fewer images, is `convlens study run 7.6-modern`.
#
# **2.** Look at what the first layers answer, for a pullover and a coat. (Exercise 4.) Which kernel of the
# stem finds which edge?

# %%
from convlens.experiment.execute import load_model

net = load_model(modern_run)
kernels = net.stem[0].weight.detach()
pictures = [int((data.test.labels == index).nonzero()[0]) for index in (2, 4)]

figure, axes = plt.subplots(3, 7, figsize=(10, 4.6), layout="constrained")
for axis in axes.flat:
    axis.set_axis_off()
for column in range(6):
    axes[0, column + 1].imshow(kernels[column, 0], cmap="RdBu", vmin=-0.6, vmax=0.6)
    axes[0, column + 1].set_title(f"kernel {column}")
for row, index in enumerate(pictures, start=1):
    image = data.test.images[index]
    axes[row, 0].imshow(image[0], cmap="gray")
    axes[row, 0].set_title(data.test.class_names[data.test.labels[index]])
    with torch.no_grad():
        maps = net.stem(image[None].float() / 255)[0]
    for column in range(6):
        axes[row, column + 1].imshow(maps[column], cmap="gray", vmin=0, vmax=float(maps.max()))
plt.show()

# %% [markdown]
# **3.** What does the network say to a picture that is nothing at all? (Exercise 5.) It can only choose
# among its ten classes. Will it choose at random?

# %%
with reproducible(0):
    unusual = {
        "test images": data.test.images[:1000].float() / 255,
        "uniform noise": torch.rand(1000, 1, 28, 28),
        "a black picture": torch.zeros(1, 1, 28, 28),
        "a white picture": torch.ones(1, 1, 28, 28),
    }
with torch.no_grad():
    for name, images in unusual.items():
        confidence, classes = net(images).softmax(1).max(1)
        most = int(classes.bincount().argmax())
        share = float((classes == most).float().mean())
        print(
            f"{name:16} {share:4.0%} are called {data.test.class_names[most]!r},"
            f" mean confidence {float(confidence.mean()):.2f}"
        )

# %% [markdown]
# Not at random, which would give each class a tenth of the noise: one class takes far more of it than
# the others, and nothing in the answer says "I have never seen this".

# %% [markdown]
# ## Where to go next
#
# Chapter 8 is about the networks that came after. The notebooks are listed in
# [the folder's page](README.md). In the terminal:
#
# ```
# convlens summary lenet --arithmetic --fields
# convlens train lenet-modern
# convlens runs
# ```
#
# The recipe `lenet-modern` also tunes the training: `convlens recipes` says what each recipe reached.
