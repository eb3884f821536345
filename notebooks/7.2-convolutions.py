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
# # Convolutions
#
# Beside section 7.2 of *Dive into Deep Learning*,
# <https://d2l.ai/chapter_convolutional-neural-networks/conv-layer.html>. It needs ConvLens and
# matplotlib, no download; [notebook 7.1](7.1-from-dense-layers-to-convolutions.ipynb) says where the
# formula comes from. It runs in seconds.
#
# [Open this notebook in Colab](https://colab.research.google.com/github/convlens/convlens/blob/main/notebooks/7.2-convolutions.ipynb)

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
# A kernel $K$ of $k_h \times k_w$ numbers slides over an image $X$. At each place the numbers that
# meet are multiplied, and the products are added:
#
# $$Y_{i,j} = \sum_{a=0}^{k_h-1} \sum_{b=0}^{k_w-1} K_{a,b} \, X_{i+a,j+b}$$
#
# The kernel must lie inside the image, so the output is a bit smaller:
# $(h - k_h + 1) \times (w - k_w + 1)$. As loops over the output, with the two inner sums written as
# one product of blocks:


# %%
def corr2d(X, K):
    kh, kw = K.shape
    Y = torch.zeros(X.shape[0] - kh + 1, X.shape[1] - kw + 1)
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = (X[i : i + kh, j : j + kw] * K).sum()
    return Y


X = torch.arange(9.0).reshape(3, 3)
K = torch.arange(4.0).reshape(2, 2)
Y = corr2d(X, K)
print(X, K, Y, sep="\n")
assert Y.tolist() == [[19, 25], [37, 43]]  # as the book has it

# %% [markdown]
# Where does the 19 come from? ConvLens can open any number of a result:

# %%
from convlens.ops.steps.forward import Correlation

step = Correlation.of(X[None], K[None, None]).step((0, 0, 0))
terms = [f"{product.pixel.value:g} x {product.weight:g}" for product in step.products]
print(" + ".join(terms), "=", f"{step.sum:g}")

# %% [markdown]
# The fast versions take a batch of images with channels, `(n, c, h, w)`, and kernels
# `(o, c, kh, kw)`. There are several algorithms; every one must give what the loops give:

# %%
from convlens.ops.catalog import IMPLEMENTATIONS, refusal
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.geometry import Geometry

with reproducible(0):
    x, kernel = torch.randn(1, 1, 12, 15), torch.randn(1, 1, 3, 3)
expected = corr2d(x[0, 0], kernel[0, 0])
for name in IMPLEMENTATIONS:
    y = cross_correlation2d(x, kernel, implementation=name)
    difference = (y[0, 0] - expected).abs().max()
    assert difference < 1e-4, name
    print(f"{name:13} agrees with the loops to 4 digits")

print("\nNot every algorithm can do every kernel; for 2x2, winograd-2x2 says:")
print(refusal("winograd-2x2", Geometry.of(2)))

# %% [markdown]
# ## The layer
#
# A layer is the operation with parameters: a kernel that is learned, and a bias that is added.


# %%
class OurConv2d(nn.Module):
    def __init__(self, kernel_size):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(1, 1, *kernel_size))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return cross_correlation2d(x, self.weight, bias=self.bias)


# %% [markdown]
# `convlens.nn.conv.Conv2d` is PyTorch's layer with one more setting: the algorithm. With the same
# weights all three give the same:

# %%
from convlens.nn.conv import Conv2d

ours, theirs = OurConv2d((3, 3)), nn.Conv2d(1, 1, 3)
by_loops = Conv2d(1, 1, 3, implementation="reference")
theirs.load_state_dict(ours.state_dict())
by_loops.load_state_dict(ours.state_dict())
with torch.no_grad():
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)
    assert torch.allclose(ours(x), by_loops(x), atol=1e-5)
by_loops

# %% [markdown]
# ## Finding edges
#
# An image of six rows, white with a black band; and the kernel $(1, -1)$, a pixel minus its right
# neighbour:

# %%
from convlens.ops.steps.learn import edge_image

X = edge_image()
K = torch.tensor([[1.0, -1.0]])
Y = corr2d(X, K)

assert X.tolist() == [[1, 1, 0, 0, 0, 0, 1, 1]] * 6
assert Y.tolist() == [[0, 1, 0, 0, 0, -1, 0]] * 6
assert torch.equal(corr2d(X.T, K), torch.zeros(8, 5))

figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
for axis, image, title in zip(
    axes, (X, Y, corr2d(X.T, K)), ("X", "Y = corr2d(X, K)", "corr2d(X.T, K)"), strict=True
):
    colors = {"cmap": "gray", "vmin": 0} if image is X else {"cmap": "RdBu", "vmin": -1}
    shown = axis.imshow(image, **colors, vmax=1)
    axis.set_title(f"{title}, {image.shape[0]} x {image.shape[1]}")
figure.colorbar(shown, ax=axes)
plt.show()

