"""Ledger: parameters and MACs counted three ways, and each difference given its name.

- by formula: from each layer's settings and the shape of its input (`formulas.py`);
- by trace: from the operations that ran (`operations.py`), and the parameters that are there;
- by `torch.utils.flop_counter`, torch's own count, in a pass of its own.

An entry that no rule explains is a fault of one of the three, and `Ledger.balanced` is False.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from convlens.inspection.trace import LayerRecord, Trace, trace
from convlens.inspection.watch import as_it_was, in_single_operations

# Kinds with operations that are no MAC, besides the bias of the two that have one.
COMPUTING = ("attention", "norm", "add", "pooling", "pointwise", "reduction", "transform")
KNOWN_TO_COUNTER = frozenset(str(operation).split(".")[-1] for operation in flop_registry)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One difference between the counts, by its name."""

    name: str
    amount: int
    unit: str  # MACs, parameters, operations or FLOPs
    why: str
    explained: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """The counts of one forward pass, and what lies between them."""

    formula_macs: int
    traced_macs: int
    counted_flops: int  # by torch.utils.flop_counter
    formula_parameters: int
    num_parameters: int
    entries: tuple[Entry, ...]

    @property
    def balanced(self) -> bool:
        """Every MAC and every parameter is accounted for."""
        return all(entry.explained for entry in self.entries)


def reconcile(module: nn.Module, *inputs: Tensor) -> Ledger:
    """The ledger of one forward pass in evaluation mode; the module stays as it was.

    >>> ledger = reconcile(nn.Conv2d(1, 6, 5), torch.zeros(1, 1, 28, 28))
    >>> ledger.formula_macs, ledger.traced_macs, ledger.counted_flops, ledger.balanced
    (86400, 86400, 172800, True)

    Raises:
        ShapeError: the inputs do not fit.
    """
    traced = trace(module, *inputs)
    flops = _count_flops(module, inputs)
    leaves = [leaf for leaf in traced.leaves if leaf.formula is not None]
    entries = [
        *_layers_that_differ(leaves),
        *_outside_of_formulas(traced, leaves),
        *_counters_that_differ(traced, flops),
        *_operations_without_macs(traced, leaves),
        *_parameters_that_differ(module, traced, leaves),
    ]
    return Ledger(
        formula_macs=sum(leaf.formula.cost.macs for leaf in leaves if leaf.formula),
        traced_macs=traced.whole.macs,
        counted_flops=sum(flops.values()),
        formula_parameters=sum(_formula_parameters(leaves).values()),
        num_parameters=traced.whole.num_parameters,
        entries=tuple(entries),
    )


def _count_flops(module: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, int]:
    """FLOPs by the name of the operation, by torch's own counter."""
    with as_it_was(module), in_single_operations(), torch.no_grad():
        module.eval()
        with FlopCounterMode(display=False) as counter:
            module(*inputs)
    found = counter.get_flop_counts().get("Global", {})
    return {str(operation).split(".")[-1]: flops for operation, flops in found.items()}


def _layers_that_differ(leaves: Iterable[LayerRecord]) -> Iterable[Entry]:
    """Layers whose formula is not what ran: another algorithm, or a fault."""
    for leaf in leaves:
        assert leaf.formula is not None
        difference = leaf.macs - leaf.formula.cost.macs
        if not difference:
            continue
        algorithm = getattr(leaf.module, "implementation", "native")
        if algorithm == "native":
            why = f"the formula of {leaf.kind} says {leaf.formula.cost.macs:,}, {leaf.macs:,} ran"
        else:
            why = f"{leaf.kind} ran by the algorithm {algorithm!r}, not by the definition"
        yield Entry(
            name=f"layer {leaf.path}" if leaf.path else "the module",
            amount=difference,
            unit="MACs",
            why=why,
            explained=algorithm != "native",
        )


