"""The ledger balances, and does not when one of its counts is wrong."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor, nn

from convlens.inspection import ledger as ledger_module
from convlens.inspection import trace as trace_module
from convlens.inspection.formulas import LayerCost
from convlens.inspection.ledger import Ledger, reconcile
from convlens.inspection.watch import inputs_like
from convlens.models.lenet import LeNet, LeNetConfig
from convlens.models.resnet import ResNet, ResNetConfig
from convlens.nn.conv import Conv2d
from convlens.ops.catalog import IMPLEMENTATIONS
from convlens.ops.cost import Cost

X = torch.zeros(1, 1, 28, 28)


class Own(nn.Module):
    """Does by itself what layers do: a product, with parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.ones(4, 3))
        self.unused = nn.Linear(5, 5)
        self.last = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(x @ self.table))


def names(ledger: Ledger) -> dict[str, int]:
    return {entry.name: entry.amount for entry in ledger.entries}


def test_lenets_ledger_has_every_difference() -> None:
    ledger = reconcile(LeNet(LeNetConfig()), X)
    assert ledger.balanced
    assert ledger.formula_macs == ledger.traced_macs == 416_520
    assert ledger.counted_flops == 833_040
    assert ledger.formula_parameters == ledger.num_parameters == 61_706
    biases = 4704 + 1600 + 120 + 84 + 10
    pools = 4 * (1176 + 400)
    sigmoids = 4704 + 1600 + 120 + 84
    assert names(ledger) == {
        "factor 2": 416_520,
        "bias": biases,
        "pooling": pools,
        "pointwise": sigmoids,
    }


def test_what_a_module_does_without_a_layer_is_named() -> None:
    ledger = reconcile(Own(), torch.zeros(2, 4))
    assert ledger.balanced
    assert ledger.traced_macs - ledger.formula_macs == 2 * 4 * 3
    assert names(ledger)["mm in the module"] == 24
    parameters = {e.name: (e.amount, e.why) for e in ledger.entries if e.unit == "parameters"}
    assert parameters == {
        "the module": (12, "Own holds them itself; it has no formula"),
        "unused": (30, "Linear did not run in this pass"),
    }
    assert ledger.formula_parameters + 42 == ledger.num_parameters


def test_a_layer_that_runs_twice_has_its_parameters_once_and_its_macs_twice() -> None:
    shared = nn.Linear(4, 4)
    ledger = reconcile(nn.Sequential(shared, nn.ReLU(), shared), torch.zeros(1, 4))
    assert ledger.balanced
    assert (ledger.formula_macs, ledger.num_parameters) == (32, 20)


def test_layers_that_share_a_weight_are_named() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    ledger = reconcile(nn.Sequential(first, second), torch.zeros(1, 4))
    assert ledger.balanced
    assert ledger.formula_parameters == ledger.num_parameters + 16
    assert names(ledger)["1"] == -16


def test_groups_are_named_by_what_they_save() -> None:
    ledger = reconcile(nn.Conv2d(4, 4, 3, groups=4, bias=False), torch.zeros(1, 4, 5, 5))
    assert ledger.balanced
    assert names(ledger)["groups"] == 3 * ledger.traced_macs


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_another_algorithm_is_named_or_counts_the_same(implementation: str) -> None:
    layer = Conv2d(2, 3, 3, implementation=implementation)
    ledger = reconcile(layer, torch.zeros(1, 2, 10, 10))
    assert ledger.balanced
    difference = ledger.traced_macs - ledger.formula_macs
    named = sum(e.amount for e in ledger.entries if "algorithm" in e.why)
    assert named == difference


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.Conv1d(2, 3, 3), (1, 2, 9)), (nn.Conv3d(1, 2, 2), (1, 1, 4, 4, 4))],
)
def test_a_layer_without_a_formula_is_named(layer: nn.Module, shape: tuple[int, ...]) -> None:
    ledger = reconcile(nn.Sequential(layer), torch.zeros(shape))
    assert ledger.balanced
    assert ledger.formula_macs == 0 < ledger.traced_macs
    assert names(ledger)["convolution in 0"] == ledger.traced_macs


