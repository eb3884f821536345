"""Timing: how long a forward pass or a step of training takes here and now.

A time says something only beside another one of the same run: clocks drift, and other programs
wake. So `time_models` lets modules take turns, A B A B, and gives medians with their extremes.
"""

import statistics
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from convlens.core.errors import ConfigError
from convlens.core.shapes import Labels
from convlens.inspection.restore import trained_in_vain
from convlens.nn.auxiliary import classification_loss

Clock = Callable[[], float]  # seconds, as time.perf_counter gives them
WARM_UP = 3  # turns that come first and are not kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long the turns took."""

    median_seconds: float
    least_seconds: float
    most_seconds: float
    repeats: int

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Timing":
        """The median and the extremes of some turns; at least one.

        >>> Timing.of([3.0, 1.0, 9.0]).median_seconds
        3.0
        """
        turns = sorted(seconds)
        return cls(
            median_seconds=statistics.median(turns),
            least_seconds=turns[0],
            most_seconds=turns[-1],
            repeats=len(turns),
        )


def time_forward(
    module: nn.Module,
    x: Tensor,
    *,
    repeats: int = 20,
    warm_up: int = WARM_UP,
    clock: Clock = time.perf_counter,
) -> Timing:
    """The time of `module(x)` in evaluation and inference mode; the module stays as it was.

    Raises:
        ConfigError: fewer than one repeat, a negative warm-up, or no numbers (device meta).
    """
    return time_models({"": (module, x)}, rounds=repeats, warm_up=warm_up, clock=clock)[""]


def time_step(
    module: nn.Module,
    x: Tensor,
    labels: Labels,
    *,
    repeats: int = 20,
    warm_up: int = WARM_UP,
    clock: Clock = time.perf_counter,
) -> Timing:
    """The time of forward pass, cross-entropy, backward pass and update by SGD with momentum.

    The module stays as it was.

    Raises:
        ConfigError: as for `time_forward`, or no parameter is trained.
    """
    return time_models(
        {"": (module, x)}, labels=labels, rounds=repeats, warm_up=warm_up, clock=clock
    )[""]


def time_models(
    models: Mapping[str, tuple[nn.Module, Tensor]],
    *,
    labels: Labels | None = None,
    rounds: int = 20,
    warm_up: int = WARM_UP,
    clock: Clock = time.perf_counter,
) -> dict[str, Timing]:
    """The time of each module on its input, all taking turns in each round.

    Forward passes as in `time_forward`; steps as in `time_step` if there are `labels`.

    Raises:
        ConfigError: as for `time_step`.
    """
    if rounds < 1 or warm_up < 0:
        raise ConfigError(f"{rounds} rounds after {warm_up} of warm-up: nothing to time")
    seconds: dict[str, list[float]] = {name: [] for name in models}
    with ExitStack() as exits:
        turns = {
            name: (x.device, exits.enter_context(_turn(module, x, labels)))
            for name, (module, x) in models.items()
        }
        for number in range(-warm_up, rounds):
            for name, (device, turn) in turns.items():
                took = _time(turn, device, clock)
                if number >= 0:
                    seconds[name].append(took)
    return {name: Timing.of(each) for name, each in seconds.items()}


def _time(turn: Callable[[], None], device: torch.device, clock: Clock) -> float:
    _wait_for(device)
    started = clock()
    turn()
    _wait_for(device)  # a GPU is asked and works on while Python goes on
    return clock() - started


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _turn(module: nn.Module, x: Tensor, labels: Labels | None) -> Generator[Callable[[], None]]:
    """What a module does in its turn; until the end it may be trained."""
    if x.is_meta:
        raise ConfigError("there are no numbers on the meta device, so nothing takes time")
    training = labels is not None
    if training and not any(parameter.requires_grad for parameter in module.parameters()):
        raise ConfigError(
            f"{type(module).__name__}: no parameter is trained, so there is no step to time",
            fix="module.requires_grad_() makes all of them trained",
        )
    with torch.inference_mode(False), torch.no_grad():
        copy = x.detach().clone()  # for layers that work in place
    with trained_in_vain(module, weights=training):
        yield _forward(module, copy) if labels is None else _step(module, copy, labels)


def _forward(module: nn.Module, x: Tensor) -> Callable[[], None]:
    def turn() -> None:
        with torch.inference_mode():
            module(x)

    module.eval()
    return turn


def _step(module: nn.Module, x: Tensor, labels: Labels) -> Callable[[], None]:
    # With a rate of zero an update takes as long, and each turn meets the same weights.
    optimizer = torch.optim.SGD(
        [parameter for parameter in module.parameters() if parameter.requires_grad],
        lr=0.0,
        momentum=0.9,
    )

    def turn() -> None:
        with torch.inference_mode(False), torch.enable_grad():
            output: Any = module(x)
            loss = classification_loss(output, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    module.train()
    return turn
