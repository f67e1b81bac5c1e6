"""Table of the operators the ONNX frontend understands, and what to write instead of some that it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from onnx import NodeProto

from .op_concat import concat
from .op_curve import CURVES, curve, power
from .op_elementwise import (
    add,
    add_all,
    batch_normalization,
    bound,
    clip,
    divide,
    hard_sigmoid,
    leaky_relu,
    mean,
    multiply,
    negate,
    prelu,
    relu,
    subtract,
    where,
)
from .op_head import ONLY_HOST, host_unless_inside, host_where_joined, leave_to_host
from .op_linear import conv, conv_transpose
from .op_matmul import gemm, matmul
from .op_norm import lp_pool, reduce_norm
from .op_normalisation import (
    group_normalization,
    instance_normalization,
    layer_normalization,
    mean_variance_normalization,
    rms_normalization,
)
from .op_pad import pad
from .op_pool import average_pool, global_average_pool, global_max_pool, max_pool
from .op_quant import bipolar_quant, dequantize_linear, quant, quantize_linear
from .op_reduce import reduce
from .op_resize import resize
from .op_shape import REARRANGEMENTS, rearrange, split

if TYPE_CHECKING:
    from .importer import Importer

__all__ = ["ELEMENTWISE", "HANDLERS", "REARRANGEMENTS", "REWRITES"]

HANDLERS: dict[str, Callable[[Importer, NodeProto], None]] = (
    {
        "Conv": conv,
        "ConvTranspose": conv_transpose,
        "Gemm": gemm,
        "MatMul": matmul,
        "Relu": relu,
        "Clip": clip,
        "LeakyRelu": leaky_relu,
        "PRelu": prelu,
        "Concat": concat,
        "Pad": pad,
        "Add": add,
        "Sum": add_all,
        "Mean": mean,
        "Neg": negate,
        "Where": where,
        "Max": bound,
        "Min": bound,
        "HardSigmoid": hard_sigmoid,
        "Sub": subtract,
        "Mul": multiply,
        "Div": divide,
        "Pow": power,
        "BatchNormalization": batch_normalization,
        "LayerNormalization": layer_normalization,
        "RMSNormalization": rms_normalization,
        "InstanceNormalization": instance_normalization,
        "GroupNormalization": group_normalization,
        "MeanVarianceNormalization": mean_variance_normalization,
        "MaxPool": max_pool,
        "AveragePool": average_pool,
        "GlobalAveragePool": global_average_pool,
        "GlobalMaxPool": global_max_pool,
        "ReduceMean": reduce,
        "ReduceMax": reduce,
        "ReduceMin": reduce,
        "ReduceL1": host_where_joined(reduce_norm),
        "ReduceL2": host_where_joined(reduce_norm),
        "ReduceSumSquare": host_where_joined(reduce_norm),
        "LpPool": lp_pool,
        "GlobalLpPool": lp_pool,
        "ReduceSum": reduce,
        "Resize": resize,
        "Upsample": resize,
        "Split": split,
        "Quant": quant,
        "BipolarQuant": bipolar_quant,
        "QuantizeLinear": quantize_linear,
        "DequantizeLinear": dequantize_linear,
    }
    | dict.fromkeys(REARRANGEMENTS, rearrange)
    | dict.fromkeys(CURVES, curve)
    | dict.fromkeys(("Sigmoid", "Tanh"), host_unless_inside)
    | dict.fromkeys(ONLY_HOST, leave_to_host)
)
"""Handler of each operator."""

ELEMENTWISE = CURVES | frozenset(
    {"Relu", "Clip", "LeakyRelu", "PRelu", "Add", "Sub", "Mul", "Div", "Pow"}
    | {"Quant", "BipolarQuant", "QuantizeLinear", "DequantizeLinear", "Pad"}
)
"""Operators that keep the order of elements whatever it is, Pad but for what it adds."""

REWRITES: dict[str, str] = {
    "LRN": "it divides by sums of squares of the sample: train without it, or with BatchNormalization",
    "OneHot": "begin the model behind it: its input can be the one-hot values",
    "Einsum": "write it as MatMul by a constant",
    "RoiAlign": "it takes its places from another tensor: do it on the host",
    "GridSample": "it takes its places from another tensor: do it on the host",
    "NonMaxSuppression": "end the model before it and do it on the host",
    "DynamicQuantizeLinear": "quantise statically: scales must be constant",
    "Trunc": "train with Quant instead",
    "MultiThreshold": "export before the conversion to thresholds, with Quant nodes",
    **dict.fromkeys(
        ("LSTM", "GRU", "RNN"),
        "it runs over up to 64 steps, with constant weights and usual functions, without clip, peepholes and lengths",
    ),
    **dict.fromkeys(("Scan", "Loop"), "write its steps out; what is kept from run to run is a state"),
}
"""Nearest rewrite of operators without a handler."""
