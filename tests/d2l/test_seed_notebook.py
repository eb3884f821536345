"""A student's notebook of 7.1 to 7.6, 8.2 and 8.6, cell by cell, with another import line.

The notebook is a pass through the sections with d2l 1.0.3 on a machine with CUDA. A cell here ends
with what the notebook prints below it, after `# prints`; spaces are not compared, since they were
lost when the notebook was scanned, but for the summaries, whose tabs are the book's. Where the
machine has no CUDA, only the cells that ask for it differ. The import of torchvision is left out:
nothing in these sections uses it.
"""

import ast
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from convlens import d2l
from convlens.core.errors import ConfigError
from tests.d2l.conftest import Cap

IMPORTS = """
import torch
from torch import nn
from convlens.d2l import torch as d2l
from torch.nn import functional as F
"""

SECTION_7_2 = """
def corr2d(X, K):
    h, w = K.shape
    Y = torch.zeros((X.shape[0] - h + 1, X.shape[1] - w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = (X[i : i + h, j : j + w] * K).sum()
    return Y
# %%
X = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
K = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
corr2d(X, K)
# prints
tensor([[19., 25.], [37., 43.]])
# %%
class Conv2D(nn.Module):
    def __init__(self, kernel_size):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(kernel_size))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return corr2d(x, self.weight) + self.bias
# %%
X = torch.ones((6, 8))
X[:, 2:6] = 0
X
# prints
tensor([[1., 1., 0., 0., 0., 0., 1., 1.],
        [1., 1., 0., 0., 0., 0., 1., 1.],
        [1., 1., 0., 0., 0., 0., 1., 1.],
        [1., 1., 0., 0., 0., 0., 1., 1.],
        [1., 1., 0., 0., 0., 0., 1., 1.],
        [1., 1., 0., 0., 0., 0., 1., 1.]])
# %%
K = torch.tensor([[1.0, -1.0]])
# %%
Y = corr2d(X, K)
Y
# prints
tensor([[ 0., 1., 0., 0., 0., -1., 0.],
        [ 0., 1., 0., 0., 0., -1., 0.],
        [ 0., 1., 0., 0., 0., -1., 0.],
        [ 0., 1., 0., 0., 0., -1., 0.],
        [ 0., 1., 0., 0., 0., -1., 0.],
        [ 0., 1., 0., 0., 0., -1., 0.]])
# %%
corr2d(X.t(), K)
# prints
tensor([[0., 0., 0., 0., 0.],
        [0., 0., 0., 0., 0.],
        [0., 0., 0., 0., 0.],
        [0., 0., 0., 0., 0.],
        [0., 0., 0., 0., 0.],
        [0., 0., 0., 0., 0.],
        [0., 0., 0., 0., 0.],
        [0., 0., 0., 0., 0.]])
"""

LEARN = """
conv2d = nn.LazyConv2d(1, kernel_size=(1, 2), bias=False)
X = X.reshape((1, 1, 6, 8))
Y = Y.reshape((1, 1, 6, 7))
lr = 3e-2
for i in range(10):
    Y_hat = conv2d(X)
    l = (Y_hat - Y) ** 2
    conv2d.zero_grad()
    l.sum().backward()
    conv2d.weight.data[:] -= lr * conv2d.weight.grad
    if (i + 1) % 2 == 0:
        print(f'epoch {i + 1}, loss {l.sum():.3f}')
"""

SECTION_7_3 = """
def comp_conv2d(conv2d, X):
    X = X.reshape((1, 1) + X.shape)
    Y = conv2d(X)
    return Y.reshape(Y.shape[2:])

conv2d = nn.LazyConv2d(1, kernel_size=3, padding=1)
X = torch.rand(size=(8, 8))
comp_conv2d(conv2d, X).shape
# prints
torch.Size([8, 8])
# %%
conv2d = nn.LazyConv2d(1, kernel_size=(5, 3), padding=(2, 1))
comp_conv2d(conv2d, X).shape
# prints
torch.Size([8, 8])
# %%
conv2d = nn.LazyConv2d(1, kernel_size=3, padding=1, stride=2)
comp_conv2d(conv2d, X).shape
# prints
torch.Size([4, 4])
# %%
conv2d = nn.LazyConv2d(1, kernel_size=(3, 5), padding=(0, 1), stride=(3, 4))
comp_conv2d(conv2d, X).shape
# prints
torch.Size([2, 2])
"""

