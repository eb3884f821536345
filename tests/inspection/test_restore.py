"""Restore: what is done inside is undone, whether it ends well or not."""

import pytest
import torch
from torch import Tensor, nn

from convlens.inspection.restore import trained_in_vain


class Counting(nn.Module):
    """Holds a buffer that it replaces, one that it writes, and one that it makes late."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("late", None)
        self.register_buffer("calls", torch.zeros(()))
        self.calls: Tensor

    def forward(self, x: Tensor) -> Tensor:
        self.calls = self.calls + 1
        self.late = self.calls
        y: Tensor = self.norm(torch.dropout(self.linear(x), 0.5, True))
        return y


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("fails", [False, True])
def test_training_leaves_no_trace_even_if_it_fails(device: str, fails: bool) -> None:
    module = Counting().to(device)
    gradient = torch.ones(2, 2, device=device)
    module.linear.weight.grad = gradient
    module.norm.eval()
    state = {name: value.clone() for name, value in module.state_dict().items()}
    held, chance = dict(module.named_buffers()), torch.get_rng_state()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    try:
        with trained_in_vain(module):
            assert all(parameter.grad is None for parameter in module.parameters())
            module.train()
            module(torch.ones(3, 2, device=device)).square().sum().backward()
            optimizer.step()
            torch.rand(1)
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    assert module.state_dict().keys() == state.keys()
    if device == "cpu":
        torch.testing.assert_close(dict(module.state_dict()), state, rtol=0, atol=0)
    assert all(module.get_buffer(name) is buffer for name, buffer in held.items())
    assert module.late is None
    assert module.linear.weight.grad is gradient
    assert module.linear.bias.grad is None
    assert (module.training, module.linear.training, module.norm.training) == (True, True, False)
    assert torch.equal(torch.get_rng_state(), chance)


def test_weights_can_be_left_alone() -> None:
    layer = nn.Linear(2, 2)
    with trained_in_vain(layer, weights=False), torch.no_grad():
        layer.weight.fill_(3)
    assert torch.equal(layer.weight, torch.full((2, 2), 3.0))
