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
# # Channels
#
# Beside section 7.4 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-neural-networks/channels.html>. It needs ConvLens and
# matplotlib, no download; [notebook 7.2](7.2-convolutions.ipynb) explains the operation. It runs in
# seconds.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/7.4-channels.ipynb)

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
# ## Several channels in
#
# A colour picture has three numbers per pixel: it is three images on top of each other, three
# **channels**. A kernel then has one layer for each of them, and the results are *added*:
#
# $$Y_{i,j} = \sum_{c} \sum_{a,b} K_{c,a,b} \, X_{c,i+a,j+b}$$
#
# As loops over channels, with the one-channel operation of the book's package:

# %%
from convlens import d2l


def corr2d_multi_in(X, K):
    return sum(d2l.corr2d(x, k) for x, k in zip(X, K, strict=True))


X = torch.stack([torch.arange(9.0).reshape(3, 3), torch.arange(1.0, 10.0).reshape(3, 3)])
K = torch.stack([torch.arange(4.0).reshape(2, 2), torch.arange(1.0, 5.0).reshape(2, 2)])
Y = corr2d_multi_in(X, K)
print(Y)
assert Y.tolist() == [[56, 72], [104, 120]]  # as the book has it

# %% [markdown]
# The 56 opened: four products from each of the two channels.

# %%
from convlens.ops.steps.forward import Correlation

step = Correlation.of(X, K[None]).step((0, 0, 0))
for channel in range(2):
    mine = [product for product in step.products if product.pixel.channel == channel]
    terms = [f"{product.pixel.value:g} x {product.weight:g}" for product in mine]
    print(f"channel {channel}:", " + ".join(terms), "=", f"{sum(p.product for p in mine):g}")
assert step.sum == 56

# %% [markdown]
# ## Several channels out
#
# One kernel finds one feature. To find $o$ features, take $o$ kernels, and stack what they give:
#
# $$Y_{o,i,j} = \sum_{c} \sum_{a,b} K_{o,c,a,b} \, X_{c,i+a,j+b}$$


# %%
def corr2d_multi_in_out(X, K):
    return torch.stack([corr2d_multi_in(X, k) for k in K])


K = torch.stack([K, K + 1, K + 2])
Y = corr2d_multi_in_out(X, K)
assert K.shape == (3, 2, 2, 2)
assert Y.tolist() == [
    [[56, 72], [104, 120]],
    [[76, 100], [148, 172]],
    [[96, 128], [192, 224]],
]
Y

# %% [markdown]
# The fast versions, and the layer:

# %%
from convlens.ops.catalog import IMPLEMENTATIONS
from convlens.ops.correlation import cross_correlation2d

with reproducible(0):
    image, kernels = torch.randn(3, 10, 12), torch.randn(5, 3, 3, 3)
expected = corr2d_multi_in_out(image, kernels)
for name in IMPLEMENTATIONS:
    y = cross_correlation2d(image[None], kernels, implementation=name)
    assert torch.allclose(y[0], expected, atol=1e-3), name
    print(f"{name} agrees")

layer = nn.Conv2d(3, 5, kernel_size=3, bias=False)
with torch.no_grad():
    layer.weight.copy_(kernels)
    assert torch.allclose(layer(image[None])[0], expected, atol=1e-4)

# %% [markdown]
# ## Why add over channels?
#
# Because a feature may *be* a relation between channels. Here is a picture with a red, a green and a
# white disc. The kernel $(1, -1/2, -1/2)$, one number per channel, answers to red and not to white,
# although white contains red as well. No sum of separate looks at each channel with the same kernel
# could do that.

# %%
rows, columns = torch.meshgrid(torch.arange(40), torch.arange(120), indexing="ij")
picture = torch.full((3, 40, 120), 0.1)
for column, color in ((20, (1, 0, 0)), (60, (0, 0.8, 0)), (100, (1, 1, 1))):
    disc = (rows - 20) ** 2 + (columns - column) ** 2 < 14**2
    picture[:, disc] = torch.tensor(color, dtype=torch.float32)[:, None]

