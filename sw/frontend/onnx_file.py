"""Reads an ONNX file, checks it, and brings it to one form: functions inlined, batch of one, nothing that is unread."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.checker
import onnx.defs
import onnx.helper
import onnx.inliner
import onnx.numpy_helper
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from ..errors import InputError, ModelError, UnsupportedOperator
from .apart import keep_apart
from .cells import write_out_cells
from .functions import write_out_functions
from .importer import MOST_ELEMENTS
from .inference import infer_shapes
from .model_file import load_onnx
from .qoperators import write_out_qoperators
from .states import declare_states, name_states, state_inputs

__all__ = ["FOREIGN_DOMAIN", "QONNX_OPERATORS", "Shapes", "read_model"]

Shapes = Mapping[str, Sequence[int]]
"""Sizes of inputs by name, batch of 1 included, where a file leaves some open."""

QONNX_OPERATORS = frozenset({"Quant", "BipolarQuant", "Trunc", "MultiThreshold"})
"""Operators of the QONNX dialect (arXiv 2206.07527), which exporters file under domains of their own."""

_QONNX_DOMAIN = "qonnx.custom_op.general"

FOREIGN_DOMAIN = "narrows.foreign"
"""Domain under which operators of any other set are filed: the importer refuses them one by one."""

_OPSETS = range(7, 24)
"""Versions of ONNX's operators whose forms the handlers know."""

_INITIALIZERS_ALONE = 4
"""From this version of the file format on, initializers need not be listed as inputs."""


def read_model(path: Path, shapes: Shapes | None = None, states: Mapping[str, str] | None = None) -> ModelProto:
    """Checked model: one input beside its states, batch axis 1, no functions of its own, no node that no output needs.

    Parameters
    ----------
    path : Path
        ONNX or TFLite.
    shapes : mapping of sequence of int, optional
        Sizes of axes that the file leaves open.
    states : mapping of str, optional
        Outputs that inputs take over from run to run, beside those of the model's metadata (`frontend.states`).

    Raises
    ------
    ModelError
        If the file cannot be read, is not a valid model, has several inputs, a fixed batch other than 1, another
        dynamic axis, a constant that is not finite, or a value of more elements than any core holds.
    UnsupportedOperator
        If the model is of a version of ONNX's operators that is not known.
    InputError
        If ``shapes`` or ``states`` do not fit the model.
    """
    model = _parse(path)
    _check_constants(model)
    declare_states(model, states or {})
    _give_shapes(model.graph, shapes or {})
    _pin_batch(model)
    _drop_unread(model.graph)
    fresh = keep_apart(model.graph)
    name_states(model, {fresh.get(name, name): output for name, output in state_inputs(model).items()})
    model = infer_shapes(model)
    if write_out_cells(model):
        model = infer_shapes(model)
    model = write_out_functions(model)
    _check_sizes(model.graph)
    return model


def _parse(path: Path) -> ModelProto:
    try:
        model = load_onnx(path)
        if not model.graph.node and not model.graph.output:
            raise ModelError(f"cannot read {path}: it holds no ONNX graph; give a float model exported as .onnx")
        _check_names(model.graph)
        if model.functions:
            _write_out_defaults(model)
            model = onnx.inliner.inline_local_functions(model)
        write_out_qoperators(model)
        _name_domain(model)
        _check_version(model)
        model.ir_version = max(model.ir_version, _INITIALIZERS_ALONE)
        # Inference first: the checker wants shapes of outputs, which some exporters leave out.
        model = infer_shapes(model)
        for output in model.graph.output:
            output.type.tensor_type.shape.SetInParent()  # behind quantisers of QONNX inference has none
        onnx.checker.check_model(model)
    except FileNotFoundError as error:
        raise ModelError(f"cannot read {error.filename or path}: no such file") from error
    except ModelError:
        raise
    except Exception as error:  # protobuf, onnx and the file system each raise their own kinds
        raise ModelError(f"cannot read {path} as an ONNX model: {_first_line(error)}; export it again") from error
    return model


