"""QuickNet is built as its settings say."""

import pytest
import torch

from convlens.core.errors import ConfigError, ShapeError
from convlens.models.catalog import build, configure, num_parameters
from convlens.models.quicknet import QuickNet, QuickNetConfig, Stage
from convlens.nn.stem import Whitening


def side_before_head(**settings: object) -> int:
    """Height and width of the last maps."""
    model = build("quicknet", configure("quicknet", settings))
    x = torch.zeros(1, 1, 28, 28)
    return model.body(model.stem(x)).shape[-1]  # type: ignore[operator]


def test_parameters_and_macs_are_those_counted_by_hand() -> None:
    convolutions = 9 * (18 * 32 + 32 * 64 + 64 * 64)
    norms, head = 2 * (32 + 64 + 64), 64 * 3 * 3 * 10
    assert num_parameters(QuickNet(QuickNetConfig())) == convolutions + norms + head == 66_560


@pytest.mark.parametrize(
    ("settings", "side"),
    [
        ({}, 3),  # 28 pixels: 14 after the stem, 7 and 3 after the stages
        ({"pool_partial": True}, 4),
        ({"pool": "first"}, 3),
        ({"depths": [1], "widths": [4]}, 7),
        ({"whitening": 2}, 3),  # an even kernel adds a row and a column
    ],
)
def test_the_size_of_the_last_maps(settings: dict[str, object], side: int) -> None:
    assert side_before_head(**settings) == side


def test_the_whitening_is_frozen_and_keeps_its_kernels_whatever_the_initialiser() -> None:
    model = QuickNet(QuickNetConfig(init="kaiming"))
    stem = model.stem.whitening
    assert isinstance(stem, Whitening)
    assert torch.equal(stem.conv.weight, Whitening(1, 3).conv.weight)


@pytest.mark.parametrize("pool", ["first", "last"])
def test_a_pooling_comes_before_norm_and_activation(pool: str) -> None:
    model = build("quicknet", configure("quicknet", {"pool": pool, "depths": [1, 3]}))
    stage = model.get_submodule("body.stage2")
    units = [stage.get_submodule("first"), *stage.get_submodule("rest").children()]
    pooled = [[name for name, _ in unit.named_children()] for unit in units]
    assert pooled.pop(0 if pool == "first" else -1) == ["conv", "pool", "norm", "activation"]
    assert pooled == [["conv", "norm", "activation"]] * 2


def test_a_residual_stage_adds_what_its_first_convolution_gave() -> None:
    settings = {"depths": [3], "widths": [4], "residual": True, "pool": "first"}
    model = build("quicknet", configure("quicknet", settings)).eval()
    stage = model.body.stage1  # type: ignore[union-attr]
    assert isinstance(stage, Stage)
    x = torch.rand(2, 18, 14, 14)
    first = stage.first(x)
    assert torch.equal(stage(x), first + stage.rest(first))


def test_a_residual_needs_the_pooling_first() -> None:
    with pytest.raises(ConfigError, match=r'model\.residual: needs model\.pool = "first"'):
        QuickNetConfig(residual=True)


def test_stages_must_agree() -> None:
    with pytest.raises(ConfigError, match=r"model\.depths has 1 stages and model.widths 2"):
        QuickNetConfig(depths=(1,))


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(ShapeError):
        QuickNet(QuickNetConfig(image_size=4))


def test_the_logits_are_scaled() -> None:
    torch.manual_seed(0)
    small = QuickNet(QuickNetConfig()).eval()
    torch.manual_seed(0)
    large = QuickNet(QuickNetConfig(logit_scale=1.0)).eval()
    x = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(small(x) * 8, large(x))