redness = torch.tensor([1.0, -0.5, -0.5]).reshape(1, 3, 1, 1)
edge = torch.tensor([[1.0, 0.0, -1.0]]) * redness  # edges of redness
found = cross_correlation2d(picture[None], redness)[0, 0]
edges = cross_correlation2d(picture[None], edge, padding=(0, 1))[0, 0, :, 1:-1]

figure, axes = plt.subplots(3, 1, figsize=(6, 5.6), layout="constrained")
axes[0].imshow(picture.movedim(0, -1))
axes[0].set_title("picture, three channels")
for axis, values, title in (
    (axes[1], found, "1x1 kernel: red and nothing else is positive"),
    (axes[2], edges, "1x3 kernel on three channels: edges of redness"),
):
    axis.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1)
    axis.set_title(title)
for axis in axes:
    axis.set_axis_off()
plt.show()

assert found[20, 20] == 1
assert found[20, 60] < 0
assert found[20, 100] == 0

# %% [markdown]
# ## The 1 x 1 convolution
#
# A kernel of 1 x 1 looks at no neighbours. It only mixes the channels of each pixel, so it is a dense
# layer applied to every pixel, and that is one product of matrices:


# %%
def corr2d_1x1(X, K):
    channels, height, width = X.shape
    return (K[:, :, 0, 0] @ X.reshape(channels, height * width)).reshape(len(K), height, width)


with reproducible(1):
    X, K = torch.normal(0, 1, (3, 3, 3)), torch.normal(0, 1, (2, 3, 1, 1))
Y1, Y2 = corr2d_1x1(X, K), corr2d_multi_in_out(X, K)
assert Y1.shape == (2, 3, 3)
assert (Y1 - Y2).abs().sum() < 1e-6  # the book's own check

# %% [markdown]
# ## What it costs
#
# Each output number takes $c \, k_h k_w$ products, and there are $o \, h' w'$ of them. So a layer takes
#
# $$h' \, w' \cdot k_h \, k_w \cdot c \cdot o$$
#
# multiply-accumulates (MACs). The size of the image and both numbers of channels count fully.
# The formula, ConvLens' count from the shapes, and the count of what PyTorch really did:

# %%
from torch.utils.flop_counter import FlopCounterMode

from convlens.ops.cost import correlation_cost
from convlens.ops.geometry import Geometry

