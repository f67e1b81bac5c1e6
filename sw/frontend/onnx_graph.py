"""Float ONNX models become the typed graph: every node by the handler of its operator."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx.numpy_helper
from numpy.typing import NDArray
from onnx import NodeProto

from ..errors import ModelError, UnsupportedOperator
from ..graph import Graph, rebuild
from ..heads import HostFunction
from ..layers import AveragePool, Mac, MaxPool
from ..outputs import Output
from .folding import OF_SHAPES, fold, folds, of_shape
from .importer import Importer, Start
from .onnx_file import FOREIGN_DOMAIN, Shapes, read_model
from .op_codes import on_codes
from .op_head import continue_head
from .operators import ELEMENTWISE, HANDLERS, REARRANGEMENTS, REWRITES
from .origins import give_names
from .taken_over import taken_over
from .tflite.converter import FILE_VALUE
from .view import View, input_permutation

__all__ = ["Imported", "finish_graph", "import_model", "import_nodes", "imported_graph", "load_model", "open_importer"]


_ENLARGING = frozenset({"ConvTranspose", "DepthToSpace", "Resize", "Upsample"})
"""Operators whose results a copy can have in full size."""

_MANY_WEIGHTS = 4
"""Times the weights from which on an image is copied in full size. Copies take cycles, and so do weights of phases."""

_CLEARLY = 4
"""Times as many again, from which on nobody needs to build them to see that they are too many."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A model's graph, and how values of its file, by their names there, show elements of the graph's tensors."""

    graph: Graph
    values: Mapping[str, View]


def load_model(path: Path, shapes: Shapes | None = None) -> Graph:
    """Typed graph of a model file; parameters and errors are those of :func:`import_model`."""
    return import_model(path, shapes).graph


def import_model(path: Path, shapes: Shapes | None = None, states: Mapping[str, str] | None = None) -> Imported:
    """Typed graph of a float ONNX file or a TFLite file, with what became of the file's values.

    Parameters
    ----------
    path : Path
        A model with one input, beside states, whose first axis is the batch (1 or dynamic) and whose other axes are
        fixed.
    shapes : mapping of sequence of int, optional
        Sizes of axes that the file leaves open, by input.
    states : mapping of str, optional
        Outputs that further inputs take over from run to run, by input; variables of a TFLite file are known.

    Raises
    ------
    ModelError
        If the file cannot be read or makes no sense.
    UnsupportedOperator
        If a node cannot run on the accelerator; the message names it and, where there is one, a rewrite.
    """
    importer = open_importer(read_model(Path(path), shapes, states))
    for _, refusal in import_nodes(importer):
        if refusal is not None:
            raise refusal
    return imported_graph(importer, finish_graph(importer, Path(path).stem))


def open_importer(model: onnx.ModelProto) -> Importer:
    """An importer that has seen no node yet, of the two ways of enlarged images the one for the model.

    They are read in phases, unless that takes `_MANY_WEIGHTS` times the weights of a graph that copies them in full
    size: where several enlargements follow each other, each multiplies the phases.
    """
    if not any(node.op_type in _ENLARGING for node in model.graph.node):
        return Importer(model)
    plain, phases = Importer(model, plain=True), Importer(model)
    refused = any(refusal is not None for _, refusal in import_nodes(plain))
    if not refused and plain.enlarged:
        most = _MANY_WEIGHTS * _weights(plain)
        if _weights_in_phases(plain) > _CLEARLY * most or any(_weights(phases) > most for _ in import_nodes(phases)):
            return Importer(model, plain=True)
    return Importer(model)


def _weights(importer: Importer) -> int:
    """Weights of all layers but those that copy images in full size."""
    macs = [layer for layer in importer.layers if isinstance(layer, Mac) and layer.enlarge == (1, 1)]
    return sum(term.weights.size for layer in macs for term in layer.terms)


def _weights_in_phases(importer: Importer) -> int:
    """About what a graph of copies in full size would have without these."""
    total, phases = 0, dict[str, int]()
    for layer in importer.layers:
        if not isinstance(layer, Mac):
            stride = layer.window.stride if isinstance(layer, MaxPool | AveragePool) else (1, 1)
            phases[layer.output] = max(phases.get(name, 1) for name in layer.sources) // math.prod(stride) or 1
            continue
        found = 1
        for term in layer.terms:
            read = phases.get(term.source, 1)
            written = read // math.prod(term.window.stride) or 1
            total += term.weights.size * read * written
            found = max(found, written)
        phases[layer.output] = found * math.prod(layer.enlarge)
    return total


