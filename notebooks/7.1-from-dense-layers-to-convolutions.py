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
# # From dense layers to convolutions
#
# Beside section 7.1 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-neural-networks/why-conv.html>. It needs ConvLens and
# matplotlib, no download and no earlier notebook; it runs in seconds.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/7.1-from-dense-layers-to-convolutions.ipynb)

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
# ## A dense layer on an image
#
# Take an image $X$ and a hidden layer $H$ of the same size. In a dense layer every hidden number
# reads every pixel, each through a weight of its own:
#
# $$H_{i,j} = U_{i,j} + \sum_{k,l} W_{i,j,k,l} \, X_{k,l}$$
#
# The weights have four indices: two say *which hidden number*, two say *which pixel*. As loops:


# %%
def dense_by_loops(X, W, U):
    H = U.clone()
    height, width = X.shape
    for i in range(height):
        for j in range(width):
            for k in range(height):
                for l in range(width):  # noqa: E741 - the index of the formula
                    H[i, j] += W[i, j, k, l] * X[k, l]
    return H


with reproducible(0):
    X = torch.randn(5, 6, dtype=torch.float64)
    W = torch.randn(5, 6, 5, 6, dtype=torch.float64)
    U = torch.randn(5, 6, dtype=torch.float64)

H = dense_by_loops(X, W, U)
H.shape

# %% [markdown]
# The fast version lays image and hidden layer out as vectors. Then $W$ is a matrix, and it is
# nothing but `torch.nn.Linear`:

# %%
fast = U + torch.einsum("ijkl,kl->ij", W, X)

layer = nn.Linear(30, 30, dtype=torch.float64)
with torch.no_grad():
    layer.weight.copy_(W.reshape(30, 30))
    layer.bias.copy_(U.flatten())
    by_layer = layer(X.flatten()).reshape(5, 6)

assert torch.allclose(H, fast)
assert torch.allclose(H, by_layer)

# %% [markdown]
# Now count the pixels from where the hidden number stands: $k = i + a$ and $l = j + b$. Nothing
# changes but the names, with $V_{i,j,a,b} = W_{i,j,i+a,j+b}$:
#
# $$H_{i,j} = U_{i,j} + \sum_{a,b} V_{i,j,a,b} \, X_{i+a,j+b}$$
#
# In this form two wishes are easy to write down.

# %% [markdown]
# ## Wish one: the same thing everywhere
#
# **Translation invariance**: a shoe in the left corner should be treated like a shoe in the right
# corner. So the weights must not depend on where we stand, only on the offset: $V_{i,j,a,b}$
# becomes $V_{a,b}$, and $U_{i,j}$ becomes one number $u$.
#
# $$H_{i,j} = u + \sum_{a,b} V_{a,b} \, X_{i+a,j+b}$$
#
# ## Wish two: look near by
#
# **Locality**: what happens far away should not matter. Outside a distance $\Delta$ the weights
# are zero:
#
# $$H_{i,j} = u + \sum_{a=-\Delta}^{\Delta} \; \sum_{b=-\Delta}^{\Delta} V_{a,b} \, X_{i+a,j+b}$$
#
# That is a **convolutional layer** (strictly, a cross-correlation: see below), and $V$ is its
# kernel. As loops, pixels outside the image count as zero:


# %%
def convolution_by_loops(X, V, u):
    delta = len(V) // 2
    height, width = X.shape
    H = torch.full_like(X, u)
    for i in range(height):
        for j in range(width):
            for a in range(-delta, delta + 1):
                for b in range(-delta, delta + 1):
                    if 0 <= i + a < height and 0 <= j + b < width:
                        H[i, j] += V[a + delta, b + delta] * X[i + a, j + b]
    return H


# %% [markdown]
# ConvLens has this operation several times, each by another algorithm. `reference` is the loops
# that define it, `native` is PyTorch's own fast code, and `matrix` writes the convolution out as
# the big matrix that a dense layer would need. All must agree with our loops, and so must the
# layer `torch.nn.Conv2d`:

# %%
from convlens.ops.catalog import IMPLEMENTATIONS
from convlens.ops.correlation import cross_correlation2d

with reproducible(1):
    V = torch.randn(3, 3, dtype=torch.float64)
u = 0.5
H = convolution_by_loops(X, V, u)

x, kernel, bias = X[None, None], V[None, None], torch.tensor([u], dtype=torch.float64)
for name, entry in IMPLEMENTATIONS.items():
    y = cross_correlation2d(x, kernel, bias=bias, padding=1, implementation=name)
    assert torch.allclose(y[0, 0], H), name
    print(f"{name:13} agrees: {entry.about}")

