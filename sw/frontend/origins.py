"""Names of a model's nodes, and the layers that they became part of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from onnx import NodeProto

from ..layers import Layer
from ..origin import joined

__all__ = ["give_names", "node_label"]


def node_label(node: NodeProto) -> str:
    """Short name of a node: converters join whole chains of names by semicolons."""
    return (node.name or next(filter(None, node.output))).split(";")[0]


def give_names(nodes: Sequence[NodeProto], layers: Sequence[Layer], made: dict[str, list[str]]) -> list[Layer]:
    """The layers, with the names of nodes whose own layers nobody reads: those went into the nodes behind them.

    Parameters
    ----------
    nodes : sequence of NodeProto
        All of the model, in order.
    layers : sequence of Layer
        Those that an output depends on.
    made : mapping of lists of str
        By the first output of a node, the tensors that its layers write.
    """
    live = {layer.output: layer for layer in layers}
    waiting: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        before = joined(*(waiting.get(name, ()) for name in node.input))
        tensors = made.get(node.output[0], [])
        here = [tensor for tensor in tensors if tensor in live]
        for tensor in here:
            live[tensor] = replace(live[tensor], origin=joined(before, live[tensor].origin))
        if not here:
            waiting |= dict.fromkeys(node.output, joined(before, [node_label(node)]) if tensors else before)
    return [live[layer.output] for layer in layers]
