"""Reads an ONNX file, checks it, and cleans it up: batch of one, constants folded, BatchNorm fused."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx.checker
import onnx.defs
import onnx.helper
import onnx.numpy_helper
import onnx.shape_inference
from onnx import ModelProto, TensorProto, ValueInfoProto
from onnxscript.optimizer import optimize
from onnxscript.rewriter import RewriteRuleSet, rewrite
from onnxscript.rewriter.rules import common as rules

from ..errors import ModelError, UnsupportedOperator
from .tflite import tflite_to_onnx

__all__ = ["QONNX_OPERATORS", "read_model"]

QONNX_OPERATORS = frozenset({"Quant", "BipolarQuant", "Trunc", "MultiThreshold"})
"""Operators of the QONNX dialect (arXiv 2206.07527), which exporters file under domains of their own."""

_QONNX_DOMAIN = "qonnx.custom_op.general"

_RULES = RewriteRuleSet(
    [
        rules.dropout_inference_rule,
        rules.fuse_batchnorm_into_conv_rule,
        rules.fuse_batchnorm_into_gemm_rule,
        rules.normalize_pad_format_conv_rule,
        rules.fuse_pad_into_conv_rule,
    ]
)


def read_model(path: Path) -> ModelProto:
    """Checked and cleaned-up model: one input, batch axis 1, static shapes.

    Raises
    ------
    ModelError
        If the file cannot be read, is not a valid model, has several inputs, a fixed batch other than 1, another
        dynamic axis, or a constant that is not finite.
    UnsupportedOperator
        If a node is of an operator set other than ONNX's own.
    """
    model = _parse(path)
    _check_constants(model)
    _pin_batch(model)
    # The optimizer logs every initializer that old files also list as inputs; nothing a user could act on.
    previous, library = logging.getLogger("onnx_ir").level, logging.getLogger("onnx_ir")
    library.setLevel(logging.ERROR)
    try:
        model = optimize(rewrite(optimize(model), pattern_rewrite_rules=_RULES))
    except Exception as error:
        raise ModelError(f"cannot simplify {path}: {_first_line(error)}; export it again") from error
    finally:
        library.setLevel(previous)
    return onnx.shape_inference.infer_shapes(model)


def _parse(path: Path) -> ModelProto:
    try:
        model = tflite_to_onnx(path) if path.suffix == ".tflite" else onnx.load(path)
        if not model.graph.node and not model.graph.output:
            raise ModelError(f"cannot read {path}: it holds no ONNX graph; give a float model exported as .onnx")
        _name_domain(model)
        _check_operators(model)
        # Inference first: the checker wants shapes of outputs, which some exporters leave out.
        model = onnx.shape_inference.infer_shapes(model)
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


def _name_domain(model: ModelProto) -> None:
    """Files quantisers of the QONNX dialect under one domain, and declares it, so that checker and optimizer pass."""
    nodes = [node for node in model.graph.node if node.op_type in QONNX_OPERATORS]
    for node in nodes:
        node.domain = _QONNX_DOMAIN
    if nodes and all(entry.domain != _QONNX_DOMAIN for entry in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(_QONNX_DOMAIN, 1))


def _check_operators(model: ModelProto) -> None:
    """Before the checker, whose own message about foreign operators names neither the node nor a way out."""
    for node in model.graph.node:
        domain = "" if node.domain == "ai.onnx" else node.domain
        if node.op_type not in QONNX_OPERATORS and not onnx.defs.has(node.op_type, domain=domain):
            raise UnsupportedOperator(
                f"operator {node.op_type} (node {node.name or node.output[0]!r}) is not standard ONNX: "
                "export the float model, without quantisation or custom nodes"
            )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".;: ") if text else type(error).__name__


def _constants(model: ModelProto) -> Iterator[tuple[str, TensorProto]]:
    yield from ((tensor.name, tensor) for tensor in model.graph.initializer)
    for node in model.graph.node:
        if node.op_type == "Constant":
            yield from ((node.output[0], attribute.t) for attribute in node.attribute if attribute.name == "value")


def _check_constants(model: ModelProto) -> None:
    for name, tensor in _constants(model):
        try:
            values = onnx.numpy_helper.to_array(tensor)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"initializer {name!r} cannot be read ({_first_line(error)}): export it again") from error
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ModelError(f"initializer {name!r} holds NaN or infinity: train or export the model again")


def _pin_batch(model: ModelProto) -> None:
    """Makes the batch axis 1 everywhere, so that shapes computed from it fold to constants."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(repr(value.name) for value in inputs) or "none"
        raise ModelError(f"the model has {len(inputs)} inputs ({names}): exactly one is supported")
    _pin_input(inputs[0])
    del graph.input[:]
    graph.input.append(inputs[0])
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
            raise ModelError(f"input {value.name!r} has no fixed size on axis {axis}: export the model with that size")
    dims[0].dim_value = 1