SECTION_7_4 = """
def corr2d_multi_in(X, K):
    return sum(d2l.corr2d(x, k) for x, k in zip(X, K))
# %%
X = torch.tensor([[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]],
                  [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]])
K = torch.tensor([[[0.0, 1.0], [2.0, 3.0]], [[1.0, 2.0], [3.0, 4.0]]])
corr2d_multi_in(X, K)
# prints
tensor([[ 56., 72.], [104., 120.]])
# %%
def corr2d_multi_in_out(X, K):
    return torch.stack([corr2d_multi_in(X, k) for k in K], 0)
# %%
K = torch.stack((K, K + 1, K + 2), 0)
K.shape
# prints
torch.Size([3, 2, 2, 2])
# %%
corr2d_multi_in_out(X, K)
# prints
tensor([[[ 56., 72.], [104., 120.]],
        [[ 76., 100.], [148., 172.]],
        [[ 96., 128.], [192., 224.]]])
# %%
def corr2d_multi_in_out_1x1(X, K):
    c_i, h, w = X.shape
    c_o = K.shape[0]
    X = X.reshape((c_i, h * w))
    K = K.reshape((c_o, c_i))
    Y = torch.matmul(K, X)
    return Y.reshape((c_o, h, w))
# %%
X = torch.normal(0, 1, (3, 3, 3))
K = torch.normal(0, 1, (2, 3, 1, 1))
Y1 = corr2d_multi_in_out_1x1(X, K)
Y2 = corr2d_multi_in_out(X, K)
assert float(torch.abs(Y1 - Y2).sum()) < 1e-6
"""

SECTION_7_5 = """
def pool2d(X, pool_size, mode='max'):
    p_h, p_w = pool_size
    Y = torch.zeros((X.shape[0] - p_h + 1, X.shape[1] - p_w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            if mode == 'max':
                Y[i, j] = X[i : i + p_h, j : j + p_w].max()
            elif mode == 'avg':
                Y[i, j] = X[i : i + p_h, j : j + p_w].mean()
    return Y
# %%
X = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
pool2d(X, (2, 2))
# prints
tensor([[4., 5.], [7., 8.]])
# %%
pool2d(X, (2, 2), 'avg')
# prints
tensor([[2., 3.], [5., 6.]])
# %%
X = torch.arange(16, dtype=torch.float32).reshape((1, 1, 4, 4))
X
# prints
tensor([[[[ 0., 1., 2., 3.], [ 4., 5., 6., 7.], [ 8., 9., 10., 11.], [12., 13., 14., 15.]]]])
# %%
pool2d = nn.MaxPool2d(3)
pool2d(X)
# prints
tensor([[[[10.]]]])
# %%
pool2d = nn.MaxPool2d(3, padding=1, stride=2)
pool2d(X)
# prints
tensor([[[[ 5., 7.], [13., 15.]]]])
# %%
pool2d = nn.MaxPool2d((2, 3), stride=(2, 3), padding=(0, 1))
pool2d(X)
# prints
tensor([[[[ 5., 7.], [13., 15.]]]])
# %%
X = torch.cat((X, X + 1), 1)
X
# prints
tensor([[[[ 0., 1., 2., 3.], [ 4., 5., 6., 7.], [ 8., 9., 10., 11.], [12., 13., 14., 15.]],
         [[ 1., 2., 3., 4.], [ 5., 6., 7., 8.], [ 9., 10., 11., 12.], [13., 14., 15., 16.]]]])
# %%
pool2d = nn.MaxPool2d(3, padding=1, stride=2)
pool2d(X)
# prints
tensor([[[[ 5., 7.], [13., 15.]], [[ 6., 8.], [14., 16.]]]])
"""

