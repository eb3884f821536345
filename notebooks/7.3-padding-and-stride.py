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
# # Padding and stride
#
# Beside section 7.3 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-neural-networks/padding-and-strides.html>. It needs ConvLens
# and matplotlib, no download; [notebook 7.2](7.2-convolutions.ipynb) explains the operation. It runs
# in seconds.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/7.3-padding-and-stride.ipynb)

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
# ## Two problems
#
# A kernel of size $k$ makes an image of size $n$ into one of size $n - k + 1$. So a deep network eats
# its image, and the pixels at the border are read less often than those in the middle. Ten layers
# with 5 x 5 kernels:

# %%
from convlens.ops.window import Window

size = 240
for _ in range(10):
    size = Window(5).output_size(size)
print(f"240 x 240 becomes {size} x {size}: {1 - (size / 240) ** 2:.0%} of the picture is gone")
assert size == 200

# %% [markdown]
# ## Padding
#
# The remedy is a frame of zeros, $p$ cells on **each** side. Then the output has the size
# $n - k + 2p + 1$, and with $p = (k - 1) / 2$ it is as large as the input. That needs an odd kernel:
# an even one would want half a cell on each side.
#
# In the book a padding $p_h$ is the number of rows added *in all*; in PyTorch, and here, `padding` is
# what is added on each side, which is half of that.
#
# ## Stride
#
# With stride $s$ the kernel moves $s$ cells at a time, and the output is about $s$ times smaller.
# Everything together, for one axis:
#
# $$n_\text{out} = \left\lfloor \frac{n - k + 2p}{s} \right\rfloor + 1$$
#
# As loops: output $i$ starts reading at $i \cdot s - p$, and what lies outside is zero.


# %%
def corr2d(X, K, padding=(0, 0), stride=(1, 1)):
    (height, width), (kh, kw) = X.shape, K.shape
    rows = (height - kh + 2 * padding[0]) // stride[0] + 1
    columns = (width - kw + 2 * padding[1]) // stride[1] + 1
    Y = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            for a in range(kh):
                for b in range(kw):
                    r, s = i * stride[0] - padding[0] + a, j * stride[1] - padding[1] + b
                    if 0 <= r < height and 0 <= s < width:
                        Y[i, j] += K[a, b] * X[r, s]
    return Y


# %% [markdown]
# In ConvLens one small class does this arithmetic for every layer: `Window`. Its `taps` are the
# positions that an output reads, those in the padding too.

# %%
window = Window(3, stride=2, padding=1)
for i in range(window.output_size(8)):
    print(f"output {i} reads {list(window.taps(i))}")

# %% [markdown]
# The fast versions and the layer, all against the loops:

# %%
from convlens.ops.catalog import IMPLEMENTATIONS
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.geometry import Geometry

with reproducible(0):
    X, K = torch.randn(8, 8), torch.randn(3, 5)
expected = corr2d(X, K, padding=(0, 1), stride=(3, 4))

geometry = Geometry.of((3, 5), padding=(0, 1), stride=(3, 4))
for name, entry in IMPLEMENTATIONS.items():
    if entry.refusal(geometry):  # Winograd's algorithm is for 3x3 with stride 1
        continue
    y = cross_correlation2d(
        X[None, None], K[None, None], padding=(0, 1), stride=(3, 4), implementation=name
    )
    assert torch.allclose(y[0, 0], expected, atol=1e-5)
    print(f"{name} agrees")

conv = nn.Conv2d(1, 1, kernel_size=(3, 5), padding=(0, 1), stride=(3, 4), bias=False)
with torch.no_grad():
    conv.weight.copy_(K[None, None])
    assert torch.allclose(conv(X[None, None])[0, 0], expected, atol=1e-5)

# %% [markdown]
# ## The book's four shapes
#
# An image of 8 x 8 through four layers. Say each answer before you run the cell.


# %%
def shape_of(**settings):
    layer = nn.LazyConv2d(1, **settings)
    shape = tuple(layer(torch.rand(1, 1, 8, 8)).shape[2:])
    size = settings.pop("kernel_size")
    assert Geometry.of(size, **settings).output_size(8, 8) == shape
    return shape


assert shape_of(kernel_size=3, padding=1) == (8, 8)
assert shape_of(kernel_size=(5, 3), padding=(2, 1)) == (8, 8)
assert shape_of(kernel_size=3, padding=1, stride=2) == (4, 4)
assert shape_of(kernel_size=(3, 5), padding=(0, 1), stride=(3, 4)) == (2, 2)

