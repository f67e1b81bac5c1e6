"""What became of a file's nodes when its model was cleaned up: kept, folded into constants, fused into others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onnx import ModelProto, NodeProto

__all__ = ["Fate", "fates"]

_OF_SHAPES = frozenset({"Constant", "Shape", "Size"})


@dataclass(frozen=True)
class Fate:
    """``node`` is the index of the cleaned-up node that does a node's work, None where nothing has to be done; it is
    ``kept`` if it is that node, else fused into it."""

    node: int | None
    kept: bool = False


def fates(original: ModelProto, cleaned: ModelProto) -> list[Fate]:
    """Fate of every node of ``original``, in order; values keep their names where they survive."""
    nodes, after = list(original.graph.node), list(cleaned.graph.node)
    writers = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    survivors = {name: index for index, node in enumerate(after) for name in node.output if name}
    constants = _constants(original, nodes)
    found: list[Fate | None] = [Fate(None) if constants.issuperset(node.output) else None for node in nodes]
    owners: dict[int, int] = {}
    for place, node in enumerate(after):
        writer = next((writers[name] for name in node.output if name in writers), None)
        if writer is not None:
            owner = _like(node.op_type, writer, nodes, writers, survivors)
            owners[place] = owner
            found[owner] = Fate(place, kept=True)
    readers: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        for name in node.input:
            readers.setdefault(name, []).append(index)
    for index, fate in enumerate(found):
        if fate is None:
            found[index] = Fate(_survivor(index, nodes, readers, survivors))
    for place in range(len(after)):  # a new node with a new name: the first that was fused into it stands for it
        if place not in owners:
            owner = next((i for i, fate in enumerate(found) if fate == Fate(place)), None)
            if owner is not None:
                found[owner] = Fate(place, kept=True)
    return [fate or Fate(None) for fate in found]


def _constants(model: ModelProto, nodes: Sequence[NodeProto]) -> set[str]:
    """Values that do not depend on the input; of shapes, since sizes are fixed."""
    known = {tensor.name for tensor in model.graph.initializer} | {""}
    for node in nodes:
        if node.op_type in _OF_SHAPES or known.issuperset(node.input):
            known.update(node.output)
    return known


def _like(kind: str, writer: int, nodes: Sequence[NodeProto], writers: dict[str, int], survivors: Iterable[str]) -> int:
    """The nearest node of a kind at ``writer`` or before it through values that are gone; else ``writer``."""
    gone = set(survivors)
    pending, seen = [writer], {writer}
    while pending:
        index = pending.pop(0)
        if nodes[index].op_type == kind:
            return index
        for name in nodes[index].input:
            before = writers.get(name)
            if before is not None and name not in gone and before not in seen:
                seen.add(before)
                pending.append(before)
    return writer


def _survivor(
    index: int, nodes: Sequence[NodeProto], readers: dict[str, list[int]], survivors: dict[str, int]
) -> int | None:
    """The node that writes what a node's outputs, or the nearest behind them, became."""
    pending, seen = [index], {index}
    while pending:
        index = pending.pop(0)
        for name in nodes[index].output:
            if name in survivors:
                return survivors[name]
            fresh = [reader for reader in readers.get(name, ()) if reader not in seen]
            seen.update(fresh)
            pending += fresh
    return None