def _outside_of_formulas(traced: Trace, leaves: Iterable[LayerRecord]) -> Iterable[Entry]:
    """MACs of operations in modules that no formula speaks for."""
    spoken_for = {leaf.path for leaf in leaves}
    kinds = {layer.path: layer.kind for layer in traced.layers}
    macs: Counter[tuple[str, str]] = Counter()
    for operation in traced.whole.operations:
        if operation.path not in spoken_for and operation.counted.macs:
            macs[operation.path, operation.name] += operation.counted.macs
    for (path, name), amount in macs.items():
        yield Entry(
            name=f"{name} in {path or 'the module'}",
            amount=amount,
            unit="MACs",
            why=f"{kinds[path]} calls it itself; there is no formula by settings for that",
        )


def _counters_that_differ(traced: Trace, flops: dict[str, int]) -> Iterable[Entry]:
    """The factor 2, and operations that only one of the two counters knows."""
    macs: Counter[str] = Counter()
    for operation in traced.whole.operations:
        macs[operation.name] += operation.counted.macs
    agreed = sum(macs[name] for name in flops)
    yield Entry(
        name="factor 2",
        amount=agreed,
        unit="FLOPs",
        why="a MAC is a product and a sum; flop_counter counts both",
    )
    for name in sorted({*macs, *flops}):
        difference = macs[name] - flops.get(name, 0) // 2
        if difference:
            yield Entry(
                name=f"flop_counter on {name}",
                amount=difference,
                unit="MACs",
                why=f"flop_counter says {flops.get(name, 0):,} FLOPs, the trace {macs[name]:,} MACs"
                if name in KNOWN_TO_COUNTER
                else "flop_counter does not know it",
                explained=name not in KNOWN_TO_COUNTER,
            )


def _operations_without_macs(traced: Trace, leaves: Iterable[LayerRecord]) -> Iterable[Entry]:
    """What computes and is no MAC: only the trace counts it, as single operations."""
    counted = [operation.counted for operation in traced.whole.operations]
    if biases := sum(each.bias_ops for each in counted):
        why = "one addition per number of an output; no MAC, and not in flop_counter"
        yield Entry(name="bias", amount=biases, unit="operations", why=why)
    for kind in COMPUTING:
        if amount := sum(each.other_ops for each in counted if each.kind == kind):
            why = "no product is added to a sum; not in flop_counter"
            yield Entry(name=kind, amount=amount, unit="operations", why=why)
    unknown = {op.name for op in traced.whole.operations if op.counted.kind == "other"}
    for name in sorted(unknown):
        why = "not in the table of operations: it may compute, and is counted as nothing"
        yield Entry(name=name, amount=0, unit="operations", why=why, explained=False)
    saved = sum(
        leaf.macs * (groups - 1)
        for leaf in leaves
        if (groups := int(getattr(leaf.module, "groups", 1))) > 1
    )
    if saved:
        why = "what a count that overlooks groups would add"
        yield Entry(name="groups", amount=saved, unit="MACs", why=why)


def _parameters_that_differ(
    module: nn.Module, traced: Trace, leaves: Iterable[LayerRecord]
) -> Iterable[Entry]:
    """Parameters that no formula speaks for, and formulas that speak of one twice."""
    by_formula = _formula_parameters(leaves)
    ran = {layer.path for layer in traced.layers}
    seen: set[int] = set()
    for path, part in module.named_modules():
        held = {id(p): p.numel() for p in part.parameters(recurse=False)}
        shared = sum(numbers for key, numbers in held.items() if key in seen)
        seen |= set(held)
        difference = sum(held.values()) - shared - by_formula.get(id(part), 0)
        if not difference:
            continue
        kind = type(part).__name__
        if path not in ran:
            why, explained = f"{kind} did not run in this pass", True
        elif id(part) not in by_formula:
            why, explained = f"{kind} holds them itself; it has no formula", True
        else:
            explained = difference == -shared
            why = "shared with a layer before it" if explained else f"{kind}'s formula is wrong"
        yield Entry(
            name=path or "the module",
            amount=difference,
            unit="parameters",
            why=why,
            explained=explained,
        )


def _formula_parameters(leaves: Iterable[LayerRecord]) -> dict[int, int]:
    """By layer, so that one that is called twice counts once."""
    return {id(leaf.module): leaf.formula.cost.num_parameters for leaf in leaves if leaf.formula}
