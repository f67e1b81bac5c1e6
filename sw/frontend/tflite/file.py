"""Reads a TFLite file into plain records: tensors with their quantisation, operators with their options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from ...errors import ModelError, UnsupportedOperator

__all__ = ["TfliteModel", "TfliteNode", "TfliteTensor", "read_tflite"]

_IDENTIFIER = b"TFL3"

_TYPES = {
    tflite.TensorType.FLOAT32: np.dtype(np.float32),
    tflite.TensorType.INT32: np.dtype(np.int32),
    tflite.TensorType.UINT8: np.dtype(np.uint8),
    tflite.TensorType.INT64: np.dtype(np.int64),
    tflite.TensorType.INT8: np.dtype(np.int8),
    tflite.TensorType.BOOL: np.dtype(np.bool_),
    tflite.TensorType.INT16: np.dtype(np.int16),
}

_NAMES = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}

_OPTIONS: Mapping[str, tuple[Any, tuple[str, ...]]] = {
    "CONV_2D": (
        tflite.Conv2DOptions,
        ("Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor", "FusedActivationFunction"),
    ),
    "DEPTHWISE_CONV_2D": (
        tflite.DepthwiseConv2DOptions,
        ("Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor", "FusedActivationFunction"),
    ),
    "FULLY_CONNECTED": (tflite.FullyConnectedOptions, ("FusedActivationFunction",)),
    "AVERAGE_POOL_2D": (
        tflite.Pool2DOptions,
        ("Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth", "FusedActivationFunction"),
    ),
    "MAX_POOL_2D": (
        tflite.Pool2DOptions,
        ("Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth", "FusedActivationFunction"),
    ),
    "ADD": (tflite.AddOptions, ("FusedActivationFunction",)),
    "SUB": (tflite.SubOptions, ("FusedActivationFunction",)),
    "MUL": (tflite.MulOptions, ("FusedActivationFunction",)),
    "CONCATENATION": (tflite.ConcatenationOptions, ("Axis", "FusedActivationFunction")),
    "MEAN": (tflite.ReducerOptions, ("KeepDims",)),
    "LEAKY_RELU": (tflite.LeakyReluOptions, ("Alpha",)),
}
"""Options of each operator, by the names of the schema."""


@dataclass(frozen=True, kw_only=True)
class TfliteTensor:
    """A tensor: ``data`` if it is constant, ``scale`` and ``zero`` if its integers stand for real values.

    Those are one value, or one for each index of ``axis``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    data: NDArray[Any] | None
    scale: NDArray[np.float32] | None
    zero: NDArray[np.int64]
    axis: int


@dataclass(frozen=True, kw_only=True)
class TfliteNode:
    """An operator; absent inputs are -1."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TfliteModel:
    """The first subgraph of a file; inputs and outputs are indices of tensors."""

    tensors: tuple[TfliteTensor, ...]
    nodes: tuple[TfliteNode, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_tflite(path: Path) -> TfliteModel:
    """Records of a file.

    Raises
    ------
    ModelError
        If the file cannot be read or is no TFLite model.
    UnsupportedOperator
        If a tensor is of a type that none of the operators takes.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    if content[4:8] != _IDENTIFIER:
        raise ModelError(f"cannot read {path}: it holds no TFLite model; convert the model again")
    try:
        model: Any = tflite.Model.GetRootAsModel(content, 0)
        if model.SubgraphsLength() != 1:
            raise UnsupportedOperator(f"{path} holds {model.SubgraphsLength()} subgraphs: only one is supported")
        graph = model.Subgraphs(0)
        return TfliteModel(
            tensors=tuple(_tensor(model, graph.Tensors(i)) for i in range(graph.TensorsLength())),
            nodes=tuple(_node(model, graph.Operators(i)) for i in range(graph.OperatorsLength())),
            inputs=_indices(graph.InputsAsNumpy()),
            outputs=_indices(graph.OutputsAsNumpy()),
        )
    except ModelError:
        raise
    except Exception as error:  # flatbuffers checks nothing: damage shows as whatever comes of it
        raise ModelError(
            f"cannot read {path}: it is damaged ({type(error).__name__}); convert the model again"
        ) from error


def _indices(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in np.atleast_1d(values))


def _tensor(model: Any, tensor: Any) -> TfliteTensor:
    name = tensor.Name().decode()
    if tensor.Type() not in _TYPES:
        raise UnsupportedOperator(f"tensor {name!r} is of a type that is not supported: use int8")
    dtype = _TYPES[tensor.Type()]
    shape = tuple(int(size) for size in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
    buffer = model.Buffers(tensor.Buffer())
    data = None
    if buffer.DataLength():
        data = np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype=dtype.newbyteorder("<")).astype(dtype).reshape(shape)
    scale, zero, axis = None, np.zeros(1, dtype=np.int64), 0
    quantisation = tensor.Quantization()
    if quantisation is not None and quantisation.ScaleLength():
        scale = np.array(quantisation.ScaleAsNumpy(), dtype=np.float32)
        if quantisation.ZeroPointLength():
            zero = np.array(quantisation.ZeroPointAsNumpy(), dtype=np.int64)
        axis = quantisation.QuantizedDimension()
    return TfliteTensor(name=name, shape=shape, dtype=dtype, data=data, scale=scale, zero=zero, axis=axis)


def _node(model: Any, operator: Any) -> TfliteNode:
    code = model.OperatorCodes(operator.OpcodeIndex())
    kind = _NAMES.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "unknown")
    options: dict[str, Any] = {}
    table = operator.BuiltinOptions()
    if kind in _OPTIONS and table is not None:
        record_type, names = _OPTIONS[kind]
        record = record_type()
        record.Init(table.Bytes, table.Pos)
        options = {name: getattr(record, name)() for name in names}
    inputs, outputs = _indices(operator.InputsAsNumpy()), _indices(operator.OutputsAsNumpy())
    return TfliteNode(kind=kind, inputs=inputs, outputs=outputs, options=options)
