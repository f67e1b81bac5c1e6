"""Operators that ONNX defines as functions of others, written out as these."""

from __future__ import annotations

import onnx.helper
import onnx.inliner
from onnx import ModelProto

from ..errors import ModelError
from .inference import infer_shapes

__all__ = ["write_out_functions"]

_WRITTEN_OUT = ("Attention", "CastLike", "CenterCropPad", "RotaryEmbedding")


def write_out_functions(model: ModelProto) -> ModelProto:
    """The model with some operators as the bodies that their definitions give, by ONNX's own inliner, and with the
    types of all values; types have to be known before, too.

    Raises
    ------
    ModelError
        If a body cannot be made: the type of an operand is not known.
    """
    found = [node for node in model.graph.node if node.op_type in _WRITTEN_OUT]
    if not found:
        return model
    typed = ModelProto()
    typed.CopyFrom(model)
    for tensor in model.graph.initializer:  # the inliner looks no further
        typed.graph.value_info.append(
            onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        )
    try:
        written = onnx.inliner.inline_selected_functions(
            typed, [("", name) for name in _WRITTEN_OUT], inline_schema_functions=True
        )
    except RuntimeError as error:
        names = ", ".join(sorted({node.op_type for node in found}))
        raise ModelError(f"{names} cannot be written out as other operators: export the model without it") from error
    return infer_shapes(written)
