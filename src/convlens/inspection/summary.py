"""Summary: a trace as rows that a person reads, repeated blocks told once.

Siblings that follow each other and are the same in kind, settings, shapes and all that is inside
them become one row, with the numbers of one of them and how many there are. Totals are of all.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from convlens.inspection.trace import Failure, LayerRecord, Shape, Trace
from convlens.ops.cost import FLOAT32_BYTES

WeightKind = Literal["convolution", "linear", "norm", "other"]
WEIGHTED: tuple[WeightKind, ...] = ("convolution", "linear")  # what a network's name counts
CONVOLUTIONS = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d,
    nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One layer, or several equal ones that follow each other."""

    path: str  # of the first
    names: tuple[str, ...]  # the last part of each one's path
    kind: str
    indent: int
    output: Shape | None  # without the batch; None where there is no single one
    num_parameters: int  # of one
    macs: int  # of one
    weight_layers: int  # convolutions and linear layers in one
    arithmetic: str  # how the parameters of a layer come about
    is_open: bool  # the rows of what is inside follow


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A piece that a network is drawn in, and its layers with weights."""

    name: str
    weight_layers: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The rows, and what they add up to."""

    rows: tuple[Row, ...]
    inputs: tuple[Shape, ...]
    num_parameters: int
    num_trainable: int
    parameters_by_kind: dict[WeightKind, int]
    layers_by_kind: dict[WeightKind, int]  # layers that ran, each once
    parts: tuple[Part, ...]
    shortcut_layers: int  # convolutions and linear layers in shortcuts, which no name counts
    macs: int
    num_activations: int  # outputs of all layers without layers inside
    failure: Failure | None

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each MAC."""
        return 2 * self.macs

    @property
    def parameter_bytes(self) -> int:
        """What the parameters take as float32."""
        return self.num_parameters * FLOAT32_BYTES

    @property
    def weight_layers(self) -> int:
        """Convolutions and linear layers: the 11 of VGG-11; with shortcuts, 4 more than the 50."""
        return sum(self.layers_by_kind[kind] for kind in WEIGHTED)


def summarize(traced: Trace, module: nn.Module, *, depth: int | None = None) -> Summary:
    """The summary of `module`'s trace; rows no deeper than `depth`, or all.

    >>> from torch import zeros
    >>> from convlens.inspection.trace import trace
    >>> net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.ReLU())
    >>> summary = summarize(trace(net, zeros(1, 1, 28, 28)), net)
    >>> [(row.names, row.kind, row.arithmetic) for row in summary.rows]
    [(('0',), 'Conv2d', '5x5x1x6 + 6 = 156'), (('1', '2'), 'ReLU', '')]
    """
    whole = _tree(traced.layers)
    top = whole.children or [whole]
    parameters, layers = _by_kind(module, traced)
    return Summary(
        rows=tuple(_rows(top, 0, depth)),
        inputs=whole.record.inputs,
        num_parameters=sum(p.numel() for p in module.parameters()),
        num_trainable=sum(p.numel() for p in module.parameters() if p.requires_grad),
        parameters_by_kind=parameters,
        layers_by_kind=layers,
        parts=tuple(_parts(top)),
        shortcut_layers=_shortcut_layers(traced),
        macs=whole.record.macs,
        num_activations=sum(leaf.num_activations for leaf in traced.leaves),
        failure=traced.failure,
    )


@dataclass(frozen=True, slots=True)
class _Node:
    record: LayerRecord
    children: list["_Node"]

    @property
    def name(self) -> str:
        return self.record.path.rpartition(".")[2]

    @property
    def signature(self) -> object:
        """What two layers have in common that are told as one."""
        record = self.record
        inside = tuple((child.name, child.signature) for child in self.children)
        settings = record.module.extra_repr()
        sizes = (record.inputs, record.outputs, record.num_parameters)
        return record.kind, settings, sizes, inside

    def leaves(self) -> Iterator["_Node"]:
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    def weight_layers(self) -> int:
        return sum(_kind(leaf.record.module) in WEIGHTED for leaf in self.leaves())


def _tree(layers: Sequence[LayerRecord]) -> _Node:
    """The layers, each in the one that it ran in."""
    nodes = [_Node(record, []) for record in layers]
    above: list[_Node] = []  # at each depth the last node
    for node in nodes:
        del above[node.record.depth :]
        if above:
            above[-1].children.append(node)
        above.append(node)
    return nodes[0]


def _rows(nodes: Sequence[_Node], indent: int, depth: int | None) -> Iterator[Row]:
    for group in _groups(nodes):
        first = group[0]
        record = first.record
        is_open = bool(first.children) and (depth is None or indent + 1 < depth)
        yield Row(
            path=record.path,
            names=tuple(node.name for node in group),
            kind=record.kind,
            indent=indent,
            output=record.outputs[0][1:] if len(record.outputs) == 1 else None,
            num_parameters=record.num_parameters,
            macs=record.macs,
            weight_layers=first.weight_layers(),
            arithmetic="" if record.formula is None else record.formula.arithmetic,
            is_open=is_open,
        )
        if is_open:
            yield from _rows(first.children, indent + 1, depth)


def _groups(nodes: Sequence[_Node]) -> Iterator[list[_Node]]:
    """Runs of equal siblings."""
    group: list[_Node] = []
    for node in nodes:
        if group and node.signature != group[0].signature:
            yield group
            group = []
        group.append(node)
    if group:
        yield group


def _parts(top: Sequence[_Node]) -> Iterator[Part]:
    """The stem, each stage of the body, each layer of the head; else each child of the whole."""
    for node in top:
        divided = node.name in {"body", "head"} and node.children
        for piece in node.children if divided else [node]:
            if count := piece.weight_layers():
                name = piece.record.path if piece.name.isdecimal() else piece.name
                yield Part(name=name, weight_layers=count)


def _shortcut_layers(traced: Trace) -> int:
    """Layers with weights in a `shortcut` or `projection` beside a `residual`, each once."""
    paths = {layer.path for layer in traced.layers}

    def passes_by(path: str) -> bool:
        above, dot, name = path.rpartition(".")
        beside = name in {"shortcut", "projection"} and f"{above}{dot}residual" in paths
        return beside or (bool(above) and passes_by(above))

    layers = (leaf for leaf in traced.leaves if passes_by(leaf.path))
    return len({id(leaf.module) for leaf in layers if _kind(leaf.module) in WEIGHTED})


def _by_kind(
    module: nn.Module, traced: Trace
) -> tuple[dict[WeightKind, int], dict[WeightKind, int]]:
    """Parameters of the whole module, and layers that ran, by kind."""
    parameters: Counter[WeightKind] = Counter()
    seen: set[int] = set()
    for part in module.modules():
        for parameter in part.parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                parameters[_kind(part)] += parameter.numel()
    ran = {id(leaf.module): _kind(leaf.module) for leaf in traced.leaves}
    layers = Counter(ran.values())
    kinds: tuple[WeightKind, ...] = ("convolution", "linear", "norm", "other")
    return {kind: parameters[kind] for kind in kinds}, {kind: layers[kind] for kind in kinds}


def _kind(layer: nn.Module) -> WeightKind:
    if isinstance(layer, CONVOLUTIONS):
        return "convolution"
    if isinstance(layer, nn.Linear):
        return "linear"
    return "norm" if "Norm" in type(layer).__name__ else "other"