def imported_graph(importer: Importer, graph: Graph) -> Imported:
    """A finished graph with what became of the file's values."""
    views = {name: importer.chw(view) for name, view in importer.views.items() if name != importer.input}
    names = {prop.key: prop.value for prop in importer.model.metadata_props if prop.key.startswith(FILE_VALUE)}
    if names:  # a converted file: its own names
        views = {own: views[key] for value, own in names.items() if (key := value.removeprefix(FILE_VALUE)) in views}
    return Imported(graph=graph, values=views)


def import_nodes(importer: Importer) -> Iterator[tuple[NodeProto, ModelError | None]]:
    """Import a model node by node; each comes with the error if it cannot run, whose outputs then have no views yet."""
    for start in importer.starts.values():
        with contextlib.suppress(ModelError):  # the node that causes it is going to say so
            start.order = _order(importer, start)
    for node in importer.model.graph.node:
        refusal = None
        try:
            _import(importer, node)
        except ModelError as error:
            refusal = error
        yield node, refusal


def finish_graph(importer: Importer, name: str) -> Graph:
    """Typed graph of a model whose nodes are imported; raises as :func:`load_model` does."""
    taken = set(importer.states.values())
    outputs = [_output(importer, value.name) for value in importer.model.graph.output if value.name not in taken]
    states = [
        taken_over(importer, importer.starts[name], output)
        for name, output in importer.states.items()
        if importer.starts[name].spec is not None
    ]
    if importer.input_spec is None:
        raise ModelError("no layer reads the model's input: export the whole model")
    graph = Graph(
        name=name,
        tensors=importer.tensors,
        input=importer.input_spec,
        layers=tuple(importer.layers),
        outputs=tuple(outputs),
        notes=tuple(importer.notes),
        states=tuple(states),
    )
    graph = rebuild(graph, importer.layers)
    return replace(graph, layers=tuple(give_names(importer.model.graph.node, graph.layers, importer.made)))


def _order(importer: Importer, start: Start) -> NDArray[np.int64]:
    """Positions in an input as the first node sees them that is neither rearrangement nor elementwise."""
    guessed: set[str] = set()  # constants of shapes: an elementwise operator may have changed them
    try:
        return _followed(importer, start, guessed)
    finally:
        for name in guessed:
            importer.constants.pop(name, None)


def _followed(importer: Importer, start: Start, guessed: set[str]) -> NDArray[np.int64]:
    seen = {start.name: start.order}
    padded: set[str] = set()
    usable = dict(seen)  # the last order on the way that a transposition on the host brings about
    for node in importer.model.graph.node:
        source = next((name for name in node.input if name in seen), None)
        output = node.output[0]
        if folds(importer, node) or (source is not None and node.op_type in OF_SHAPES):
            if source is not None and node.op_type in OF_SHAPES:
                importer.constants[output] = of_shape(importer, node, seen[source].shape)
                guessed.add(output)
            elif not guessed.isdisjoint(node.input):
                fold(importer, node)
                guessed.update(node.output)
            else:
                fold(importer, node)
            continue
        if source is None:
            continue
        if node.op_type in REARRANGEMENTS and (source not in padded or node.op_type == "Transpose"):
            with _sense(importer, node):
                seen[output] = REARRANGEMENTS[node.op_type](importer, node, seen[source])
            usable[output] = seen[output] if _is_usable(start, seen[output]) else usable[source]
            if seen[output].size != start.order.size:
                return usable[source]
        elif node.op_type in ELEMENTWISE and all(name in seen or name in importer.constants for name in node.input):
            seen[output], usable[output] = seen[source], usable[source]
        else:
            return _channels_first(importer, start, node, usable[source], seen[source])
        if node.op_type == "Pad" or source in padded:
            padded.add(output)
    return start.order


def _is_usable(start: Start, order: NDArray[np.int64]) -> bool:
    """Whether an order of the input's elements is an image or a line of its axes transposed."""
    if order.size != start.order.size or not 2 <= order.ndim <= 4 or order.shape[0] != 1:
        return False
    return input_permutation(start.shape[1:], order) is not None


