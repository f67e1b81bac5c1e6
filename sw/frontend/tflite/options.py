"""Options of TFLite operators: which record of the schema holds them, and which of its fields are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tflite

__all__ = ["OPTIONS"]

_ACTIVATION = "FusedActivationFunction"
_STRIDES = ("Padding", "StrideH", "StrideW", _ACTIVATION)
_DILATIONS = ("DilationHFactor", "DilationWFactor")
_POOL = (tflite.Pool2DOptions, (*_STRIDES, "FilterHeight", "FilterWidth"))
_REDUCER = (tflite.ReducerOptions, ("KeepDims",))
_MASKS = ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset")

OPTIONS: Mapping[str, tuple[Any, tuple[str, ...]]] = {
    "ADD": (tflite.AddOptions, (_ACTIVATION,)),
    "AVERAGE_POOL_2D": _POOL,
    "BATCH_MATMUL": (tflite.BatchMatMulOptions, ("AdjX", "AdjY")),
    "CALL_ONCE": (tflite.CallOnceOptions, ("InitSubgraphIndex",)),
    "CONCATENATION": (tflite.ConcatenationOptions, ("Axis", _ACTIVATION)),
    "CONV_2D": (tflite.Conv2DOptions, (*_STRIDES, *_DILATIONS)),
    "DEPTHWISE_CONV_2D": (tflite.DepthwiseConv2DOptions, (*_STRIDES, *_DILATIONS)),
    "DEPTH_TO_SPACE": (tflite.DepthToSpaceOptions, ("BlockSize",)),
    "DIV": (tflite.DivOptions, (_ACTIVATION,)),
    "FULLY_CONNECTED": (tflite.FullyConnectedOptions, (_ACTIVATION, "WeightsFormat")),
    "GATHER": (tflite.GatherOptions, ("Axis", "BatchDims")),
    "GELU": (tflite.GeluOptions, ("Approximate",)),
    "LEAKY_RELU": (tflite.LeakyReluOptions, ("Alpha",)),
    "MAX_POOL_2D": _POOL,
    "MEAN": _REDUCER,
    "MIRROR_PAD": (tflite.MirrorPadOptions, ("Mode",)),
    "MUL": (tflite.MulOptions, (_ACTIVATION,)),
    "PACK": (tflite.PackOptions, ("Axis",)),
    "REDUCE_MAX": _REDUCER,
    "REDUCE_MIN": _REDUCER,
    "REDUCE_PROD": _REDUCER,
    "RESIZE_BILINEAR": (tflite.ResizeBilinearOptions, ("AlignCorners", "HalfPixelCenters")),
    "RESIZE_NEAREST_NEIGHBOR": (tflite.ResizeNearestNeighborOptions, ("AlignCorners", "HalfPixelCenters")),
    "SOFTMAX": (tflite.SoftmaxOptions, ("Beta",)),
    "SPACE_TO_DEPTH": (tflite.SpaceToDepthOptions, ("BlockSize",)),
    "SPLIT": (tflite.SplitOptions, ("NumSplits",)),
    "SPLIT_V": (tflite.SplitVOptions, ("NumSplits",)),
    "STRIDED_SLICE": (tflite.StridedSliceOptions, _MASKS),
    "SUB": (tflite.SubOptions, (_ACTIVATION,)),
    "SUM": _REDUCER,
    "TRANSPOSE_CONV": (tflite.TransposeConvOptions, _STRIDES),
    "UNPACK": (tflite.UnpackOptions, ("Axis",)),
    "VAR_HANDLE": (tflite.VarHandleOptions, ("SharedName",)),
}
"""By operator: record, and the names of its fields in the schema."""
