"""Quantisers of trained models: QONNX's Quant and BipolarQuant, ONNX's QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from ..errors import ModelError
from ..grids import Grid, Rounding
from ..layers import Quantise
from .view import View

if TYPE_CHECKING:
    from .importer import Importer

__all__ = [
    "CONSTANT_QUANTISERS",
    "ROUNDING",
    "bipolar_quant",
    "dequantize_linear",
    "linear_grid",
    "linear_scale_and_zero",
    "quant",
    "quant_grid",
    "quantised",
    "quantize_linear",
]

ROUNDING = "narrows.rounding"
"""Key of a quantiser's metadata under which a frontend names the `Rounding` of its format."""

_LARGEST_BITS = 8
"""Widest activations: what digit planes and integer formats are made for."""

_CODES: Mapping[int, tuple[int, int]] = {
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT4: (-8, 7),
    TensorProto.UINT4: (0, 15),
}
"""Smallest and largest code of each type that activations may have."""

_FRACTIONS: Mapping[int, float] = {TensorProto.FLOAT4E2M1: 0.5}
"""What all values of a floating-point type of codes are small multiples of."""


def quantised(importer: Importer, node: NodeProto, view: View, grid: Grid, *, codes: bool = True) -> None:
    """Lets a node's output be a view rounded to a grid, or the codes of that; the same is made once."""
    key = view.tensor, grid
    if key not in importer.rounded:
        name, output = importer.unique(importer.label(node)), node.output[0]
        importer.layers.append(Quantise(name=name, source=view.tensor, grid=grid, output=output))
        importer.tensors[output] = importer.tensors[view.tensor]
        importer.rounded[key] = output
    importer.views[node.output[0]] = View(importer.rounded[key], view.index)
    if codes:
        importer.codes[node.output[0]] = grid


def _emit(importer: Importer, node: NodeProto, grid: Grid, *, codes: bool = False) -> None:
    """A `Quantise` of the first operand."""
    quantised(importer, node, importer.chw(importer.view(node)), grid, codes=codes)


def _parameter(importer: Importer, node: NodeProto, position: int, default: float | None = None) -> NDArray[Any]:
    value = importer.constant(node, position)
    if value is None:
        if default is None or (position < len(node.input) and node.input[position]):
            raise importer.unsupported(node, "scale, zero point and width must be constant")
        value = np.array(default)
    return value


def _scalar(importer: Importer, node: NodeProto, position: int, what: str, default: float | None = None) -> float:
    """A parameter that is the same for the whole tensor."""
    value = _parameter(importer, node, position, default)
    if value.size == 0 or (value != value.flat[0]).any():
        raise importer.unsupported(node, f"its {what} differs by channel: train with one {what} for a tensor")
    return float(value.flat[0])


def _scale(importer: Importer, node: NodeProto) -> float:
    scale = _scalar(importer, node, 1, "scale")
    if scale <= 0:
        raise ModelError(f"node {importer.label(node)!r} has a scale of {scale}: it must be positive, export it again")
    return scale


def _quant_range(importer: Importer, node: NodeProto) -> tuple[int, int]:
    """Smallest and largest integer of a Quant."""
    attributes = importer.attributes(node)
    mode = attributes.get("rounding_mode", "ROUND").upper()
    if mode not in ("ROUND", "HALF_EVEN"):
        raise importer.unsupported(node, f"it rounds by {mode}: train with rounding_mode ROUND")
    bits = _scalar(importer, node, 3, "bit width")
    signed, narrow = attributes.get("signed", 1), attributes.get("narrow", 0)
    if bits != int(bits) or not 1 + bool(signed) <= bits <= 32:
        raise importer.unsupported(node, f"its bit width of {bits:g} is no width of integers: use 2 to 8 bits")
    half = 1 << (int(bits) - 1)
    return (-half + bool(narrow), half - 1) if signed else (0, 2 * half - 1 - bool(narrow))


def quant_grid(importer: Importer, node: NodeProto) -> Grid:
    """Grid of QONNX's Quant on a tensor: scale, zero point and width must hold for all of it."""
    low, high = _quant_range(importer, node)
    zero = _scalar(importer, node, 2, "zero point")
    if zero != int(zero):
        raise importer.unsupported(node, f"its zero point of {zero:g} is no integer: train with one that is")
    if high - low >= 1 << _LARGEST_BITS:
        raise importer.unsupported(node, f"activations may have at most {_LARGEST_BITS} bits: train with fewer")
    return Grid(scale=_scale(importer, node), zero=int(zero), low=low, high=high, rounding=_rounding(node))


