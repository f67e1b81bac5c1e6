"""Constant values: what nodes make of constants, evaluated by onnxruntime one node at a time and within bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import onnx.shape_inference
from numpy.typing import NDArray
from onnx import NodeProto

from ..errors import ModelError
from ..onnx_sessions import exact_session
from .op_quant import CONSTANT_QUANTISERS
from .op_shape import REARRANGEMENTS

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["OF_SHAPES", "fold", "folds", "of_shape"]

OF_SHAPES = frozenset({"Shape", "Size"})
"""Operators that give constants of any tensor."""

_LARGEST = 1 << 26
"""Elements of the largest constant that is made: more than the weights of any model that fits a small FPGA."""

_SMALL = 1 << 10
"""Elements of operands whose values the inference of shapes is told: sizes, repeats, limits."""

_GROWING = frozenset({"ConstantOfShape", "Expand", "OneHot", "Pad", "Range", "Resize", "Tile", "Upsample"})
"""Operators whose results' sizes come from their operands' values."""

_NEVER = frozenset(
    {"Bernoulli", "If", "Loop", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"}
    | {"RandomUniformLike", "Scan"}
)
"""Operators that give no constant, or hold graphs of their own, whatever their operands are."""


def folds(importer: Importer, node: NodeProto) -> bool:
    """Whether a node's outputs are constants, or known from the shape of a tensor."""
    if node.op_type in OF_SHAPES:
        known = importer.constants, importer.views, importer.hosted
        return any(node.input[0] in values for values in known)
    return node.op_type not in _NEVER and all(name in importer.constants for name in node.input if name)


def fold(importer: Importer, node: NodeProto) -> None:
    """Makes constants of a node's outputs, if they are none yet; steps of quantised ones go along.

    Raises
    ------
    ModelError
        If a result is larger than any model that runs needs, or the node cannot be evaluated.
    """
    output = node.output[0]
    if output in importer.constants:
        return
    if node.op_type == "Constant" and node.attribute[0].name == "value":
        importer.constants[output] = onnx.numpy_helper.to_array(node.attribute[0].t)
        return
    if node.op_type in OF_SHAPES and node.input[0] not in importer.constants:
        view = importer.hosted.get(node.input[0]) or importer.views[node.input[0]]
        importer.constants[output] = of_shape(importer, node, view.shape)
        return
    if (quantiser := CONSTANT_QUANTISERS.get(node.op_type)) is not None:
        importer.constants[output], steps = quantiser(importer, node)
        if steps is not None:
            importer.steps[output] = steps
        return
    results = _evaluated(importer, node, importer.constants)
    if node.op_type in REARRANGEMENTS and node.input[0] in importer.steps:
        steps = {node.input[0]: importer.steps[node.input[0]]}
        importer.steps |= _evaluated(importer, node, importer.constants | steps)
    importer.constants |= results


def of_shape(importer: Importer, node: NodeProto, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """What Shape or Size give of a value of some shape."""
    if node.op_type == "Size":
        return np.array(math.prod(shape), dtype=np.int64)
    attributes = importer.attributes(node)
    return np.array(shape[attributes.get("start", 0) : attributes.get("end")], dtype=np.int64)


def _evaluated(importer: Importer, node: NodeProto, constants: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Outputs of a node of constants, by name."""
    tensors = {name: onnx.numpy_helper.from_array(constants[name], name) for name in node.input if name}
    outputs = [name for name in node.output if name]
    versions = {"opset_imports": importer.model.opset_import, "ir_version": importer.model.ir_version}

    def model(inputs: list[str]) -> onnx.ModelProto:
        graph = onnx.helper.make_graph(
            [node],
            "fold",
            [onnx.helper.make_tensor_value_info(name, tensors[name].data_type, tensors[name].dims) for name in inputs],
            [onnx.helper.make_empty_tensor_value_info(name) for name in outputs],
            initializer=[tensor for name, tensor in tensors.items() if name not in inputs],
        )
        return onnx.helper.make_model(graph, **versions)

    large = [name for name, tensor in tensors.items() if math.prod(tensor.dims) > _SMALL]
    _check_size(importer, node, onnx.shape_inference.infer_shapes(model(large)))
    try:
        results = exact_session(model([]).SerializeToString()).run(None, {})
    except Exception as error:
        raise importer.unsupported(node, "fold its constants before export") from error
    return dict(zip(outputs, map(np.asarray, results), strict=True))


def _check_size(importer: Importer, node: NodeProto, inferred: onnx.ModelProto) -> None:
    """Refuses results that are huge, before they are made."""
    for output in inferred.graph.output:
        shape = output.type.tensor_type.shape
        sizes = [dim.dim_value for dim in shape.dim if dim.HasField("dim_value")]
        known = output.type.tensor_type.HasField("shape") and len(sizes) == len(shape.dim)
        if math.prod(map(abs, sizes)) > _LARGEST or (not known and node.op_type in _GROWING):
            raise ModelError(
                f"node {importer.label(node)!r} makes a constant of "
                f"{f'shape {tuple(sizes)}' if known else 'no known size'}, more than any model that fits a core: "
                "export the model again"
            )
