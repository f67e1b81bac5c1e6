"""Random TFLite files: short chains of operators with random options, in float32, int8 or uint8."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tflite
from growing_tflite import GrowingFile
from tflite_builder import Op, Tensor, tflite_bytes

__all__ = ["random_tflite"]

_KINDS = tflite.BuiltinOperator
_NONE, _RELU = tflite.ActivationFunctionType.NONE, tflite.ActivationFunctionType.RELU
_FLOAT, _INT8, _UINT8 = tflite.TensorType.FLOAT32, tflite.TensorType.INT8, tflite.TensorType.UINT8
_MOST = 1 << 13
"""Elements of a tensor."""


def _conv(f: GrowingFile) -> None:
    window = f.window()
    kh, kw = window.pop("kh"), window.pop("kw")
    dilated = f.rng.random() < 0.3 and min(f.shape[1:3]) >= 2 * max(kh, kw)
    if dilated:
        window |= {"StrideH": 1, "StrideW": 1, "DilationHFactor": 2, "DilationWFactor": 2}
    else:
        window |= {"DilationHFactor": 1, "DilationWFactor": 1}
    reach = [2 * k - 1 if dilated else k for k in (kh, kw)]
    size = [
        f.out(window["Padding"], n, k, window[s])
        for n, k, s in zip(f.shape[1:3], reach, ("StrideH", "StrideW"), strict=True)
    ]
    inputs, depthwise = f.shape[3], f.rng.random() < 0.35
    outputs = inputs * f.pick(1, 1, 2) if depthwise else int(f.rng.integers(1, 9))
    fan = kh * kw * (1 if depthwise else inputs)
    options = window | {"FusedActivationFunction": f.fused()}
    if depthwise:
        weights = f.constant(f.rng.normal(0, fan**-0.5, (1, kh, kw, outputs)), 3)
        record, kind = "DepthwiseConv2DOptions", "DEPTHWISE_CONV_2D"
        options["DepthMultiplier"] = outputs // inputs
    else:
        weights = f.constant(f.rng.normal(0, fan**-0.5, (outputs, kh, kw, inputs)), 0)
        record, kind = "Conv2DOptions", "CONV_2D"
    f.put(kind, (f.now, weights, f.bias(outputs, weights)), (1, *size, outputs), (record, options))


def _transpose_conv(f: GrowingFile) -> None:
    window = f.window()
    kh, kw = window.pop("kh"), window.pop("kw")
    if window["Padding"] == tflite.Padding.SAME:
        size = [n * window[s] for n, s in zip(f.shape[1:3], ("StrideH", "StrideW"), strict=True)]
        kh, kw = max(kh, window["StrideH"]), max(kw, window["StrideW"])
    else:
        kh, kw = max(kh, window["StrideH"]), max(kw, window["StrideW"])
        size = [(n - 1) * window[s] + k for n, s, k in zip(f.shape[1:3], ("StrideH", "StrideW"), (kh, kw), strict=True)]
    outputs = int(f.rng.integers(1, 6))
    weights = f.constant(f.rng.normal(0, (kh * kw * f.shape[3]) ** -0.5, (outputs, kh, kw, f.shape[3])), 0)
    where, shape = f.integers([1, *size, outputs]), (1, *size, outputs)
    f.put("TRANSPOSE_CONV", (where, weights, f.now), shape, ("TransposeConvOptions", window))


def _pool(f: GrowingFile) -> None:
    window = f.window()
    window |= {
        "FilterHeight": window.pop("kh"),
        "FilterWidth": window.pop("kw"),
        "FusedActivationFunction": f.pick(_NONE, _RELU),
    }
    kind = f.pick("MAX_POOL_2D", "AVERAGE_POOL_2D")
    size = [
        f.out(window["Padding"], n, window[k], window[s])
        for n, k, s in zip(f.shape[1:3], ("FilterHeight", "FilterWidth"), ("StrideH", "StrideW"), strict=True)
    ]
    f.put(kind, (f.now,), (1, *size, f.shape[3]), ("Pool2DOptions", window), f.same())


def _padded_pool(f: GrowingFile) -> None:
    amounts = np.array([[0, 0], *f.rng.integers(0, 2, (2, 2)), [0, 0]])
    lowest = {_FLOAT: np.float32(-np.inf), _INT8: np.int8(-128), _UINT8: np.uint8(0)}[f.kind]
    quantisation = {"scale": [f.same()[0]], "zero": [f.same()[1]]} if f.quantised else {}
    f.tensors.append(
        Tensor(name=f"p{len(f.tensors)}", shape=(1,), data=np.array([lowest]), kind=f.kind, **quantisation)
    )
    fill, shape = len(f.tensors) - 1, np.array(f.shape) + amounts.sum(axis=1)
    f.put("PADV2", (f.now, f.integers(amounts), fill), shape.tolist(), ("PadV2Options", {}), f.same())
    window = {"Padding": tflite.Padding.VALID, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}
    size = (shape[1:3] - 2) // 2 + 1
    f.put("MAX_POOL_2D", (f.now,), (1, *size.tolist(), f.shape[3]), ("Pool2DOptions", window), f.same())


def _pad(f: GrowingFile) -> None:
    amounts = np.array([[0, 0], *f.rng.integers(0, 3, (2, 2)), [0, 0]])
    f.put(
        "PAD",
        (f.now, f.integers(amounts)),
        (np.array(f.shape) + amounts.sum(axis=1)).tolist(),
        ("PadOptions", {}),
        f.same(),
    )


def _activation(f: GrowingFile) -> None:
    kind = f.pick("RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU", "PRELU")
    if kind == "PRELU":
        slope = f.constant(f.rng.uniform(0.05, 0.6, (1,) * (len(f.shape) - 2) + (f.shape[-1],)))
        f.put(kind, (f.now, slope), f.shape)
    elif kind == "LEAKY_RELU":
        f.put(kind, (f.now,), f.shape, ("LeakyReluOptions", {"Alpha": float(f.rng.uniform(0.05, 0.5))}))
    else:
        f.put(kind, (f.now,), f.shape, None, f.same() if kind != "RELU_N1_TO_1" or f.kind == _UINT8 else None)


def _residual(f: GrowingFile) -> None:
    before = f.now
    kind = f.pick("ADD", "SUB")
    weights = f.constant(f.rng.normal(0, f.shape[3] ** -0.5, (f.shape[3], 1, 1, f.shape[3])), 0)
    conv = {"Padding": 0, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    f.put("CONV_2D", (f.now, weights, f.bias(f.shape[3], weights)), f.shape, ("Conv2DOptions", conv))
    options = f"{kind.title()}Options", {"FusedActivationFunction": f.pick(_NONE, _RELU)}
    f.put(kind, (before, f.now), f.shape, options)


def _by_constant(f: GrowingFile) -> None:
    kind = f.pick("ADD", "SUB", "MUL")
    values = f.rng.uniform(0.3, 1.5, f.pick((1,), (f.shape[-1],)))
    f.put(kind, (f.now, f.constant(values)), f.shape, (f"{kind.title()}Options", {"FusedActivationFunction": _NONE}))


def _resize(f: GrowingFile) -> None:
    _, height, width, channels = f.shape
    size = f.pick((height * 2, width * 2), (height * 3, width * 2))
    kind, record = "RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"
    corners = f.rng.random() < 0.3
    options = {"AlignCorners": corners, "HalfPixelCenters": not corners and f.rng.random() < 0.5}
    f.put(kind, (f.now, f.integers(size)), (1, *size, channels), (record, options), f.same())


def _slice(f: GrowingFile) -> None:
    size = np.array(f.shape)
    begin, end, stride = np.zeros(4, int), size.copy(), np.ones(4, int)
    begin[1:3], end[1:3] = f.rng.integers(0, 2, 2), size[1:3] - f.rng.integers(0, 2, 2)
    end = np.maximum(end, begin + 1)
    begin[3] = f.rng.integers(0, max(1, size[3] - 1))
    if f.rng.random() < 0.4:
        shape = (end - begin).tolist()
        f.put("SLICE", (f.now, f.integers(begin), f.integers(end - begin)), shape, ("SliceOptions", {}), f.same())
        return
    masks = {"BeginMask": int(f.rng.integers(16)), "EndMask": int(f.rng.integers(16))}
    if f.rng.random() < 0.5:
        stride[1:3] = f.rng.integers(1, 3, 2)
    index = tuple(
        slice(
            None if masks["BeginMask"] >> i & 1 else begin[i], None if masks["EndMask"] >> i & 1 else end[i], stride[i]
        )
        for i in range(4)
    )
    shape = np.empty(size)[index].shape
    operands = (
        f.now,
        *map(f.integers, (begin, np.where(f.rng.random(4) < 0.5, end, np.where(end == size, size + 9, end)), stride)),
    )
    f.put("STRIDED_SLICE", operands, shape, ("StridedSliceOptions", masks), f.same())


def _branches(f: GrowingFile) -> None:
    if f.shape[3] % 2 == 0 and f.rng.random() < 0.5:
        shape, before = (*f.shape[:3], f.shape[3] // 2), f.now
        axis = f.integers(3)
        first, second = (f.tensor("s", shape, *f.same()) for _ in range(2))
        f.ops.append(
            Op(
                kind=_KINDS.SPLIT,
                inputs=(axis, before),
                output=(first, second),
                options=("SplitOptions", {"NumSplits": 2}),
            )
        )
        f.done.append("SPLIT")
        f.now = first
        f.put("RELU", (first,), shape, None, f.same())
        parts = (f.now, second)
    else:
        before = f.now
        f.put("RELU", (f.now,), f.shape, None, f.same())
        parts = before, f.now
    shape = list(f.shape)
    axis = f.pick(3, 3, -1)
    shape[3] *= 2
    f.put("CONCATENATION", parts, shape, ("ConcatenationOptions", {"Axis": axis}), f.same())


def _blocks(f: GrowingFile) -> None:
    _, height, width, channels = f.shape
    if channels % 4 == 0 and f.rng.random() < 0.5:
        shape = (1, height * 2, width * 2, channels // 4)
        f.put("DEPTH_TO_SPACE", (f.now,), shape, ("DepthToSpaceOptions", {"BlockSize": 2}), f.same())
    elif height % 2 == 0 and width % 2 == 0:
        shape = (1, height // 2, width // 2, channels * 4)
        f.put("SPACE_TO_DEPTH", (f.now,), shape, ("SpaceToDepthOptions", {"BlockSize": 2}), f.same())


def _dilated_by_blocks(f: GrowingFile) -> None:
    _, height, width, channels = f.shape
    padded = [-(-(n + 2) // 2) * 2 for n in (height, width)]
    amounts = [[1, p - n - 1] for n, p in zip((height, width), padded, strict=True)]
    # A batch of 4 in between.
    inner = (4, padded[0] // 2, padded[1] // 2, channels)
    if min(inner[1:3]) < 2:
        return
    block = f.integers([2, 2])
    f.put("SPACE_TO_BATCH_ND", (f.now, block, f.integers(amounts)), inner, ("SpaceToBatchNDOptions", {}), f.same())
    weights = f.constant(f.rng.normal(0, (4 * channels) ** -0.5, (3, 2, 2, channels)), 0)
    conv = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    f.put("CONV_2D", (f.now, weights, f.bias(3, weights)), (4, inner[1] - 1, inner[2] - 1, 3), ("Conv2DOptions", conv))
    full = [2 * (n - 1) for n in inner[1:3]]
    crop = [min(int(f.rng.integers(0, 2)), a[1], n - 1) for a, n in zip(amounts, full, strict=True)]
    shape = (1, full[0] - crop[0], full[1] - crop[1], 3)
    crops = f.integers([[0, crop[0]], [0, crop[1]]])
    f.put("BATCH_TO_SPACE_ND", (f.now, block, crops), shape, ("BatchToSpaceNDOptions", {}), f.same())


def _requantised(f: GrowingFile) -> None:
    if f.quantised:
        f.put("QUANTIZE", (f.now,), f.shape, ("QuantizeOptions", {}))


_IMAGE: tuple[Callable[[GrowingFile], None], ...] = (
    _conv,
    _conv,
    _transpose_conv,
    _pool,
    _padded_pool,
    _pad,
    _activation,
    _residual,
    _by_constant,
    _resize,
    _slice,
    _branches,
    _blocks,
    _dilated_by_blocks,
    _requantised,
)


def _flat(f: GrowingFile) -> None:
    """To a row of numbers: means over height and width, or Keras' Flatten with a free batch."""
    if len(f.shape) == 4 and f.rng.random() < 0.5:
        f.put("MEAN", (f.now, f.integers([1, 2])), (1, f.shape[3]), ("ReducerOptions", {"KeepDims": False}))
        return
    count = int(np.prod(f.shape[1:]))
    if f.rng.random() < 0.5:
        f.put("RESHAPE", (f.now, f.integers([-1, count])), (1, count), ("ReshapeOptions", {}), f.same())
        return
    integer = {"kind": tflite.TensorType.INT32}
    start, number = f.now, len(f.tensors)
    f.tensors += [
        Tensor(name=f"n{number}", shape=(len(f.shape),), **integer),
        Tensor(name=f"n{number + 1}", shape=(), **integer),
    ]
    f.ops.append(Op(kind=_KINDS.SHAPE, inputs=(start,), output=number, options=("ShapeOptions", {"OutType": 2})))
    where = [f.integers([at]) for at in (0, 1, 1)]
    f.ops.append(
        Op(
            kind=_KINDS.STRIDED_SLICE,
            inputs=(number, *where),
            output=number + 1,
            options=("StridedSliceOptions", {"ShrinkAxisMask": 1}),
        )
    )
    f.tensors.append(Tensor(name=f"n{len(f.tensors)}", shape=(2,), **integer))
    packed = len(f.tensors) - 1
    f.ops.append(
        Op(
            kind=_KINDS.PACK,
            inputs=(number + 1, f.integers(count)),
            output=packed,
            options=("PackOptions", {"ValuesCount": 2, "Axis": 0}),
        )
    )
    f.put("RESHAPE", (start, packed), (1, count), ("ReshapeOptions", {}), f.same())