def quant(importer: Importer, node: NodeProto) -> None:
    """Handler of QONNX's Quant on a tensor."""
    _emit(importer, node, quant_grid(importer, node))


def bipolar_quant(importer: Importer, node: NodeProto) -> None:
    """Handler of QONNX's BipolarQuant on a tensor."""
    _emit(importer, node, Grid(scale=_scale(importer, node), zero=0, low=-1, high=1, bipolar=True))


def linear_scale_and_zero(importer: Importer, node: NodeProto) -> tuple[float, int]:
    """Scale and zero point of QuantizeLinear or DequantizeLinear on a tensor."""
    return _scale(importer, node), int(_scalar(importer, node, 2, "zero point", 0))


def linear_grid(importer: Importer, node: NodeProto) -> Grid:
    """Grid of QuantizeLinear or DequantizeLinear on a tensor."""
    scale, zero = linear_scale_and_zero(importer, node)
    given = importer.constant(node, 2)
    if given is None:
        kind = importer.attributes(node).get("output_dtype") or TensorProto.UINT8
    else:
        kind = helper.np_dtype_to_tensor_dtype(given.dtype)
    if kind not in _CODES:
        name = TensorProto.DataType.Name(kind).lower()
        raise importer.unsupported(node, f"its codes are {name}: use int8 or uint8")
    low, high = _CODES[kind]
    return Grid(scale=scale, zero=zero, low=low, high=high, rounding=_rounding(node))


def _rounding(node: NodeProto) -> Rounding:
    """How a frontend of another format says that a quantiser rounds; to even if none says it."""
    said = {entry.key: entry.value for entry in node.metadata_props}
    return Rounding[said.get(ROUNDING, Rounding.EVEN.name)]


def quantize_linear(importer: Importer, node: NodeProto) -> None:
    """Handler of QuantizeLinear on a tensor: its codes stand for rounded values from here on."""
    _emit(importer, node, linear_grid(importer, node), codes=True)


def dequantize_linear(importer: Importer, node: NodeProto) -> None:
    """Handler of DequantizeLinear on an input of integers: rounds the real values that they stand for.

    Samples are those.
    """
    view = importer.chw(importer.view(node))
    if view.tensor != importer.input:
        raise importer.unsupported(node, "no QuantizeLinear wrote its operand: put one before it")
    _emit(importer, node, linear_grid(importer, node))


def _dequantized_constant(
    importer: Importer, node: NodeProto
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    codes = _parameter(importer, node, 0)
    axis = importer.attributes(node).get("axis", 1)
    if importer.attributes(node).get("block_size", 0):
        raise importer.unsupported(node, "its scales hold for blocks: use one scale for a channel or a tensor")

    def spread(values: NDArray[Any]) -> NDArray[np.float64]:
        by_axis = (
            values.reshape([-1 if i == axis % codes.ndim else 1 for i in range(codes.ndim)]) if values.ndim else values
        )
        return np.broadcast_to(by_axis, codes.shape).astype(np.float64)

    scale, zero = spread(_parameter(importer, node, 1)), spread(_parameter(importer, node, 2, 0.0))
    values = scale * (codes.astype(np.float64) - zero)
    fraction = _FRACTIONS.get(helper.np_dtype_to_tensor_dtype(codes.dtype), 1.0)
    return values, None if codes.dtype.name.startswith("float8") else scale * fraction


def _quant_constant(importer: Importer, node: NodeProto) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = _parameter(importer, node, 0).astype(np.float64)
    low, high = _quant_range(importer, node)
    scale, zero = (np.broadcast_to(_parameter(importer, node, i), values.shape).astype(np.float64) for i in (1, 2))
    codes = np.rint(np.clip(values / scale + zero, low, high))
    return scale * (codes - zero), scale


def _bipolar_constant(importer: Importer, node: NodeProto) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = _parameter(importer, node, 0).astype(np.float64)
    scale = np.broadcast_to(_parameter(importer, node, 1), values.shape).astype(np.float64)
    return np.where(values >= 0, scale, -scale), scale


CONSTANT_QUANTISERS = {
    "DequantizeLinear": _dequantized_constant,
    "Quant": _quant_constant,
    "BipolarQuant": _bipolar_constant,
}
"""Real values that a node makes of a constant, and their steps of the same shape, None if they are no integers."""
