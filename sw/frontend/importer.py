"""Importer: the state of one import from ONNX, and what handlers of operators do with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx.numpy_helper
from numpy.typing import NDArray
from onnx import NodeProto

from ..errors import ModelError, UnsupportedOperator
from ..grids import Grid
from ..layers import Layer
from ..origin import joined
from ..quantised import InputSpec
from .origins import node_label
from .phases import phases_of
from .states import state_inputs
from .view import View, input_permutation

if TYPE_CHECKING:
    from .op_head import Hosted

__all__ = ["MOST_ELEMENTS", "Importer", "Start"]

MOST_ELEMENTS = 1 << 25
"""Of a value: twenty times what a detector at 640 pixels has."""


@dataclass
class Start:
    """The model's input, or a state: ``shape`` with batch, and ``order``, its positions as its first reader sees them;
    until that is set it is the model's own. ``spec`` is known once something reads it."""

    name: str
    shape: tuple[int, ...]
    order: NDArray[np.int64]
    spec: InputSpec | None = None

    @property
    def own(self) -> str:
        """In place of a tensor's name: views in the order that samples have, until `Importer.chw` places them."""
        return f"\0{self.name}"


class Importer:
    """Constants, views of tensors and layers so far; ``opset`` is the version of ONNX's operators.

    ``steps`` are those of constants that a quantiser made: arrays of the constant's shape, of which its elements are
    whole multiples. ``codes`` are the grids of values that are a quantiser's codes; their views show what these stand
    for. ``rounded`` finds what a quantiser wrote by its source and grid. ``hosted`` are values that the host computes,
    ``read`` those that a node or an output shows. ``made`` holds, by a node's first output, what its layers write.
    ``copies`` holds what became of views that had to be copied, by tensor, shape (and how, if that is
    no linear map) and index; None where no copy can be.
    ``starts`` are the model's ``input`` and its states, by name; ``states`` are the outputs that these take over, and
    ``first`` what they hold in the first run. ``plain`` says to copy enlarged images in full size where that goes,
    ``enlarged`` whether there was one.
    """

    def __init__(self, model: onnx.ModelProto, *, plain: bool = False) -> None:
        self.model = model
        self.plain = plain
        self.enlarged = False
        self.opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)
        self.constants: dict[str, NDArray[Any]] = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        self.steps: dict[str, NDArray[np.float64]] = {}
        self.codes: dict[str, Grid] = {}
        self.rounded: dict[tuple[str, Grid], str] = {}
        self.copies: dict[tuple[str, tuple[str | int, ...], bytes], View | None] = {}
        self.tensors: dict[str, tuple[int, int, int]] = {}
        self.layers: list[Layer] = []
        self.notes: list[str] = []
        self.hosted: dict[str, Hosted] = {}
        self.made: dict[str, list[str]] = {}
        outputs = (value.name for value in model.graph.output)
        self.read = frozenset(outputs).union(*(node.input for node in model.graph.node)) - {""}
        self._names: set[str] = set()
        self.input = model.graph.input[0].name
        self.starts: dict[str, Start] = {}
        for value in model.graph.input:
            shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            self.starts[value.name] = Start(value.name, shape, np.arange(math.prod(shape)).reshape(shape))
        self._unplaced = {start.own: start for start in self.starts.values()}
        self.views: dict[str, View] = {name: View(start.own, start.order) for name, start in self.starts.items()}
        self.states = state_inputs(model)
        self.first = {name: self.constants.pop(name, np.zeros(self.starts[name].shape)) for name in self.states}

    @property
    def input_spec(self) -> InputSpec | None:
        """How samples become the input's tensor, once something reads it."""
        return self.starts[self.input].spec

    def label(self, node: NodeProto) -> str:
        """Short name of a node."""
        return node_label(node)

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
        """The view in terms of a (C, H, W) tensor; of the input and of states in the order that first readers see."""
        start = self._unplaced.get(view.tensor)
        if start is None:
            return view
        order = start.order
        if start.spec is None:
            permutation = input_permutation(start.shape[1:], order)
            if permutation is None:
                raise UnsupportedOperator(
                    f"input {start.name!r} is rearranged in a way that is no transposition: do it on the host"
                )
            self.tensors[start.name] = self.chw_shape(order.shape)
            start.spec = InputSpec(tensor=start.name, shape=start.shape[1:], permutation=permutation)
        position = np.empty(order.size, dtype=np.int64)
        position[order.ravel()] = np.arange(order.size)
        return View(start.name, position[view.index])

    @staticmethod
    def chw_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
        """(C, H, W) of a value's shape with batch: missing axes at the end are 1, further ones join the last."""
        sample = [*shape[1:], 1, 1]
        return sample[0], sample[1], int(np.prod(sample[2:]))

    def lies_across(self, node: NodeProto, position: int = 0) -> bool:
        """Whether an operand is a line (batch, channels, length) along the columns of its tensor."""
        view = self.chw(self.view(node, position))
        _, height, width = self.tensors[view.tensor]
        return len(view.shape) == 3 and height == 1 < width

    def on_four_axes(self, node: NodeProto, position: int = 0) -> View:
        """View of an operand as (1, C, H, W); a line is an image of width 1, or of height 1 if it lies across."""
        view = self.chw(self.view(node, position))
        if len(view.shape) != 3:
            return view
        return View(view.tensor, np.expand_dims(view.index, 2 if self.lies_across(node, position) else 3))

    def shown_like(self, node: NodeProto, view: View) -> View:
        """A result of shape (1, C, H, W) with as many axes as the node's first operand."""
        if len(self.view(node).shape) != 3:
            return view
        return View(view.tensor, view.index[:, :, 0] if self.lies_across(node) else view.index[..., 0])

    def no_image(self, node: NodeProto, view: View) -> UnsupportedOperator:
        """Error for a value that neither is an image in its tensor nor can be copied into one."""
        if len(view.shape) > 4:
            return self.unsupported(
                node, f"its input of shape {view.shape} has {len(view.shape) - 2} axes of pixels: images and lines run"
            )
        if len(view.shape) < 3 or view.shape[0] != 1:
            return self.unsupported(
                node, f"its input of shape {view.shape} is not (batch, channels, height, width), nor a line"
            )
        if phases_of(view, self.tensors[view.tensor]) is not None:
            return self.unsupported(
                node, f"its input of shape {view.shape} is an enlarged image, which only convolutions and sums can read"
            )
        return self.unsupported(
            node,
            f"its input of shape {view.shape} shows channels, lines or columns of an earlier image as one another "
            "(a Transpose or Reshape in the middle), which no layer does: keep images in one order",
        )

    def unique(self, name: str) -> str:
        """The name, with a number behind it if a layer already has it."""
        candidate, number = name, 1
        while candidate in self._names:
            number += 1
            candidate = f"{name}_{number}"
        self._names.add(candidate)
        return candidate

    def sign(self, node: NodeProto, first: int) -> None:
        """Says of the layers from number ``first`` on that they came from the node."""
        for number, layer in enumerate(self.layers[first:], start=first):
            self.layers[number] = replace(layer, origin=joined(layer.origin, [node_label(node)]))
        self.made[node.output[0]] = [layer.output for layer in self.layers[first:]]

    def emit(
        self, node: NodeProto, layer: Layer, shape: tuple[int, int, int], index: NDArray[np.int64] | None = None
    ) -> None:
        """Adds a layer that writes the node's first output; ``index`` is the view of it (default: an image)."""
        if min(shape) < 1 or math.prod(shape) > MOST_ELEMENTS:
            what = f"{' x '.join(map(str, shape))} elements"
            raise ModelError(f"node {self.label(node)!r} gives {what}, which no core holds: check its attributes")
        self.layers.append(layer)
        self.tensors[layer.output] = shape
        if index is None:
            index = np.arange(int(np.prod(shape))).reshape(1, *shape)
        self.views[node.output[0]] = View(layer.output, index)
