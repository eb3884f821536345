"""How to train: every setting of a recipe's section `[train]`.

docs/training.md explains them in words.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from convlens.core.config import Fraction
from convlens.core.errors import ConfigError

Share = Annotated[float, Field(ge=0, le=1)]  # from none to all of a training
Knot = tuple[Share, NonNegativeFloat]  # (share of the training, share of lr)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """How to train; the defaults are the book's recipe for LeNet (7.6)."""

    epochs: PositiveInt = 10  # passes over the training images
    batch_size: PositiveInt = 128  # images that go through the network at once
    accumulate: PositiveInt = 1  # batches whose gradients make one step
    optimizer: Literal["sgd", "adamw", "muon"] = "sgd"  # what makes a step of the gradients
    lr: PositiveFloat = 0.1  # the learning rate, at its highest
    schedule: Literal["constant", "step", "cosine", "one-cycle", "knots"] = "constant"  # of the
    # learning rate, by step
    warmup: Fraction = 0.2  # of all steps, rising from 0 to lr, in one-cycle and cosine
    milestones: tuple[Fraction, ...] = (0.5, 0.75)  # shares of the training after which step
    # multiplies the learning rate by gamma
    gamma: PositiveFloat = 0.1  # the factor of step
    knots: tuple[Knot, ...] = ()  # (share of the training, share of lr), joined by straight lines
    momentum: Fraction = 0.0  # of sgd: the share of the last step that is gone again
    nesterov: bool = False  # of sgd: the gradient counts once more on top of the momentum
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)  # of adamw: the share that is kept of the
    # averages of the gradient and of its square
    muon_momentum: Fraction = 0.95  # of muon
    muon_nesterov: bool = True  # of muon
    muon_rounds: PositiveInt = 5  # of muon: rounds that make a step nearly orthogonal
    muon_keep_norm: bool = False  # of muon: a layer's weights have the same length at each step
    rest: Literal["sgd", "adamw"] = "sgd"  # under muon: the optimiser of the first and last layer,
    # of biases and norms
    rest_lr: PositiveFloat = 0.1  # under muon: the learning rate of the rest, at its highest
    weight_decay: NonNegativeFloat = 0.0  # on weights, not on biases or norms
    clip: NonNegativeFloat = 0.0  # the largest length of all gradients together; 0: any
    label_smoothing: Fraction = 0.0  # the share of each label that is spread over all classes
    lookahead: NonNegativeInt = 0  # steps after which slow weights follow the fast ones; 0: none
    lookahead_share: Share = 0.5  # of the way that they follow
    average: Fraction = 0.0  # the share of a moving average of the weights that stays at each
    # step; the average is then evaluated and kept in place of the weights; 0: none
    patience: NonNegativeInt = 0  # epochs without a better validation accuracy before the
    # training ends; 0: it never does
    time_limit: NonNegativeFloat = 0.0  # seconds of training, after which it ends; 0: none
    seed: NonNegativeInt = 0  # of initial weights and shuffling
    device: str = "auto"  # cpu, cuda, cuda:1, mps; auto: the first GPU, else the CPU
    channels_last: bool | Literal["auto"] = True  # memory layout of images and filters; faster on
    # most machines; auto: as a few timed steps say, once, and the run's recipe then has the answer
    precision: Literal["float32", "bfloat16", "auto"] = "float32"  # of products and convolutions;
    # auto: bfloat16 where the hardware has it and a few timed steps say that it is faster
    compile: bool = False  # the steps by torch.compile, before the training begins
    flush_denormal: bool = True  # numbers below 1.2e-38 are taken as zeros, on a CPU
    log_every: PositiveInt = 50  # steps between two records of the training loss
    checkpoint_seconds: NonNegativeFloat = 60.0  # between checkpoints; 0: at epochs' ends only

    @property
    def images_per_step(self) -> int:
        """The images whose gradients make one step."""
        return self.batch_size * self.accumulate

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ConfigError("train.nesterov: needs train.momentum above 0")
        if self.muon_nesterov and not self.muon_momentum:
            raise ConfigError("train.muon_nesterov: needs train.muon_momentum above 0")
        self._check_knots()

    def _check_knots(self) -> None:
        if (self.schedule == "knots") != bool(self.knots):
            raise ConfigError(
                'train.knots: goes with train.schedule = "knots", and that with it',
                fix="for a rise and a fall: knots = [[0, 0], [0.2, 1], [1, 0]]",
            )
        if not self.knots:
            return
        shares = [share for share, _ in self.knots]
        if (shares[0], shares[-1]) != (0, 1) or any(a > b for a, b in pairwise(shares)):
            raise ConfigError("train.knots: the shares of the training must rise from 0 to 1")
        if not any(height for _, height in self.knots):
            raise ConfigError("train.knots: the learning rate must be above 0 somewhere")
