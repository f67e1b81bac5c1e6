"""Operators that move no data: they change the view of a tensor, not the tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["REARRANGEMENTS", "leave_to_host", "rearrange"]

Index = NDArray[np.int64]


def _axes(importer: Importer, node: NodeProto) -> tuple[int, ...] | None:
    """Axes of Squeeze and Unsqueeze: an operand since opset 13, an attribute before."""
    operand = importer.constant(node, 1)
    axes: Any = importer.attributes(node).get("axes") if operand is None else operand.ravel()
    return None if axes is None else tuple(int(axis) for axis in axes)


def _identity(importer: Importer, node: NodeProto, index: Index) -> Index:
    return index


def _cast(importer: Importer, node: NodeProto, index: Index) -> Index:
    if importer.attributes(node)["to"] not in (1, 10, 11):
        raise importer.unsupported(node, "only casts between floating-point types can be dropped")
    return index


def _reshape(importer: Importer, node: NodeProto, index: Index) -> Index:
    target = importer.constant(node, 1)
    if target is None:
        raise importer.unsupported(node, "its shape must be constant")
    keep = not importer.attributes(node).get("allowzero", 0)
    shape = [index.shape[axis] if size == 0 and keep else int(size) for axis, size in enumerate(target.ravel())]
    return index.reshape(shape)


def _flatten(importer: Importer, node: NodeProto, index: Index) -> Index:
    axis = importer.attributes(node).get("axis", 1)
    return index.reshape(int(np.prod(index.shape[:axis], dtype=np.int64)), -1)


def _squeeze(importer: Importer, node: NodeProto, index: Index) -> Index:
    return np.squeeze(index, _axes(importer, node))


def _unsqueeze(importer: Importer, node: NodeProto, index: Index) -> Index:
    return np.expand_dims(index, _axes(importer, node) or ())


def _transpose(importer: Importer, node: NodeProto, index: Index) -> Index:
    return index.transpose(importer.attributes(node).get("perm"))


REARRANGEMENTS: dict[str, Callable[[Importer, NodeProto, Index], Index]] = {
    "Identity": _identity,
    "Dropout": _identity,
    "Cast": _cast,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
}
"""What each operator does to a view's index array."""


def rearrange(importer: Importer, node: NodeProto) -> None:
    """Handler of all `REARRANGEMENTS`."""
    if node.op_type == "Dropout" and (training := importer.constant(node, 2)) is not None and training.any():
        raise importer.unsupported(node, "export the model in evaluation mode")
    view = importer.view(node)
    index = REARRANGEMENTS[node.op_type](importer, node, view.index)
    importer.views[node.output[0]] = View(view.tensor, index)


_PASSED_ON = frozenset({"QuantizeLinear", "DequantizeLinear", "Quant", "Identity", "Cast"})
"""Operators between one that is left to the host and an output that are left to it, too."""


def leave_to_host(importer: Importer, node: NodeProto) -> None:
    """Handler of operators that the host computes: only as the last node, quantisers behind it not counted."""
    output = node.output[0]
    chain, readers = [output], _readers(importer, output)
    while len(readers) == 1 and readers[0].op_type in _PASSED_ON and chain[-1] not in importer.outputs:
        chain.append(readers[0].output[0])
        readers = _readers(importer, chain[-1])
    if readers or chain[-1] not in importer.outputs:
        raise importer.unsupported(node, "only as the last node, where it is left to the host")
    importer.notes.append(f"{node.op_type} (node {importer.label(node)!r}) is left to the host: outputs are its inputs")
    importer.left_to_host.update(chain)
    importer.views[chain[-1]] = importer.view(node)


def _readers(importer: Importer, name: str) -> list[NodeProto]:
    return [node for node in importer.model.graph.node if name in node.input]
