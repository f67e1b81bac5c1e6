"""TFLite models as ONNX models in the QDQ format, channels last: what the ONNX frontend then reads like any other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tflite
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ...errors import ModelError, UnsupportedOperator
from ...grids import Rounding
from ..op_quant import ROUNDING
from ..states import declare_states
from .file import TfliteModel, read_tflite
from .folding import FOLDED, MOVED
from .operators import HANDLERS, MOVES, REWRITES, ROUNDINGS
from .records import TfliteNode, TfliteTensor
from .variables import TfliteVariable

__all__ = ["FILE_VALUE", "Converter", "tflite_to_onnx"]

FILE_VALUE = "narrows.file_value:"
"""Begins keys of a converted model's metadata: a value, and the tensor of the file whose real value it is."""

_OPSET = 17
_FIRST, _LAST = [0, 3, 1, 2], [0, 2, 3, 1]
"""Axis orders: channels last to channels first, and back."""

_CLAMPS: dict[int, tuple[float | None, float | None]] = {
    tflite.ActivationFunctionType.NONE: (None, None),
    tflite.ActivationFunctionType.RELU: (0.0, None),
    tflite.ActivationFunctionType.RELU6: (0.0, 6.0),
    tflite.ActivationFunctionType.RELU_N1_TO_1: (-1.0, 1.0),
}
"""Fused activations that clamp."""


def tflite_to_onnx(path: Path) -> ModelProto:
    """ONNX model of a TFLite file.

    It takes and gives the real values that the file's integers stand for. Every integer tensor is one QuantizeLinear
    and DequantizeLinear with its scale and zero point; weights stay integers behind a DequantizeLinear.

    Raises
    ------
    ModelError, UnsupportedOperator
        As :func:`~.file.read_tflite` does, or if an operator is not supported.
    """
    return Converter(read_tflite(path)).model(path.stem)