def _check_names(graph: GraphProto) -> None:
    """Refuses names that are no UTF-8, which protobuf gives as bytes."""
    values = (*graph.input, *graph.output, *graph.initializer)
    own = ((node.name, node.op_type, node.domain, *node.input, *node.output) for node in graph.node)
    for name in (*(value.name for value in values), *itertools.chain.from_iterable(own)):
        if not isinstance(name, str):
            raise ValueError(f"the name {name!r} is no UTF-8")


def _write_out_defaults(model: ModelProto) -> None:
    """Gives calls of the model's functions the attributes that they leave to defaults: the inliner forgets those."""
    defaults = {(function.domain, function.name): function.attribute_proto for function in model.functions}
    bodies = [model.graph.node, *(function.node for function in model.functions)]
    for node in itertools.chain.from_iterable(map(_with_inner, itertools.chain.from_iterable(bodies))):
        given = {attribute.name for attribute in node.attribute}
        for attribute in defaults.get((node.domain, node.op_type), ()):
            if attribute.name not in given:
                node.attribute.append(attribute)


def _with_inner(node: NodeProto) -> Iterator[NodeProto]:
    """A node and those of its subgraphs."""
    yield node
    for attribute in node.attribute:
        for graph in (*attribute.graphs, attribute.g):
            for inner in graph.node:
                yield from _with_inner(inner)


def _name_domain(model: ModelProto) -> None:
    """Files quantisers of the QONNX dialect, and operators of other sets, under a domain each, and declares these, so
    that the checker passes: its own message about foreign operators names neither the node nor a way out."""
    for node in model.graph.node:
        if node.op_type in QONNX_OPERATORS:
            node.domain = _QONNX_DOMAIN
        elif not onnx.defs.has(node.op_type, domain="" if node.domain == "ai.onnx" else node.domain):
            node.domain = FOREIGN_DOMAIN
    declared = {entry.domain for entry in model.opset_import}
    for domain in {node.domain for node in model.graph.node} & {_QONNX_DOMAIN, FOREIGN_DOMAIN} - declared:
        model.opset_import.append(onnx.helper.make_opsetid(domain, 1))


def _check_version(model: ModelProto) -> None:
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx") and entry.version not in _OPSETS:
            raise UnsupportedOperator(
                f"the model uses version {entry.version} of ONNX's operators, {_OPSETS[0]} to {_OPSETS[-1]} are read: "
                "export it with one of these (opset_version)"
            )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".;: ") if text else type(error).__name__


def _constants(model: ModelProto) -> Iterator[tuple[str, TensorProto]]:
    yield from ((tensor.name, tensor) for tensor in model.graph.initializer)
    for node in model.graph.node:
        if node.op_type == "Constant":
            yield from ((node.output[0], attribute.t) for attribute in node.attribute if attribute.name == "value")


_OF_MASKS = frozenset({"Add", "Where"})
"""Operators to which a constant of minus infinity says that an element takes no part: masks of attention."""

_OF_LIMITS = frozenset({"Clip", "Max", "Min"})
"""Operators to which an infinite constant says that there is no limit: what a maximum of nothing begins with."""


def _check_constants(model: ModelProto) -> None:
    for name, tensor in _constants(model):
        try:
            values = onnx.numpy_helper.to_array(tensor)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"initializer {name!r} cannot be read ({_first_line(error)}): export it again") from error
        if values.dtype.kind != "f" or np.isfinite(values).all():
            continue
        readers = {node.op_type for node in model.graph.node if name in node.input}
        limits, masks = readers <= _OF_LIMITS, readers <= _OF_MASKS and not np.isposinf(values).any()
        if np.isnan(values).any() or not (limits or masks):
            raise ModelError(f"initializer {name!r} holds NaN or infinity: train or export the model again")


