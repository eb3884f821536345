"""Cost: what an operation takes, counted from its shapes alone.

A MAC is one multiplication and the addition of its product to a sum. It is not a FLOP:
`flops = 2 * macs`, the multiplication and the addition. Both follow the definition of the
operation, whatever the algorithm: products with the zeros of a padding are counted, and a
fast algorithm such as Winograd's, which needs fewer, does not lower them. What is no product
(adding a bias, comparing, dividing) is counted apart, in `other_ops`.

Bytes are those that must move at least once: each input and parameter read once, each result
written once. A cache that is too small moves more.

A backward cost holds no parameters and no activations, so that forward + backward is the cost
of a training step with its parameters counted once.

Source: d2l 7.4, exercise 2. `flops` is what `torch.utils.flop_counter` counts for a forward
pass; for the backward pass too, but for groups: torch 2.13 leaves the groups out of the
kernel's gradient and counts it `groups` times.
"""

from dataclasses import dataclass, fields
from math import prod

from convlens.core.errors import ShapeError
from convlens.ops.geometry import Geometry, PoolGeometry, Reduce

FLOAT32_BYTES = 4
SOFTMAX_OPS = 5  # per number: a comparison for the maximum, a difference, exp, a sum, a division
Shape = tuple[int, int, int, int]  # n, c, h, w


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What an operation takes; costs of parts add up to the cost of the whole."""

    macs: int = 0  # multiply-accumulates
    other_ops: int = 0  # single additions, comparisons and divisions that are no MAC
    num_parameters: int = 0  # numbers of kernels and biases
    num_activations: int = 0  # numbers of the output
    read_bytes: int = 0  # inputs and parameters, once each
    written_bytes: int = 0  # outputs, once each

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each MAC."""
        return 2 * self.macs

    @property
    def moved_bytes(self) -> int:
        """All that is read and written."""
        return self.read_bytes + self.written_bytes

    def __add__(self, other: "Cost") -> "Cost":
        names = [field.name for field in fields(self)]
        return Cost(**{name: getattr(self, name) + getattr(other, name) for name in names})


def correlation_cost(
    geometry: Geometry,
    shape: Shape,
    out_channels: int,
    *,
    bias: bool = True,
    item_bytes: int = FLOAT32_BYTES,
) -> Cost:
    """`macs = n oh ow o (c / g) kh kw` of a cross-correlation of images of `shape`.

    >>> cost = correlation_cost(Geometry.of(5, padding=2), (1, 1, 28, 28), 6)  # LeNet's first
    >>> cost.macs, cost.flops, cost.num_parameters, cost.num_activations
    (117600, 235200, 156, 4704)

    Raises:
        ShapeError: the channels or sizes do not fit.
    """
    macs, weights, outputs = _correlation(geometry, shape, out_channels)
    return _forward(
        macs,
        weights,
        outputs,
        biases=out_channels * bias,
        inputs=prod(shape),
        item_bytes=item_bytes,
    )


def correlation_backward_cost(
    geometry: Geometry,
    shape: Shape,
    out_channels: int,
    *,
    bias: bool = True,
    input_gradient: bool = True,
    item_bytes: int = FLOAT32_BYTES,
) -> Cost:
    """As many MACs for the kernel's gradient as forward, and again for the input's.

    The first layer of a network needs no `input_gradient`.

    >>> geometry, shape = Geometry.of(5, padding=2), (1, 1, 28, 28)
    >>> correlation_backward_cost(geometry, shape, 6).macs
    235200
    >>> correlation_backward_cost(geometry, shape, 6, input_gradient=False).macs
    117600
    """
    macs, weights, outputs = _correlation(geometry, shape, out_channels)
    return _backward(
        macs,
        weights,
        outputs,
        biases=out_channels * bias,
        inputs=prod(shape),
        input_gradient=input_gradient,
        item_bytes=item_bytes,
    )


def transposed_cost(
    geometry: Geometry,
    shape: Shape,
    out_channels: int,
    *,
    output_padding: tuple[int, int] = (0, 0),
    bias: bool = True,
    item_bytes: int = FLOAT32_BYTES,
) -> Cost:
    """`macs = n h w c (o / g) kh kw`: each number goes to a kernel of places, cut ones counted.

    >>> transposed_cost(Geometry.of(2, stride=2), (1, 8, 4, 4), 4, bias=False).macs
    2048
    """
    macs, weights, outputs = _transposed(geometry, shape, out_channels, output_padding)
    return _forward(
        macs,
        weights,
        outputs,
        biases=out_channels * bias,
        inputs=prod(shape),
        item_bytes=item_bytes,
    )


