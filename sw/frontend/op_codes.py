"""Operators on the codes of quantised tensors: views show the real values that codes stand for.

What moves or compares codes does the same to real values. Numbers that an operator names are codes, too, so 0 is not
the real 0. A cast to a wider type makes numbers of codes, with which everything else computes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from onnx import NodeProto, TensorProto, helper

from ..grids import Grid
from ..layers import Affine, Quantise
from .op_quant import linear_scale_and_zero, quantised
from .op_shape import REARRANGEMENTS
from .operators import HANDLERS
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["on_codes"]

_NARROW = frozenset(
    {TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4, TensorProto.BOOL}
    | {TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2, TensorProto.FLOAT4E2M1}
)
"""Types that do not hold all codes."""


def on_codes(importer: Importer, node: NodeProto) -> None:
    """Handler of every node that reads codes."""
    position = next(i for i, name in enumerate(node.input) if name in importer.codes)
    grid = importer.codes[node.input[position]]
    handler = _HANDLERS.get(node.op_type)
    if handler is None or grid.bipolar:
        raise importer.unsupported(node, "it computes with codes of a quantiser: put a DequantizeLinear before it")
    handler(importer, node, grid)


def _moved(importer: Importer, node: NodeProto, grid: Grid) -> None:
    """What moves or compares codes: the handler of real values does."""
    HANDLERS[node.op_type](importer, node)
    importer.codes |= dict.fromkeys(filter(None, node.output), grid)


def _concat(importer: Importer, node: NodeProto, grid: Grid) -> None:
    grids = [importer.codes.get(name) for name in node.input]
    if any(other is None or (other.scale, other.zero) != (grid.scale, grid.zero) for other in grids):
        raise importer.unsupported(node, "its operands are codes of different scales: dequantise them before it")
    ends = [other for other in grids if other is not None]
    _moved(importer, node, replace(grid, low=min(g.low for g in ends), high=max(g.high for g in ends)))


def _real(grid: Grid, code: float) -> float:
    return grid.scale * (code - grid.zero)


def _dequantised(importer: Importer, node: NodeProto, grid: Grid) -> None:
    """DequantizeLinear: nothing is left to do, or a scale of its own and a zero point to be applied."""
    scale, zero = linear_scale_and_zero(importer, node)
    if (scale, zero) == (grid.scale, grid.zero):
        importer.views[node.output[0]] = importer.chw(importer.view(node))
    else:
        _affine(importer, node, scale / grid.scale, scale * (grid.zero - zero))


def _cast(importer: Importer, node: NodeProto, grid: Grid) -> None:
    """Codes as numbers."""
    wanted = importer.attributes(node)["to"]
    if wanted in _NARROW:
        raise importer.unsupported(node, "it casts codes to a type that may not hold them: use int32 or float")
    _affine(importer, node, 1.0 / grid.scale, grid.zero)


def _affine(importer: Importer, node: NodeProto, scale: float, bias: float) -> None:
    view = importer.chw(importer.view(node))
    shape = importer.tensors[view.tensor]
    layer = Affine(
        name=importer.unique(importer.label(node)),
        source=view.tensor,
        scale=np.full(shape[0], float(scale)),
        bias=np.full(shape[0], float(bias)),
        output=node.output[0],
    )
    importer.emit(node, layer, shape, view.index)


def _clip(importer: Importer, node: NodeProto, grid: Grid) -> None:
    ends: list[int | None] = []
    for position in (1, 2):
        bound = importer.constant(node, position)
        if bound is None and position < len(node.input) and node.input[position]:
            raise importer.unsupported(node, "its bounds must be constant")
        ends.append(None if bound is None else int(bound.item()))
    _narrowed(importer, node, grid, ends[0], ends[1])


def _relu(importer: Importer, node: NodeProto, grid: Grid) -> None:
    _narrowed(importer, node, grid, 0, None)


def _narrowed(importer: Importer, node: NodeProto, grid: Grid, low: int | None, high: int | None) -> None:
    """Codes between two others: where a quantiser alone wrote them, it rounds to fewer from the start."""
    low, high = (int(np.clip(end, grid.low, grid.high)) for end in (_or(low, grid.low), _or(high, grid.high)))
    if low > high:
        raise importer.unsupported(node, f"it clips to an empty range {low}..{high}")
    view = importer.chw(importer.view(node))
    narrow = replace(grid, low=low, high=high)
    writer = next((layer for layer in importer.layers if layer.output == view.tensor), None)
    if isinstance(writer, Quantise):
        view = View(writer.source, view.index)
    quantised(importer, node, view, narrow)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _pad(importer: Importer, node: NodeProto, grid: Grid) -> None:
    """Pad with a code: in terms of the distance from what that code stands for, it pads with 0."""
    value = importer.constant(node, 2)
    if value is None and len(node.input) > 2 and node.input[2]:
        raise importer.unsupported(node, "it must pad by constant amounts with a constant")
    code = 0 if value is None or not value.size else int(value.item())
    if not grid.low <= code <= grid.high:
        raise importer.unsupported(node, f"it pads with {code}, which is no code of its operand")
    amounts, axes, output, name = node.input[1], list(node.input[3:4]), node.output[0], importer.label(node)
    inner = [amounts, *(["", *axes] if axes else [])]
    if code == grid.zero:
        HANDLERS["Pad"](importer, helper.make_node("Pad", [node.input[0], *inner], [output], name=name))
    else:
        moved, rounded, padded = (f"{output}/{part}" for part in ("moved", "rounded", "padded"))
        shift = _real(grid, code)
        _affine(importer, helper.make_node("Pad", [node.input[0]], [moved], name=f"{name}/from"), 1.0, -shift)
        again = helper.make_node("Pad", [moved], [rounded], name=f"{name}/codes")
        quantised(importer, again, importer.views[moved], replace(grid, zero=code))
        HANDLERS["Pad"](importer, helper.make_node("Pad", [rounded, *inner], [padded], name=name))
        _affine(importer, helper.make_node("Pad", [padded], [output], name=f"{name}/to"), 1.0, shift)
    importer.codes[output] = grid


_HANDLERS: dict[str, Callable[[Importer, NodeProto, Grid], None]] = dict.fromkeys(REARRANGEMENTS, _moved) | {
    "MaxPool": _moved,
    "GlobalMaxPool": _moved,
    "ReduceMax": _moved,
    "Split": _moved,
    "Resize": _moved,
    "Concat": _concat,
    "DequantizeLinear": _dequantised,
    "Cast": _cast,
    "Clip": _clip,
    "Relu": _relu,
    "Pad": _pad,
}