def _head(f: GrowingFile) -> None:
    count = int(f.rng.integers(1, 8))
    weights = f.constant(f.rng.normal(0, f.shape[-1] ** -0.5, (count, f.shape[-1])), 0 if f.kind == _INT8 else None)
    keep = len(f.shape) == 3
    options = {"FusedActivationFunction": f.pick(_NONE, _RELU), "KeepNumDims": keep}
    shape = (*f.shape[:-1], count)
    f.put("FULLY_CONNECTED", (f.now, weights, f.bias(count, weights)), shape, ("FullyConnectedOptions", options))
    last = f.pick("", "", "SOFTMAX", "LOGISTIC", "TANH")
    moved = 128 if f.kind == _UINT8 else 0
    if last == "SOFTMAX":
        f.put(last, (f.now,), f.shape, ("SoftmaxOptions", {"Beta": 1.0}), (1 / 256, moved - 128))
    elif last:
        f.put(last, (f.now,), f.shape, None, (1 / 128, moved) if last == "TANH" else (1 / 256, moved - 128))


def random_tflite(seed: int, *, kind: int | None = None, steps: int = 4) -> tuple[bytes, list[str]]:
    """Content of a random file, and the names of its operators; the same for the same seed."""
    rng = np.random.default_rng(seed)
    f = GrowingFile(rng, int(rng.choice([_FLOAT, _INT8, _INT8, _UINT8])) if kind is None else kind)
    for _ in range(int(rng.integers(1, steps + 1)) if len(f.shape) == 4 else 0):
        before = len(f.tensors)
        if min(f.shape[1:3]) >= 2 and np.prod(f.shape) < _MOST:
            _IMAGE[int(rng.integers(len(_IMAGE)))](f)
        assert len(f.tensors) >= before
    if len(f.shape) == 3 or rng.random() < 0.5:
        if len(f.shape) == 4:
            _flat(f)
        _head(f)
    elif not f.ops:
        _activation(f)
    return tflite_bytes(f.tensors, f.ops, [0], [f.now]), f.done