conv = nn.Conv2d(1, 1, kernel_size=3, padding=1, dtype=torch.float64)
with torch.no_grad():
    conv.weight.copy_(kernel)
    conv.bias.copy_(bias)
    assert torch.allclose(conv(x)[0, 0], H)

# %% [markdown]
# ## The matrix behind each wish
#
# Every one of these layers is a matrix times the flattened image. So we can *look* at what each
# wish does: one row per hidden number, one column per pixel, one colour per weight.

# %%
from convlens.ops.algorithms.matrix import correlation_matrix, kernel_of
from convlens.ops.geometry import Geometry

size = (5, 6)
with reproducible(2):
    dense = torch.randn(30, 30)
    everywhere = torch.randn(1, 1, 9, 11)  # every offset from -4 to 4 and from -5 to 5
invariant = correlation_matrix(everywhere, Geometry.of((9, 11), padding=(4, 5)), size).to_dense()
near = everywhere[:, :, 3:6, 4:7]  # only offsets of at most 1
local = correlation_matrix(near, Geometry.of(3, padding=1), size).to_dense()

figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
titles = ("dense", "the same everywhere", "the same everywhere, and near by")
for axis, matrix, title in zip(axes, (dense, invariant, local), titles, strict=True):
    axis.imshow(matrix, cmap="RdBu", vmin=-2.5, vmax=2.5)
    values = matrix[matrix != 0].unique().numel()
    axis.set_title(f"{title}:\n{values} different weights")
    axis.set_xlabel("pixel")
axes[0].set_ylabel("hidden number")
plt.show()

# %% [markdown]
# From left to right: 900 free weights; 99, each repeated along diagonals; and 9, with zeros (white)
# for all pixels that are too far away. It works the other way round too: from a matrix one can
# tell whether it is a convolution, and read off its kernel.

# %%
assert dense.unique().numel() == 900
assert invariant.unique().numel() == 99
assert local[local != 0].unique().numel() == 9

inside = correlation_matrix(near, Geometry.of(3), size).to_dense()  # without padding
assert torch.equal(kernel_of(inside, Geometry.of(3), size), near[0, 0])
assert kernel_of(dense[: len(inside)], Geometry.of(3), size) is None

# %% [markdown]
# ## What it saves
#
# First by arithmetic. The image has a megapixel, the hidden layer the same size, and
# $\Delta = 10$:

# %%
from convlens.ops.algorithms.matrix import steps_from_dense

steps = steps_from_dense(1000, 1000, delta=10)
for step in steps:
    print(f"{step.name:22} {step.num_weights:>17,} weights   {step.formula}")

# %% [markdown]
# Then by PyTorch. A layer on the device `meta` has shapes but no memory, so even a matrix with a
# million times a million entries can be made and counted:


# %%
def num_weights(layer):
    return layer.weight.numel()


assert num_weights(nn.Linear(10**6, 10**6, device="meta")) == steps[0].num_weights == 10**12
assert num_weights(nn.Conv2d(1, 1, 1999, padding=999, device="meta")) == steps[2].num_weights
assert num_weights(nn.Conv2d(1, 1, 21, padding=10, device="meta")) == steps[3].num_weights == 441

# %% [markdown]
# The book's smaller example: one megapixel (one channel) into only 1,000 hidden numbers takes a
# billion weights. A pass through one 21 x 21 kernel takes 441.

# %%
assert num_weights(nn.Linear(10**6, 1000, device="meta")) == 10**9

# %% [markdown]
# ## See the invariance
#
# Shift a picture, and the output of a convolution shifts with it. The output of a dense layer
# changes into something else.

# %%
from convlens.data.sets.fashion_mnist import load_fashion_mnist

shirt = load_fashion_mnist().test.images[1, 0].float() / 255  # a pullover
small = nn.functional.avg_pool2d(shirt[None, None], 2)  # 14 x 14
picture = nn.functional.pad(small, (3, 7, 5, 5))  # 24 x 24, room to move
moved = picture.roll(4, dims=3)

with reproducible(3):
    conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    linear = nn.Linear(24 * 24, 24 * 24, bias=False)
with torch.no_grad():
    rows = [
        ("picture", picture, moved),
        ("convolution", conv(picture), conv(moved)),
        *[("dense layer", *(linear(p.flatten()).reshape(1, 1, 24, 24) for p in (picture, moved)))],
    ]

figure, axes = plt.subplots(2, 3, figsize=(8, 5.6), layout="constrained")
for column, (name, before, after) in enumerate(rows):
    for row, image in enumerate((before, after)):
        axes[row, column].imshow(image[0, 0], cmap="gray")
        axes[row, column].set_axis_off()
    axes[0, column].set_title(name)
axes[1, 0].set_title("moved 4 to the right")
plt.show()

