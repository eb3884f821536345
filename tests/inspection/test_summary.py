"""A summary tells repeated blocks once, adds up all of them, and prints as its golden text."""

import os
import re
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from convlens.inspection.summary import Summary, summarize
from convlens.inspection.trace import trace
from convlens.inspection.watch import inputs_like
from convlens.models.catalog import MODELS, build, configure

GOLDEN = Path(__file__).parents[1] / "golden" / "summaries"


def of(name: str, channels: int, size: int, depth: int | None = None) -> Summary:
    with torch.device("meta"):
        model = build(name, configure(name, {"in_channels": channels, "image_size": size}))
    return summarize(trace(model, inputs_like(model, 1, channels, size, size)), model, depth=depth)


def text(summary: Summary) -> str:
    """The rows as lines: names, kind, output, parameters, MACs, arithmetic."""
    lines = [
        "  " * row.indent
        + f"{' '.join(row.names)} {row.kind} {row.output} {row.num_parameters} {row.macs} "
        + f"{row.weight_layers} {row.arithmetic}".strip()
        for row in summary.rows
    ]
    parts = " ".join(f"{part.name}:{part.weight_layers}" for part in summary.parts)
    return "\n".join([*lines, parts, str(summary.parameters_by_kind)]) + "\n"


@pytest.mark.parametrize(
    ("name", "channels", "size"),
    [("lenet", 1, 28), ("vgg11-d2l", 1, 224), ("resnet18-d2l", 1, 96), ("googlenet", 3, 224)],
)
def test_a_summary_is_its_golden_text(name: str, channels: int, size: int) -> None:
    """Refresh with OVERWRITE_GOLDEN=1, and read the difference."""
    path = GOLDEN / f"{name}.txt"
    found = text(of(name, channels, size))
    if os.environ.get("OVERWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_resnet_18_has_the_books_shapes() -> None:
    """8.6: the six pieces of the book's printed summary at 1x96x96."""
    outputs = {row.path: row.output for row in of("resnet18-d2l", 1, 96).rows}
    stages = ["stem", *(f"body.stage{index}" for index in (1, 2, 3, 4)), "head"]
    assert [outputs[path] for path in stages] == [
        (64, 24, 24), (64, 24, 24), (128, 12, 12), (256, 6, 6), (512, 3, 3), (10,),
    ]  # fmt: skip


def test_the_three_layers_that_a_reader_missed_are_in_the_second_convolutions() -> None:
    """8.2, exercise 2: VGG-11 prints eight pieces with weights and has eleven layers."""
    summary = of("vgg11-d2l", 1, 224)
    assert summary.weight_layers == 11
    assert summary.layers_by_kind["convolution"] == 8
    assert summary.layers_by_kind["linear"] == 3
    counts = [part.weight_layers for part in summary.parts]
    assert len(counts) == 8
    assert counts == [1, 1, 2, 2, 2, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "in_shortcuts"),
    [
        ("vgg16", 0), ("resnet18", 3), ("resnet34", 3), ("resnet50", 4), ("resnet152", 4),
        ("resnext50-32x4d", 4), ("preact-resnet18", 3), ("preact-resnet50", 4), ("densenet121", 0),
    ],
)  # fmt: skip
def test_a_network_counts_the_layers_of_its_name_without_those_in_shortcuts(
    name: str, in_shortcuts: int
) -> None:
    summary = of(name, 3, 224)
    assert summary.shortcut_layers == in_shortcuts
    named = re.search(r"(vgg|res\w*t|densenet)(\d+)", name)
    assert named is not None
    assert summary.weight_layers - in_shortcuts == int(named[2])


def test_a_projection_is_a_shortcut_only_beside_a_residual() -> None:
    net = nn.Sequential(OrderedDict(projection=nn.Linear(3, 3), residual_of=nn.Linear(3, 3)))
    assert summarize(trace(net, torch.zeros(1, 3)), net).shortcut_layers == 0
    net = nn.Sequential(OrderedDict(projection=nn.Linear(3, 3), residual=nn.Linear(3, 3)))
    assert summarize(trace(net, torch.zeros(1, 3)), net).shortcut_layers == 1


def test_equal_neighbours_are_one_row_and_all_of_them_are_in_the_total() -> None:
    summary = of("resnet50", 3, 224, depth=3)
    names = {row.path: row.names for row in summary.rows}
    assert names["body.stage3.block2"] == ("block2", "block3", "block4", "block5", "block6")
    assert summary.num_parameters == 25_557_032
    assert summary.macs == 4_089_184_256
    assert summary.flops == 2 * summary.macs
    # Closed rows hold all: each one's numbers, times how many it tells of.
    closed = [row for row in summary.rows if not row.is_open]
    assert sum(row.num_parameters * len(row.names) for row in closed) == summary.num_parameters
    assert sum(row.macs * len(row.names) for row in closed) == summary.macs
    assert sum(row.weight_layers * len(row.names) for row in closed) == summary.weight_layers


def test_layers_of_other_settings_are_not_equal() -> None:
    net = nn.Sequential(nn.Dropout(0.1), nn.Dropout(0.1), nn.Dropout(0.2))
    summary = summarize(trace(net, torch.zeros(1, 4)), net)
    assert [row.names for row in summary.rows] == [("0", "1"), ("2",)]


@pytest.mark.parametrize("depth", [1, 2, 3, None])
def test_no_row_is_deeper_than_asked(depth: int | None) -> None:
    rows = of("resnet18", 3, 224, depth=depth).rows
    assert max(row.indent for row in rows) == (5 if depth is None else depth - 1)


def test_parameters_are_told_by_kind_and_those_that_are_frozen_apart() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))
    net[0].requires_grad_(False)
    summary = summarize(trace(net, torch.zeros(1, 1, 3, 3)), net)
    assert summary.parameters_by_kind == {"convolution": 20, "linear": 9, "norm": 4, "other": 0}
    assert (summary.num_parameters, summary.num_trainable) == (33, 13)
    assert summary.parameter_bytes == 4 * 33


def test_a_single_layer_is_its_own_row() -> None:
    layer = nn.Linear(3, 2)
    summary = summarize(trace(layer, torch.zeros(1, 3)), layer)
    assert [(row.kind, row.num_parameters) for row in summary.rows] == [("Linear", 8)]


def test_a_pass_that_failed_ends_with_the_layer_that_failed() -> None:
    name = "alexnet-d2l"
    with torch.device("meta"):
        model = build(name, MODELS[name].preset)
    traced = trace(model, inputs_like(model, 1, 1, 28, 28), partial=True)
    summary = summarize(traced, model)
    assert summary.failure is not None
    assert summary.rows[-1].path == summary.failure.path == "body.stage1.pool"
    assert summary.rows[-1].output is None
    assert summary.num_parameters == 46_764_746
