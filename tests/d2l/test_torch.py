"""Both ways of importing give the same names, all that the book uses, and no torch too early."""

import subprocess
import sys

import pytest

from convlens import d2l
from convlens.d2l import torch as flat

USED = [
    "Classifier", "FashionMNIST", "Trainer", "ResNeXtBlock", "add_to_class", "corr2d",
    "init_cnn", "abs", "arange", "concat", "float32", "matmul", "normal", "ones", "randn",
    "reduce_sum", "reshape", "stack", "tensor", "transpose", "zeros", "Module",
    "DataModule", "ProgressBoard", "HyperParameters", "SoftmaxRegression", "LeNet",
    "Residual", "cpu", "gpu", "num_gpus", "try_gpu", "try_all_gpus", "Timer", "show_images",
    "plot", "set_axes", "set_figsize", "use_svg_display", "plt", "resnet18", "Accumulator",
    "Animator", "accuracy", "evaluate_accuracy_gpu", "train_ch6", "load_data_fashion_mnist",
]  # fmt: skip


@pytest.mark.parametrize("name", USED)
def test_a_name_of_the_book_is_there_both_ways(name: str) -> None:
    assert getattr(d2l, name) is getattr(flat, name)
    assert name in dir(d2l)


def test_all_names_exist_and_are_listed_once() -> None:
    assert sorted(set(flat.__all__)) == sorted(flat.__all__)
    assert all(hasattr(flat, name) for name in flat.__all__)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="train_ch3"):
        _ = d2l.train_ch3


def test_the_package_alone_imports_no_torch() -> None:
    code = "import sys, convlens.d2l; assert 'torch' not in sys.modules; from convlens import d2l"
    code += "; assert 'torch' not in sys.modules; d2l.LeNet; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
