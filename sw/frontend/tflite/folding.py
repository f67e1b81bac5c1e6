"""Operators on constants: shapes that a model computes, weights in half precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .records import TfliteTensor
from .slicing import slices_of

__all__ = ["FOLDED", "MOVED"]

Options = Mapping[str, Any]
Function = Callable[[Options, Sequence[TfliteTensor]], NDArray[Any]]


def _of_data(function: Callable[..., Any]) -> Function:
    """A function of the operands' elements alone."""
    return lambda options, operands: np.asarray(function(*(tensor.data for tensor in operands)))


def _shape(options: Options, operands: Sequence[TfliteTensor]) -> NDArray[Any]:
    return np.array(operands[0].shape, np.int64)


def _strided_slice(options: Options, operands: Sequence[TfliteTensor]) -> NDArray[Any]:
    data, *where = (tensor.data for tensor in operands)
    assert data is not None
    return data[slices_of(options, data.ndim, *(np.ravel(np.asarray(values)) for values in where))]


def _pack(options: Options, operands: Sequence[TfliteTensor]) -> NDArray[Any]:
    return np.stack([np.asarray(tensor.data) for tensor in operands], axis=options.get("Axis", 0))


def _concatenation(options: Options, operands: Sequence[TfliteTensor]) -> NDArray[Any]:
    return np.concatenate([np.asarray(tensor.data) for tensor in operands], axis=options.get("Axis", 0))


def _gather(options: Options, operands: Sequence[TfliteTensor]) -> NDArray[Any]:
    data, indices = (np.asarray(tensor.data) for tensor in operands)
    return np.take(data, indices, axis=options.get("Axis", 0))


def _product(options: Options, operands: Sequence[TfliteTensor]) -> NDArray[Any]:
    data, axes = (np.asarray(tensor.data) for tensor in operands)
    return np.prod(data, axis=tuple(np.ravel(axes).tolist()), keepdims=bool(options.get("KeepDims", False)))


def _slice(data: NDArray[Any], begin: NDArray[Any], size: NDArray[Any]) -> NDArray[Any]:
    return data[tuple(slice(b, None if s < 0 else b + s) for b, s in zip(begin.ravel(), size.ravel(), strict=True))]


MOVED = frozenset({"RESHAPE", "EXPAND_DIMS", "TRANSPOSE"})
"""Those that leave codes what they are."""

FOLDED: dict[str, Function] = {
    "SHAPE": _shape,
    "STRIDED_SLICE": _strided_slice,
    "SLICE": _of_data(_slice),
    "PACK": _pack,
    "CONCATENATION": _concatenation,
    "GATHER": _gather,
    "REDUCE_PROD": _product,
    "ADD": _of_data(np.add),
    "SUB": _of_data(np.subtract),
    "MUL": _of_data(np.multiply),
    "FLOOR_DIV": _of_data(np.floor_divide),
    "CAST": _of_data(np.asarray),
    "DEQUANTIZE": _of_data(np.asarray),
    "RESHAPE": _of_data(lambda data, *shape: np.reshape(data, np.ravel(shape[0]).tolist())),
    "EXPAND_DIMS": _of_data(lambda data, axis: np.expand_dims(data, int(np.ravel(axis)[0]))),
    "TRANSPOSE": _of_data(lambda data, order: np.transpose(data, np.ravel(order).tolist())),
    "FILL": _of_data(lambda shape, value: np.full(np.ravel(shape).tolist(), value)),
}
"""What each operator makes of constants, in the file's own element types."""
