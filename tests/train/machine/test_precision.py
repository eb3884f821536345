"""bfloat16 is used where it is native, refused where it is not, and close to float32."""

import pytest
import torch

from convlens.core.errors import ConfigError
from convlens.train.machine import precision
from convlens.train.machine.precision import (
    computed_in,
    has_bfloat16,
    here,
    refuse_imitation,
    slowdown,
)

CPU = torch.device("cpu")


def pretend(monkeypatch: pytest.MonkeyPatch, **capabilities: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)


@pytest.mark.parametrize("sign", ["avx512_bf16", "amx_bf16", "bf16"])
def test_a_cpu_has_it_if_it_says_so(monkeypatch: pytest.MonkeyPatch, sign: str) -> None:
    pretend(monkeypatch, avx2=True)
    assert not has_bfloat16(CPU)
    assert here("bfloat16", CPU) == "float32"
    pretend(monkeypatch, **{sign: True})
    assert has_bfloat16(CPU)
    assert here("bfloat16", CPU) == "bfloat16"
    assert here("float32", CPU) == "float32"
    refuse_imitation("bfloat16", CPU)


@pytest.mark.parametrize(
    ("capability", "native"), [((7, 5), False), ((8, 0), True), ((9, 0), True)]
)
def test_a_gpu_has_it_from_capability_8_on(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], native: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert has_bfloat16(torch.device("cuda")) == native
    assert not has_bfloat16(torch.device("mps"))


def test_an_imitation_is_refused_with_how_slow_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    monkeypatch.setattr(precision, "slowdown", lambda: 44.4)
    with pytest.raises(ConfigError, match=r"train\.precision: .* 44 times slower") as caught:
        refuse_imitation("bfloat16", CPU)
    assert "train.precision=auto" in caught.value.fix
    refuse_imitation("float32", CPU)
    refuse_imitation("auto", CPU)


def test_the_slowdown_is_measured_and_leaves_the_threads() -> None:
    threads = torch.get_num_threads()
    assert slowdown() > 0
    assert torch.get_num_threads() == threads


def test_products_are_computed_in_the_precision_and_nothing_else() -> None:
    x = torch.rand(4, 4)
    for name in ("float32", "auto"):
        with computed_in(name, CPU):
            assert x.mm(x).dtype == torch.float32
    with computed_in("bfloat16", CPU):
        assert x.mm(x).dtype == torch.bfloat16
        assert x.exp().dtype == torch.float32
    assert x.mm(x).dtype == torch.float32