# %% [markdown]
# From white to black gives 1 (blue), from black to white -1 (red), no change gives 0. On the
# transposed image all edges are level, and this kernel is blind to them.
#
# The same idea on a real picture, with some well-known kernels. `convlens conv --kernels` lists
# them all.

# %%
from convlens.data.sets.fashion_mnist import load_fashion_mnist
from convlens.ops.kernels import kernel as named

images = load_fashion_mnist().test.images
boot = images[0, 0].float() / 255
names = ("edge-x", "edge-y", "sobel-x", "sobel-y", "second-derivative-x", "laplacian", "blur:5")

figure, axes = plt.subplots(2, 4, figsize=(9, 4.8), layout="constrained")
axes[0, 0].imshow(boot, cmap="gray")
axes[0, 0].set_title("the picture")
for axis, name in zip(axes.flat[1:], names, strict=True):
    y = cross_correlation2d(boot[None, None], named(name)[None, None])[0, 0]
    if y.min() < 0:
        axis.imshow(y, cmap="RdBu", vmin=-y.abs().max(), vmax=y.abs().max())
    else:
        axis.imshow(y, cmap="gray")
    axis.set_title(name)
for axis in axes.flat:
    axis.set_axis_off()
plt.show()

# %% [markdown]
# ## Learning the kernel
#
# We know $X$ and $Y$ from above, and forget $K$. Can gradient descent find it? The loss is the sum
# of squared errors:
#
# $$L(K) = \sum_{i,j} \left( \hat Y_{i,j} - Y_{i,j} \right)^2, \qquad K \leftarrow K - \eta \,
# \frac{\partial L}{\partial K}, \qquad \eta = 0.03$$
#
# The book starts at random, so its numbers cannot be had again from its code. But its printed end
# can be solved back to its start, and that start is the constant `START`:

# %%
from convlens.ops.steps.learn import START

conv = nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)
with torch.no_grad():
    conv.weight.copy_(torch.tensor(START).reshape(1, 1, 1, 2))

lr, losses, path = 3e-2, [], [conv.weight.detach().clone().flatten()]
for epoch in range(1, 11):
    loss = ((conv(X[None, None]) - Y) ** 2).sum()
    conv.zero_grad()
    loss.backward()
    with torch.no_grad():
        conv.weight -= lr * conv.weight.grad
    losses.append(loss.item())
    path.append(conv.weight.detach().clone().flatten())
    if epoch % 2 == 0:
        print(f"epoch {epoch:2}, loss {loss:7.3f}")

learned = conv.weight.detach().flatten()
print("learned:", learned)

book_losses, book_kernel = [10.804, 3.642, 1.361, 0.535, 0.216], [1.0383, -0.9430]
assert torch.allclose(torch.tensor(losses[1::2]), torch.tensor(book_losses), rtol=5e-3)
assert torch.allclose(learned, torch.tensor(book_kernel), atol=1e-4)

# %% [markdown]
# Why does it work, and how fast? The loss is a bowl over two numbers. Each place of the image sees
# a pair of pixels $p$; their matrix $A^\top A = \sum p\,p^\top$ says how steep the bowl is in each
# direction:

# %%
pairs = nn.functional.unfold(X[None, None], (1, 2))[0].T  # one row per place
steepness = pairs.T @ pairs
values, directions = torch.linalg.eigh(steepness)
print(steepness)
print("eigenvalues", values.tolist())
assert torch.allclose(values, torch.tensor([6.0, 30.0]), atol=1e-4)

# %% [markdown]
# One step multiplies the error along the direction with eigenvalue $\lambda$ by $1 - 2\eta\lambda$.
# That is $1 - 1.8 = -0.8$ for $\lambda = 30$, along $(1, 1)$: it overshoots each time, but shrinks.
# And $1 - 0.36 = 0.64$ for $\lambda = 6$, along $(1, -1)$. So ten steps can be had without doing them:

# %%
error = torch.tensor(START) - K.flatten()
factors = 1 - 2 * lr * values
predicted = K.flatten() + directions @ (factors**10 * (directions.T @ error))
assert torch.allclose(factors, torch.tensor([0.64, -0.8]), atol=1e-5)
assert torch.allclose(predicted, learned, atol=1e-5)
print("predicted:", predicted)

# %%
path = torch.stack(path)
first, second = torch.meshgrid(
    torch.linspace(0, 1.7, 80), torch.linspace(-1.6, 0.5, 80), indexing="xy"
)
offsets = torch.stack([first, second], -1) - K.flatten()
bowl = torch.einsum("hwa,ab,hwb->hw", offsets, steepness, offsets)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
left.contour(first, second, bowl, levels=[0.1, 0.5, 2, 5, 10, 20, 40], colors="gray")
left.plot(*path.T, marker="o", color="#0072B2", label="ten steps")
left.plot(1, -1, marker="*", markersize=14, color="#D55E00", linestyle="", label="(1, -1)")
left.set(xlabel="first entry of the kernel", ylabel="second entry", title="down the bowl")
left.legend()
right.semilogy(range(1, 11), losses, marker="o", color="#0072B2")
right.set(xlabel="epoch", ylabel="loss", title="the loss falls by a constant factor in the end")
right.grid(alpha=0.3)
plt.show()