_, before, after = rows[1]
assert torch.allclose(after, before.roll(4, dims=3), atol=1e-6)
_, before, after = rows[2]
assert not torch.allclose(after, before.roll(4, dims=3), atol=1e-2)

# %% [markdown]
# ## Convolution or cross-correlation?
#
# In mathematics the convolution of $f$ and $g$ is
#
# $$(f * g)_{i,j} = \sum_{a,b} f_{a,b} \; g_{i-a,j-b}$$
#
# with a minus sign; our layer has a plus sign, which is called cross-correlation. The
# difference is only that the kernel is turned by half a turn. A network *learns* its kernel, so
# it does not care; everyone says convolution.

# %%
from convlens.ops.correlation import convolution2d

turned = kernel.flip(2, 3)
assert torch.equal(convolution2d(x, kernel), cross_correlation2d(x, turned))
assert not torch.allclose(convolution2d(x, kernel), cross_correlation2d(x, kernel))

# %% [markdown]
# The true convolution has one nice property that cross-correlation lacks: $f * g = g * f$. To see
# it, take all places where the two overlap at all, which is a padding of the kernel's size less
# one:

# %%
f, g = X[None, None], V[None, None]
both = convolution2d(f, g, padding=(2, 2)), convolution2d(g, f, padding=(4, 5))
assert torch.allclose(*both)

pair = cross_correlation2d(f, g, padding=(2, 2)), cross_correlation2d(g, f, padding=(4, 5))
assert not torch.allclose(*pair)
assert torch.allclose(pair[0], pair[1].flip(2, 3))  # one is the other, turned

# %% [markdown]
# ## Channels
#
# A colour picture has three numbers per pixel, and a layer should find many features at once. So
# the kernel gets two more indices, $c$ for the channels in and $d$ for the channels out:
#
# $$H_{i,j,d} = u_d + \sum_{a,b,c} V_{a,b,c,d} \, X_{i+a,j+b,c}$$
#
# The weights multiply: $(2\Delta+1)^2 \cdot c \cdot d$. Notebook 7.4 is about this.

# %%
last = steps_from_dense(1000, 1000, delta=1, in_channels=3, out_channels=64)[-1]
layer = nn.Conv2d(3, 64, 3, padding=1)
assert last.num_parameters == sum(p.numel() for p in layer.parameters()) == 3 * 3 * 3 * 64 + 64

# %% [markdown]
# ## Exercises
#
# Think first, then run the cell below each question.
#
# **1.** What is left of the convolution if $\Delta = 0$? (Exercise 1 of the section.)

# %%
# A 1x1 kernel: no neighbour takes part, so each pixel's channels go through the same dense layer.
with reproducible(4):
    one = nn.Conv2d(3, 5, 1)
    image = torch.randn(2, 3, 4, 4)
same = nn.Linear(3, 5)
with torch.no_grad():
    same.weight.copy_(one.weight[:, :, 0, 0])
    same.bias.copy_(one.bias)
    per_pixel = same(image.movedim(1, -1)).movedim(-1, 1)
    assert torch.allclose(one(image), per_pixel, atol=1e-6)

# %% [markdown]
# **2.** Sound is a sequence of numbers. When are the two wishes right for it, and when not?
# (Exercise 2.) Shift a sound and compare:

# %%
from convlens.course.catalog import STUDIES
from convlens.course.study import Setup

print(STUDIES["7.1-audio"].run(Setup()).text)

# %% [markdown]
# The two wishes are right along time, where a word means the same whenever it is said. They are
# wrong along the frequencies of a spectrogram, where the same shape higher up is another sound.
#
# **3.** Would you use convolutions for text? (Exercise 4.) Yes, along one axis; but words that
# belong together may be far apart. How many layers until two words meet?

# %%
print(STUDIES["7.1-text"].run(Setup()).text)

# %% [markdown]
# **4.** What is special about pixels at the border? (Exercise 5.) Count how many outputs read each
# pixel of a 6 x 6 image through a 3 x 3 kernel, without padding. Guess the corner first.

# %%
from convlens.ops.gradient import input_gradient

read = input_gradient(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3), Geometry.of(3), (6, 6))
print(read[0, 0].int())
assert read[0, 0, 0, 0] == 1
assert read.max() == 9

# %% [markdown]
# A corner pixel is read once, one in the middle nine times. Padding, in notebook 7.3, helps.

# %% [markdown]
# ## Where to go next
#
# The next notebook is [7.2, Convolutions](7.2-convolutions.ipynb): the kernel at work, and how it
# is learned. Or see every number of a small convolution in the terminal:
#
# ```
# convlens conv --walk
# convlens conv --true-convolution
# ```
