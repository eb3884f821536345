"""Operations: what each operation of torch costs, counted from the tensors that it met.

This is the count of what really ran, below every layer, so it also covers what a module does
without a layer: a sum, a concatenation, a product of matrices. Costs follow the conventions of
`ops/cost.py`: a MAC is a product added to a sum, all else that computes is `other_ops`. A mean
is no MAC, also when it is weighted by the places alone, as a bilinear resizing is. A product of
complex numbers counts as one. What goes on among whole numbers only, as in an index or a counter
of batches, is none of the network's arithmetic.

Source: https://www.fftw.org/speed/method.html (5 n log2 n operations of a Fourier transform).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2, prod
from typing import Any, Literal

import torch
from torch import Tensor

from convlens.inspection.watch import Operation, tensors_in
from convlens.ops.cost import SOFTMAX_OPS, adaptive_pool_cost, layer_norm_cost, norm_cost

Kind = Literal[
    "convolution",
    "matmul",
    "attention",
    "norm",
    "pooling",
    "add",
    "pointwise",
    "reduction",
    "transform",
    "movement",
    "other",
]


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
    counted = _by_nature(operation) if rule is None else rule(operation)
    inputs = tensors_in((operation.args, operation.kwargs))
    if counted.macs or any(x.is_floating_point() or x.is_complex() for x in inputs):
        return counted
    return Counted("movement")


def _by_nature(operation: Operation) -> Counted:
    """What torch itself says of an operation: that it makes a view, or works number by number."""
    name, overload = operation.name, operation.overload
    if name in _MOVEMENTS or not operation.outputs or _is_view(overload):
        return Counted("movement")
    if name in _NUMBER_BY_NUMBER or torch.Tag.pointwise in overload.tags:
        return _number_by_number(operation)
    if torch.Tag.pointwise in _tags_without_in_place(name):
        return _number_by_number(operation)
    if name in _REDUCTIONS or torch.Tag.reduction in overload.tags:
        numbers = sum(x.numel() for x in tensors_in(operation.args))
        return Counted("reduction", other_ops=numbers)
    return Counted("other")


def _is_view(overload: Any) -> bool:
    returns = overload._schema.returns
    return all(each.alias_info and not each.alias_info.is_write for each in returns)


def _tags_without_in_place(name: str) -> Sequence[Any]:
    """The tags of `mish` for "mish_", which has none of its own."""
    packet = getattr(torch.ops.aten, name.removesuffix("_"), None) if name.endswith("_") else None
    return [] if packet is None else getattr(packet, packet.overloads()[0]).tags


def _number_by_number(operation: Operation) -> Counted:
    return Counted("pointwise", other_ops=operation.outputs[0].numel())


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
    return Counted("matmul", macs=_products(*operation.args[:2]))


def _matmul_and_add(operation: Operation) -> Counted:
    bias_ops = operation.outputs[0].numel()
    macs = _products(*operation.args[1:3])
    return Counted("matmul", macs=macs, other_ops=bias_ops, bias_ops=bias_ops)


def _sparse_matmul_and_add(operation: Operation) -> Counted:
    _, left, right = operation.args[:3]
    return Counted("matmul", macs=left._nnz() * right.shape[-1])


def _products(left: Tensor, right: Tensor) -> int:
    """Each number on the left meets a row on the right, or one number of a vector."""
    return left.numel() * (right.shape[-1] if right.ndim > 1 else 1)


def _affine_grid(operation: Operation) -> Counted:
    theta = operation.args[0]
    return Counted("matmul", macs=operation.outputs[0].numel() * theta.shape[-1])


def _attention(operation: Operation) -> Counted:
    query, key, value = operation.args[:3]
    scores = query.numel() // query.shape[-1] * key.shape[-2]
    macs = scores * (query.shape[-1] + value.shape[-1])
    return Counted("attention", macs=macs, other_ops=scores * (1 + SOFTMAX_OPS))  # 1: its scale


def _norm(operation: Operation) -> Counted:
    x, weight, bias = operation.args[:3]
    cost = norm_cost(
        tuple(x.shape),
        affine=weight is not None,
        bias=bias is not None,
        training=bool(operation.args[5]),
    )
    return Counted("norm", other_ops=cost.other_ops)


def _layer_norm(operation: Operation) -> Counted:
    x, *others = operation.args
    weight, bias = others[:2] if operation.name == "native_group_norm" else others[1:3]
    cost = layer_norm_cost(tuple(x.shape), 1, affine=weight is not None, bias=bias is not None)
    return Counted("norm", other_ops=cost.other_ops)


def _weight_norm(operation: Operation) -> Counted:
    return Counted("norm", other_ops=3 * operation.args[0].numel())  # a square, a sum, a product


def _softmax(operation: Operation) -> Counted:
    return Counted("reduction", other_ops=SOFTMAX_OPS * operation.args[0].numel())


def _max_pool(operation: Operation) -> Counted:
    return Counted("pooling", other_ops=operation.outputs[0].numel() * (_taps(operation) - 1))


def _avg_pool(operation: Operation) -> Counted:
    return Counted("pooling", other_ops=operation.outputs[0].numel() * _taps(operation))


def _taps(operation: Operation) -> int:
    return prod(_sizes(operation))


def _adaptive_pool(operation: Operation) -> Counted:
    x, sizes = operation.args[0], _sizes(operation)
    reduce = "max" if "max" in operation.name else "avg"
    shape = tuple(x.shape) if x.ndim == len(sizes) + 2 else (1, *x.shape)
    cost = adaptive_pool_cost(shape, sizes, reduce)
    return Counted("pooling", other_ops=cost.other_ops)


def _weighted_mean(taps: int) -> Callable[[Operation], Counted]:
    """A rule: `taps` products and the sums between them for each number of the output."""

    def rule(operation: Operation) -> Counted:
        return Counted("pooling", other_ops=operation.outputs[0].numel() * (2 * taps - 1))

    return rule


def _mean(operation: Operation) -> Counted:
    return Counted("pooling", other_ops=operation.args[0].numel())


def _add(operation: Operation) -> Counted:
    return Counted("add", other_ops=operation.outputs[0].numel())


def _fourier(operation: Operation) -> Counted:
    """Real numbers on one side take half of what complex ones on both sides take."""
    y = operation.outputs[0] if operation.name == "_fft_c2r" else operation.args[0]
    size = prod(y.shape[dim] for dim in operation.args[1])
    operations = 5 * y.numel() * log2(size)
    return Counted("transform", other_ops=round(operations if y.is_complex() else operations / 2))


def _sizes(operation: Operation) -> tuple[int, ...]:
    """The size that a pooling is given, as one number for all axes or as one for each."""
    sizes = tuple(operation.args[1])
    axes = 3 if "3d" in operation.name else 2
    return sizes * axes if len(sizes) == 1 else sizes


_RULES: dict[str, Callable[[Operation], Counted]] = {
    "convolution": _convolution,
    "mm": _matmul,
    "bmm": _matmul,
    "mv": _matmul,
    "dot": _matmul,
    "vdot": _matmul,
    "addmm": _matmul_and_add,
    "addmv": _matmul_and_add,
    "addbmm": _matmul_and_add,
    "baddbmm": _matmul_and_add,
    "_sparse_addmm": _sparse_matmul_and_add,
    "affine_grid_generator": _affine_grid,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_flash_attention": _attention,
    "_scaled_dot_product_efficient_attention": _attention,
    "_scaled_dot_product_cudnn_attention": _attention,
    "native_batch_norm": _norm,
    "cudnn_batch_norm": _norm,
    "miopen_batch_norm": _norm,
    "native_layer_norm": _layer_norm,
    "native_group_norm": _layer_norm,
    "_weight_norm_interface": _weight_norm,
    "_softmax": _softmax,
    "_safe_softmax": _softmax,
    "_log_softmax": _softmax,
    "max_pool2d_with_indices": _max_pool,
    "max_pool3d_with_indices": _max_pool,
    "fractional_max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "avg_pool3d": _avg_pool,
    "_adaptive_avg_pool2d": _adaptive_pool,
    "_adaptive_avg_pool3d": _adaptive_pool,
    "adaptive_max_pool2d": _adaptive_pool,
    "adaptive_max_pool3d": _adaptive_pool,
    "upsample_linear1d": _weighted_mean(2),
    "upsample_bilinear2d": _weighted_mean(4),
    "upsample_trilinear3d": _weighted_mean(8),
    "upsample_bicubic2d": _weighted_mean(16),
    "grid_sampler_2d": _weighted_mean(4),
    "mean": _mean,
    "add": _add,
    "add_": _add,
    "_fft_r2c": _fourier,
    "_fft_c2r": _fourier,
    "_fft_c2c": _fourier,
}

# What works number by number, and torch has no tag that says so.
_NUMBER_BY_NUMBER = frozenset(
    {
        "hardswish", "hardswish_", "log_sigmoid_forward", "_prelu_kernel", "glu",
        "rrelu_with_noise", "rrelu_with_noise_", "native_dropout", "exponential_",
        "cumsum", "cumsum_", "cumprod", "cumprod_",
    }
)  # fmt: skip

# What looks at each number at least once to choose among them, counted as one comparison each.
_REDUCTIONS = frozenset({"kthvalue", "median", "sort", "topk"})

# What only names, moves, chooses, makes or forgets numbers. What makes them of nothing, and what
# gives another name to the same memory, is known without a table.
_MOVEMENTS = frozenset(
    {
        "_coalesce", "_conj_physical", "_pin_memory", "_reshape_alias", "_to_copy",
        "_sparse_coo_tensor_with_dims_and_tensors", "_unsafe_view",
        "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
        "bernoulli", "bernoulli_", "cat", "channel_shuffle", "clone", "col2im", "complex",
        "constant_pad_nd", "contiguous", "copy", "copy_", "diag_embed", "embedding", "empty_like",
        "fill", "fill_", "flatten", "flip", "full_like", "gather", "im2col", "index", "index_copy",
        "index_fill", "index_put", "index_put_", "index_select", "masked_select", "max_unpool2d",
        "max_unpool3d", "multinomial", "native_channel_shuffle", "new_empty", "new_empty_strided",
        "new_full", "new_ones", "new_zeros", "nonzero", "normal_", "ones_like", "pixel_shuffle",
        "pixel_unshuffle", "rand_like", "randn_like", "reflection_pad1d", "reflection_pad2d",
        "reflection_pad3d", "repeat", "repeat_interleave", "replication_pad1d",
        "replication_pad2d", "replication_pad3d", "reshape", "resize_", "resize_as_", "roll",
        "rot90", "scatter", "scatter_", "select_scatter", "set_", "slice_scatter",
        "split_with_sizes_copy", "stack", "take", "tril", "tril_", "triu", "triu_",
        "uniform_", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes",
        "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "zero", "zero_",
        "zeros_like",
    }
)  # fmt: skip