def transposed_backward_cost(
    geometry: Geometry,
    shape: Shape,
    out_channels: int,
    *,
    output_padding: tuple[int, int] = (0, 0),
    bias: bool = True,
    input_gradient: bool = True,
    item_bytes: int = FLOAT32_BYTES,
) -> Cost:
    """As many MACs for the kernel's gradient as forward, and again for the input's.

    >>> transposed_backward_cost(Geometry.of(2, stride=2), (1, 8, 4, 4), 4).macs
    4096
    """
    macs, weights, outputs = _transposed(geometry, shape, out_channels, output_padding)
    return _backward(
        macs,
        weights,
        outputs,
        biases=out_channels * bias,
        inputs=prod(shape),
        input_gradient=input_gradient,
        item_bytes=item_bytes,
    )


def pool_cost(
    geometry: PoolGeometry, shape: Shape, reduce: Reduce, *, item_bytes: int = FLOAT32_BYTES
) -> Cost:
    """No MAC: per output `kh kw - 1` comparisons, or as many additions and a division.

    >>> pool_cost(PoolGeometry.of(2), (1, 1, 4, 4), "max").other_ops
    12
    """
    n, c, height, width = shape
    outputs = n * c * prod(geometry.output_size(height, width))
    taps = geometry.rows.kernel * geometry.columns.kernel
    return Cost(
        other_ops=outputs * (taps - 1 if reduce == "max" else taps),
        num_activations=outputs,
        read_bytes=prod(shape) * item_bytes,
        written_bytes=outputs * item_bytes,
    )


def pool_backward_cost(
    geometry: PoolGeometry, shape: Shape, reduce: Reduce, *, item_bytes: int = FLOAT32_BYTES
) -> Cost:
    """Per output one addition to the winner, or a division and `kh kw` additions.

    The maximum reads its input again to find the winner; a program may keep its place instead.

    >>> pool_backward_cost(PoolGeometry.of(2), (1, 1, 4, 4), "avg").other_ops
    20
    """
    n, c, height, width = shape
    outputs = n * c * prod(geometry.output_size(height, width))
    taps = geometry.rows.kernel * geometry.columns.kernel
    again = prod(shape) if reduce == "max" else 0
    return Cost(
        other_ops=outputs * (1 if reduce == "max" else taps + 1),
        read_bytes=(outputs + again) * item_bytes,
        written_bytes=prod(shape) * item_bytes,
    )


