"""Operations: what each operation of torch costs, counted from the tensors that it met.

This is the count of what really ran, below every layer, so it also covers what a module does
without a layer: a sum, a concatenation, a product of matrices. Costs follow the conventions of
`ops/cost.py`: a MAC is a product added to a sum, all else that computes is `other_ops`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import torch

from convlens.inspection.watch import Operation, tensors_in
from convlens.ops.cost import adaptive_pool_cost, norm_cost

Kind = Literal[
    "convolution", "matmul", "norm", "pooling", "add", "pointwise", "reduction", "movement", "other"
]


# What only names, moves, makes or forgets numbers; dropout while evaluating is none of these.
_MOVEMENTS = frozenset(
    {
        "alias",
        "arange",
        "as_strided",
        "bernoulli_",
        "cat",
        "chunk",
        "clone",
        "col2im",
        "constant_pad_nd",
        "contiguous",
        "copy",
        "copy_",
        "detach",
        "empty",
        "empty_like",
        "expand",
        "fill_",
        "flatten",
        "flip",
        "full",
        "full_like",
        "im2col",
        "index",
        "index_select",
        "lift_fresh",
        "narrow",
        "new_empty",
        "new_full",
        "new_ones",
        "new_zeros",
        "ones",
        "ones_like",
        "permute",
        "rand",
        "rand_like",
        "randn",
        "randperm",
        "reflection_pad2d",
        "repeat",
        "replication_pad2d",
        "reshape",
        "roll",
        "select",
        "slice",
        "split",
        "split_with_sizes",
        "squeeze",
        "stack",
        "t",
        "transpose",
        "unbind",
        "unfold",
        "unsqueeze",
        "upsample_nearest2d",
        "view",
        "_unsafe_view",
        "_to_copy",
        "_reshape_alias",
        "zero_",
        "zeros",
        "zeros_like",
    }
)


@dataclass(frozen=True, slots=True)
class Counted:
    """One operation's kind and cost; `bias_ops` of its other_ops are additions of a bias."""

    kind: Kind
    macs: int = 0
    other_ops: int = 0
    bias_ops: int = 0


def count(operation: Operation) -> Counted:
    """The kind and cost of an operation; one that is not known is "other" and costs nothing."""
    rule = _RULES.get(operation.name)
    if rule is not None:
        return rule(operation)
    outputs = sum(output.numel() for output in operation.outputs)
    tags = operation.overload.tags
    if operation.name in _MOVEMENTS or not operation.outputs:
        return Counted("movement")
    if torch.Tag.pointwise in tags:
        return Counted("pointwise", other_ops=outputs)
    if torch.Tag.reduction in tags:
        return Counted("reduction", other_ops=sum(t.numel() for t in tensors_in(operation.args)))
    return Counted("other")


def _convolution(operation: Operation) -> Counted:
    x, weight, bias = operation.args[:3]
    transposed = operation.args[6]
    (y,) = operation.outputs
    # Each output place meets the kernels once; transposed, each input place does.
    places = x.numel() // x.shape[1] if transposed else y.numel() // y.shape[1]
    bias_ops = 0 if bias is None else y.numel()
    return Counted(
        "convolution", macs=places * weight.numel(), other_ops=bias_ops, bias_ops=bias_ops
    )


def _matmul(operation: Operation) -> Counted:
    left, right = operation.args[:2]
    return Counted("matmul", macs=left.numel() * right.shape[-1])


def _matmul_and_add(operation: Operation) -> Counted:
    _, left, right = operation.args[:3]
    bias_ops = operation.outputs[0].numel()
    macs = left.numel() * right.shape[-1]
    return Counted("matmul", macs=macs, other_ops=bias_ops, bias_ops=bias_ops)


def _norm(operation: Operation) -> Counted:
    x, weight = operation.args[:2]
    cost = norm_cost(tuple(x.shape), affine=weight is not None, training=bool(operation.args[5]))
    return Counted("norm", other_ops=cost.other_ops)


def _max_pool(operation: Operation) -> Counted:
    kernel_size = operation.args[1]
    return Counted(
        "pooling", other_ops=operation.outputs[0].numel() * (prod(_pair(kernel_size)) - 1)
    )


def _avg_pool(operation: Operation) -> Counted:
    kernel_size = operation.args[1]
    return Counted("pooling", other_ops=operation.outputs[0].numel() * prod(_pair(kernel_size)))


def _adaptive_pool(operation: Operation) -> Counted:
    x, size = operation.args[:2]
    reduce = "max" if "max" in operation.name else "avg"
    shape = tuple(x.shape) if x.ndim == 4 else (1, *x.shape)
    cost = adaptive_pool_cost(shape, _pair(size), reduce)
    return Counted("pooling", other_ops=cost.other_ops)


def _mean(operation: Operation) -> Counted:
    return Counted("pooling", other_ops=operation.args[0].numel())


def _add(operation: Operation) -> Counted:
    return Counted("add", other_ops=operation.outputs[0].numel())


def _pair(size: Any) -> tuple[int, int]:
    return (size[0], size[-1])


_RULES: dict[str, Callable[[Operation], Counted]] = {
    "convolution": _convolution,
    "mm": _matmul,
    "bmm": _matmul,
    "mv": _matmul,
    "addmm": _matmul_and_add,
    "baddbmm": _matmul_and_add,
    "native_batch_norm": _norm,
    "cudnn_batch_norm": _norm,
    "max_pool2d_with_indices": _max_pool,
    "avg_pool2d": _avg_pool,
    "_adaptive_avg_pool2d": _adaptive_pool,
    "adaptive_max_pool2d": _adaptive_pool,
    "mean": _mean,
    "add": _add,
    "add_": _add,
}
