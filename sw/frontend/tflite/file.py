"""Reads a TFLite file into plain records: tensors with their quantisation, operators with their options."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from ...errors import ModelError, UnsupportedOperator
from .options import OPTIONS
from .records import TfliteNode, TfliteTensor
from .variables import STATEFUL, Subgraph, TfliteVariable, variables_of

__all__ = ["IDENTIFIER", "TfliteModel", "is_hybrid", "read_tflite"]

IDENTIFIER = b"TFL3"
"""Bytes 4 to 7 of every file."""

_TYPES = {
    tflite.TensorType.FLOAT32: np.dtype(np.float32),
    tflite.TensorType.FLOAT16: np.dtype(np.float16),
    tflite.TensorType.FLOAT64: np.dtype(np.float64),
    tflite.TensorType.INT32: np.dtype(np.int32),
    tflite.TensorType.UINT8: np.dtype(np.uint8),
    tflite.TensorType.INT64: np.dtype(np.int64),
    tflite.TensorType.INT8: np.dtype(np.int8),
    tflite.TensorType.BOOL: np.dtype(np.bool_),
    tflite.TensorType.INT16: np.dtype(np.int16),
    tflite.TensorType.UINT32: np.dtype(np.uint32),
    tflite.TensorType.INT4: np.dtype(np.int8),
    tflite.TensorType.RESOURCE: np.dtype(np.int32),  # handles of variables
}

_TYPE_NAMES = {value: name for name, value in vars(tflite.TensorType).items() if isinstance(value, int)}
_KINDS = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}

_MOST_AXES = 8
_MOST_ELEMENTS = 1 << 26
"""Of a tensor: no machine that this is made for holds more."""


@dataclass(frozen=True, kw_only=True)
class TfliteModel:
    """The main function of a file; inputs and outputs are indices of tensors. Nodes are those that compute something:
    what deals with variables is in these."""

    tensors: tuple[TfliteTensor, ...]
    nodes: tuple[TfliteNode, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    variables: tuple[TfliteVariable, ...] = ()


def read_tflite(path: Path) -> TfliteModel:
    """Records of a file.

    Raises
    ------
    ModelError
        If the file cannot be read or is no TFLite model.
    UnsupportedOperator
        If a tensor is of a type that none of the operators takes, the model has several functions, or its variables
        are more than states that each run takes over from the one before it (`variables_of`).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    if content[4:8] != IDENTIFIER:
        raise ModelError(f"cannot read {path}: it holds no TFLite model; convert the model again")
    try:
        return _Reader(content).model(path)
    except ModelError:
        raise
    except Exception as error:  # flatbuffers checks nothing: damage shows as whatever comes of it
        raise ModelError(
            f"cannot read {path}: it is damaged ({type(error).__name__}); convert the model again"
        ) from error


def is_hybrid(path: Path) -> bool:
    """Whether weights are integers and what they are multiplied by is not (dynamic-range quantisation)."""
    model = read_tflite(path)
    products = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "TRANSPOSE_CONV"}
    for node in model.nodes:
        if node.kind in products:
            known = [model.tensors[index] for index in node.inputs[:2] if index >= 0]
            if any(tensor.scale is not None for tensor in known) and model.tensors[node.outputs[0]].scale is None:
                return True
    return False