# %% [markdown]
# ConvLens does the same with gradients derived by hand, without autograd. They agree:

# %%
from convlens.ops.steps.learn import learn_kernel

steps = list(learn_kernel(X[None], Y, torch.tensor([[START]])))
assert torch.allclose(torch.tensor([step.loss for step in steps]), torch.tensor(losses), rtol=1e-4)

# %% [markdown]
# ## Feature maps and what they see
#
# The output of a layer is called a **feature map**. The pixels that can change one of its numbers
# are that number's **receptive field**. One 3 x 3 kernel sees 3 x 3 pixels; a second layer on top
# sees 5 x 5, since each of its inputs saw 3 x 3. ConvLens works it out from the windows:

# %%
from convlens.inspection.receptive_field import receptive_fields
from convlens.inspection.support import measured_support

with reproducible(1):
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 1, 3, padding=1, stride=2),
    )
picture = boot[None, None]
fields = receptive_fields(net, picture)
for path in ("0", "2", "4"):
    print(f"layer {path}: one number sees {fields[path].size[0]} x {fields[path].size[1]} pixels")
assert [fields[path].size for path in ("0", "2", "4")] == [(3, 3), (5, 5), (7, 7)]

# %% [markdown]
# That is geometry. The gradient of one number by the pixels shows the same with real weights:
# outside the field it is exactly zero.

# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, end in zip(axes, (1, 3, 5), strict=True):
    part, name = net[:end], str(end - 1)
    pixels = torch.full((1, 1, 15, 15), 0.5, requires_grad=True)
    y = part(pixels)
    middle = y.shape[2] // 2
    part_fields = receptive_fields(part, pixels.detach())
    y[0, :, middle, middle].sum().backward()
    axis.imshow(pixels.grad[0, 0].abs() > 0, cmap="gray")
    box = part_fields[name].box(middle, middle, 15, 15)
    seen = measured_support(part, pixels.detach(), name, (middle, middle))
    assert box[0] <= seen[0] and box[1] <= seen[1] and seen[2] <= box[2] and seen[3] <= box[3]
    axis.set_title(f"layer {name}: {box[2] - box[0]} x {box[3] - box[1]}")
plt.show()

# %% [markdown]
# ## Exercises
#
# **1.** What does $(1, -1)$ make of a *diagonal* edge, and what happens if the image or the kernel
# is transposed? (Exercise 1 of the section.) Say it in words, then look:

# %%
diagonal = torch.eye(6)
results = (corr2d(diagonal, K), corr2d(diagonal.T, K), corr2d(diagonal, K.T))
figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained")
for axis, image, title in zip(axes, results, ("X, K", "X.T, K", "X, K.T"), strict=True):
    axis.imshow(image, cmap="RdBu", vmin=-1, vmax=1)
    axis.set_title(title)
plt.show()

from convlens.course.catalog import STUDIES
from convlens.course.study import Setup

print(STUDIES["7.2-diagonal"].run(Setup()).text)

# %% [markdown]
# **2.** Design kernels by hand (exercise 2): one for edges across a direction, one for the second
# derivative, one that blurs. Write yours here and run the checks. What is the smallest kernel for
# a derivative of order $d$?

# %%
second_derivative = torch.tensor([[1.0, -2.0, 1.0]])  # try your own
blur = torch.full((3, 3), 1 / 9)  # try your own

line = torch.arange(8.0)
assert torch.equal(corr2d((line**2)[None], second_derivative), torch.full((1, 6), 2.0))
assert corr2d((3 * line + 1)[None], second_derivative).abs().max() == 0  # none on a straight line
assert abs(blur.sum() - 1) < 1e-6  # grey stays as grey as it was
for order in (1, 2, 3):
    print(f"order {order}: {named(f'derivative:{order}').int().tolist()[0]}, {order + 1} numbers")

# %% [markdown]
# **3.** Write the convolution as one product of matrices (exercise 4). The cell lays the windows out
# as columns; can you say what the rows are?

# %%
with reproducible(2):
    image, kernels = torch.randn(1, 3, 7, 8), torch.randn(5, 3, 3, 3)
columns = nn.functional.unfold(image, 3)[0]
print("columns:", tuple(columns.shape), " kernels:", tuple(kernels.flatten(1).shape))
product = (kernels.flatten(1) @ columns).reshape(1, 5, 5, 6)
assert torch.allclose(product, cross_correlation2d(image, kernels), atol=1e-4)

# %% [markdown]
# ## Where to go next
#
# The next notebook is [7.3, Padding and stride](7.3-padding-and-stride.ipynb). In the terminal:
#
# ```
# convlens conv --at 0,0
# convlens conv learn --seed 3
# convlens conv picture --help
# ```
