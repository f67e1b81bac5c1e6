"""Table of the TFLite operators that are converted, how their kernels round, and what to write instead of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ...grids import Rounding
from . import op_elementwise as elementwise
from . import op_linear as linear
from . import op_shape as shape
from . import op_window as window
from .records import TfliteNode

if TYPE_CHECKING:
    from .converter import Converter

__all__ = ["HANDLERS", "MOVES", "REWRITES", "ROUNDINGS"]

_SAME = {
    "ABS": "Abs",
    "ADD": "Add",
    "ADD_N": "Sum",
    "CEIL": "Ceil",
    "COS": "Cos",
    "DIV": "Div",
    "ELU": "Elu",
    "EXP": "Exp",
    "FLOOR": "Floor",
    "HARD_SWISH": "HardSwish",
    "LOG": "Log",
    "LOGISTIC": "Sigmoid",
    "LOG_SOFTMAX": "LogSoftmax",
    "MAXIMUM": "Max",
    "MINIMUM": "Min",
    "MUL": "Mul",
    "NEG": "Neg",
    "POW": "Pow",
    "ROUND": "Round",
    "SIGN": "Sign",
    "SIN": "Sin",
    "SQRT": "Sqrt",
    "SUB": "Sub",
    "TANH": "Tanh",
}
"""Operators that ONNX has under another name."""

HANDLERS: Mapping[str, Callable[[Converter, TfliteNode], str | Sequence[str]]] = {
    "ARG_MAX": elementwise.arg_max,
    "AVERAGE_POOL_2D": window.average_pool,
    "BATCH_MATMUL": linear.batch_matmul,
    "BATCH_TO_SPACE_ND": window.batch_to_space,
    "CAST": elementwise.cast,
    "CONCATENATION": shape.concatenation,
    "CONV_2D": linear.conv,
    "DEPTHWISE_CONV_2D": linear.depthwise,
    "DEPTH_TO_SPACE": window.blocks("DepthToSpace"),
    "DEQUANTIZE": elementwise.passed,
    "EXPAND_DIMS": shape.reshape,
    "FULLY_CONNECTED": linear.dense,
    "GATHER": shape.gather,
    "GELU": elementwise.gelu,
    "LEAKY_RELU": elementwise.leaky_relu,
    "MAX_POOL_2D": window.max_pool,
    "MEAN": elementwise.reduce("ReduceMean"),
    "MIRROR_PAD": window.mirror_pad,
    "PACK": shape.pack,
    "PAD": window.pad,
    "PADV2": window.pad,
    "PRELU": elementwise.prelu,
    "QUANTIZE": elementwise.passed,
    "REDUCE_MAX": elementwise.reduce("ReduceMax"),
    "REDUCE_MIN": elementwise.reduce("ReduceMin"),
    "REDUCE_PROD": elementwise.reduce("ReduceProd"),
    "RELU": elementwise.clamp(0.0, None),
    "RELU6": elementwise.clamp(0.0, 6.0),
    "RELU_0_TO_1": elementwise.clamp(0.0, 1.0),
    "RELU_N1_TO_1": elementwise.clamp(-1.0, 1.0),
    "RESHAPE": shape.reshape,
    "RESIZE_BILINEAR": window.resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": window.resize_nearest,
    "REVERSE_V2": shape.reverse,
    "RSQRT": elementwise.rsqrt,
    "SLICE": shape.slice_of,
    "SOFTMAX": elementwise.softmax,
    "SPACE_TO_BATCH_ND": window.space_to_batch,
    "SPACE_TO_DEPTH": window.blocks("SpaceToDepth"),
    "SPLIT": shape.split,
    "SPLIT_V": shape.split,
    "SQUARE": elementwise.square,
    "SQUARED_DIFFERENCE": elementwise.squared_difference,
    "SQUEEZE": shape.reshape,
    "STRIDED_SLICE": shape.strided_slice,
    "SUM": elementwise.reduce("ReduceSum"),
    "TILE": shape.tile,
    "TRANSPOSE": shape.transpose,
    "TRANSPOSE_CONV": linear.transpose_conv,
    "UNPACK": shape.unpack,
} | {name: elementwise.plain(kind) for name, kind in _SAME.items()}
"""Converter of each operator: gives real values of its outputs before the fused activation (none: its readers know)."""

ROUNDINGS = {
    "AVERAGE_POOL_2D": Rounding.CODE_AWAY,
    "CONV_2D": Rounding.TWICE,
    "DEPTHWISE_CONV_2D": Rounding.TWICE,
    "LEAKY_RELU": Rounding.TWICE,
    "MEAN": Rounding.MEAN,
    "PRELU": Rounding.TWICE,
    "QUANTIZE": Rounding.TWICE,
    "RELU": Rounding.TWICE,
    "RELU6": Rounding.TWICE,
    "TRANSPOSE_CONV": Rounding.TWICE,
}
"""How the format's reference kernels round what an operator gives, where not once, away from 0."""

MOVES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "MAX_POOL_2D"})
"""Operators that leave values what they are, and need no copies of them."""

_UNROLLED = (
    "convert the model with its steps written out (unroll=True in Keras), or export it to ONNX, whose LSTM, GRU and "
    "RNN run over up to 64 steps"
)

REWRITES = {
    "CONV_3D": "only images and lines run: use CONV_2D",
    "L2_NORMALIZATION": "normalise on the host",
    "LOCAL_RESPONSE_NORMALIZATION": "use batch normalisation",
    **dict.fromkeys(("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM"), _UNROLLED),
    **dict.fromkeys(("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_RNN"), _UNROLLED),
    "SVDF": "write it as convolutions over a variable that keeps the frames before",
    "TFLite_Detection_PostProcess": "leave it to the host",
}
"""Nearest rewrite of operators without a converter."""
