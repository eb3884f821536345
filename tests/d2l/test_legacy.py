"""What readers of the earlier edition call."""

from pathlib import Path

import pytest
import torch
from torch import nn

from convlens import d2l
from convlens.d2l import legacy


def test_sums_can_start_again() -> None:
    sums = d2l.Accumulator(2)
    sums.add(1, torch.tensor(2.5))
    assert (sums[0], sums[1]) == (1, 2.5)
    sums.reset()
    assert sums[1] == 0


def test_an_animator_has_a_curve_for_each_label() -> None:
    animator = d2l.Animator(xlabel="epoch", legend=["a", "b"], figsize=(2, 2), fmts=("-",))
    animator.add(1, (0.5, None))
    animator.add(2, [0.25, 0.75])
    animator.add(3, 1)
    assert {key: [tuple(p) for p in points] for key, points in animator.board.data.items()} == {
        "a": [(1, 0.5), (2, 0.25), (3, 1)], "b": [(2, 0.75)],
    }  # fmt: skip
    d2l.Animator().add(0, [1, 2])


def test_accuracy_counts_rows_of_logits_or_classes() -> None:
    y = torch.tensor([0, 1, 1])
    assert d2l.accuracy(torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]]), y) == 2
    assert d2l.accuracy(torch.tensor([0, 1, 0]), y) == 2


def test_a_network_is_trained_and_evaluated_over_images(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = d2l.FashionMNIST(64, root=small_folder)
    train, test = data.get_dataloader(True), data.get_dataloader(False)
    net = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.LazyLinear(10))
    torch.manual_seed(0)
    history = d2l.train_ch6(net, train, test, 3, 0.1, "cpu")
    assert d2l.evaluate_accuracy_gpu(net, test) == pytest.approx(history.val_accuracy[-1])
    assert d2l.get_dataloader_workers() == 0


def test_the_loaders_of_fashion_mnist_are_resized_if_asked() -> None:
    train, test = legacy.load_data_fashion_mnist(256, resize=32)
    assert (len(train), len(test)) == (235, 40)
    x, _ = next(iter(test))
    assert x.shape == (256, 1, 32, 32)
