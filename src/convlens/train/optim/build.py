"""The optimiser that the settings ask for, as one torch optimiser.

Weights (parameters of two axes or more) decay; biases and the scales of norms do not. Under Muon
the weights of the first and the last layer, biases and norms have an optimiser of their own,
and a learning rate of their own that follows the same schedule. A first layer that is frozen
counts as the first.
"""

from collections.abc import Iterable
from typing import Any, final

import torch
from torch import nn

from convlens.train.optim.muon import Muon
from convlens.train.optim.settings import TrainConfig

Group = dict[str, Any]  # what torch calls a parameter group


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimiser of all parameters of `model` that need a gradient."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = _learned(p for p in model.parameters() if p.ndim <= 1)
    if config.optimizer != "muon":
        return _plain(config.optimizer, config, _learned(weights), others)
    inner, outer = _learned(weights[1:-1]), _learned([*weights[:1], *weights[1:][-1:]])
    rest = _plain(config.rest, config, outer, others, ratio=config.rest_lr / config.lr)
    if not inner:
        return rest
    muon = Muon(
        [{"params": inner, "ratio": 1.0}],
        lr=config.lr,
        momentum=config.muon_momentum,
        nesterov=config.muon_nesterov,
        rounds=config.muon_rounds,
        keep_norm=config.muon_keep_norm,
        weight_decay=config.weight_decay,
    )
    return Together(muon, rest)


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give each group its share of `lr` from now on: all of it, unless the group has a `ratio`."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("ratio", 1.0)


def _learned(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    return [parameter for parameter in parameters if parameter.requires_grad]


def _plain(
    name: str,
    config: TrainConfig,
    weights: list[nn.Parameter],
    others: list[nn.Parameter],
    *,
    ratio: float = 1.0,
) -> torch.optim.Optimizer:
    groups: list[Group] = [
        {"params": weights, "weight_decay": config.weight_decay, "ratio": ratio},
        {"params": others, "weight_decay": 0.0, "ratio": ratio},
    ]
    lr = config.lr * ratio
    if name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=config.momentum, nesterov=config.nesterov)
    return torch.optim.AdamW(groups, lr=lr, betas=config.betas)


@final
class Together(torch.optim.Optimizer):
    """Optimisers of different parameters as one, whose state is saved and loaded as one's is."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts
        super().__init__([group for part in parts for group in part.param_groups], {})
        self._share()

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Step each of them."""
        assert closure is None, "the loop has the gradients ready"
        for part in self.parts:
            part.step()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What `state_dict` gave."""
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        """The parts work on this optimiser's own state and groups."""
        start = 0
        for part in self.parts:
            end = start + len(part.param_groups)
            part.state, part.param_groups = self.state, self.param_groups[start:end]
            start = end
