"""Precision: bfloat16 by autocast where the hardware computes in it, and nowhere else.

bfloat16 has the range of float32 and 8 bits of its 24 for the digits. A processor without
instructions for it has to imitate them, and is far slower than in float32. Weights, their updates
and the loss stay float32 in any case: convolutions and matrix products alone are in bfloat16.

Source: torch.amp, https://docs.pytorch.org/docs/stable/amp.html.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

from convlens.core.errors import ConfigError

Precision = str  # "float32" or "bfloat16"; "auto" is float32 until a probe has chosen
_CPU_SIGNS = ("avx512_bf16", "amx_bf16", "bf16")  # x86, x86, Arm
_SIZE, _REPEATS = 96, 20  # of the matrices of a try


def has_bfloat16(device: torch.device) -> bool:
    """Whether this device has instructions of its own for bfloat16."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    found = torch.cpu.get_capabilities()
    return any(found.get(sign, False) for sign in _CPU_SIGNS)


def refuse_imitation(precision: Precision, device: torch.device) -> None:
    """Refuse bfloat16 where it would be imitated.

    Raises:
        ConfigError: it would; says how many times slower that is, by a measurement now.
    """
    if precision != "bfloat16" or has_bfloat16(device):
        return
    factor = f", {slowdown():.0f} times slower in a try just now" if device.type == "cpu" else ""
    raise ConfigError(
        f"train.precision: this {device.type} has no bfloat16 and would imitate it{factor}",
        fix='leave it out, or say --set train.precision=auto: "bfloat16" only where it is faster',
    )


def here(precision: Precision, device: torch.device) -> Precision:
    """The precision to evaluate in what was trained in `precision`, perhaps elsewhere."""
    return "bfloat16" if precision == "bfloat16" and has_bfloat16(device) else "float32"


def computed_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Inside, what autocast knows to be safe is computed in `precision`."""
    if precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def slowdown() -> float:
    """How many times as long as in float32 a small matrix product takes in bfloat16 on this CPU."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # that others wait for is another matter
    try:
        with torch.inference_mode():
            x = torch.ones(_SIZE, _SIZE)
            low = x.bfloat16()
            return _seconds(lambda: low.mm(low)) / _seconds(lambda: x.mm(x))
    finally:
        torch.set_num_threads(num_threads)


def _seconds(turn: Callable[[], object]) -> float:
    """The least of some turns, which no other program has disturbed."""
    times: list[float] = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        turn()
        times.append(time.perf_counter() - started)
    return min(times)
