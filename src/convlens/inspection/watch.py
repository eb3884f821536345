"""Watch: see each layer and each operation of a forward pass, and leave no trace of it.

Hooks are on the module only inside `watching`; afterwards modes, buffers and the state of the
random generator are what they were, also if the pass fails.
"""

import sys
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

    def raised(self, call: Call, error: BaseException) -> None:  # noqa: B027 - few listen
        """A module has let `error` out; another around it may catch that and go on."""


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
    paths = {part: path for path, part in module.named_modules()}
    hooks = _Hooks(watcher, paths)
    with ExitStack() as exits:
        exits.enter_context(as_it_was(module))
        exits.enter_context(in_single_operations())
        module.train(training)
        for part in paths:
            exits.callback(part.register_forward_pre_hook(hooks.before, with_kwargs=True).remove)
            exits.callback(part.register_forward_hook(hooks.after, always_call=True).remove)
        exits.enter_context(torch.no_grad())
        exits.enter_context(_Mode(watcher, hooks))
        yield


@contextmanager
def as_it_was(module: nn.Module) -> Generator[None]:
    """Afterwards modes, buffers and random generators are what they were before."""
    modes = [(part, part.training) for part in module.modules()]
    held = [(_buffers(part), dict(_buffers(part))) for part in module.modules()]
    numbers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        for part, training in modes:
            part.training = training
        for buffers, before in held:  # those that a layer put another tensor in the place of
            buffers.clear()
            buffers.update(before)
        with torch.no_grad():
            for buffer, before in numbers:
                # What has not changed is let be: it may be expanded, and then it cannot be written.
                if not (buffer.is_meta or torch.equal(buffer, before)):
                    buffer.copy_(before)


@contextmanager
def in_single_operations() -> Generator[None]:
    """Inside, attention does without the one kernel that hides its products from all counts."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _buffers(module: nn.Module) -> dict[str, Tensor | None]:
    found: dict[str, Tensor | None] = vars(module)["_buffers"]
    return found


@final
class _Hooks:
    """Keeps the modules at work, and tells of those that start and end."""

    def __init__(self, watcher: Watcher, paths: Mapping[nn.Module, str]) -> None:
        self._watcher = watcher
        self._paths = paths
        # The innermost last, each with the error that was being handled when it started.
        self._working: list[tuple[Call, BaseException | None]] = []

    @property
    def path(self) -> str:
        """Of the innermost module at work."""
        return self._working[-1][0].path if self._working else ""

    def before(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        inputs = tuple(tensors_in((args, kwargs)))
        call = Call(self._paths[module], module, inputs, len(self._working))
        self._working.append((call, sys.exception()))
        self._watcher.entered(call)

    def after(self, module: nn.Module, args: Any, output: Any) -> None:
        """Torch calls it also while an error goes through the module, and says no more of it."""
        del args
        if not self._working or self._working[-1][0].module is not module:
            return  # a hook of the user's raised before the module could start
        call, handled = self._working.pop()
        error = sys.exception()
        if error is None or error is handled:
            self._watcher.left(call, tuple(tensors_in(output)))
        else:
            self._watcher.raised(call, error)


@final
class _Mode(TorchDispatchMode):
    """Tells the watcher of each operation below autograd."""

    def __init__(self, watcher: Watcher, hooks: _Hooks) -> None:
        super().__init__()
        self._watcher = watcher
        self._hooks = hooks

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
        self._watcher.operated(
            Operation(name, func, args, kwargs, outputs, self._hooks.path, seconds)
        )
        return result
