"""Small TFLite files made on the spot, with the schema's own builder functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

__all__ = ["Op", "Tensor", "tflite_bytes"]


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor; ``scale`` and ``zero`` have one entry, or one for each index of ``axis``."""

    name: str
    shape: Sequence[int]
    data: NDArray[Any] | None = None
    scale: Sequence[float] = ()
    zero: Sequence[int] = ()
    axis: int = 0
    kind: int = tflite.TensorType.INT8


@dataclass(frozen=True, kw_only=True)
class Op:
    """An operator over indices of tensors; ``options`` are (name of the record, its fields)."""

    kind: int
    inputs: Sequence[int]
    output: int | Sequence[int]
    options: tuple[str, dict[str, Any]] | None = None


def tflite_bytes(
    tensors: Sequence[Tensor],
    ops: Sequence[Op],
    inputs: Sequence[int],
    outputs: Sequence[int],
    *,
    others: Sequence[tuple[Sequence[Tensor], Sequence[Op]]] = (),
) -> bytes:
    """Content of a file; ``others`` are functions beside the main one, without inputs and outputs."""
    builder = flatbuffers.Builder(1024)
    buffers = [_buffer(builder, None)]
    kinds = sorted({op.kind for _, each in ((tensors, ops), *others) for op in each})
    graphs = [_subgraph(builder, buffers, kinds, tensors, ops, inputs, outputs)]
    graphs += [_subgraph(builder, buffers, kinds, *other, (), ()) for other in others]
    codes = [_code(builder, kind) for kind in kinds]
    vectors = [
        _offsets(builder, entries, start)
        for entries, start in (
            (codes, tflite.ModelStartOperatorCodesVector),
            (graphs, tflite.ModelStartSubgraphsVector),
            (buffers, tflite.ModelStartBuffersVector),
        )
    ]
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, vectors[0])
    tflite.ModelAddSubgraphs(builder, vectors[1])
    tflite.ModelAddBuffers(builder, vectors[2])
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def _subgraph(
    builder: Any,
    buffers: list[int],
    kinds: Sequence[int],
    tensors: Sequence[Tensor],
    ops: Sequence[Op],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> int:
    records = []
    for tensor in tensors:
        if tensor.data is not None:
            buffers.append(_buffer(builder, tensor.data))
        records.append(_tensor(builder, tensor, 0 if tensor.data is None else len(buffers) - 1))
    operators = [_operator(builder, op, kinds.index(op.kind)) for op in ops]
    graph_tensors = _offsets(builder, records, tflite.SubGraphStartTensorsVector)
    graph_operators = _offsets(builder, operators, tflite.SubGraphStartOperatorsVector)
    graph_inputs, graph_outputs = (builder.CreateNumpyVector(np.array(ids, np.int32)) for ids in (inputs, outputs))
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, graph_tensors)
    tflite.SubGraphAddOperators(builder, graph_operators)
    tflite.SubGraphAddInputs(builder, graph_inputs)
    tflite.SubGraphAddOutputs(builder, graph_outputs)
    return tflite.SubGraphEnd(builder)


def _offsets(builder: Any, entries: Sequence[int], start: Callable[[Any, int], Any]) -> int:
    start(builder, len(entries))
    for entry in reversed(entries):
        builder.PrependUOffsetTRelative(entry)
    return builder.EndVector()


def _buffer(builder: Any, data: NDArray[Any] | None) -> int:
    content = None if data is None else builder.CreateNumpyVector(np.frombuffer(data.tobytes(), np.uint8))
    tflite.BufferStart(builder)
    if content is not None:
        tflite.BufferAddData(builder, content)
    return tflite.BufferEnd(builder)


def _tensor(builder: Any, tensor: Tensor, buffer: int) -> int:
    quantisation = None
    if len(tensor.scale):
        scale = builder.CreateNumpyVector(np.array(tensor.scale, np.float32))
        zero = builder.CreateNumpyVector(np.array(tensor.zero, np.int64))
        tflite.QuantizationParametersStart(builder)
        tflite.QuantizationParametersAddScale(builder, scale)
        tflite.QuantizationParametersAddZeroPoint(builder, zero)
        tflite.QuantizationParametersAddQuantizedDimension(builder, tensor.axis)
        quantisation = tflite.QuantizationParametersEnd(builder)
    name = builder.CreateString(tensor.name)
    shape = builder.CreateNumpyVector(np.array(tensor.shape, np.int32))
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, tensor.kind)
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, name)
    if quantisation is not None:
        tflite.TensorAddQuantization(builder, quantisation)
    return tflite.TensorEnd(builder)


def _code(builder: Any, kind: int) -> int:
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(kind, 127))
    tflite.OperatorCodeAddBuiltinCode(builder, kind)
    return tflite.OperatorCodeEnd(builder)


def _operator(builder: Any, op: Op, code: int) -> int:
    options = None
    if op.options is not None:
        record, fields = op.options
        fields = {name: builder.CreateString(v) if isinstance(v, str) else v for name, v in fields.items()}
        getattr(tflite, f"{record}Start")(builder)
        for name, value in fields.items():
            getattr(tflite, f"{record}Add{name}")(builder, value)
        options = getattr(tflite, f"{record}End")(builder)
    written = np.atleast_1d(np.array(op.output, np.int32))
    inputs, outputs = (builder.CreateNumpyVector(ids) for ids in (np.array(op.inputs, np.int32), written))
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, code)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if op.options is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, op.options[0]))
        tflite.OperatorAddBuiltinOptions(builder, options)
    return tflite.OperatorEnd(builder)
