"""TFLite models as ONNX models in the QDQ format, channels last: what the ONNX frontend then reads like any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tflite
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ...errors import ModelError, UnsupportedOperator
from ...graph import Rounding
from ..op_quant import ROUNDING
from .file import TfliteModel, TfliteNode, TfliteTensor, read_tflite

__all__ = ["FILE_VALUE", "tflite_to_onnx"]

FILE_VALUE = "narrows.file_value:"
"""Begins keys of a converted model's metadata: a value, and the tensor of the file whose real value it is."""

_OPSET = 17
_FIRST, _LAST = [0, 3, 1, 2], [0, 2, 3, 1]
"""Axis orders: channels last to channels first, and back."""


def tflite_to_onnx(path: Path) -> ModelProto:
    """ONNX model of a TFLite file.

    It takes and gives the real values that the file's integers stand for. Every integer tensor is one QuantizeLinear
    and DequantizeLinear with its scale and zero point; weights stay integers behind a DequantizeLinear.

    Raises
    ------
    ModelError, UnsupportedOperator
        As :func:`~.file.read_tflite` does, or if an operator is not supported.
    """
    return _Converter(read_tflite(path)).model(path.stem)


class _Converter:
    """ONNX nodes so far, and the real value of each tensor by name."""

    def __init__(self, source: TfliteModel) -> None:
        self.source = source
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.values: dict[int, str] = {}

    def model(self, name: str) -> ModelProto:
        """The whole model."""
        tensors = self.source.tensors
        inputs = []
        for index in self.source.inputs:
            tensor = tensors[index]
            inputs.append(helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, (1, *tensor.shape[1:])))
            self.values[index] = self._rounded(tensor, tensor.name, Rounding.EVEN)
        for node in self.source.nodes:
            self.convert(node)
        outputs = [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in self._outputs()]
        constants = [numpy_helper.from_array(value, key) for key, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, name, inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
        names = {value: tensors[index].name for index, value in self.values.items() if tensors[index].data is None}
        helper.set_model_props(model, {f"{FILE_VALUE}{value}": name for value, name in names.items()})
        return model

    def _outputs(self) -> list[str]:
        """Values of the file's own names, each once; a number tells those of one name apart."""
        taken = {tensor.name for tensor in map(self.source.tensors.__getitem__, self.source.inputs)}
        names: list[str] = []
        for index in self.source.outputs:
            name, number = self.source.tensors[index].name, 1
            while name in taken:
                number += 1
                name = f"{self.source.tensors[index].name}_{number}"
            taken.add(name)
            names.append(name)
            self.nodes.append(helper.make_node("Identity", [self._value(index)], [name], name=name))
        return names

    def label(self, node: TfliteNode) -> str:
        """Name of a node: that of its output, which is all that a file says."""
        return self.source.tensors[node.outputs[0]].name

    def unsupported(self, node: TfliteNode, hint: str = "") -> UnsupportedOperator:
        """Error that names operator, node and the nearest rewrite."""
        text = f"operator {node.kind} (node {self.label(node).split(';')[0]!r}) is not supported"
        return UnsupportedOperator(f"{text}: {hint}" if hint else text)

    def emit(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Adds a node; gives its output's name, which is new (converters join whole chains of names by semicolons)."""
        name = name.split(";")[0]
        output = f"{name}:{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=name, **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Adds a constant; gives its name, which is new."""
        name = f"{name}:{len(self.constants)}"
        self.constants[name] = value
        return name

    def _value(self, index: int) -> str:
        """Real value of a tensor; constants of floating-point type or of integers that stand for themselves as well."""
        if index not in self.values:
            tensor = self.source.tensors[index]
            if tensor.data is None:
                raise ModelError(f"nothing writes tensor {tensor.name!r}: convert the model again")
            self.values[index] = self.weights(index, tensor.data)
        return self.values[index]

    def weights(self, index: int, data: NDArray[Any], axis: int | None = None) -> str:
        """Real value of a constant, rearranged as ``data`` with its channels on ``axis`` (None: where they were)."""
        tensor = self.source.tensors[index]
        name = self.constant(tensor.name, data)
        if tensor.scale is None:
            return name
        many = tensor.scale.size > 1
        scale, zero = (values if many else values.reshape(()) for values in (tensor.scale, tensor.zero))
        zero = np.broadcast_to(zero, scale.shape).astype(data.dtype)
        inputs = [name, self.constant("scale", scale), self.constant("zero", zero)]
        return self.emit(
            "DequantizeLinear", inputs, tensor.name, axis=(tensor.axis if axis is None else axis) if many else 1
        )

    def _rounded(self, tensor: TfliteTensor, value: str, rounding: Rounding = Rounding.AWAY) -> str:
        """The value as the tensor's integers hold it."""
        if tensor.scale is None:
            return value
        if tensor.scale.size != 1 or tensor.dtype not in (np.int8, np.uint8):
            raise UnsupportedOperator(
                f"tensor {tensor.name!r} has {tensor.dtype} codes with {tensor.scale.size} scales: use int8 with one"
            )
        scale = self.constant("scale", tensor.scale.reshape(()))
        zero = self.constant("zero", tensor.zero.reshape(()).astype(tensor.dtype))
        codes = self.emit("QuantizeLinear", [value, scale, zero], tensor.name)
        self.nodes[-1].metadata_props.add(key=ROUNDING, value=rounding.name)
        return self.emit("DequantizeLinear", [codes, scale, zero], tensor.name)

    def convert(self, node: TfliteNode) -> None:
        """Adds what an operator is in ONNX."""
        handler = _HANDLERS.get(node.kind)
        if handler is None or len(node.outputs) != 1:
            raise self.unsupported(node, _REWRITES.get(node.kind, ""))
        value = handler(self, node)
        activation = node.options.get("FusedActivationFunction", tflite.ActivationFunctionType.NONE)
        if activation not in _CLAMPS:
            raise self.unsupported(node, "its fused activation is neither Relu nor Relu6: use one of them")
        value = self.clamped(value, self.label(node), *_CLAMPS[activation])
        rounding = _ROUNDINGS.get(node.kind, Rounding.AWAY)
        self.values[node.outputs[0]] = self._rounded(self.source.tensors[node.outputs[0]], value, rounding)

    def clamped(self, value: str, name: str, low: float | None, high: float | None) -> str:
        """The value between two bounds, either of which may be missing."""
        if low is None and high is None:
            return value
        bounds = ["" if bound is None else self.constant("bound", np.array(bound, np.float32)) for bound in (low, high)]
        return self.emit("Clip", [value, *bounds], name)

    def data(self, node: TfliteNode, position: int) -> NDArray[Any]:
        """Integers of a constant operand."""
        data = self.source.tensors[node.inputs[position]].data
        if data is None:
            raise self.unsupported(node, f"its operand {position} must be constant")
        return data

    def operand(self, node: TfliteNode, position: int = 0) -> str:
        """Real value of an operand."""
        return self._value(node.inputs[position])

    def on_image(self, kind: str, node: TfliteNode, others: Sequence[str], **attributes: Any) -> str:
        """A node of channels first around which the image is transposed."""
        name = self.label(node)
        first = self.emit("Transpose", [self.operand(node)], name, perm=_FIRST)
        result = self.emit(kind, [first, *others], name, **attributes)
        return self.emit("Transpose", [result], name, perm=_LAST)

    def bias(self, node: TfliteNode) -> list[str]:
        """The third operand, if there is one."""
        return [self.operand(node, 2)] if len(node.inputs) > 2 and node.inputs[2] >= 0 else []


_CLAMPS: dict[int, tuple[float | None, float | None]] = {
    tflite.ActivationFunctionType.NONE: (None, None),
    tflite.ActivationFunctionType.RELU: (0.0, None),
    tflite.ActivationFunctionType.RELU6: (0.0, 6.0),
    tflite.ActivationFunctionType.RELU_N1_TO_1: (-1.0, 1.0),
}


def _window(node: TfliteNode) -> dict[str, Any]:
    options = node.options
    window: dict[str, Any] = {
        "strides": [options["StrideH"], options["StrideW"]],
        "auto_pad": "SAME_UPPER" if options["Padding"] == tflite.Padding.SAME else "VALID",
    }
    if "DilationHFactor" in options:
        window["dilations"] = [options["DilationHFactor"], options["DilationWFactor"]]
    return window


def _conv(converter: _Converter, node: TfliteNode) -> str:
    weights = converter.weights(node.inputs[1], converter.data(node, 1).transpose(0, 3, 1, 2), 0)
    groups = converter.source.tensors[node.inputs[0]].shape[3] // converter.data(node, 1).shape[3]
    return converter.on_image("Conv", node, [weights, *converter.bias(node)], group=groups, **_window(node))


def _depthwise(converter: _Converter, node: TfliteNode) -> str:
    weights = converter.weights(node.inputs[1], converter.data(node, 1).transpose(3, 0, 1, 2), 0)
    groups = converter.source.tensors[node.inputs[0]].shape[3]
    return converter.on_image("Conv", node, [weights, *converter.bias(node)], group=groups, **_window(node))


def _dense(converter: _Converter, node: TfliteNode) -> str:
    matrix = converter.data(node, 1)
    name = converter.label(node)
    shape = converter.constant("shape", np.array([-1, matrix.shape[1]]))
    flat = converter.emit("Reshape", [converter.operand(node), shape], name)
    inputs = [flat, converter.weights(node.inputs[1], matrix), *converter.bias(node)]
    rows = converter.emit("Gemm", inputs, name, transB=1)
    size = converter.source.tensors[node.outputs[0]].shape
    if len(size) == 2:
        return rows
    return converter.emit("Reshape", [rows, converter.constant("shape", np.array([1, *size[1:]]))], name)


def _pool(kind: str) -> Callable[[_Converter, TfliteNode], str]:
    def convert(converter: _Converter, node: TfliteNode) -> str:
        kernel = [node.options["FilterHeight"], node.options["FilterWidth"]]
        return converter.on_image(kind, node, [], kernel_shape=kernel, **_window(node))

    return convert


def _plain(kind: str) -> Callable[[_Converter, TfliteNode], str]:
    """Operators that are the same on any axis order."""

    def convert(converter: _Converter, node: TfliteNode) -> str:
        values = [converter.operand(node, position) for position in range(len(node.inputs))]
        return converter.emit(kind, values, converter.label(node))

    return convert


def _passed(converter: _Converter, node: TfliteNode) -> str:
    """QUANTIZE and DEQUANTIZE: the real value is the same, its tensor decides how it is rounded."""
    return converter.operand(node)


def _clamp(low: float | None, high: float | None) -> Callable[[_Converter, TfliteNode], str]:
    def convert(converter: _Converter, node: TfliteNode) -> str:
        return converter.clamped(converter.operand(node), converter.label(node), low, high)

    return convert


def _reshape(converter: _Converter, node: TfliteNode) -> str:
    size = converter.source.tensors[node.outputs[0]].shape
    shape = converter.constant("shape", np.array([1, *size[1:]]))
    return converter.emit("Reshape", [converter.operand(node), shape], converter.label(node))


def _mean(converter: _Converter, node: TfliteNode) -> str:
    axes = [int(axis) for axis in np.atleast_1d(converter.data(node, 1))]
    keep = int(bool(node.options.get("KeepDims", False)))
    return converter.emit("ReduceMean", [converter.operand(node)], converter.label(node), axes=axes, keepdims=keep)


def _transpose(converter: _Converter, node: TfliteNode) -> str:
    perm = [int(axis) for axis in converter.data(node, 1)]
    return converter.emit("Transpose", [converter.operand(node)], converter.label(node), perm=perm)


def _pad(converter: _Converter, node: TfliteNode) -> str:
    pads = converter.constant("pads", converter.data(node, 1).T.reshape(-1).astype(np.int64))
    return converter.emit("Pad", [converter.operand(node), pads], converter.label(node))


def _concat(converter: _Converter, node: TfliteNode) -> str:
    values = [converter.operand(node, position) for position in range(len(node.inputs))]
    return converter.emit("Concat", values, converter.label(node), axis=node.options["Axis"])


def _leaky_relu(converter: _Converter, node: TfliteNode) -> str:
    alpha = float(node.options["Alpha"])
    return converter.emit("LeakyRelu", [converter.operand(node)], converter.label(node), alpha=alpha)


_HANDLERS: dict[str, Callable[[_Converter, TfliteNode], str]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "AVERAGE_POOL_2D": _pool("AveragePool"),
    "MAX_POOL_2D": _pool("MaxPool"),
    "MEAN": _mean,
    "ADD": _plain("Add"),
    "SUB": _plain("Sub"),
    "MUL": _plain("Mul"),
    "CONCATENATION": _concat,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "EXPAND_DIMS": _reshape,
    "TRANSPOSE": _transpose,
    "RELU": _clamp(0.0, None),
    "RELU6": _clamp(0.0, 6.0),
    "LEAKY_RELU": _leaky_relu,
    "QUANTIZE": _passed,
    "DEQUANTIZE": _passed,
    "SOFTMAX": _plain("Softmax"),
    "LOGISTIC": _plain("Sigmoid"),
    "TANH": _plain("Tanh"),
    "HARD_SWISH": _plain("HardSwish"),
    "ELU": _plain("Elu"),
}
"""Converter of each operator: gives the real value of its output before its fused activation."""

_ROUNDINGS = {
    "CONV_2D": Rounding.TWICE,
    "DEPTHWISE_CONV_2D": Rounding.TWICE,
    "QUANTIZE": Rounding.TWICE,
    "RELU": Rounding.TWICE,
    "RELU6": Rounding.TWICE,
    "MEAN": Rounding.TWICE,
    "AVERAGE_POOL_2D": Rounding.CODE_AWAY,
}
"""How the format's reference kernels round what an operator gives, where not once, away from 0."""

_REWRITES = {
    "TRANSPOSE_CONV": "use CONV_2D",
    "RESIZE_BILINEAR": "resize on the host",
    "RESIZE_NEAREST_NEIGHBOR": "resize on the host",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "only feed-forward networks run",
    "SVDF": "only feed-forward networks run",
}
"""Nearest rewrite of operators without a converter."""