class Converter:
    """ONNX nodes so far, and the real value of each tensor by name.

    ``tensors`` are the file's; those that only depend on constants get their ``data``. ``padded`` are tensors that are
    another one behind a border which no maximum sees, ``spaced`` those that are another one taken apart into blocks;
    ``whole`` are taken apart in the file and whole here.
    """

    def __init__(self, source: TfliteModel) -> None:
        self.source = source
        self.tensors = list(source.tensors)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.values: dict[int, str] = {}
        self.padded: dict[int, tuple[int, NDArray[np.int64]]] = {}
        self.whole: set[int] = set()
        self.spaced: dict[int, tuple[int, NDArray[np.int64], NDArray[np.int64]]] = {}

    def model(self, name: str) -> ModelProto:
        """The whole model."""
        inputs = []
        for index in self.source.inputs:
            tensor = self.tensors[index]
            inputs.append(helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.shape))
            self.values[index] = self._rounded(tensor, tensor.name, Rounding.EVEN)
        states = [(variable, self._state(variable)) for variable in self.source.variables]
        inputs += [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, self.tensors[variable.reads[0]].shape)
            for variable, name in states
        ]
        for node in self.source.nodes:
            self.convert(node)
        given = [*self._outputs(), *(f"{name}:next" for _, name in states)]
        outputs = [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in given]
        for variable, name in states:
            self.nodes.append(helper.make_node("Identity", [self.value(variable.written)], [f"{name}:next"], name=name))
        constants = [numpy_helper.from_array(value, key) for key, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, name, inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
        shown = [index for index in self.values if not self.is_constant(index) and index not in self.whole]
        names = {self.values[index]: self.tensors[index].name for index in shown}
        helper.set_model_props(model, {f"{FILE_VALUE}{value}": name for value, name in names.items()})
        declare_states(model, {name: f"{name}:next" for _, name in states})
        return model

    def _state(self, variable: TfliteVariable) -> str:
        """An input for a variable, with its first value for a default; gives the input's name, which is new."""
        taken = {tensor.name for tensor in self.tensors} | self.constants.keys()
        name = f"{variable.name}:state"
        while name in taken:
            name += "_"
        first = variable.initial
        assert first.data is not None, "variables without a first value are refused"
        values = first.data.astype(np.float64)
        if first.scale is not None:
            values = (values - first.zero) * first.scale
        self.constants[name] = values.astype(np.float32)
        for index in variable.reads:
            self.values[index] = self._rounded(self.tensors[index], name, Rounding.EVEN)
        return name

    def _outputs(self) -> list[str]:
        """Values of the file's own names, each once; a number tells those of one name apart."""
        taken = {self.tensors[index].name for index in self.source.inputs}
        names: list[str] = []
        for index in self.source.outputs:
            name, number = self.tensors[index].name, 1
            while name in taken:
                number += 1
                name = f"{self.tensors[index].name}_{number}"
            taken.add(name)
            names.append(name)
            self.nodes.append(helper.make_node("Identity", [self.value(index)], [name], name=name))
        return names

    def label(self, node: TfliteNode) -> str:
        """Name of a node: that of its output, which is all that a file says."""
        return self.tensors[node.outputs[0]].name

    def unsupported(self, node: TfliteNode, hint: str = "") -> UnsupportedOperator:
        """Error that names operator, node and the nearest rewrite."""
        text = f"operator {node.kind} (node {self.label(node).split(';')[0]!r}) is not supported"
        return UnsupportedOperator(f"{text}: {hint}" if hint else text)

    def emit(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Adds a node; gives its output's name, which is new (converters join whole chains of names by semicolons)."""
        output = f"{name.split(';')[0]}:{kind}{len(self.nodes)}"
        self.emit_as(kind, inputs, [output], name, **attributes)
        return output

    def emit_as(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], name: str, **attributes: Any) -> None:
        """Adds a node with outputs of given names."""
        self.nodes.append(helper.make_node(kind, list(inputs), list(outputs), name=name.split(";")[0], **attributes))

    def constant(self, name: str, value: Any) -> str:
        """Adds a constant; gives its name, which is new."""
        name = f"{name}:{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def is_constant(self, index: int) -> bool:
        """Whether a tensor does not depend on the model's input."""
        return self.tensors[index].data is not None

    def value(self, index: int) -> str:
        """Real value of a tensor; constants of floating-point type or of integers that stand for themselves as well."""
        if index not in self.values:
            tensor = self.tensors[index]
            if index in self.padded or index in self.spaced:
                raise UnsupportedOperator(f"tensor {tensor.name!r} is read by other operators than its own kind has")
            if tensor.data is None:
                raise ModelError(f"nothing writes tensor {tensor.name!r}: convert the model again")
            self.values[index] = self.weights(index, tensor.data)
        return self.values[index]

    def weights(self, index: int, data: NDArray[Any], axis: int | None = None) -> str:
        """Real value of a constant, rearranged as ``data`` with its channels on ``axis`` (None: where they were)."""
        tensor = self.tensors[index]
        data = data.astype(np.float32) if data.dtype.kind == "f" else data
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
        if tensor.dtype == np.int16:
            raise UnsupportedOperator(
                f"tensor {tensor.name!r} has 16-bit codes: convert the model with 8-bit activations "
                "(TFLITE_BUILTINS_INT8, not EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8)"
            )
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
        """Adds what an operator is in ONNX.

        Raises
        ------
        ModelError
            If its options or operands make no sense, too.
        """
        try:
            self._convert(node)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise ModelError(
                f"operator {node.kind} (node {self.label(node).split(';')[0]!r}) makes no sense "
                f"({type(error).__name__}): convert the model again"
            ) from error

    def _convert(self, node: TfliteNode) -> None:
        if self._is_known(node):
            self._fold(node)
            return
        handler = HANDLERS.get(node.kind)
        if handler is None:
            raise self.unsupported(node, REWRITES.get(node.kind, ""))
        found = handler(self, node)
        values = [found] if isinstance(found, str) else list(found)
        activation = node.options.get("FusedActivationFunction", tflite.ActivationFunctionType.NONE)
        for index, value in zip(node.outputs, values, strict=bool(values)):
            if activation == tflite.ActivationFunctionType.TANH:
                value = self.emit("Tanh", [value], self.label(node))
            elif activation in _CLAMPS:
                value = self.clamped(value, self.label(node), *_CLAMPS[activation])
            else:
                raise self.unsupported(node, "its fused activation has no layer: use Relu or Relu6")
            if not self._is_passed_on(node, index, value):
                value = self._rounded(self.tensors[index], value, ROUNDINGS.get(node.kind, Rounding.AWAY))
            self.values[index] = value

    def _is_passed_on(self, node: TfliteNode, index: int, value: str) -> bool:
        """Whether values are the node's operand's, perhaps elsewhere, and the tensor has the same integers for them."""
        place = 1 if node.kind == "SPLIT" else 0
        if len(node.inputs) <= place or not (node.kind in MOVES or value == self.values.get(node.inputs[place])):
            return False
        source, target = self.tensors[node.inputs[place]], self.tensors[index]
        if source.scale is None or target.scale is None or source.dtype != target.dtype:
            return False
        return np.array_equal(source.scale, target.scale) and np.array_equal(source.zero, target.zero)

    def _is_known(self, node: TfliteNode) -> bool:
        """Whether an operator's output only depends on constants, and its function of them is known."""
        if node.kind == "SHAPE":
            return True
        operands = [self.tensors[index] for index in node.inputs if index >= 0]
        if node.kind not in FOLDED or not operands or any(tensor.data is None for tensor in operands):
            return False
        return node.kind in MOVED | {"DEQUANTIZE"} or all(tensor.scale is None for tensor in operands)

    def _fold(self, node: TfliteNode) -> None:
        """Makes a constant of what only depends on constants."""
        operands = [self.tensors[index] for index in node.inputs if index >= 0]
        (index,) = node.outputs
        if node.kind == "DEQUANTIZE" and operands[0].scale is not None:
            self.tensors[index] = replace(operands[0], name=self.tensors[index].name)
            return
        data = FOLDED[node.kind](node.options, operands).astype(self.tensors[index].dtype)
        self.tensors[index] = replace(self.tensors[index], data=data, shape=data.shape)

    def clamped(self, value: str, name: str, low: float | None, high: float | None) -> str:
        """The value between two bounds, either of which may be missing."""
        if low is None and high is None:
            return value
        bounds = ["" if bound is None else self.constant("bound", np.array(bound, np.float32)) for bound in (low, high)]
        return self.emit("Clip", [value, *bounds], name)

    def data(self, node: TfliteNode, position: int) -> NDArray[Any]:
        """Elements of a constant operand as the file holds them."""
        data = self.tensors[node.inputs[position]].data
        if data is None:
            raise self.unsupported(node, f"its operand {position} must be constant")
        return data

    def shape(self, node: TfliteNode, position: int = 0) -> tuple[int, ...]:
        """Shape of an operand."""
        return self.tensors[node.inputs[position]].shape

    def output_shape(self, node: TfliteNode) -> tuple[int, ...]:
        """Shape of the first output, as the file has it."""
        return self.tensors[node.outputs[0]].shape

    @staticmethod
    def check(node: TfliteNode, expected: Iterable[int], declared: Iterable[int]) -> None:
        """Holds a shape that follows from a node's operands against what the file says: damaged files differ."""
        if tuple(expected) != tuple(declared) or min(declared, default=1) < 1:
            raise ValueError(f"{node.kind} gives the shape {tuple(expected)}, not {tuple(declared)}")

    def operand(self, node: TfliteNode, position: int = 0) -> str:
        """Real value of an operand."""
        return self.value(node.inputs[position])

    def on_image(self, kind: str, node: TfliteNode, value: str, others: Sequence[str] = (), **attributes: Any) -> str:
        """A node of channels first around which the image is transposed."""
        result = self.emit(kind, [self.first(value, node), *others], self.label(node), **attributes)
        return self.last(result, node)

    def first(self, value: str, node: TfliteNode, axes: int = 4) -> str:
        """An image with its channels first; what has other than four axes as it is."""
        return self.emit("Transpose", [value], self.label(node), perm=_FIRST) if axes == 4 else value

    def last(self, value: str, node: TfliteNode, axes: int = 4) -> str:
        """The inverse of `first`."""
        return self.emit("Transpose", [value], self.label(node), perm=_LAST) if axes == 4 else value

    @staticmethod
    def axis(axis: int, axes: int) -> int:
        """Where `first` puts an axis, which may be counted from the end."""
        return (0, 2, 3, 1)[axis] if axes == 4 else axis % axes

    def reshaped(self, value: str, shape: Sequence[int], node: TfliteNode) -> str:
        """The value in another shape, of as many elements."""
        return self.emit("Reshape", [value, self.constant("shape", np.array(shape, np.int64))], self.label(node))

    def bias(self, node: TfliteNode, position: int = 2) -> list[str]:
        """An operand that may be missing."""
        return [self.operand(node, position)] if len(node.inputs) > position and node.inputs[position] >= 0 else []

    def readers(self, index: int) -> list[TfliteNode]:
        """Operators that read a tensor."""
        return [node for node in self.source.nodes if index in node.inputs]
