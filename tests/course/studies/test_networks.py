"""The experiments of 8.2 and 8.6 give the book's counts, and can fail."""

import pytest

from convlens.course.studies import networks
from convlens.course.study import Setup


def test_the_books_networks_are_counted() -> None:
    numbers = networks.parameters(Setup()).numbers
    assert numbers["AlexNet, parameters"] == 46_764_746
    assert numbers["AlexNet, in linear layers"] == 6400 * 4096 + 4096 * 4096 + 4096 * 10 + 8202
    assert numbers["VGG-11, parameters"] == 128_806_154
    assert numbers["slim VGG-11, parameters"] == 43_093_322


def test_the_books_blocks_are_counted() -> None:
    numbers = networks.blocks(Setup()).numbers
    assert numbers["Inception, parameters"] == 163_696
    assert numbers["residual, parameters"] == 1_083_136
    assert numbers["residual, MACs"] == 12 * 12 * (192 * 256 * 9 + 256 * 256 * 9 + 192 * 256)


def test_a_block_that_is_not_the_identity_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "zero_last_norms", lambda _: None)
    assert not networks.blocks(Setup()).holds


def test_another_vgg_is_not_vgg_11(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = networks._counted  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(networks, "_counted", lambda _: counted("vgg13"))
    assert not networks.layers(Setup()).holds