SECTION_7_6 = """
def init_cnn(module):
    if type(module) == nn.Linear or type(module) == nn.Conv2d:
        nn.init.xavier_uniform_(module.weight)

class LeNet(d2l.Classifier):
    def __init__(self, lr=0.1, num_classes=10):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(6, kernel_size=5, padding=2), nn.Sigmoid(),
            nn.AvgPool2d(kernel_size=2, stride=2),
            nn.LazyConv2d(16, kernel_size=5), nn.Sigmoid(),
            nn.AvgPool2d(kernel_size=2, stride=2),
            nn.Flatten(),
            nn.LazyLinear(120), nn.Sigmoid(),
            nn.LazyLinear(84), nn.Sigmoid(),
            nn.LazyLinear(num_classes))
# %%
@d2l.add_to_class(d2l.Classifier)
def layer_summary(self, X_shape):
    X = torch.randn(*X_shape)
    for layer in self.net:
        X = layer(X)
        print(layer.__class__.__name__, 'output shape:\\t', X.shape)

model = LeNet()
model.layer_summary((1, 1, 28, 28))
# prints
Conv2d output shape:\t torch.Size([1, 6, 28, 28])
Sigmoid output shape:\t torch.Size([1, 6, 28, 28])
AvgPool2d output shape:\t torch.Size([1, 6, 14, 14])
Conv2d output shape:\t torch.Size([1, 16, 10, 10])
Sigmoid output shape:\t torch.Size([1, 16, 10, 10])
AvgPool2d output shape:\t torch.Size([1, 16, 5, 5])
Flatten output shape:\t torch.Size([1, 400])
Linear output shape:\t torch.Size([1, 120])
Sigmoid output shape:\t torch.Size([1, 120])
Linear output shape:\t torch.Size([1, 84])
Sigmoid output shape:\t torch.Size([1, 84])
Linear output shape:\t torch.Size([1, 10])
"""

FIT = """
trainer = d2l.Trainer(max_epochs=10, num_gpus=1)
data = d2l.FashionMNIST(batch_size=128)
model = LeNet(lr=0.1)
model.apply_init([next(iter(data.get_dataloader(True)))[0]], init_cnn)
trainer.fit(model, data)
"""

MODERN = """
class LeNet_changed(d2l.Classifier):
    def __init__(self, lr=0.1, num_classes=10):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(6, kernel_size=5, padding=2), nn.ReLU(),
            nn.MaxPool2d(kernel_size=2, stride=2),
            nn.LazyConv2d(16, kernel_size=5), nn.ReLU(),
            nn.MaxPool2d(kernel_size=2, stride=2),
            nn.Flatten(),
            nn.LazyLinear(120), nn.ReLU(),
            nn.LazyLinear(84), nn.ReLU(),
            nn.LazyLinear(num_classes)
        )
# %%
trainer = d2l.Trainer(max_epochs=10, num_gpus=1)
data = d2l.FashionMNIST(batch_size=128)
model = LeNet_changed(lr=0.1)
model.apply_init([next(iter(data.get_dataloader(True)))[0]], init_cnn)
trainer.fit(model, data)
"""

SECTION_8_2 = """
def vgg_block(num_convs, out_channels):
    layers = []
    for _ in range(num_convs):
        layers.append(nn.LazyConv2d(out_channels, kernel_size=3, padding=1))
        layers.append(nn.ReLU())
    layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)
# %%
class VGG(d2l.Classifier):
    def __init__(self, arch, lr=0.1, num_classes=10):
        super().__init__()
        self.save_hyperparameters()
        conv_blks = []
        for (num_convs, out_channels) in arch:
            conv_blks.append(vgg_block(num_convs, out_channels))
        self.net = nn.Sequential(
            *conv_blks, nn.Flatten(),
            nn.LazyLinear(4096), nn.ReLU(), nn.Dropout(0.5),
            nn.LazyLinear(4096), nn.ReLU(), nn.Dropout(0.5),
            nn.LazyLinear(num_classes))
        self.net.apply(d2l.init_cnn)
# %%
VGG(arch=((1, 64), (1, 128), (2, 256), (2, 512), (2, 512))).layer_summary((1, 1, 224, 224))
# prints
Sequential output shape:\t torch.Size([1, 64, 112, 112])
Sequential output shape:\t torch.Size([1, 128, 56, 56])
Sequential output shape:\t torch.Size([1, 256, 28, 28])
Sequential output shape:\t torch.Size([1, 512, 14, 14])
Sequential output shape:\t torch.Size([1, 512, 7, 7])
Flatten output shape:\t torch.Size([1, 25088])
Linear output shape:\t torch.Size([1, 4096])
ReLU output shape:\t torch.Size([1, 4096])
Dropout output shape:\t torch.Size([1, 4096])
Linear output shape:\t torch.Size([1, 4096])
ReLU output shape:\t torch.Size([1, 4096])
Dropout output shape:\t torch.Size([1, 4096])
Linear output shape:\t torch.Size([1, 10])
"""

FIT_VGG = """
model = VGG(arch=((1, 16), (1, 32), (2, 64), (2, 128), (2, 128)), lr=0.01)
model.to(torch.device('cuda'))
trainer = d2l.Trainer(max_epochs=10, num_gpus=1)
data = d2l.FashionMNIST(batch_size=128, resize=(224, 224))
gpudata = next(iter(data.get_dataloader(True)))[0].to(torch.device('cuda'))
model.apply_init([gpudata], d2l.init_cnn)
trainer.fit(model, data)
"""

