"""Any legal settings of any paper build, run, and match their ledger."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.inspection.ledger import reconcile
from convlens.inspection.watch import inputs_like
from convlens.models.catalog import MODELS, build, configure
from convlens.nn.init import INITIALIZERS

depths = st.lists(st.integers(1, 2), min_size=1, max_size=3)
stems = st.sampled_from(["imagenet", "small"])
flags = st.booleans()
residual = {"depths": depths, "width": st.integers(1, 6), "stem": stems}


@st.composite
def stages(draw: st.DrawFn) -> dict[str, Any]:
    """As many depths as widths."""
    pairs = draw(st.lists(st.tuples(st.integers(1, 2), st.integers(1, 4)), min_size=1, max_size=3))
    return {"depths": [depth for depth, _ in pairs], "widths": [8 * width for _, width in pairs]}


def widths(count: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(1, 6), min_size=count, max_size=count)


# What may be set of the first model of each paper, besides channels, classes and size.
LEGAL: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "lenet": st.fixed_dictionaries(
        {
            "activation": st.sampled_from(["sigmoid", "relu"]),
            "pooling": st.sampled_from(["avg", "max"]),
            "batch_norm": flags,
            "stem_padding": st.integers(0, 3),
        }
    ),
    "alexnet": st.fixed_dictionaries(
        {
            "widths": widths(5),
            "stem": stems,
            "stem_padding": st.integers(0, 3),
            "pool_size": st.integers(0, 3),
            "hidden": st.integers(1, 9),
            "dropout_after": flags,
        }
    ),
    "vgg11": st.builds(
        dict,
        stages(),
        batch_norm=flags,
        pool_size=st.integers(0, 3),
        hidden=st.integers(1, 9),
        stem=stems,
    ),
    "nin": st.fixed_dictionaries({"widths": widths(3), "stem": stems}),
    "googlenet": st.fixed_dictionaries(
        {
            "batch_norm": flags,
            "pools": st.sampled_from(["ceil", "padded"]),
            "wide_kernel": st.sampled_from([3, 5]),
            "aux": flags,
            "stem": stems,
        }
    ),
    "resnet18": st.fixed_dictionaries(
        {
            **residual,
            "block": st.sampled_from(["basic", "bottleneck"]),
            "bottleneck_width": st.integers(1, 2),
            "conv_bias": flags,
            "shortcut_norm": flags,
            "zero_init_residual": flags,
        }
    ),
    "resnext50-32x4d": st.fixed_dictionaries(
        {
            **residual,
            "groups": st.integers(1, 4),
            "group_width": st.integers(1, 3),
            "conv_bias": flags,
        }
    ),
    "preact-resnet18": st.fixed_dictionaries(
        {**residual, "block": st.sampled_from(["basic", "bottleneck"])}
    ),
    "densenet121": st.fixed_dictionaries(
        {
            "depths": depths,
            "growth_rate": st.integers(1, 5),
            "stem_width": st.integers(4, 9),
            "bottleneck": st.integers(0, 2),
            "conv_bias": flags,
            "stem": stems,
        }
    ),
    "regnet-x-400mf": st.builds(
        dict,
        stages(),
        stem_width=st.integers(1, 9),
        group_width=st.sampled_from([1, 2, 4, 8]),
        conv_bias=flags,
        stem=stems,
    ),
    "quicknet": st.builds(
        dict,
        stages(),
        whitening=st.integers(1, 5),
        pool=st.just("first"),
        pool_partial=flags,
        residual=flags,
        activation=st.sampled_from(["relu", "silu"]),
        logit_scale=st.floats(0.1, 2),
    ),
}


def test_every_paper_is_tried() -> None:
    tried = {MODELS[name].paper.build for name in LEGAL}
    assert tried == {entry.paper.build for entry in MODELS.values()}


@pytest.mark.parametrize("name", LEGAL)
@settings(max_examples=15)
@given(data=st.data())
def test_any_legal_settings_build_run_and_match_their_ledger(
    name: str, data: st.DataObject
) -> None:
    size = data.draw(st.integers(67, 80), label="size")
    chosen: dict[str, Any] = {
        "in_channels": 3 if name == "googlenet" else data.draw(st.integers(1, 4)),
        "num_classes": data.draw(st.integers(1, 12)),
        "init": data.draw(st.sampled_from(sorted(INITIALIZERS))),
        "image_size": size,
        **data.draw(LEGAL[name], label="settings"),
    }
    config = configure(name, chosen)
    with torch.device("meta"):
        model = build(name, config)
    x = inputs_like(model, 2, config.in_channels, size, size)
    assert model.eval()(x).shape == (2, config.num_classes)
    ledger = reconcile(model, x)
    assert ledger.balanced, ledger
    assert ledger.formula_macs == ledger.traced_macs == ledger.counted_flops // 2
    unused = sum(entry.amount for entry in ledger.entries if entry.unit == "parameters")
    assert ledger.formula_parameters + unused == ledger.num_parameters