print("  in   out kernel         MACs   parameters")
for c, o, k in ((3, 64, 3), (64, 64, 3), (64, 64, 1), (128, 128, 3), (256, 256, 3)):
    shape = (1, c, 32, 32)
    cost = correlation_cost(Geometry.of(k, padding=k // 2), shape, o)
    layer = nn.Conv2d(c, o, k, padding=k // 2, device="meta")
    with FlopCounterMode(display=False) as counter:
        layer(torch.empty(shape, device="meta"))
    assert cost.macs == 32 * 32 * k * k * c * o == counter.get_total_flops() // 2
    assert cost.num_parameters == sum(p.numel() for p in layer.parameters())
    print(f"{c:4}  {o:4}  {k} x {k} {cost.macs:12,} {cost.num_parameters:12,}")

# %% [markdown]
# Twice the channels on both sides means four times the work. A 1 x 1 kernel costs a ninth of a 3 x 3,
# which is why networks of chapter 8 use it to bring channels down *before* an expensive layer:

# %%
direct = correlation_cost(Geometry.of(3, padding=1), (1, 256, 32, 32), 256).macs
narrow = (
    correlation_cost(Geometry.of(1), (1, 256, 32, 32), 64).macs
    + correlation_cost(Geometry.of(3, padding=1), (1, 64, 32, 32), 64).macs
    + correlation_cost(Geometry.of(1), (1, 64, 32, 32), 256).macs
)
figure, axis = plt.subplots(figsize=(7, 1.8), layout="constrained")
axis.barh(["3x3, 256 to 256", "1x1, 3x3, 1x1 through 64"], [direct / 1e6, narrow / 1e6])
axis.set_xlabel("million MACs on 32 x 32")
axis.invert_yaxis()
plt.show()
print(f"{direct / narrow:.1f} times fewer")

# %% [markdown]
# ## Exercises
#
# **1.** Two convolutions after each other, with nothing in between, are one convolution. How large is
# its kernel? Are all large kernels of that kind? (Exercise 1 of the section.)

# %%
with reproducible(2):
    first, second = torch.randn(3, 3, dtype=torch.float64), torch.randn(5, 5, dtype=torch.float64)
    x = torch.randn(1, 1, 20, 20, dtype=torch.float64)

after_both = cross_correlation2d(cross_correlation2d(x, first[None, None]), second[None, None])
# the one kernel: each number of the second spreads the first
one = torch.zeros(7, 7, dtype=torch.float64)
for a in range(5):
    for b in range(5):
        one[a : a + 3, b : b + 3] += second[a, b] * first
assert torch.allclose(after_both, cross_correlation2d(x, one[None, None]))
print(f"3 and 5 make {one.shape[0]}: k1 + k2 - 1")

# %% [markdown]
# Not the other way round: two 2 x 1 and 1 x 2 kernels make a 2 x 2 of rank 1, and
# `[[1, 0], [0, 1]]` has rank 2. (Two 2 x 2 kernels have 8 numbers, a 3 x 3 has 9.)

# %%
column, row = torch.randn(2, 1), torch.randn(1, 2)
assert torch.linalg.matrix_rank(column @ row) == 1
assert torch.linalg.matrix_rank(torch.eye(2)) == 2

# %% [markdown]
# **2.** How much more work is it to double the channels in *and* out? And to double the padding?
# (Exercise 3.) Answer for a 3 x 3 kernel with padding 1 on 32 x 32, then run:


# %%
def macs(c, o, padding):
    return correlation_cost(Geometry.of(3, padding=padding), (1, c, 32, 32), o).macs


print(f"channels: {macs(128, 128, 1) / macs(64, 64, 1):g} times")
print(f"padding:  {macs(64, 64, 2) / macs(64, 64, 1):.3f} times")
assert macs(128, 128, 1) == 4 * macs(64, 64, 1)
assert macs(64, 64, 2) * 32**2 == macs(64, 64, 1) * 34**2

# %% [markdown]
# **3.** Are `Y1` and `Y2` above *exactly* equal? (Exercise 4.) In mathematics yes. In floating point
# the sums may be taken in another order:

# %%
from convlens.course.catalog import STUDIES
from convlens.course.study import Setup

found = STUDIES["7.4-order"].run(Setup()).text
print(found)

# %% [markdown]
# **4.** A matrix has $b$ blocks on its diagonal and zeros elsewhere. How many times faster is the
# product? (Exercise 7.) Blocks in the matrix are **groups** in the convolution: channels of one group
# see only each other. Guess for $b = 4$, then run:

# %%
from convlens.inspection.trace import trace

x = torch.empty(128, 512, 1, 1, device="meta")
dense = trace(nn.Conv2d(512, 512, 1, bias=False, device="meta"), x).whole
for b in (2, 4, 8, 16):
    blocks = nn.Conv2d(512, 512, 1, groups=b, bias=False, device="meta")
    whole = trace(blocks, x).whole
    print(f"b = {b:2}: {dense.macs / whole.macs:g} times fewer MACs")
    assert dense.macs == b * whole.macs
    assert dense.num_parameters == b * whole.num_parameters

# %% [markdown]
# What is lost? Nothing passes from one group to another. `convlens study run 7.4-blocks` also
# measures it with the clock, where overheads make the gain smaller.

# %% [markdown]
# ## Where to go next
#
# The next notebook is [7.5, Pooling](7.5-pooling.ipynb). In the terminal, channels have a bar between
# them:
#
# ```
# convlens conv --input "0 1 2; 3 4 5; 6 7 8 | 1 2 3; 4 5 6; 7 8 9" --kernel "0 1; 2 3 | 1 2; 3 4"
# convlens study run 7.4-blocks
# ```
