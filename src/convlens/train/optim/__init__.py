"""What changes the weights: settings, optimisers, learning rates, averages."""

from convlens.train.optim.build import build_optimizer
from convlens.train.optim.device import choose_device
from convlens.train.optim.schedule import learning_rate
from convlens.train.optim.settings import TrainConfig

__all__ = ["TrainConfig", "build_optimizer", "choose_device", "learning_rate"]