class _Reader:
    """A file's content; whatever it says of counts and places is held against its length before it is believed."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.root: Any = tflite.Model.GetRootAsModel(content, 0)

    def model(self, path: Path) -> TfliteModel:
        codes = [self.root.OperatorCodes(i) for i in range(self.count(self.root.OperatorCodesLength()))]
        kinds = [_KINDS.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "unknown") for code in codes]
        kinds = [_custom(kind, code) for kind, code in zip(kinds, codes, strict=True)]
        count = self.count(self.root.SubgraphsLength())
        graph = self.root.Subgraphs(0)
        inputs, outputs = _indices(graph.InputsAsNumpy()), _indices(graph.OutputsAsNumpy())
        main = self.subgraph(graph, kinds, (*inputs, *outputs))
        written = [index for node in main.nodes for index in node.outputs]
        sources = [*inputs, *written]
        nodes = tuple(node for node in main.nodes if node.kind not in STATEFUL)
        if not outputs or any(not node.outputs for node in nodes) or len(set(sources)) < len(sources):
            raise ValueError("tensors are written twice, or not at all")
        others = {number: self.subgraph(self.root.Subgraphs(number), kinds) for number in range(1, count)}
        try:
            variables = variables_of(main, others)
        except UnsupportedOperator as error:
            raise UnsupportedOperator(f"{path}: {error}") from error
        return TfliteModel(tensors=main.tensors, nodes=nodes, inputs=inputs, outputs=outputs, variables=variables)

    def subgraph(self, graph: Any, kinds: list[str], named: tuple[int, ...] = ()) -> Subgraph:
        tensors = tuple(self.tensor(graph.Tensors(i)) for i in range(self.count(graph.TensorsLength())))
        nodes = tuple(self.node(graph.Operators(i), kinds) for i in range(self.count(graph.OperatorsLength())))
        read = [index for node in nodes for index in node.inputs if index != -1]
        written = [index for node in nodes for index in node.outputs]
        if any(not 0 <= index < len(tensors) for index in (*named, *read, *written)):
            raise ValueError("an index of a tensor is out of range")
        return Subgraph(tensors=tensors, nodes=nodes)

    def count(self, length: int) -> int:
        """A vector's length, of which each entry takes four bytes at least."""
        if length > len(self.content) // 4:
            raise ValueError(f"a vector of {length} entries")
        return length

    def tensor(self, tensor: Any) -> TfliteTensor:
        name = (tensor.Name() or b"").decode()
        if tensor.Type() not in _TYPES:
            kind = _TYPE_NAMES.get(tensor.Type(), "unknown")
            raise UnsupportedOperator(f"tensor {name!r} is of type {kind}, which has no layer: use float32 or int8")
        if tensor.Sparsity() is not None:
            raise UnsupportedOperator(f"tensor {name!r} is stored sparsely: convert without sparsity")
        shape = _shape(tensor)
        data = self.data(self.root.Buffers(tensor.Buffer()), tensor.Type(), shape)
        scale, zero, axis = None, np.zeros(1, dtype=np.int64), 0
        quantisation = tensor.Quantization()
        if quantisation is not None and quantisation.ScaleLength():
            scale = np.array(quantisation.ScaleAsNumpy(), dtype=np.float32)
            if quantisation.ZeroPointLength():
                zero = np.array(quantisation.ZeroPointAsNumpy(), dtype=np.int64)
            axis = quantisation.QuantizedDimension()
            if not (np.isfinite(scale) & (scale >= 0)).all() or zero.size not in (1, scale.size):
                raise ValueError("a scale or zero point makes no sense")
            if scale.size > 1 and not (0 <= axis < len(shape) and shape[axis] == scale.size):
                raise ValueError("scales do not fit their axis")
        dtype = _TYPES[tensor.Type()]
        return TfliteTensor(name=name, shape=shape, dtype=dtype, data=data, scale=scale, zero=zero, axis=axis)

    def data(self, buffer: Any, kind: int, shape: tuple[int, ...]) -> NDArray[Any] | None:
        """A constant's elements: a view of the file, but for packed ones."""
        start, size = buffer.Offset(), buffer.Size()
        if start > 1:  # large files keep them behind the tables
            raw = np.frombuffer(self.content, np.uint8, size, start)
        elif buffer.DataLength():
            raw = buffer.DataAsNumpy()
        else:
            return None
        if kind == tflite.TensorType.INT4:
            pairs = raw.view(np.int8)
            return np.stack([pairs << 4 >> 4, pairs >> 4], axis=-1).ravel()[: math.prod(shape)].reshape(shape)
        return raw.view(_TYPES[kind].newbyteorder("<")).reshape(shape)

    def node(self, operator: Any, kinds: list[str]) -> TfliteNode:
        kind = kinds[operator.OpcodeIndex()]
        options: dict[str, Any] = {}
        table = operator.BuiltinOptions()
        if kind in OPTIONS:
            record_type, names = OPTIONS[kind]
            record = record_type()
            if table is not None:
                record.Init(table.Bytes, table.Pos)
            options = {name: getattr(record, name)() if table is not None else 0 for name in names}
        inputs, outputs = _indices(operator.InputsAsNumpy()), _indices(operator.OutputsAsNumpy())
        return TfliteNode(kind=kind, inputs=inputs, outputs=outputs, options=options)


def _custom(kind: str, code: Any) -> str:
    """Operators of other makers go by the name they gave them."""
    return f"CUSTOM {(code.CustomCode() or b'').decode()!r}" if kind == "CUSTOM" else kind


def _indices(values: Any) -> tuple[int, ...]:
    """A vector of numbers; an absent one reads as 0."""
    return tuple(values.tolist()) if isinstance(values, np.ndarray) else ()


def _shape(tensor: Any) -> tuple[int, ...]:
    if tensor.ShapeLength() > _MOST_AXES:
        raise ValueError(f"{tensor.ShapeLength()} axes")
    shape = _indices(tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
    signature = _indices(tensor.ShapeSignatureAsNumpy()) if tensor.ShapeSignatureLength() else ()
    if signature and len(signature) == len(shape) and signature[0] == -1:
        shape = (1, *shape[1:])
    if min(shape, default=1) < 0 or math.prod(shape) > _MOST_ELEMENTS:
        raise ValueError(f"a tensor of shape {shape}")
    return shape
