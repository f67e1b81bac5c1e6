"""Float ONNX models become the typed graph: one handler for each operator, on views of (C, H, W) tensors."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime
from numpy.typing import NDArray
from onnx import NodeProto

from ..errors import ModelError, UnsupportedOperator
from ..graph import Graph, Layer, rebuild
from ..quantised import InputSpec
from .onnx_file import read_model
from .operators import ELEMENTWISE, HANDLERS, REARRANGEMENTS, REWRITES
from .view import View, input_permutation

__all__ = ["Importer", "load_model"]


def load_model(path: Path) -> Graph:
    """Typed graph of a float ONNX file.

    Parameters
    ----------
    path : Path
        A model with one input whose first axis is the batch (1 or dynamic) and whose other axes are fixed.

    Raises
    ------
    ModelError
        If the file cannot be read or makes no sense.
    UnsupportedOperator
        If a node cannot run on the accelerator; the message names it and, where there is one, a rewrite.
    """
    return Importer(read_model(Path(path)), name=Path(path).stem).graph()


def quiet_session() -> onnxruntime.SessionOptions:
    """Options of a session on one thread that logs errors only."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return options


class Importer:
    """State of one import: constants, views of tensors, layers so far; handlers call its methods."""

    def __init__(self, model: onnx.ModelProto, *, name: str) -> None:
        self.name = name
        self.model = model
        self.opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 17)
        self.constants: dict[str, NDArray[Any]] = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.views: dict[str, View] = {}
        self.tensors: dict[str, tuple[int, int, int]] = {}
        self.layers: list[Layer] = []
        self.notes: list[str] = []
        self.input_spec: InputSpec | None = None
        self.outputs = frozenset(value.name for value in model.graph.output)
        self._names: set[str] = set()
        value = model.graph.input[0]
        self._input = value.name
        self._input_shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        self.views[value.name] = View(value.name, np.arange(int(np.prod(self._input_shape))).reshape(self._input_shape))

    def graph(self) -> Graph:
        """The finished graph."""
        for node in self.model.graph.node:
            self._import(node)
        outputs = [self._output(value.name) for value in self.model.graph.output]
        if self.input_spec is None:
            raise ModelError("no layer reads the model's input: export the whole model")
        graph = Graph(name=self.name, tensors=self.tensors, input=self.input_spec, layers=tuple(self.layers),
                      outputs=tuple(outputs), notes=tuple(self.notes))
        return rebuild(graph, self.layers)

    def _import(self, node: NodeProto) -> None:
        inputs = [name for name in node.input if name]
        if node.op_type == "Constant" or all(name in self.constants for name in inputs):
            self._fold(node)
            return
        missing = next((n for n in inputs if n not in self.constants and n not in self.views), None)
        if missing is not None:
            raise ModelError(f"node {self.label(node)!r} reads {missing!r}, which nothing writes: export it again")
        handler = HANDLERS.get(node.op_type)
        if handler is None:
            raise self.unsupported(node, REWRITES.get(node.op_type, ""))
        if node.op_type != "Dropout" and sum(map(bool, node.output)) > 1:
            raise self.unsupported(node, "only its first output can be used")
        try:
            handler(self, node)
        except (IndexError, KeyError, TypeError, ValueError) as error:  # attributes or operands the checker let pass
            raise ModelError(f"node {self.label(node)!r} makes no sense ({type(error).__name__}: {error}): "
                             "export the model again") from error

    def _fold(self, node: NodeProto) -> None:
        """Evaluates a node of constants that the optimizer left alone (DequantizeLinear of weights, for one)."""
        names = dict.fromkeys(name for name in node.input if name)
        outputs = [name for name in node.output if name]
        graph = onnx.helper.make_graph(
            [node], "fold", [], [onnx.helper.make_empty_tensor_value_info(name) for name in outputs],
            initializer=[onnx.numpy_helper.from_array(self.constants[name], name) for name in names])
        model = onnx.helper.make_model(graph, opset_imports=self.model.opset_import, ir_version=self.model.ir_version)
        try:
            results = onnxruntime.InferenceSession(model.SerializeToString(), quiet_session()).run(None, {})
        except Exception as error:
            raise self.unsupported(node, "fold its constants before export") from error
        self.constants.update(zip(outputs, map(np.asarray, results), strict=True))

    def _output(self, name: str) -> tuple[str, tuple[int, ...]]:
        if name in self.constants:
            raise ModelError(f"output {name!r} does not depend on the input: remove it")
        view = self.chw(self.views[name])
        if view.tensor == self._input or not view.is_chw() or view.shape[0] != 1:
            raise UnsupportedOperator(f"output {name!r} is only a rearrangement of a tensor: "
                                      "leave the last Transpose or Reshape to the host")
        return view.tensor, view.shape[1:]

    # What handlers use

    def label(self, node: NodeProto) -> str:
        """Short name of a node: converters join whole chains of names by semicolons."""
        return (node.name or next(filter(None, node.output))).split(";")[0]

    def unsupported(self, node: NodeProto, hint: str = "") -> UnsupportedOperator:
        """Error that names operator, node and the nearest rewrite."""
        text = f"operator {node.op_type} (node {self.label(node)!r}) is not supported"
        return UnsupportedOperator(f"{text}: {hint}" if hint else text)

    def constant(self, node: NodeProto, position: int) -> NDArray[Any] | None:
        """Value of a constant operand, None where the operand is absent or not constant."""
        return self.constants.get(node.input[position]) if position < len(node.input) else None

    def view(self, node: NodeProto, position: int = 0) -> View:
        """View of an operand; the model's input is not yet in (C, H, W) order."""
        if node.input[position] in self.constants:
            raise self.unsupported(node, f"operand {position} must not be constant")
        return self.views[node.input[position]]

    def attributes(self, node: NodeProto) -> dict[str, Any]:
        """Attributes by name, strings decoded."""
        values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}

    def chw(self, view: View) -> View:
        """The view in terms of a (C, H, W) tensor; for the model's input that is the order its first reader sees."""
        if view.tensor != self._input:
            return view
        order = self._input_order
        if self.input_spec is None:
            sample = self._input_shape[1:]
            permutation = input_permutation(sample, order)
            if permutation is None:
                raise UnsupportedOperator(f"input {self._input!r} is rearranged in a way that is no transposition: "
                                          "do it on the host")
            self.tensors[self._input] = self.chw_shape(order.shape)
            self.input_spec = InputSpec(tensor=self._input, shape=sample, permutation=permutation)
        position = np.empty(order.size, dtype=np.int64)
        position[order.ravel()] = np.arange(order.size)
        return View(view.tensor, position[view.index])

    @functools.cached_property
    def _input_order(self) -> NDArray[np.int64]:
        """Positions in the model's input as the first node sees them that is neither rearrangement nor elementwise."""
        seen = {self._input: self.views[self._input].index}
        for node in self.model.graph.node:
            source = next((name for name in node.input if name in seen), None)
            if source is None:
                continue
            if node.op_type in REARRANGEMENTS:
                seen[node.output[0]] = REARRANGEMENTS[node.op_type](self, node, seen[source])
            elif node.op_type in ELEMENTWISE:
                seen[node.output[0]] = seen[source]
            else:
                return seen[source]
        return self.views[self._input].index

    @staticmethod
    def chw_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
        """(C, H, W) of a value's shape with batch: missing axes at the end are 1, further ones join the last."""
        sample = [*shape[1:], 1, 1]
        return sample[0], sample[1], int(np.prod(sample[2:]))

    def image(self, node: NodeProto, position: int = 0) -> tuple[str, tuple[int, int, int]]:
        """Tensor and (C, H, W) of an operand that must be a plain image of 4 axes."""
        view = self.chw(self.view(node, position))
        if not view.is_chw() or view.shape != (1, *self.tensors[view.tensor]):
            raise self.unsupported(node, f"its input of shape {view.shape} is not (batch, channels, height, width): "
                                         "transpose the model's input only, or export it with channels first")
        return view.tensor, self.tensors[view.tensor]

    def unique(self, name: str) -> str:
        """The name, with a number behind it if a layer already has it."""
        candidate, number = name, 1
        while candidate in self._names:
            number += 1
            candidate = f"{name}_{number}"
        self._names.add(candidate)
        return candidate

    def emit(self, node: NodeProto, layer: Layer, shape: tuple[int, int, int],
             index: NDArray[np.int64] | None = None) -> None:
        """Adds a layer that writes the node's first output; ``index`` is the view of it (default: an image)."""
        self.layers.append(layer)
        self.tensors[layer.output] = shape
        if index is None:
            index = np.arange(int(np.prod(shape))).reshape(1, *shape)
        self.views[node.output[0]] = View(layer.output, index)
