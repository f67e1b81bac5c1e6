"""Random ONNX models that come quantised: those of `onnx_models` with quantisers around most of their tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from .onnx_models import RandomModel, reference_session

__all__ = ["quantised_model"]

_PER_AXIS = 13
"""The version from which on scales may differ along an axis."""

_WEIGHTED = {"Conv": 0, "ConvTranspose": 1, "Gemm": None, "MatMul": 1}
"""Axis of the outputs in the weights of each operator; of Gemm it depends on transB."""


def quantised_model(made: RandomModel) -> ModelProto | None:
    """The model with QuantizeLinear and DequantizeLinear behind most values, and weights as integers.

    None of a model in a version without scales along an axis, or with nothing to quantise.
    """
    if made.opset < _PER_AXIS or not made.outputs:
        return None
    rng = np.random.default_rng(made.seed + 2)
    written = [node.output for node in made.nodes]
    values = [name for names in written for name in names if name in made.shapes]
    session = reference_session(made._model(made.nodes, values))
    runs: list[Any] = [session.run(None, {"x": sample[np.newaxis]}) for sample in made.samples(16)]
    ranges = {name: np.concatenate([np.ravel(run[i]) for run in runs]) for i, name in enumerate(values)}
    ranges["x"] = made.samples(16).ravel()
    nodes: list[NodeProto] = []
    renamed: dict[str, str] = {}

    def quantise(name: str) -> None:
        low, high = min(0.0, float(ranges[name].min())), max(0.0, float(ranges[name].max()))
        if high - low < 1e-3:
            return
        signed, bits = rng.random() < 0.5, 8 if made.opset < 21 or rng.random() < 0.9 else 4
        steps = (1 << bits) - 1
        scale = (high - low) / steps
        zero = round(-low / scale) - (1 << (bits - 1) if signed else 0)
        kind = helper.tensor_dtype_to_np_dtype(getattr(TensorProto, f"{'' if signed else 'U'}INT{bits}"))
        inputs = [made._constant(scale), made._constant(zero, kind)]
        nodes.append(helper.make_node("QuantizeLinear", [name, *inputs], [f"{name}_q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", *inputs], [f"{name}_r"]))
        renamed[name] = f"{name}_r"

    def integers(node: NodeProto, name: str) -> str:
        weights = made.constants[name]
        axis = _WEIGHTED[node.op_type]
        if axis is None:
            axis = 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
        largest: Any = np.abs(weights).max()
        if rng.random() < 0.6 and not (node.op_type == "ConvTranspose" and weights.shape[1] < 2):
            others = tuple(i for i in range(weights.ndim) if i != axis)
            largest = np.abs(weights).max(axis=others)
        scale = np.maximum(np.asarray(largest, np.float32) / 127, 1e-4).astype(np.float32)
        spread = scale.reshape([-1 if i == axis else 1 for i in range(weights.ndim)]) if scale.ndim else scale
        codes: NDArray[np.int8] = np.clip(np.rint(weights / spread), -127, 127).astype(np.int8)
        inputs = [made._constant(codes, np.int8), made._constant(scale), made._constant(np.zeros(scale.shape), np.int8)]
        real = f"{inputs[0]}_r"
        attributes: dict[str, Any] = {"axis": axis} if scale.ndim else {}
        nodes.append(helper.make_node("DequantizeLinear", inputs, [real], **attributes))
        return real

    if rng.random() < 0.9:
        quantise("x")
    for node in made.nodes:
        copy = NodeProto()
        copy.CopyFrom(node)
        for position, name in enumerate(node.input):
            if position == 1 and node.op_type in _WEIGHTED and name in made.constants and rng.random() < 0.9:
                copy.input[position] = integers(node, name)
            elif name in renamed and node.op_type != "Shape":
                copy.input[position] = renamed[name]
        nodes.append(copy)
        for name in node.output:
            if name in made.shapes and rng.random() < 0.85:
                quantise(name)
    model = made._model(nodes, [renamed.get(name, name) for name in made.outputs])
    return model if any(node.op_type == "QuantizeLinear" for node in nodes) else None