def adaptive_pool_cost(
    shape: tuple[int, ...],
    output_size: tuple[int, ...],
    reduce: Reduce,
    *,
    item_bytes: int = FLOAT32_BYTES,
) -> Cost:
    """As `pool_cost`, with windows that differ in size, along any number of axes.

    An output of (1, 1) is global pooling.

    >>> adaptive_pool_cost((1, 512, 7, 7), (1, 1), "avg").other_ops
    25088
    """
    n, c, *sizes = shape
    places = prod(output_size)
    seen = prod(  # cells of all windows together
        sum(-(-(i + 1) * size // count) - i * size // count for i in range(count))
        for size, count in zip(sizes, output_size, strict=True)
    )
    return Cost(
        other_ops=n * c * (seen - places if reduce == "max" else seen),
        num_activations=n * c * places,
        read_bytes=prod(shape) * item_bytes,
        written_bytes=n * c * places * item_bytes,
    )


def norm_cost(
    shape: tuple[int, ...],
    *,
    affine: bool = True,
    bias: bool = True,
    training: bool = False,
    item_bytes: int = FLOAT32_BYTES,
) -> Cost:
    """No MAC: per number a subtraction and a division, then a product and a sum if `affine`.

    Without a `bias` there is no such sum. While training also the statistics: a sum for the
    mean, and a subtraction, a square and a sum for the variance. The second of the shape is the
    axis of the channels.

    >>> norm_cost((1, 6, 28, 28)).other_ops, norm_cost((1, 6, 28, 28)).num_parameters
    (18816, 12)
    """
    vectors = affine * (1 + bias)
    per_number = 2 + vectors + 4 * training
    parameters = vectors * shape[1]
    return Cost(
        other_ops=per_number * prod(shape),
        num_parameters=parameters,
        num_activations=prod(shape),
        read_bytes=(prod(shape) + parameters + 2 * shape[1]) * item_bytes,
        written_bytes=prod(shape) * item_bytes,
    )


def layer_norm_cost(
    shape: tuple[int, ...],
    num_features: int,
    *,
    affine: bool = True,
    bias: bool = True,
    item_bytes: int = FLOAT32_BYTES,
) -> Cost:
    """As `norm_cost` while training, always: each image has its own statistics, kept nowhere.

    `num_features` are the numbers of the weight.

    >>> layer_norm_cost((1, 6, 8, 8), 64).other_ops, layer_norm_cost((1, 6, 8, 8), 64).read_bytes
    (3072, 2048)
    """
    vectors = affine * (1 + bias)
    parameters = vectors * num_features
    return Cost(
        other_ops=(6 + vectors) * prod(shape),
        num_parameters=parameters,
        num_activations=prod(shape),
        read_bytes=(prod(shape) + parameters) * item_bytes,
        written_bytes=prod(shape) * item_bytes,
    )


def linear_cost(
    batch: int,
    in_features: int,
    out_features: int,
    *,
    bias: bool = True,
    item_bytes: int = FLOAT32_BYTES,
) -> Cost:
    """`macs = n in out` of a fully connected layer: a 1x1 correlation of 1x1 images.

    >>> linear_cost(1, 400, 120).macs
    48000
    """
    shape = (batch, in_features, 1, 1)
    return correlation_cost(Geometry.of(1), shape, out_features, bias=bias, item_bytes=item_bytes)


def linear_backward_cost(
    batch: int,
    in_features: int,
    out_features: int,
    *,
    bias: bool = True,
    input_gradient: bool = True,
    item_bytes: int = FLOAT32_BYTES,
) -> Cost:
    """As many MACs for the weights' gradient as forward, and again for the input's.

    >>> linear_backward_cost(1, 400, 120).macs
    96000
    """
    return correlation_backward_cost(
        Geometry.of(1),
        (batch, in_features, 1, 1),
        out_features,
        bias=bias,
        input_gradient=input_gradient,
        item_bytes=item_bytes,
    )


def _correlation(geometry: Geometry, shape: Shape, out_channels: int) -> tuple[int, int, int]:
    """MACs, weights and outputs."""
    n, c, height, width = shape
    _check_groups(geometry, c, out_channels)
    weights = out_channels * (c // geometry.groups) * prod(geometry.kernel_size)
    places = n * prod(geometry.output_size(height, width))
    return places * weights, weights, places * out_channels


def _transposed(
    geometry: Geometry, shape: Shape, out_channels: int, output_padding: tuple[int, int]
) -> tuple[int, int, int]:
    """MACs, weights and outputs."""
    n, c, height, width = shape
    _check_groups(geometry, c, out_channels)
    weights = c * (out_channels // geometry.groups) * prod(geometry.kernel_size)
    size = geometry.transposed_size(height, width, output_padding)
    return n * height * width * weights, weights, n * out_channels * prod(size)


def _forward(
    macs: int, weights: int, outputs: int, *, biases: int, inputs: int, item_bytes: int
) -> Cost:
    """The products, and one addition an output if there is a bias."""
    return Cost(
        macs=macs,
        other_ops=outputs if biases else 0,
        num_parameters=weights + biases,
        num_activations=outputs,
        read_bytes=(inputs + weights + biases) * item_bytes,
        written_bytes=outputs * item_bytes,
    )


def _backward(
    macs: int,
    weights: int,
    outputs: int,
    *,
    biases: int,
    inputs: int,
    input_gradient: bool,
    item_bytes: int,
) -> Cost:
    """The kernel's gradient, the bias's if there is one, and the input's if it is wanted."""
    read = outputs + inputs + (weights if input_gradient else 0)
    written = weights + biases + (inputs if input_gradient else 0)
    return Cost(
        macs=macs * (2 if input_gradient else 1),
        other_ops=outputs if biases else 0,  # each dL/dy is added to its bias's sum
        read_bytes=read * item_bytes,
        written_bytes=written * item_bytes,
    )


def _check_groups(geometry: Geometry, in_channels: int, out_channels: int) -> None:
    if in_channels % geometry.groups or out_channels % geometry.groups:
        raise ShapeError(
            f"{in_channels} channels in and {out_channels} channels out do not both divide into "
            f"groups={geometry.groups}"
        )
