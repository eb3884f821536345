"""What happens in a training, told to whoever listens. Listeners read; they never steer.

    Settled                      if the recipe left to the machine how steps are computed
    Resumed                      if the training goes on from a checkpoint
    Compiled                     if its steps are compiled
    FitStarted
    for each epoch:
        EpochStarted             also in mid-epoch, if it goes on from there
        for each step:
            StepsFinished        every `log_every` steps, and at the epoch's end
        Evaluated                the validation images, exactly, if there are any
        EpochFinished
        Checkpointed             the weights are safe on disk
    Stopped                      if it ends before its last epoch does
    FitFinished

Source: the loop of composer's `Event`, https://github.com/mosaicml/composer, for the idea of
drawing the loop where its events are defined.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """How steps will be computed; it leaves no record, but the run's recipe has it from now on."""

    channels_last: bool
    precision: str
    step_seconds: Mapping[str, float]  # of each way that was tried, the median; none if one is left


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiled:
    """The steps have been compiled; it leaves no record, but the summary has the seconds."""

    seconds: float  # so much longer took the first step than the second


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """A training that was stopped is about to go on; it leaves no record."""

    epoch: int
    step: int  # of the epoch: the last one finished; 0: none of this epoch
    notes: tuple[str, ...]  # what to know: a damaged checkpoint, another machine


@dataclass(frozen=True, kw_only=True, slots=True)
class FitStarted:
    """A training is about to take its first step."""

    num_epochs: int
    steps_per_epoch: int
    num_images: int  # trained on in an epoch
    device: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochStarted:
    """The first image of an epoch comes next."""

    epoch: int  # from 1


@dataclass(frozen=True, kw_only=True, slots=True)
class StepsFinished:
    """Some steps since the last such event."""

    epoch: int
    step: int  # of the epoch, from 1: the last one finished
    loss: float  # mean over the images of these steps, each by the weights of its step
    lr: float  # of the last step


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """The validation images have been seen, in evaluation mode."""

    epoch: int
    loss: float  # mean over images
    accuracy: float  # in [0, 1]
    num_images: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochFinished:
    """An epoch is over, its validation too."""

    epoch: int
    loss: float  # mean over the training images, each by the weights of its step
    seconds: float  # training alone, without validation
    images_per_second: float  # in training


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpointed:
    """Weights have been written."""

    epoch: int
    best: bool  # the best validation accuracy so far; without validation images always


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopped:
    """No epoch follows, though the recipe asked for more, or for the rest of this one."""

    epoch: int  # the last one, perhaps in part
    reason: str  # in words


@dataclass(frozen=True, kw_only=True, slots=True)
class FitFinished:
    """The last epoch is over."""

    num_epochs: int  # that were trained, the last one perhaps in part
    seconds: float  # from FitStarted on, validation and checkpoints included
    train_seconds: float  # the sum of the epochs' training alone


Event = (
    Settled
    | Resumed
    | Compiled
    | FitStarted
    | EpochStarted
    | StepsFinished
    | Evaluated
    | EpochFinished
    | Checkpointed
    | Stopped
    | FitFinished
)
Listener = Callable[[Event], None]
