"""Memory: what one step of training holds at once, followed tensor by tensor.

Each storage (the memory that a tensor and its views share) is counted from the operation that
made it until it is freed. Nothing is asked of the allocator, so a module on the `meta` device,
which has shapes and no numbers, is measured as well as a real one.

Not counted: scratch memory inside an operation, which a kernel asks for and gives back (a
convolution's workspace); what an allocator rounds up, keeps for later or cannot use; Python, the
libraries and the driver. A device may also choose another operation with other storages: CUDA's
dropout keeps a mask of bytes, the CPU's and meta's one of floats.

Source: torch's own memory tracker, which follows storages so,
https://github.com/pytorch/pytorch/blob/main/torch/distributed/_tools/mem_tracker.py
Differs from it: one step, the totals alone, and the module is afterwards as it was.
"""

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from convlens.core.errors import ConfigError
from convlens.inspection.restore import trained_in_vain
from convlens.inspection.watch import tensors_in
from convlens.nn.auxiliary import classification_loss

Loss = Callable[[Any], Tensor]  # from what the module gives to a scalar


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What a step of training holds; all fields are bytes."""

    parameters_bytes: int
    gradients_bytes: int  # of the parameters that are trained
    optimizer_bytes: int  # what the optimizer keeps from one step to the next
    buffers_bytes: int
    input_bytes: int
    activations_bytes: int  # made by the forward pass and alive at its end, output included
    peak_bytes: int  # the most alive at once from the forward pass to the end of the backward
    # pass: parameters, buffers, input, activations, gradients; not the optimizer's

    @property
    def total_bytes(self) -> int:
        """The peak, and beside it what the optimizer keeps."""
        return self.peak_bytes + self.optimizer_bytes


def grade(output: Any) -> Tensor:
    """The cross-entropy of logits, and of auxiliary ones, as if all labels were 0.

    >>> grade(torch.zeros(3, 2))
    tensor(0.6931)
    """
    first = next(tensors_in(output))
    labels = torch.zeros(len(first), dtype=torch.long, device=first.device)
    return classification_loss(output, labels)


def training_memory(
    module: nn.Module, x: Tensor, *, optimizer_slots: int = 1, loss: Loss = grade
) -> Memory:
    """The memory of forward pass, loss and backward pass in training mode.

    They run once, on a copy of `x`; afterwards the module is as it was, also if one of them fails.

    >>> layer = nn.Linear(1000, 10, bias=False, device="meta")
    >>> memory = training_memory(layer, torch.zeros(64, 1000, device="meta"))
    >>> memory.parameters_bytes, memory.input_bytes, memory.activations_bytes
    (40000, 256000, 2560)

    Args:
        optimizer_slots: numbers kept for each trained parameter; SGD with momentum 1, without 0,
            Adam 2.

    Raises:
        ConfigError: no parameter is trained, or the slots are negative.
    """
    if optimizer_slots < 0:
        raise ConfigError(f"optimizer_slots: should be at least 0, not {optimizer_slots}")
    parameters, buffers = list(module.parameters()), list(module.buffers())
    gradients_bytes = _bytes(parameter for parameter in parameters if parameter.requires_grad)
    if not gradients_bytes:
        raise ConfigError(
            f"{type(module).__name__}: no parameter is trained, so there is no backward pass",
            fix="module.requires_grad_() makes all of them trained",
        )
    with torch.inference_mode(False), torch.enable_grad(), trained_in_vain(module, weights=False):
        module.train()
        copy = x.detach().clone()  # for layers that work in place
        follower = _Follower()
        for tensor in (*parameters, *buffers, copy):
            follower.follow(tensor)
        before = follower.live_bytes
        with follower:
            output = module(copy)
            activations_bytes = follower.live_bytes - before
            graded = loss(output)
            del output
            graded.backward()
    return Memory(
        parameters_bytes=_bytes(parameters),
        gradients_bytes=gradients_bytes,
        optimizer_bytes=optimizer_slots * gradients_bytes,
        buffers_bytes=_bytes(buffers),
        input_bytes=copy.nbytes,
        activations_bytes=activations_bytes,
        peak_bytes=follower.peak_bytes,
    )


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)


@final
class _Follower(TorchDispatchMode):
    """Follows storages from the operation that makes them until they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.live_bytes = 0
        self.peak_bytes = 0
        # By the id of the storage's one Python object, which lives as long as its memory.
        self._followed: dict[int, tuple[weakref.ref[torch.UntypedStorage], int]] = {}

    def follow(self, tensor: Tensor) -> None:
        """Count the storage of `tensor`, if it is not counted yet."""
        storage = tensor.untyped_storage()
        key, num_bytes = id(storage), storage.nbytes()
        if key not in self._followed:
            freed = weakref.ref(storage, lambda _: self._freed(key))
            self._followed[key] = (freed, num_bytes)
            self.live_bytes += num_bytes
            self.peak_bytes = max(self.peak_bytes, self.live_bytes)

    def _freed(self, key: int) -> None:
        self.live_bytes -= self._followed.pop(key)[1]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        result = func(*args, **(kwargs or {}))
        for tensor in tensors_in(result):
            self.follow(tensor)
        return result