ORDINARY: list[tuple[nn.Module, tuple[int, ...]]] = [
    (nn.Conv1d(4, 4, 3, groups=2, padding=1, padding_mode="circular"), (1, 4, 8)),
    (nn.ConvTranspose3d(2, 2, 2), (1, 2, 3, 3, 3)),
    (nn.LayerNorm(8), (2, 4, 8)),
    (nn.GroupNorm(2, 4), (2, 4, 8)),
    (nn.InstanceNorm2d(4, affine=True, track_running_stats=True), (2, 4, 8, 8)),
    (nn.RMSNorm(8), (2, 8)),
    (nn.LocalResponseNorm(2), (2, 4, 8, 8)),
    (nn.PReLU(4), (2, 4, 8, 8)),
    (nn.GLU(1), (2, 4, 8, 8)),
    (nn.Softmax(1), (2, 4)),
    (nn.AlphaDropout(), (2, 4)),
    (nn.MaxPool3d(2), (1, 2, 4, 4, 4)),
    (nn.AdaptiveAvgPool1d(2), (1, 2, 4)),
    (nn.AdaptiveMaxPool3d(2), (1, 2, 4, 4, 4)),
    (nn.LPPool2d(2, 2), (1, 2, 4, 4)),
    (nn.Fold((8, 8), 2, stride=2), (1, 16, 16)),
    (nn.Unfold(2), (1, 2, 4, 4)),
    (nn.PixelShuffle(2), (1, 4, 3, 3)),
    *((nn.Upsample(scale_factor=2, mode=mode), (1, 2, 4, 4))
      for mode in ("nearest", "nearest-exact", "bilinear", "bicubic")),
    (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
    (nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 3)), (1, 2, 5, 5)),
    (nn.utils.parametrizations.spectral_norm(nn.Conv2d(2, 3, 3)), (1, 2, 5, 5)),
]  # fmt: skip


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(("layer", "shape"), ORDINARY, ids=str)
def test_an_ordinary_layer_balances(layer: nn.Module, shape: tuple[int, ...], device: str) -> None:
    inside = nn.Sequential(copy.deepcopy(layer).to(device))
    ledger = reconcile(inside, torch.rand(shape, device=device))
    assert ledger.balanced, ledger
    unknown = sum(e.amount for e in ledger.entries if e.unit == "parameters")
    assert ledger.formula_parameters + unknown == ledger.num_parameters


def test_resnet18_balances_without_a_parameter_left_over() -> None:
    with torch.device("meta"):
        model = ResNet(ResNetConfig(in_channels=3, num_classes=1000))
    ledger = reconcile(model, inputs_like(model, 1, 3, 224, 224))
    assert ledger.balanced
    assert ledger.formula_macs == ledger.traced_macs == ledger.counted_flops // 2 == 1_814_073_344
    assert ledger.formula_parameters == ledger.num_parameters == 11_689_512
    assert not [entry for entry in ledger.entries if entry.unit in {"MACs", "parameters"}]


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("need_weights", [True, False])
def test_the_products_of_attention_are_named(need_weights: bool, device: str) -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            y, _ = self.attention(x, x, x, need_weights=need_weights)
            return y

    ledger = reconcile(Attending().to(device), torch.rand(2, 5, 8, device=device))
    assert ledger.balanced, ledger
    projections, products = 2 * 5 * 8 * (3 * 8 + 8), 2 * (2 * 2 * 5 * 5 * 4)
    assert ledger.traced_macs == projections + products
    named = sum(e.amount for e in ledger.entries if e.name.endswith(" in attention"))
    assert named == ledger.traced_macs
    hidden = sum(e.amount for e in ledger.entries if e.why == "flop_counter does not know it")
    assert ledger.counted_flops == 2 * (ledger.traced_macs - hidden)


def test_every_entry_has_a_name_and_a_reason() -> None:
    ledger = reconcile(nn.Sequential(Own(), nn.Linear(2, 2), nn.BatchNorm1d(2)), torch.ones(2, 4))
    assert all(entry.name and entry.why and entry.unit for entry in ledger.entries)
    assert len({(e.name, e.unit) for e in ledger.entries}) == len(ledger.entries)


def test_a_wrong_formula_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(layer: nn.Module, shape: Any) -> LayerCost | None:
        del shape
        return LayerCost(Cost(macs=1, num_parameters=1)) if isinstance(layer, nn.Linear) else None

    monkeypatch.setattr(trace_module, "layer_cost", wrong)
    ledger = reconcile(nn.Sequential(nn.Linear(4, 2)), torch.zeros(1, 4))
    assert not ledger.balanced
    assert [e.name for e in ledger.entries if not e.explained] == ["layer 0", "0"]


@pytest.mark.parametrize("wrong", [5, 999])
def test_a_formula_with_too_many_or_too_few_parameters_is_not_taken_for_sharing(
    monkeypatch: pytest.MonkeyPatch, wrong: int
) -> None:
    cost = LayerCost(Cost(macs=8, num_parameters=wrong))
    monkeypatch.setattr(trace_module, "layer_cost", lambda *_: cost)
    ledger = reconcile(nn.Linear(4, 2), torch.zeros(1, 4))
    assert [e.why for e in ledger.entries if not e.explained] == ["Linear's formula is wrong"]


@pytest.mark.parametrize("flops", [{}, {"addmm": 2}])
def test_a_count_by_torch_that_differs_is_found(
    monkeypatch: pytest.MonkeyPatch, flops: dict[str, int]
) -> None:
    monkeypatch.setattr(ledger_module, "_count_flops", lambda *_: flops)
    ledger = reconcile(nn.Linear(4, 2), torch.zeros(1, 4))
    (entry,) = (e for e in ledger.entries if not e.explained)
    assert entry.name == "flop_counter on addmm"
    assert entry.amount == 8 - sum(flops.values()) // 2


def test_an_operation_that_cannot_compute_hides_nothing() -> None:
    class Viewing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.ops.aten.view_as_complex(x)

    assert reconcile(Viewing(), torch.zeros(3, 2)).balanced


def test_an_operation_that_is_not_known_may_hide_macs() -> None:
    class Inverse(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.linalg.inv(x)

    ledger = reconcile(Inverse(), torch.eye(3)[None])
    assert not ledger.balanced
    assert any("not in the table of operations" in entry.why for entry in ledger.entries)


def test_the_module_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    reconcile(model, X)
    assert model.training and model[1].training
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