# %% [markdown]
# Four examples prove little. So try *all* settings of a grid, formula against layer. On the device
# `meta` nothing is computed but shapes, so this is quick:

# %%
from itertools import product

tried = 0
for n, k, s, p in product((5, 8, 13, 28), range(1, 6), range(1, 5), range(3)):
    layer = nn.Conv2d(1, 1, k, stride=s, padding=p, device="meta")
    height = layer(torch.empty(1, 1, n, n, device="meta")).shape[2]
    assert height == (n - k + 2 * p) // s + 1 == Window(k, s, p).output_size(n)
    tried += 1
print(f"{tried} settings, all agree")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
sizes = range(5, 29)
for k, color in zip((1, 3, 5), ("#0072B2", "#D55E00", "#009E73"), strict=True):
    for axis, p in zip(axes, (0, k // 2), strict=True):
        for s, line in ((1, "-"), (2, "--")):
            out = [Window(k, s, p).output_size(n) for n in sizes]
            axis.step(sizes, out, line, where="mid", color=color, label=f"kernel {k}, stride {s}")
for axis, title in zip(axes, ("no padding", "padding (k - 1) / 2"), strict=True):
    axis.set(xlabel="size in", ylabel="size out", title=title)
    axis.grid(alpha=0.3)
axes[0].legend()
plt.show()

# %% [markdown]
# On the right, with padding, all kernels give the same size, so their lines lie on each other. The
# stairs at stride 2 are the floor in the formula: sizes 9 and 10 give the same output.
#
# ## Who reads the border?
#
# Count how many outputs read each pixel of a 9 x 9 image through a 5 x 5 kernel. (It is the gradient
# of the sum of all outputs, with a kernel of ones.)

# %%
from convlens.ops.gradient import input_gradient

figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
counts = {}
for axis, p in zip(axes, (0, 2, 4), strict=True):
    geometry = Geometry.of(5, padding=p)
    out = geometry.output_size(9, 9)
    read = input_gradient(torch.ones(1, 1, *out), torch.ones(1, 1, 5, 5), geometry, (9, 9))[0, 0]
    counts[p] = (int(read[0, 0]), int(read[4, 4]))
    shown = axis.imshow(read, cmap="viridis", vmin=0, vmax=25)
    axis.set_title(f"padding {p}: corner {counts[p][0]}, middle {counts[p][1]}")
figure.colorbar(shown, ax=axes, label="outputs that read it")
plt.show()
assert counts == {0: (1, 25), 2: (9, 25), 4: (25, 25)}

# %% [markdown]
# With padding 2 ("same") the corner is still read less; only with padding 4 ("full") is it read as
# often as the middle. And zeros are not the only frame there is:

# %%
from convlens.data.sets.fashion_mnist import load_fashion_mnist

images = load_fashion_mnist().test.images
bag = images[18, 0].float() / 255
ink = 1 - bag[None, None]  # dark on light, so that a frame of zeros can be seen

identity = torch.zeros(1, 1, 13, 13)
identity[0, 0, 6, 6] = 1  # leaves the image as it is, its frame too
figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
for axis, mode in zip(axes, ("zeros", "reflect", "replicate", "circular"), strict=True):
    framed = cross_correlation2d(ink, identity, padding=12, padding_mode=mode)
    axis.imshow(framed[0, 0], cmap="gray", vmin=0, vmax=1)
    axis.set_title(mode)
    axis.set_axis_off()
plt.show()

# %% [markdown]
# ## What a stride throws away
#
# A layer with stride 2 computes every second number of the same layer with stride 1. Nothing is
# averaged:

# %%
x, kernel = torch.randn(1, 1, 28, 28), torch.randn(1, 1, 3, 3)
all_of_it = cross_correlation2d(x, kernel, padding=1)
half = cross_correlation2d(x, kernel, padding=1, stride=2)
assert torch.allclose(half, all_of_it[:, :, ::2, ::2], atol=1e-5)

# %% [markdown]
# That saves time: a quarter of the numbers, a quarter of the products.

# %%
from convlens.ops.cost import correlation_cost

full = correlation_cost(Geometry.of(3, padding=1), (1, 64, 28, 28), 64)
strided = correlation_cost(Geometry.of(3, padding=1, stride=2), (1, 64, 28, 28), 64)
print(f"{full.macs:,} and {strided.macs:,} multiplications")
assert full.macs == 4 * strided.macs

# %% [markdown]
# But what is fine does not vanish, it turns into something coarse that was never there. This is
# called **aliasing**. Rings that get finer outwards show where it goes wrong:

# %%
steps = torch.linspace(-1, 1, 161)
rows, columns = torch.meshgrid(steps, steps, indexing="ij")
rings = torch.cos(90 * (rows**2 + columns**2))  # finer and finer outwards
smoothed = nn.functional.avg_pool2d(rings[None, None], 4, stride=4)[0, 0]

figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
titles = ("161 x 161", "stride 4: rings that were not there", "mean of 4 x 4, then stride 4")
for axis, image, title in zip(axes, (rings, rings[::4, ::4], smoothed), titles, strict=True):
    axis.imshow(image, cmap="gray", vmin=-1, vmax=1)
    axis.set_title(title)
    axis.set_axis_off()
plt.show()

# %% [markdown]
# Averaging before the stride turns most of what is too fine into grey. Notebook 7.5, on pooling, is
# about that.
#
# ## Exercises
#
# **1.** Work out the shape of the last of the four examples by hand. (Exercise 1 of the section.)

# %%
from convlens.course.catalog import STUDIES
from convlens.course.study import Setup

print(STUDIES["7.3-shape"].run(Setup()).text)

# %% [markdown]
# **2.** What does a stride of 2 mean for sound? (Exercise 2.) Suppose 8,000 samples a second and a
# tone of 3,000 Hz. Which tone do you hear when every second sample is left out? Then look:

# %%
rate, tone = 8000, 3000
time = torch.arange(rate) / rate
wave = torch.sin(2 * torch.pi * tone * time)

figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
axes[0].plot(1000 * time[:25], wave[:25], "o-", color="#0072B2", label="all samples")
axes[0].plot(1000 * time[:25:2], wave[:25:2], "s--", color="#D55E00", label="every second")
axes[0].set(xlabel="milliseconds", title="what is kept", ylim=(-1.2, 1.9))
axes[0].legend(loc="upper right")
for samples, its_rate, color in ((wave, rate, "#0072B2"), (wave[::2], rate // 2, "#D55E00")):
    spectrum = torch.fft.rfft(samples).abs() / (len(samples) / 2)
    axes[1].plot(torch.fft.rfftfreq(len(samples), 1 / its_rate), spectrum, color=color)
axes[1].set(xlabel="Hz", title="what is heard")
plt.show()

print(STUDIES["7.3-stride"].run(Setup()).text)

# %% [markdown]
# **3.** Pad with a mirror instead of zeros, with your own code. (Exercise 3.) The check compares with
# PyTorch:


# %%
def mirrored(row, p):
    left = row[1 : p + 1].flip(0)
    right = row[-p - 1 : -1].flip(0)
    return torch.cat([left, row, right])


row = torch.arange(6.0)
print(mirrored(row, 2).tolist())
for p in (1, 2, 5):
    theirs = nn.functional.pad(row[None], (p, p), mode="reflect")[0]
    assert torch.equal(mirrored(row, p), theirs)

# %% [markdown]
# **4.** What would a stride of 1/2 be, and when would you want it? (Exercise 6.) Two numbers out for
# each number in: put zeros between the inputs, then convolve. That is a *transposed* convolution,
# and it makes a picture larger:

# %%
from convlens.ops.correlation import transposed2d

small = torch.arange(1.0, 5.0).reshape(1, 1, 1, 4)
line = torch.tensor([[[[0.5, 1.0, 0.5]]]])
larger = transposed2d(small, line, stride=(1, 2), padding=(0, 1), output_padding=(0, 1))
print(larger[0, 0, 0].tolist())

with_zeros = torch.zeros(1, 1, 1, 8)
with_zeros[..., ::2] = small
assert torch.equal(larger, cross_correlation2d(with_zeros, line, padding=(0, 1)))
assert torch.equal(larger[0, 0, 0, :7], torch.tensor([1, 1.5, 2, 2.5, 3, 3.5, 4]))  # in between

# %% [markdown]
# ## Where to go next
#
# The next notebook is [7.4, Channels](7.4-channels.ipynb). In the terminal, the padding stands in
# round brackets:
#
# ```
# convlens conv --padding 1 --stride 2 --walk
# ```
