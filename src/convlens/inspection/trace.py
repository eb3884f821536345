"""Trace: one forward pass, written down layer by layer.

It works for any module, on real tensors or on `meta` ones, which have shapes and no numbers, so
that the largest network is traced without allocating it. MACs are those of the operations that
ran; `inspection/formulas.py` counts them a second time from the layers' settings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import final

import torch
from torch import Tensor, nn

from convlens.core.errors import ShapeError
from convlens.inspection.formulas import LayerCost, layer_cost
from convlens.inspection.operations import Counted, count
from convlens.inspection.watch import Call, Operation, Watcher, watching

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationRecord:
    """One operation of torch that ran."""

    name: str  # torch's, without "aten::"
    path: str  # of the innermost module that asked for it
    counted: Counted
    num_activations: int  # numbers of its outputs
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerRecord:
    """One call of one module, with all that ran inside it."""

    path: str  # "" is the whole
    kind: str  # name of the class
    depth: int  # how many modules it stands in
    is_leaf: bool  # no module ran inside it
    module: nn.Module = field(repr=False, compare=False)
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    num_parameters: int  # of the module and all inside, each tensor once
    operations: tuple[OperationRecord, ...] = field(repr=False)
    formula: LayerCost | None  # of a leaf, by its settings; None if its kind has no formula

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all operations inside."""
        return sum(operation.counted.macs for operation in self.operations)

    @property
    def other_ops(self) -> int:
        """Single additions, comparisons and the like of all operations inside."""
        return sum(operation.counted.other_ops for operation in self.operations)

    @property
    def num_activations(self) -> int:
        """Numbers of the module's outputs."""
        return sum(prod(shape) for shape in self.outputs)

    @property
    def seconds(self) -> float:
        """Time in operations inside, without Python between them and without the watching."""
        return sum(operation.seconds for operation in self.operations)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Where a forward pass stopped, and why."""

    path: str
    kind: str
    inputs: tuple[Shape, ...]
    reason: str

    def __str__(self) -> str:
        sizes = ", ".join("x".join(map(str, shape)) for shape in self.inputs)
        return f"{self.path or 'the module'} ({self.kind}) cannot take {sizes}: {self.reason}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """The layers in the order in which they started; the first is the whole."""

    layers: tuple[LayerRecord, ...]
    failure: Failure | None = None  # then the layers in which it happened have no outputs

    @property
    def whole(self) -> LayerRecord:
        """The record of the module itself."""
        return self.layers[0]

    @property
    def leaves(self) -> tuple[LayerRecord, ...]:
        """The layers in which no other ran."""
        return tuple(layer for layer in self.layers if layer.is_leaf)


def trace(
    module: nn.Module, *inputs: Tensor, training: bool = False, partial: bool = False
) -> Trace:
    """One forward pass of `module`, which afterwards is what it was before.

    `partial` gives back the trace of a pass that failed; its `failure` says where and why.

    >>> from torch import zeros
    >>> whole = trace(nn.Linear(3, 2), zeros(1, 3)).whole
    >>> whole.outputs, whole.num_parameters, whole.macs, whole.other_ops
    (((1, 2),), 8, 6, 2)

    Raises:
        ShapeError: the inputs do not fit; says which layer, and why.
        ConfigError: a layer is lazy and has no weights yet.
    """
    recorder = _Recorder()
    failure: Failure | None = None
    with watching(module, recorder, training=training):
        try:
            module(*inputs)
        except (RuntimeError, ValueError, IndexError) as error:
            failure = recorder.failure(error)
            if failure is None or isinstance(error, _NO_SHAPES_FAULT):
                raise
            if not partial:
                raise ShapeError(str(failure)) from error
    return Trace(layers=recorder.layers(), failure=failure)


# An operation that a device does not have, or that does not fit into its memory.
_NO_SHAPES_FAULT = (NotImplementedError, torch.OutOfMemoryError)


@final
class _Recorder(Watcher):
    """Collects records; a layer's place is kept when it starts and filled when it ends."""

    def __init__(self) -> None:
        self._records: list[LayerRecord | None] = []
        self._open: list[tuple[int, int]] = []  # the place of a layer, and its first operation
        self._operations: list[OperationRecord] = []
        self._raised: tuple[BaseException, Call] | None = None  # the last error, where it began

    def entered(self, call: Call) -> None:
        del call
        self._open.append((len(self._records), len(self._operations)))
        self._records.append(None)

    def operated(self, operation: Operation) -> None:
        self._operations.append(
            OperationRecord(
                name=operation.name,
                path=operation.path,
                counted=count(operation),
                num_activations=sum(output.numel() for output in operation.outputs),
                seconds=operation.seconds,
            )
        )

    def left(self, call: Call, outputs: tuple[Tensor, ...]) -> None:
        place, first = self._open.pop()
        is_leaf = place == len(self._records) - 1
        self._records[place] = self._record(call, first, is_leaf=is_leaf, outputs=_shapes(outputs))

    def raised(self, call: Call, error: BaseException) -> None:
        place, first = self._open.pop()
        self._records[place] = self._record(call, first, is_leaf=False, outputs=())
        if self._raised is None or self._raised[0] is not error:
            self._raised = error, call

    def layers(self) -> tuple[LayerRecord, ...]:
        """All records; those of layers that raised have no outputs."""
        return tuple(record for record in self._records if record is not None)

    def _record(
        self, call: Call, first: int, *, is_leaf: bool, outputs: tuple[Shape, ...]
    ) -> LayerRecord:
        return LayerRecord(
            path=call.path,
            kind=type(call.module).__name__,
            depth=call.depth,
            is_leaf=is_leaf,
            module=call.module,
            inputs=_shapes(call.inputs),
            outputs=outputs,
            num_parameters=sum(p.numel() for p in call.module.parameters()),
            operations=tuple(self._operations[first:]),
            formula=_formula_of_what_ran(call) if is_leaf else None,
        )

    def failure(self, error: Exception) -> Failure | None:
        """Where `error` began; None if in no layer."""
        if self._raised is None or self._raised[0] is not error:
            return None
        call = self._raised[1]
        lines = str(error).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        try:
            _formula(call)
        except ShapeError as ours:  # the reason in windows and sizes, which torch may not give
            reason = ours.what
        return Failure(
            path=call.path,
            kind=type(call.module).__name__,
            inputs=_shapes(call.inputs),
            reason=reason,
        )


def _formula(call: Call) -> LayerCost | None:
    return layer_cost(call.module, tuple(call.inputs[0].shape) if call.inputs else ())


def _formula_of_what_ran(call: Call) -> LayerCost | None:
    try:
        return _formula(call)
    except ShapeError:  # a layer of the user's own that takes more than the kind it is made of
        return None


def _shapes(tensors: Sequence[Tensor]) -> tuple[Shape, ...]:
    return tuple(tuple(tensor.shape) for tensor in tensors)
