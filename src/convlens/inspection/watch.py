"""Watch: see each layer and each operation of a forward pass, and leave no trace of it.

Hooks are on the module only inside `watching`; afterwards modes, buffers and the state of the
random generator are what they were, also if the pass fails.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.utils._python_dispatch import TorchDispatchMode

from convlens.core.errors import ConfigError


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One module at work: its path in the whole, and what it was given."""

    path: str  # "" is the whole
    module: nn.Module
    inputs: tuple[Tensor, ...]
    depth: int  # how many modules it stands in


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation of torch, by the innermost module that asked for it."""

    name: str  # as in torch's schema, without "aten::"
    overload: Any  # torch's own object, with its schema and tags
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[Tensor, ...]
    path: str
    seconds: float  # of the operation alone, without the watching


class Watcher(ABC):
    """Hears of each event of a pass, in the order in which they happen."""

    @abstractmethod
    def entered(self, call: Call) -> None:
        """A module starts."""

    @abstractmethod
    def operated(self, operation: Operation) -> None:
        """An operation is done."""

    @abstractmethod
    def left(self, call: Call, outputs: tuple[Tensor, ...]) -> None:
        """A module has ended; not told of one that raised."""


def tensors_in(value: object) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and dicts, in order.

    >>> [t.shape[0] for t in tensors_in((torch.ones(2), {"a": [torch.ones(3)]}, 4))]
    [2, 3]
    """
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from tensors_in(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from tensors_in(inner)


def inputs_like(module: nn.Module, *shape: int) -> Tensor:
    """Zeros of this shape, of the type and on the device of the module's first parameter.

    >>> inputs_like(nn.Linear(3, 2, device="meta"), 1, 3).device
    device(type='meta')
    """
    first = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    return torch.zeros(shape, device=first.device, dtype=first.dtype)


@contextmanager
def watching(module: nn.Module, watcher: Watcher, *, training: bool = False) -> Generator[None]:
    """Inside, tell `watcher` of what `module` does, in evaluation mode unless `training`.

    Raises:
        ConfigError: a layer is lazy and has no weights yet.
    """
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if isinstance(tensor, UninitializedParameter | UninitializedBuffer):
            raise ConfigError(
                f"{name} has no size yet: its layer is lazy",
                fix="pass one batch through the module first",
            )
    stack: list[Call] = []
    with ExitStack() as exits:
        exits.enter_context(as_it_was(module))
        module.train(training)
        paths = {part: path for path, part in module.named_modules()}
        for part in paths:
            hooks = _Hooks(watcher, stack, paths)
            exits.callback(part.register_forward_pre_hook(hooks.before, with_kwargs=True).remove)
            exits.callback(part.register_forward_hook(hooks.after).remove)
        exits.enter_context(torch.no_grad())
        exits.enter_context(_Mode(watcher, stack))
        yield


@contextmanager
def as_it_was(module: nn.Module) -> Generator[None]:
    """Afterwards modes, buffers and random generators are what they were before."""
    modes = [(part, part.training) for part in module.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    devices = {p.device for p in module.parameters() if p.is_cuda}
    try:
        with torch.random.fork_rng([*devices]):
            yield
    finally:
        for part, training in modes:
            part.training = training
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


@final
@dataclass(slots=True)
class _Hooks:
    watcher: Watcher
    stack: list[Call]  # the modules at work, the innermost last
    paths: Mapping[nn.Module, str]

    def before(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        inputs = tuple(tensors_in((args, kwargs)))
        call = Call(self.paths[module], module, inputs, len(self.stack))
        self.stack.append(call)
        self.watcher.entered(call)

    def after(self, module: nn.Module, args: Any, output: Any) -> None:
        del args
        call = self.stack.pop()
        while call.module is not module:  # one inside raised, and this one went on
            call = self.stack.pop()
        self.watcher.left(call, tuple(tensors_in(output)))


@final
class _Mode(TorchDispatchMode):
    """Tells the watcher of each operation below autograd."""

    def __init__(self, watcher: Watcher, stack: list[Call]) -> None:
        super().__init__()
        self._watcher = watcher
        self._stack = stack

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        started = time.perf_counter()
        result = func(*args, **kwargs)
        outputs = tuple(tensors_in(result))
        if any(output.is_cuda for output in outputs):
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
        name = func._schema.name.split("::")[-1]
        path = self._stack[-1].path if self._stack else ""
        self._watcher.operated(Operation(name, func, args, kwargs, outputs, path, seconds))
        return result