def _channels_first(
    importer: Importer, start: Start, node: NodeProto, order: NDArray[np.int64], seen: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The order with the axis that a MatMul sums over first: a dense layer of every token is a convolution then."""
    if node.op_type != "MatMul" or order is not seen or order.ndim < 3:
        return order
    moved = np.moveaxis(order, -1 if importer.constant(node, 1) is not None else -2, 1)
    return moved if _is_usable(start, moved) else order


@contextlib.contextmanager
def _sense(importer: Importer, node: NodeProto) -> Iterator[None]:
    """Turns what attributes or operands can cause that the checker let pass into an error for users."""
    try:
        yield
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ModelError(
            f"node {importer.label(node)!r} makes no sense ({type(error).__name__}: {error}): export the model again"
        ) from error


def _import(importer: Importer, node: NodeProto) -> None:
    if node.domain == FOREIGN_DOMAIN:
        raise UnsupportedOperator(
            f"operator {node.op_type} (node {importer.label(node)!r}) is not standard ONNX: export the float model, "
            "without quantisation or custom nodes"
        )
    inputs = [name for name in node.input if name]
    if folds(importer, node):
        with _sense(importer, node):
            fold(importer, node)
        return
    written = importer.constants, importer.views, importer.hosted
    missing = next((name for name in inputs if not any(name in values for values in written)), None)
    if missing is not None:
        raise ModelError(f"node {importer.label(node)!r} reads {missing!r}, which nothing writes: export it again")
    if node.op_type == "If":
        _import_branch(importer, node)
        return
    behind_head = any(name in importer.hosted for name in inputs)
    handler = continue_head if behind_head else HANDLERS.get(node.op_type)
    if not behind_head and not importer.codes.keys().isdisjoint(inputs):
        handler = on_codes
    if handler is None:
        raise importer.unsupported(node, REWRITES.get(node.op_type, ""))
    if node.op_type not in ("Split", "TopK") and not importer.read.isdisjoint(node.output[1:]):
        raise importer.unsupported(node, "only its first output can be used")
    first = len(importer.layers)
    with _sense(importer, node):
        handler(importer, node)
    importer.sign(node, first)


def _import_branch(importer: Importer, node: NodeProto) -> None:
    """Imports the branch of an If that is taken for every sample."""
    condition = importer.constant(node, 0)
    if condition is None:
        raise importer.unsupported(node, "its condition depends on the samples: export the branch that is taken")
    branch = importer.attributes(node)["then_branch" if condition.any() else "else_branch"]
    importer.constants |= {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in branch.initializer}
    for inner in branch.node:
        _import(importer, inner)
    for output, result in zip(node.output, branch.output, strict=True):
        kinds: list[Any] = [importer.constants, importer.steps, importer.views, importer.codes, importer.hosted]
        for values in kinds:
            if result.name in values:
                values[output] = values[result.name]


def _output(importer: Importer, name: str) -> Output:
    """An output by its own name; the host puts its elements in order and computes its head."""
    if name in importer.constants:
        raise ModelError(f"output {name!r} does not depend on the input: remove it")
    hosted = importer.hosted.get(name)
    view = importer.chw(importer.views[name] if hosted is None else hosted.view)
    if view.tensor == importer.input or not view.shape or view.shape[0] != 1:
        raise UnsupportedOperator(
            f"output {name!r} is only a rearrangement of the input, or has no batch axis of 1: leave it to the host"
        )
    order, size = view.index.ravel(), int(np.prod(importer.tensors[view.tensor]))
    return Output(
        name=name,
        tensor=view.tensor,
        shape=view.shape[1:],
        order=None if np.array_equal(order, np.arange(size)) else order,
        head=_codes(importer, name) if hosted is None else hosted.head,
    )


def _codes(importer: Importer, name: str) -> tuple[HostFunction, ...]:
    """The head of an output of quantised integers: tensors hold what they stand for."""
    grid = importer.codes.get(name)
    if grid is None:
        return ()
    attributes = {"scale": grid.scale, "zero": grid.zero, "type": "int8" if grid.low < 0 else "uint8"}
    return (HostFunction(kind="codes", attributes=attributes, operator="QuantizeLinear", node=name),)
