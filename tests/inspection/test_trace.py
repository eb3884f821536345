"""A trace is one pass, layer by layer, and says where a pass stopped."""

import pytest
import torch
from torch import Tensor, nn

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


class Raising(nn.Module):
    """Raises what it is given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def forward(self, x: Tensor) -> Tensor:
        raise self.error


@pytest.mark.parametrize(
    "error", [NotImplementedError("no kernel"), torch.OutOfMemoryError("full")]
)
def test_what_a_device_cannot_do_is_no_fault_of_shapes(error: Exception) -> None:
    for partial in (False, True):
        with pytest.raises(type(error), match=str(error)):
            trace(nn.Sequential(Raising(error)), torch.zeros(1), partial=partial)


def test_an_error_without_words_is_named_by_its_kind() -> None:
    traced = trace(nn.Sequential(Raising(ValueError())), torch.zeros(1, 2), partial=True)
    assert str(traced.failure) == "0 (Raising) cannot take 1x2: ValueError"


def test_the_error_that_torch_raised_is_kept() -> None:
    with pytest.raises(ShapeError) as caught:
        trace(nn.Linear(3, 2), torch.zeros(1, 4))
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_dimension_that_is_not_there_is_a_failure_of_shapes() -> None:
    with pytest.raises(ShapeError, match=r"0 \(Softmax\) cannot take 2x3: Dimension out of range"):
        trace(nn.Sequential(nn.Softmax(2)), torch.zeros(2, 3))


class Trying(nn.Module):
    """Goes on when the first layer cannot; then the second has its turn."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, x: Tensor) -> Tensor:
        try:
            return self.first(x)
        except RuntimeError:
            return self.second(x) @ torch.ones(2, 1)


def test_a_layer_whose_error_was_caught_is_in_the_trace_and_is_not_blamed() -> None:
    wrong = nn.Sequential(nn.ReLU(), nn.Linear(9, 9))
    traced = trace(Trying(wrong, nn.Linear(3, 2)), torch.zeros(1, 3))
    assert traced.failure is None
    assert [(layer.path, layer.depth, layer.outputs) for layer in traced.layers] == [
        ("", 0, ((1, 1),)),
        ("first", 1, ()),
        ("first.0", 2, ((1, 3),)),
        ("first.1", 2, ()),
        ("second", 1, ((1, 2),)),
    ]
    assert [operation.path for operation in traced.whole.operations][-1] == ""
    assert traced.whole.macs == 3 * 2 + 2
    with pytest.raises(ShapeError, match=r"the module \(Trying\) cannot take 1x3"):
        trace(Trying(wrong, nn.Linear(3, 4)), torch.zeros(1, 3))


def test_a_layer_that_takes_more_than_its_kind_has_no_formula() -> None:
    class Flattening(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input.flatten(1))

    whole = trace(Flattening(6, 2), torch.zeros(1, 2, 3)).whole
    assert whole.outputs == ((1, 2),) and whole.formula is None and whole.macs == 12


def test_a_shared_layer_has_a_record_for_each_call_and_its_parameters_once() -> None:
    shared = nn.Linear(3, 3)
    traced = trace(nn.Sequential(shared, nn.ReLU(), shared), torch.zeros(2, 3))
    assert [leaf.path for leaf in traced.leaves] == ["0", "1", "0"]
    assert traced.whole.num_parameters == 12 and traced.whole.macs == 2 * 2 * 9


@pytest.mark.parametrize("training", [False, True])
def test_a_trace_leaves_the_module_as_it_was(training: bool) -> None:
    model = ResNet(ResNetConfig(depths=(1, 1), width=4, stem="small", in_channels=1))
    model.train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    x = inputs_like(model, 2, 1, 8, 8)
    real = trace(model, x, training=training)
    assert all(part.training for part in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)
    meta = trace(model.to("meta"), x.to("meta"), training=training)
    for one, other in zip(real.layers, meta.layers, strict=True):
        assert [o.counted for o in one.operations] == [o.counted for o in other.operations]
        assert (one.path, one.outputs, one.formula) == (other.path, other.outputs, other.formula)