SECTION_8_6 = """
class Residual(nn.Module):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = nn.LazyConv2d(num_channels, kernel_size=3, padding=1, stride=strides)
        self.conv2 = nn.LazyConv2d(num_channels, kernel_size=3, padding=1)
        if use_1x1conv:
            self.conv3 = nn.LazyConv2d(num_channels, kernel_size=1, stride=strides)
        else:
            self.conv3 = None
        self.bn1 = nn.LazyBatchNorm2d()
        self.bn2 = nn.LazyBatchNorm2d()

    def forward(self, X):
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.conv3:
            X = self.conv3(X)
        Y += X
        return F.relu(Y)
# %%
blk = Residual(3)
X = torch.randn(4, 3, 6, 6)
blk(X).shape
# prints
torch.Size([4, 3, 6, 6])
# %%
blk = Residual(6, use_1x1conv=True, strides=2)
blk(X).shape
# prints
torch.Size([4, 6, 3, 3])
# %%
class ResNet(d2l.Classifier):
    def b1(self):
        return nn.Sequential(
            nn.LazyConv2d(64, kernel_size=7, stride=2, padding=3), nn.LazyBatchNorm2d(),
            nn.ReLU(), nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
# %%
@d2l.add_to_class(ResNet)
def block(self, num_residuals, num_channels, first_block=False):
    blk = []
    for i in range(num_residuals):
        if i == 0 and not first_block:
            blk.append(Residual(num_channels, use_1x1conv=True, strides=2))
        else:
            blk.append(Residual(num_channels))
    return nn.Sequential(*blk)
# %%
@d2l.add_to_class(ResNet)
def __init__(self, arch, lr=0.1, num_classes=10):
    super(ResNet, self).__init__()
    self.save_hyperparameters()
    self.net = nn.Sequential(self.b1())
    for i, b in enumerate(arch):
        self.net.add_module(f'b{i+2}', self.block(*b, first_block=(i==0)))
    self.net.add_module('last', nn.Sequential(
        nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LazyLinear(num_classes)))
    self.net.apply(d2l.init_cnn)
# %%
class ResNet18(ResNet):
    def __init__(self, lr=0.1, num_classes=10):
        super().__init__(((2, 64), (2, 128), (2, 256), (2, 512)), lr, num_classes)
# %%
ResNet18().layer_summary((1, 1, 96, 96))
# prints
Sequential output shape:\t torch.Size([1, 64, 24, 24])
Sequential output shape:\t torch.Size([1, 64, 24, 24])
Sequential output shape:\t torch.Size([1, 128, 12, 12])
Sequential output shape:\t torch.Size([1, 256, 6, 6])
Sequential output shape:\t torch.Size([1, 512, 3, 3])
Sequential output shape:\t torch.Size([1, 10])
"""

FIT_RESNET = """
model = ResNet18(lr=0.01)
model.to(torch.device('cuda'))
trainer = d2l.Trainer(max_epochs=10, num_gpus=1)
data = d2l.FashionMNIST(batch_size=128, resize=(96, 96))
gpudata = next(iter(data.get_dataloader(True)))[0].to(torch.device('cuda'))
model.apply_init([gpudata], d2l.init_cnn)
trainer.fit(model, data)
"""


class Notebook:
    """Runs cells one after another in one space of names, and compares what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.names: dict[str, Any] = {}
        self.run(IMPORTS)

    def run(self, text: str) -> str:
        """What the last cell prints; each cell that says what it prints is compared."""
        printed = ""
        for cell in text.split("# %%\n"):
            code, says, expected = cell.partition("# prints\n")
            printed = self.cell(code)
            if says:
                assert comparable(printed) == comparable(expected), code
        return printed

    def cell(self, code: str) -> str:
        tree = ast.parse(code)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "<cell>", "exec"), self.names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), self.names)
            if value is not None:
                print(repr(value))
        return self.capsys.readouterr().out


def comparable(printed: str) -> str:
    """The text as it is if it is a summary, else without any space."""
    return printed if "output shape" in printed else re.sub(r"\s", "", printed)


@pytest.fixture
def notebook(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Notebook]:
    """A notebook in a folder of its own, whose additions to d2l are undone afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(d2l.Classifier, "layer_summary", d2l.Module.layer_summary)
    torch.manual_seed(0)
    yield Notebook(capsys)


