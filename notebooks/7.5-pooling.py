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
# # Pooling
#
# Beside section 7.5 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-neural-networks/pooling.html>. It needs ConvLens and
# matplotlib, no download; [notebook 7.3](7.3-padding-and-stride.ipynb) explains padding and stride. It
# runs in seconds.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/7.5-pooling.ipynb)

# %%
import sys

if "google.colab" in sys.modules:  # Colab has PyTorch, but not ConvLens
    # %pip install -q convlens
    print("ConvLens is installed")

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

from convlens.core.seed import reproducible

plt.rcParams["figure.dpi"] = 80

# %% [markdown]
# ## The operation
#
# A pooling layer slides a window like a convolution, but it has no kernel. It keeps the greatest
# number of the window, or the mean:
#
# $$Y_{i,j} = \max_{a,b} X_{i+a,j+b} \qquad \text{or} \qquad
# Y_{i,j} = \frac{1}{p_h p_w} \sum_{a,b} X_{i+a,j+b}$$


# %%
def pool2d(X, size, mode="max"):
    ph, pw = size
    Y = torch.zeros(X.shape[0] - ph + 1, X.shape[1] - pw + 1)
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            window = X[i : i + ph, j : j + pw]
            Y[i, j] = window.max() if mode == "max" else window.mean()
    return Y


X = torch.arange(9.0).reshape(3, 3)
assert pool2d(X, (2, 2)).tolist() == [[4, 5], [7, 8]]  # as the book has it
assert pool2d(X, (2, 2), "avg").tolist() == [[2, 3], [5, 6]]

# %% [markdown]
# The fast versions. Mind the stride: in a *layer* it is the window's size unless you say otherwise, so
# windows do not overlap.

# %%
from convlens.ops.catalog import names_for
from convlens.ops.pooling import avg_pool2d, max_pool2d

with reproducible(0):
    x = torch.randn(1, 1, 9, 11)
for name in names_for("pool"):
    for run, mode in ((max_pool2d, "max"), (avg_pool2d, "avg")):
        y = run(x, (2, 3), stride=1, implementation=name)
        assert torch.allclose(y[0, 0], pool2d(x[0, 0], (2, 3), mode), atol=1e-6)
    print(f"{name} agrees")

assert torch.equal(nn.MaxPool2d(3)(x), max_pool2d(x, 3))
assert torch.equal(nn.AvgPool2d(3)(x), avg_pool2d(x, 3))

# %% [markdown]
# ## Padding, stride, channels
#
# The book's examples on the numbers 0 to 15:

# %%
X = torch.arange(16.0).reshape(1, 1, 4, 4)
assert nn.MaxPool2d(3)(X).tolist() == [[[[10]]]]
assert nn.MaxPool2d(3, padding=1, stride=2)(X).tolist() == [[[[5, 7], [13, 15]]]]
assert nn.MaxPool2d((2, 3), stride=(2, 3), padding=(0, 1))(X).tolist() == [[[[5, 7], [13, 15]]]]

# %% [markdown]
# Channels are pooled one by one and never added: as many come out as went in.

# %%
two = torch.cat((X, X + 1), 1)
pooled = nn.MaxPool2d(3, padding=1, stride=2)(two)
assert pooled.tolist() == [[[[5, 7], [13, 15]], [[6, 8], [14, 16]]]]
print(pooled)

# %% [markdown]
# What does the padding hold? For a maximum it is *nothing*: a padded cell never wins, even if all
# numbers are negative. For a mean it counts as zero, unless `count_include_pad=False`.

# %%
negative = -torch.ones(1, 1, 2, 2)
assert max_pool2d(negative, 2, stride=1, padding=1).max() == -1
print(avg_pool2d(negative, 2, stride=1, padding=1)[0, 0])
print(avg_pool2d(negative, 2, stride=1, padding=1, count_include_pad=False)[0, 0])

# %% [markdown]
# ## See it
#
# An ankle boot at 28 x 28, then pooled by 2 and by 4:

# %%
from convlens.data.sets.fashion_mnist import load_fashion_mnist

images = load_fashion_mnist().test.images
boot = images[:1].float() / 255

figure, axes = plt.subplots(2, 3, figsize=(8, 5.2), layout="constrained")
for row, (run, mode) in enumerate(((max_pool2d, "max"), (avg_pool2d, "avg"))):
    for axis, size in zip(axes[row], (1, 2, 4), strict=True):
        image = run(boot, size)[0, 0]
        axis.imshow(image, cmap="gray", vmin=0, vmax=1)
        axis.set_title(f"{mode}, window {size}: {image.shape[0]} x {image.shape[1]}")
        axis.set_axis_off()
plt.show()

# %% [markdown]
# The maximum is brighter: it keeps the strongest answer in each window. The mean is smoother.
#
# ## Why pool?
#
# **First**, to forget exactly where something was. Take the edges of the boot, move the picture by one
# pixel, and ask how much the result changes, before and after pooling:

# %%
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.kernels import kernel

