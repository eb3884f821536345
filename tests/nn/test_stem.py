"""A stem for ImageNet shrinks fourfold, the small one not at all; whitening learns nothing."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor, nn

from convlens.nn.stem import (
    EPSILON,
    StemName,
    Whitening,
    conv_stem,
    fit_whitening,
    whitening_kernels,
)


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


def smooth_images(num_images: int = 64, channels: int = 1, side: int = 12) -> Tensor:
    """Images whose neighbouring pixels are alike."""
    noise = torch.randn(num_images, channels, side + 4, side + 4)
    return F.avg_pool2d(noise, 5, stride=1) * 5


def outputs(layer: Whitening, x: Tensor) -> Tensor:
    """What the kernels give of whole patches, each kernel minus its negative undone: (k, n)."""
    half = layer.conv.out_channels // 2
    inside = layer.conv.kernel_size[0] // 2
    y = layer(x)[:, :, inside:-inside, inside:-inside]
    return (y[:, :half] - y[:, half:]).transpose(0, 1).flatten(1)


@pytest.mark.parametrize(("channels", "kernel_size"), [(1, 3), (3, 3), (1, 5)])
def test_the_outputs_are_uncorrelated_and_all_but_of_variance_one(
    channels: int, kernel_size: int
) -> None:
    torch.manual_seed(0)
    x = smooth_images(channels=channels)
    layer = Whitening(channels, kernel_size)
    layer.fit(x)
    y = outputs(layer, x).double()
    moments = y @ y.T / y.shape[1]
    variances = moments.diagonal()
    torch.testing.assert_close(moments, variances.diag(), atol=1e-4, rtol=0)
    patches = F.unfold(x, kernel_size).transpose(0, 1).flatten(1).double()
    d = torch.linalg.eigvalsh(patches @ patches.T / patches.shape[1]).flip(0)
    torch.testing.assert_close(variances, d / (d + EPSILON), atol=1e-4, rtol=0)


def test_pixels_that_are_alike_are_correlated_before() -> None:
    torch.manual_seed(0)
    patches = F.unfold(smooth_images(), 3).transpose(0, 1).flatten(1)
    assert torch.corrcoef(patches)[0, 1] > 0.5


def test_each_kernel_is_there_with_its_negative() -> None:
    torch.manual_seed(0)
    layer = Whitening(2, 3)
    layer.fit(smooth_images(channels=2))
    kernels = layer.conv.weight
    assert kernels.shape == (36, 2, 3, 3)
    assert torch.equal(kernels[:18], -kernels[18:])


def test_before_it_is_fitted_the_kernels_are_an_orthonormal_basis() -> None:
    kernels = Whitening(2, 3).conv.weight[:18].flatten(1)
    torch.testing.assert_close(kernels @ kernels.T, torch.eye(18))


def test_the_signs_are_not_left_to_chance() -> None:
    covariance = torch.tensor([[2.0, 1.0], [1.0, 2.0]])
    rows = whitening_kernels(covariance)
    assert (rows.gather(1, rows.abs().argmax(1, keepdim=True)) > 0).all()
    expected = torch.tensor([[0.5, 0.5]]).sqrt() / (3 + EPSILON) ** 0.5
    torch.testing.assert_close(rows[:1], expected)


def test_it_learns_nothing_and_lets_a_gradient_through() -> None:
    layer = Whitening(1, 3)
    x = torch.randn(1, 1, 6, 6, requires_grad=True)
    layer(x).sum().backward()
    assert not any(parameter.requires_grad for parameter in layer.parameters())
    assert x.grad is not None and x.grad.abs().sum() > 0


def test_a_model_without_whitening_asks_for_no_images() -> None:
    def images() -> Tensor:
        raise AssertionError("they are not needed")

    fit_whitening(nn.Sequential(nn.Conv2d(1, 1, 3)), images)
    with pytest.raises(AssertionError, match="not needed"):
        fit_whitening(nn.Sequential(Whitening(1, 3)), images)
