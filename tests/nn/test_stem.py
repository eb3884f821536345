"""A stem for ImageNet shrinks fourfold; the small one keeps every pixel."""

import pytest
import torch

from convlens.nn.stem import StemName, conv_stem


@pytest.mark.parametrize(
    ("name", "size", "after"),
    [("imagenet", 224, 56), ("imagenet", 96, 24), ("imagenet", 28, 7), ("imagenet", 1, 1),
     ("small", 32, 32), ("small", 28, 28), ("small", 1, 1)],
)  # fmt: skip
def test_the_size_after_a_stem(name: StemName, size: int, after: int) -> None:
    assert conv_stem(3, 8, name)(torch.zeros(2, 3, size, size)).shape == (2, 8, after, after)


def test_a_stem_without_norm_and_activation_is_linear_up_to_its_pooling() -> None:
    stem = conv_stem(1, 4, "imagenet", norm=False, activation=False)
    assert [name for name, _ in stem.named_children()] == ["conv", "pool"]


def test_the_convolution_has_a_bias_only_when_asked() -> None:
    assert conv_stem(1, 4, "small").conv.bias is None  # type: ignore[union-attr]
    assert conv_stem(1, 4, "small", bias=True).conv.bias is not None  # type: ignore[union-attr]
