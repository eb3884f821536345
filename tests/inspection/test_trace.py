"""A trace is one pass, layer by layer, and says where a pass stopped."""

import pytest
import torch
from torch import nn

from convlens.core.errors import ShapeError
from convlens.inspection.trace import Trace, trace
from convlens.inspection.watch import inputs_like
from convlens.models.lenet import LeNet, LeNetConfig
from convlens.models.resnet import ResNet, ResNetConfig


def layers(traced: Trace) -> list[tuple[str, tuple[int, ...]]]:
    return [(leaf.kind, leaf.outputs[0][1:]) for leaf in traced.leaves]


def test_lenets_layers_are_the_books() -> None:
    traced = trace(LeNet(LeNetConfig()), torch.zeros(1, 1, 28, 28))
    assert layers(traced) == [
        ("Conv2d", (6, 28, 28)),
        ("Sigmoid", (6, 28, 28)),
        ("AvgPool2d", (6, 14, 14)),
        ("Conv2d", (16, 10, 10)),
        ("Sigmoid", (16, 10, 10)),
        ("AvgPool2d", (16, 5, 5)),
        ("Flatten", (400,)),
        ("Linear", (120,)),
        ("Sigmoid", (120,)),
        ("Linear", (84,)),
        ("Sigmoid", (84,)),
        ("Linear", (10,)),
    ]


def test_a_container_has_all_that_is_inside_it() -> None:
    traced = trace(LeNet(LeNetConfig()), torch.zeros(1, 1, 28, 28))
    by_path = {layer.path: layer for layer in traced.layers}
    assert traced.whole is by_path[""]
    parts = [by_path[path] for path in ("stem", "body", "head")]
    whole = traced.whole
    assert sum(part.macs for part in parts) == whole.macs == 416_520
    assert sum(part.other_ops for part in parts) == whole.other_ops
    assert sum(part.num_parameters for part in parts) == whole.num_parameters == 61_706
    assert whole.seconds == pytest.approx(sum(part.seconds for part in parts))
    assert by_path["body.stage1"].depth == 2 and not by_path["body.stage1"].is_leaf
    assert by_path["stem.0"].num_activations == 6 * 28 * 28


def test_a_trace_without_numbers_is_that_with_numbers() -> None:
    x = torch.zeros(2, 1, 28, 28)
    real = trace(LeNet(LeNetConfig()), x)
    meta = trace(LeNet(LeNetConfig()).to("meta"), x.to("meta"))
    for one, other in zip(real.layers, meta.layers, strict=True):
        assert (one.path, one.inputs, one.outputs) == (other.path, other.inputs, other.outputs)
        assert (one.macs, one.other_ops) == (other.macs, other.other_ops)
        assert one.formula == other.formula


def test_macs_grow_with_the_batch_and_parameters_do_not() -> None:
    model = LeNet(LeNetConfig())
    one, three = (trace(model, torch.zeros(n, 1, 28, 28)).whole for n in (1, 3))
    assert three.macs == 3 * one.macs
    assert three.num_parameters == one.num_parameters


def test_a_deep_network_is_traced_without_allocating_it() -> None:
    config = ResNetConfig(block="bottleneck", depths=(3, 8, 36, 3))
    with torch.device("meta"):
        model = ResNet(config)
    traced = trace(model, inputs_like(model, 1, 3, 224, 224))
    assert traced.whole.macs == 11_513_626_624
    assert all(parameter.is_meta for parameter in model.parameters())


def test_a_failure_names_the_layer_its_input_and_the_reason() -> None:
    model = LeNet(LeNetConfig())
    x = torch.zeros(1, 1, 8, 8)
    with pytest.raises(ShapeError, match=r"body\.stage1\.0 \(Conv2d\) cannot take 1x6x4x4: "):
        trace(model, x)
    traced = trace(model, x, partial=True)
    assert traced.failure is not None
    assert traced.failure.path == "body.stage1.0"
    assert "spans 5 but sees only 4" in traced.failure.reason
    unfinished = [layer.path for layer in traced.layers if not layer.outputs]
    assert unfinished == ["", "body", "body.stage1", "body.stage1.0"]
    assert [leaf.path for leaf in traced.leaves] == ["stem.0", "stem.1", "stem.2"]


def test_a_linear_layer_that_does_not_fit_is_named_too() -> None:
    with pytest.raises(ShapeError, match="it takes 400 features and is given 256"):
        trace(LeNet(LeNetConfig()), torch.zeros(1, 1, 24, 24))


def test_wrong_channels_are_said_in_channels() -> None:
    with pytest.raises(ShapeError, match="it takes 1 channels and is given 3"):
        trace(LeNet(LeNetConfig()), torch.zeros(1, 3, 28, 28))


def test_a_fault_that_is_not_of_shapes_passes_through() -> None:
    class Faulty(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        trace(Faulty(), torch.zeros(1))
