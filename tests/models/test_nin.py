"""NiN is a small network at every place, and its logits are means of channels."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convlens.core.errors import ShapeError
from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like
from convlens.models.nin import NiN, NiNConfig, nin_block
from convlens.nn.stem import StemName
from convlens.ops.window import Window
from tests.strategies import normal


def test_a_block_is_a_convolution_and_a_linear_layer_twice_at_every_place() -> None:
    block = nin_block(2, 3, Window(3, stride=2, padding=1)).double()
    w1, b1, w2, b2, w3, b3 = block.parameters()
    x = normal(2, 2, 7, 6)
    y = F.relu(F.conv2d(x, w1, b1, stride=2, padding=1)).movedim(1, -1)
    for weight, bias in ((w2, b2), (w3, b3)):
        y = F.relu(F.linear(y, weight[:, :, 0, 0], bias))
    torch.testing.assert_close(block(x), y.movedim(-1, 1))


def test_there_is_no_linear_layer_and_the_logits_are_means() -> None:
    model = NiN(NiNConfig(widths=(2, 2, 2), image_size=70)).eval()
    assert not any(isinstance(part, nn.Linear) for part in model.modules())
    x = torch.rand(2, 1, 70, 70)
    maps = model.head.block(model.body(model.stem(x)))  # type: ignore[operator]
    torch.testing.assert_close(model(x), maps.mean((2, 3)))


def test_the_books_shapes() -> None:
    """8.3."""
    with torch.device("meta"):
        model = NiN(NiNConfig())
    traced = trace(model, inputs_like(model, 1, 1, 224, 224))
    outputs = {layer.path: layer.outputs[0][1:] for layer in traced.layers}
    assert [outputs[path] for path in ("stem.block", "stem", "body.stage1", "body.stage2")] == [
        (96, 54, 54), (96, 26, 26), (256, 12, 12), (384, 5, 5),
    ]  # fmt: skip
    assert outputs["head.block"] == (10, 5, 5)


@pytest.mark.parametrize(("stem", "least"), [("imagenet", 67), ("small", 7)])
def test_smaller_images_do_not_fit(stem: StemName, least: int) -> None:
    with torch.device("meta"):
        model = NiN(NiNConfig(image_size=least, stem=stem))
        assert model(torch.zeros(2, 1, least, least)).shape == (2, 10)
        with pytest.raises(ShapeError):
            NiN(NiNConfig(image_size=least - 1, stem=stem))


@pytest.mark.parametrize("size", [28, 32])
def test_the_small_stem_keeps_every_pixel(size: int) -> None:
    with torch.device("meta"):
        model = NiN(NiNConfig(image_size=size, stem="small"))
        x = torch.zeros(2, 1, size, size)
        assert model.stem(x).shape == (2, 96, size, size)
        assert model(x).shape == (2, 10)


@settings(max_examples=20)
@given(
    st.tuples(*[st.integers(1, 6)] * 3),
    st.integers(1, 12),
    st.sampled_from(["imagenet", "small"]),
    st.integers(67, 90),
)
def test_any_legal_settings_run(
    widths: tuple[int, int, int], num_classes: int, stem: StemName, size: int
) -> None:
    config = NiNConfig(widths=widths, num_classes=num_classes, stem=stem, image_size=size)
    with torch.device("meta"):
        assert NiN(config)(torch.zeros(2, 1, size, size)).shape == (2, num_classes)