@pytest.mark.parametrize("section", ["7_2", "7_3", "7_4", "7_5", "7_6", "8_6"])
def test_every_cell_prints_what_the_notebook_shows(notebook: Notebook, section: str) -> None:
    text = globals()[f"SECTION_{section}"]
    assert "# prints" in text
    notebook.run(text)


def test_the_summary_of_vgg11_is_the_notebooks_by_its_own_function_and_by_d2ls(
    notebook: Notebook,
) -> None:
    """On meta, where 128 million weights cost nothing."""
    with torch.device("meta"):
        notebook.run(SECTION_8_2)
        notebook.run(SECTION_7_6)  # which redefines layer_summary
        notebook.run(SECTION_8_2)


def test_the_kernel_is_learned_from_whatever_start_is_drawn(notebook: Notebook) -> None:
    notebook.run(SECTION_7_2)
    losses = re.findall(r"^epoch (\d+), loss (\d+\.\d{3})$", notebook.run(LEARN), re.MULTILINE)
    assert [epoch for epoch, _ in losses] == ["2", "4", "6", "8", "10"]
    assert float(losses[-1][1]) < 0.56
    kernel = notebook.names["conv2d"].weight.data.reshape((1, 2))
    assert (kernel - torch.tensor([[1.0, -1.0]])).abs().max() < 0.096


def test_both_ways_to_a_1x1_convolution_agree_to_the_bit(notebook: Notebook) -> None:
    """For three channels; the notebook shows a tensor of True."""
    notebook.run(SECTION_7_4)
    assert torch.equal(notebook.names["Y1"], notebook.names["Y2"])
    assert notebook.names["Y1"].shape == (2, 3, 3)


def history_of(notebook: Notebook) -> d2l.History:
    return notebook.names["trainer"].history


def test_lenet_is_started_by_the_notebooks_own_function_and_trained(
    notebook: Notebook, capped: Cap, tmp_path: Path
) -> None:
    capped(256)
    notebook.run(SECTION_7_6)
    printed = notebook.run(FIT)
    assert printed.count("epoch ") == 10 and "History(" in printed
    history = history_of(notebook)
    assert len(history) == 10 and history.train_loss[-1] < history.train_loss[0]
    assert (tmp_path / "LeNet-curves.png").exists()


def test_the_modern_lenet_is_trained(notebook: Notebook, capped: Cap) -> None:
    capped(600)
    notebook.run(SECTION_7_6)
    notebook.run(MODERN)
    history = history_of(notebook)
    assert history.train_loss[-1] < 1 < history.train_loss[0]


def without_cuda(text: str) -> str:
    """The cell for two epochs, without what asks for CUDA: a line, and a call in another."""
    text = text.replace("max_epochs=10", "max_epochs=2")
    asked = "to(torch.device('cuda'))"
    return text.replace(f"model.{asked}\n", "").replace(f".{asked}", "")


@pytest.mark.parametrize(("section", "fit"), [(SECTION_8_2, FIT_VGG), (SECTION_8_6, FIT_RESNET)])
def test_the_larger_networks_are_trained_without_cuda(
    notebook: Notebook, capped: Cap, section: str, fit: str
) -> None:
    capped(4)
    for cell in section.split("# %%\n"):
        if "layer_summary" not in cell:
            notebook.run(cell)
    notebook.run(without_cuda(fit))
    losses = history_of(notebook).train_loss
    assert len(losses) == 2 and all(map(math.isfinite, losses))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA")
def test_asking_for_cuda_where_there_is_none_says_what_to_do(notebook: Notebook) -> None:
    notebook.run(SECTION_7_6)
    with pytest.raises(ConfigError, match="there is none here") as caught:
        notebook.run("model.to(torch.device('cuda'))")
    assert "leave the line away" in str(caught.value.fix)
    with pytest.raises(ConfigError, match="there is none here"):
        notebook.run("model.cuda()")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA")
@pytest.mark.parametrize(("section", "fit"), [(SECTION_8_2, FIT_VGG), (SECTION_8_6, FIT_RESNET)])
def test_with_cuda_the_notebook_runs_as_it_is(
    notebook: Notebook, capped: Cap, section: str, fit: str
) -> None:
    capped(128)
    notebook.run(section)
    notebook.run(fit)
    assert next(notebook.names["model"].parameters()).is_cuda
    assert len(history_of(notebook)) == 10