def _check_sizes(graph: GraphProto) -> None:
    """Before anything takes memory for the place of every element; constants are looked at when they are made."""
    constants = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if all(name in constants for name in node.input):
            constants.update(node.output)
    for value in (*graph.input, *graph.value_info, *graph.output):
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if value.name not in constants and math.prod(max(1, size) for size in shape) > MOST_ELEMENTS:
            raise ModelError(
                f"value {value.name!r} has {' x '.join(map(str, shape))} elements, more than any core holds: "
                "export the model for smaller inputs"
            )


def _give_shapes(graph: GraphProto, shapes: Shapes) -> None:
    """Fixes the axes of inputs that a file leaves open."""
    inputs = {value.name: value.type.tensor_type.shape.dim for value in graph.input}
    for name, sizes in shapes.items():
        if name not in inputs:
            raise InputError(f"the model has no input {name!r}: its inputs are {', '.join(map(repr, inputs))}")
        dims = inputs[name]
        held = "x".join(str(dim.dim_value or dim.dim_param or "?") for dim in dims)
        fixed = [(dim.dim_value, size) for dim, size in zip(dims, sizes, strict=False) if dim.dim_value > 0]
        if len(dims) != len(sizes) or any(own != given for own, given in fixed):
            raise InputError(
                f"input {name!r} is {held} in the file, not {'x'.join(map(str, sizes))}: give the sizes of its open "
                "axes, and the others as they are"
            )
        for dim, size in zip(dims, sizes, strict=True):
            dim.dim_value = size


def _pin_batch(model: ModelProto) -> None:
    """Makes the batch axis 1 everywhere, so that shapes computed from it fold to constants."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    states = state_inputs(model)
    inputs = [value for value in graph.input if value.name not in constants and value.name not in states]
    if len(inputs) != 1:
        names = ", ".join(repr(value.name) for value in inputs) or "none"
        raise ModelError(
            f"the model has {len(inputs)} inputs ({names}): one is supported, beside states that take over an output "
            "from run to run (--state INPUT=OUTPUT)"
        )
    inputs += [value for value in graph.input if value.name in states]
    for value in inputs:
        _pin_input(value)
    del graph.input[:]
    graph.input.extend(inputs)
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")


def _pin_input(value: ValueInfoProto) -> None:
    dims = value.type.tensor_type.shape.dim
    if len(dims) < 2:
        raise ModelError(f"input {value.name!r} needs a batch axis and at least one more, not {len(dims)} axes")
    if dims[0].dim_value > 1:
        raise ModelError(
            f"input {value.name!r} has a fixed batch of {dims[0].dim_value}: export it with batch 1 or a dynamic one"
        )
    for axis, dim in enumerate(dims[1:], start=1):
        if dim.dim_value < 1:
            raise ModelError(
                f"input {value.name!r} has no fixed size on axis {axis}: give one with --input-shape "
                f"{value.name}={_example(value)}, or export the model with that size"
            )
    dims[0].dim_value = 1


def _example(value: ValueInfoProto) -> str:
    """Sizes for an input, a made-up one where it has none."""
    dims = value.type.tensor_type.shape.dim
    return ",".join(["1", *(str(dim.dim_value if dim.dim_value > 0 else 64) for dim in dims[1:])])


def _drop_unread(graph: GraphProto) -> None:
    """Leaves out nodes whose outputs neither the model's outputs nor other nodes need."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            kept.append(node)
            needed.update(_reads(node))
    del graph.node[:]
    graph.node.extend(reversed(kept))


def _reads(node: NodeProto) -> Iterator[str]:
    """Values that a node reads, those of the graph around it that its subgraphs read among them."""
    for each in _with_inner(node):
        yield from each.input
        for attribute in each.attribute:
            for graph in (*attribute.graphs, attribute.g):
                yield from (value.name for value in graph.output)
