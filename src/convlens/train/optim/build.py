"""The optimiser that the settings ask for."""

import torch
from torch import nn

from convlens.train.optim.settings import TrainConfig


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Stochastic gradient descent on all parameters, decay on those with more than one axis."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.SGD(
        [
            {
                "params": [p for p in parameters if p.ndim > 1],
                "weight_decay": config.weight_decay,
            },
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
    )