edges = cross_correlation2d(images[:500].float() / 255, kernel("edge-x")[None, None]).abs()
moved = edges.roll(1, dims=3)


def change(before, after):
    return float((before - after).abs().sum() / before.abs().sum())


sizes = (1, 2, 3, 4, 6, 9)
by_max = [change(max_pool2d(edges, s), max_pool2d(moved, s)) for s in sizes]
by_avg = [change(avg_pool2d(edges, s), avg_pool2d(moved, s)) for s in sizes]
assert by_max[0] > by_max[2] > by_max[4]

figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
axis.plot(sizes, by_max, "o-", color="#0072B2", label="max pooling")
axis.plot(sizes, by_avg, "s--", color="#D55E00", label="average pooling")
axis.set(xlabel="window", ylabel="relative change", ylim=0)
axis.set_title("500 test images, moved by one pixel")
axis.legend()
axis.grid(alpha=0.3)
plt.show()

# %% [markdown]
# **Second**, to make images smaller, so that later layers see more of the picture. With two
# convolutions of 3 x 3, a pooling between them widens what a number sees:

# %%
from convlens.inspection.receptive_field import receptive_fields

plain = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3))
with_pool = nn.Sequential(nn.Conv2d(1, 1, 3), nn.MaxPool2d(2), nn.Conv2d(1, 1, 3))
assert receptive_fields(plain, boot)[""].size == (5, 5)
assert receptive_fields(with_pool, boot)[""].size == (8, 8)

# %% [markdown]
# ## The gradient
#
# Backward, the maximum hands all of the slope to the winner and nothing to the others; the mean shares
# it evenly. Nothing is learned in a pooling layer, for it has no parameters.

# %%
from convlens.ops.gradient import avg_pool2d_backward, max_pool2d_backward

x = torch.tensor([[[[1.0, 9, 2, 0], [3, 4, 8, 5]]]], requires_grad=True)
slope = torch.ones(1, 1, 1, 2)
to_winners = max_pool2d_backward(slope, x.detach(), 2)
shared = avg_pool2d_backward(slope, x.detach(), 2)
print(to_winners[0, 0], shared[0, 0], sep="\n")

assert torch.equal(torch.autograd.grad(nn.MaxPool2d(2)(x).sum(), x)[0], to_winners)
assert torch.equal(torch.autograd.grad(nn.AvgPool2d(2)(x).sum(), x)[0], shared)
assert list(nn.MaxPool2d(2).parameters()) == []

# %% [markdown]
# ## Exercises
#
# **1.** Write average pooling as a convolution. (Exercise 1 of the section.) Which kernel, which
# stride, and how are the channels kept apart?

# %%
with reproducible(1):
    x = torch.randn(2, 3, 12, 12, dtype=torch.float64)
kernels = torch.full((3, 1, 2, 2), 1 / 4, dtype=torch.float64)
as_convolution = nn.functional.conv2d(x, kernels, stride=2, groups=3)
assert torch.allclose(as_convolution, nn.AvgPool2d(2)(x))

from convlens.course.catalog import STUDIES
from convlens.course.study import Setup

print(STUDIES["7.5-average"].run(Setup()).text)

# %% [markdown]
# **2.** Show that max pooling is *not* a convolution. (Exercise 2.) "It depends on the data" is only a
# feeling. A proof: every convolution without bias is linear, so $f(x) + f(-x) = 0$. Find an $x$ where
# the maximum breaks that:

# %%
x = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
total = max_pool2d(x, 2) + max_pool2d(-x, 2)
print(f"max(x) + max(-x) = {total.item():g}, but a convolution gives 0")
assert total.item() == 1

print(STUDIES["7.5-maximum"].run(Setup()).text)

# %% [markdown]
# **3.** But with ReLU, convolutions *can* make a maximum: $\max(a, b) = \mathrm{relu}(a - b) + b$.
# (Exercise 3.) Check it, then say how many layers the maximum of four numbers takes.


# %%
def max_by_relu(a, b):
    return torch.relu(a - b) + b


with reproducible(2):
    image = torch.randn(1, 1, 8, 8, dtype=torch.float64)
pairs = max_by_relu(image[..., :, 0::2], image[..., :, 1::2])  # left and right: stride (1, 2)
fours = max_by_relu(pairs[..., 0::2, :], pairs[..., 1::2, :])  # above and below: stride (2, 1)
assert torch.allclose(fours, nn.MaxPool2d(2)(image))

# %% [markdown]
# **4.** Do we need a separate *minimum* pooling? (Exercise 6.)

# %%
smallest = -max_pool2d(-image, 2)
assert torch.equal(smallest, image.unfold(2, 2, 2).unfold(3, 2, 2).amin((-2, -1)))

# %% [markdown]
# ## Where to go next
#
# The next notebook is [7.6, LeNet](7.6-lenet.ipynb): all the parts in one network, trained for real. In
# the terminal:
#
# ```
# convlens conv --pool max --stride 1 --walk
# convlens conv --pool avg --backward
# ```
