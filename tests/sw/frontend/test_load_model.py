"""What the frontend and the passes make of a model computes what onnxruntime computes on the file."""

import os
from pathlib import Path

import numpy as np
import pytest
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.graph import Mac, MaxPool
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from onnx import helper

RNG = np.random.default_rng(5)
SHARED = Path(os.environ.get("NARROWS_DATA", "."))  # a folder of models and data that are not ours to ship


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def node(kind, *inputs, output="y", **attributes):
    name = f"the_{kind}" if output == "y" else f"{kind}_{output}"
    return helper.make_node(kind, list(inputs), [output], name=name, **attributes)


CONV = {"w": normal(4, 3, 3, 3), "b": normal(4)}

CASES = {
    "conv": ([node("Conv", "x", "w", "b", pads=[1, 0, 2, 1])], (1, 3, 7, 6), CONV),
    "conv_strided_dilated": (
        [node("Conv", "x", "w", strides=[2, 1], dilations=[1, 2])],
        (1, 3, 9, 9),
        {"w": CONV["w"]},
    ),
    "conv_same_upper": (
        [node("Conv", "x", "w", strides=[2, 2], auto_pad="SAME_UPPER")],
        (1, 3, 7, 8),
        {"w": CONV["w"]},
    ),
    "conv_same_lower": (
        [node("Conv", "x", "w", strides=[2, 2], auto_pad="SAME_LOWER")],
        (1, 3, 8, 7),
        {"w": CONV["w"]},
    ),
    "conv_depthwise": ([node("Conv", "x", "w", group=3, pads=[1, 1, 1, 1])], (1, 3, 5, 5), {"w": normal(3, 1, 3, 3)}),
    "conv_depthwise_multiplier": ([node("Conv", "x", "w", group=3)], (1, 3, 5, 5), {"w": normal(6, 1, 3, 3)}),
    "conv_grouped": ([node("Conv", "x", "w", group=2)], (1, 4, 5, 5), {"w": normal(6, 2, 3, 3)}),
    "conv_dynamic_batch": ([node("Conv", "x", "w", "b")], ("n", 3, 5, 5), CONV),
    "conv_batchnorm_relu": (
        [
            node("Conv", "x", "w", "b", output="c"),
            node("BatchNormalization", "c", "g", "h", "m", "v", output="n"),
            node("Relu", "n"),
        ],
        (1, 3, 5, 5),
        CONV | {"g": normal(4), "h": normal(4), "m": normal(4), "v": np.abs(normal(4)) + 0.1},
    ),
    "batchnorm_first": (
        [
            node("BatchNormalization", "x", "g", "h", "m", "v", output="n"),
            node("Conv", "n", "w", "b", pads=[1, 1, 1, 1]),
        ],
        (1, 3, 5, 5),
        CONV | {"g": normal(3), "h": normal(3), "m": normal(3), "v": np.abs(normal(3)) + 0.1},
    ),
    "pad_before_conv": (
        [node("Pad", "x", "p", output="q"), node("Conv", "q", "w", "b")],
        (1, 3, 5, 5),
        CONV | {"p": np.array([0, 0, 1, 2, 0, 0, 1, 0])},
    ),
    "relu6": (
        [node("Conv", "x", "w", "b", output="c"), node("Clip", "c", "lo", "hi")],
        (1, 3, 5, 5),
        CONV | {"lo": np.float32(0.0), "hi": np.float32(1.5)},
    ),
    "clip_of_input": (
        [node("Clip", "x", "lo", output="c"), node("Conv", "c", "w")],
        (1, 3, 5, 5),
        {"w": CONV["w"], "lo": np.float32(-0.5)},
    ),
    "relu_after_max_pool": (
        [
            node("Conv", "x", "w", "b", output="c"),
            node("MaxPool", "c", output="p", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1]),
            node("Relu", "p"),
        ],
        (1, 3, 7, 7),
        CONV,
    ),
    "normalised_input": (
        [
            node("Sub", "x", "mean", output="s"),
            node("Div", "s", "std", output="d"),
            node("Conv", "d", "w", "b", pads=[1, 1, 1, 1]),
        ],
        (1, 3, 5, 5),
        CONV | {"mean": normal(3, 1, 1), "std": np.abs(normal(3, 1, 1)) + 0.5},
    ),
    "constant_minus_input": (
        [node("Sub", "one", "x", output="s"), node("Conv", "s", "w")],
        (1, 3, 5, 5),
        {"w": CONV["w"], "one": np.float32(1.0)},
    ),
    "scaled_output": (
        [node("Conv", "x", "w", output="c"), node("Mul", "c", "k", output="m"), node("Add", "m", "b4")],
        (1, 3, 5, 5),
        {"w": CONV["w"], "k": np.float32(0.25), "b4": normal(4, 1, 1)},
    ),
    "residual_identity": (
        [
            node("Conv", "x", "w", pads=[1, 1, 1, 1], output="c"),
            node("Relu", "c", output="r"),
            node("Conv", "r", "v", pads=[1, 1, 1, 1], output="d"),
            node("Add", "d", "r", output="a"),
            node("Relu", "a"),
        ],
        (1, 3, 5, 5),
        {"w": CONV["w"], "v": normal(4, 4, 3, 3)},
    ),
    "residual_projection": (
        [
            node("Conv", "x", "w", "b", pads=[1, 1, 1, 1], strides=[2, 2], output="c"),
            node("Conv", "x", "v", strides=[2, 2], output="d"),
            node("Add", "c", "d", output="a"),
            node("Relu", "a"),
        ],
        (1, 3, 5, 5),
        CONV | {"v": normal(4, 3, 1, 1)},
    ),
    "difference_of_convs": (
        [node("Conv", "x", "w", "b", output="c"), node("Conv", "x", "v", output="d"), node("Sub", "c", "d")],
        (1, 3, 5, 5),
        CONV | {"v": normal(4, 3, 3, 3)},
    ),
    "add_of_relus": (
        [
            node("Conv", "x", "w", output="c"),
            node("Relu", "c", output="r"),
            node("Conv", "x", "v", output="d"),
            node("Relu", "d", output="s"),
            node("Add", "r", "s"),
        ],
        (1, 3, 5, 5),
        {"w": CONV["w"], "v": normal(4, 3, 3, 3)},
    ),
    "conv_read_twice": (
        [node("Conv", "x", "w", "b", output="c"), node("Relu", "c", output="r"), node("Add", "c", "r")],
        (1, 3, 5, 5),
        CONV,
    ),
    "doubled": ([node("Conv", "x", "w", "b", output="c"), node("Add", "c", "c")], (1, 3, 5, 5), CONV),
    "average_pool": ([node("AveragePool", "x", kernel_shape=[3, 2], strides=[2, 1])], (1, 3, 7, 6), {}),
    "average_pool_counting_padding": (
        [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)],
        (1, 3, 5, 5),
        {},
    ),
    "global_max_pool": ([node("GlobalMaxPool", "x")], (1, 3, 5, 4), {}),
    "global_average_flatten_gemm": (
        [
            node("GlobalAveragePool", "x", output="g"),
            node("Flatten", "g", output="f"),
            node("Gemm", "f", "w", "b", transB=1, alpha=0.5, beta=2.0),
        ],
        (1, 3, 5, 4),
        {"w": normal(6, 3), "b": normal(6)},
    ),
    "reduce_mean_nhwc": (
        [
            node("Transpose", "x", perm=[0, 3, 1, 2], output="t"),
            node("Conv", "t", "w", output="c"),
            node("Transpose", "c", perm=[0, 2, 3, 1], output="u"),
            node("ReduceMean", "u", axes=[1, 2], keepdims=0, output="m"),
            node("MatMul", "m", "v"),
        ],
        (1, 6, 7, 3),
        {"w": CONV["w"], "v": normal(4, 5)},
    ),
    "flatten_gemm": (
        [
            node("Conv", "x", "w", "b", output="c"),
            node("Flatten", "c", output="f"),
            node("MatMul", "f", "v", output="m"),
            node("Add", "m", "d", output="a"),
            node("Relu", "a", output="r"),
            node("MatMul", "r", "u"),
        ],
        (1, 3, 5, 6),
        CONV | {"v": normal(48, 7), "d": normal(7), "u": normal(7, 2)},
    ),
    "flatten_gemm_nhwc": (
        [
            node("Transpose", "x", perm=[0, 3, 1, 2], output="t"),
            node("Conv", "t", "w", "b", output="c"),
            node("Transpose", "c", perm=[0, 2, 3, 1], output="u"),
            node("Reshape", "u", "s", output="f"),
            node("MatMul", "f", "v"),
        ],
        (1, 5, 6, 3),
        CONV | {"v": normal(48, 7), "s": np.array([-1, 48])},
    ),
    "scaled_nhwc_input": (
        [
            node("Mul", "x", "k", output="m"),
            node("Transpose", "m", perm=[0, 3, 1, 2], output="t"),
            node("Conv", "t", "w"),
        ],
        (1, 5, 6, 3),
        {"k": normal(3), "w": CONV["w"]},
    ),
    "squeeze_unsqueeze": (
        [
            node("GlobalAveragePool", "x", output="g"),
            node("Squeeze", "g", "axes", output="s"),
            node("Unsqueeze", "s", "axes", output="u"),
            node("Conv", "u", "w"),
        ],
        (1, 3, 4, 4),
        {"axes": np.array([2, 3]), "w": normal(2, 3, 1, 1)},
    ),
    "shape_computed_from_the_batch": (
        [
            node("Shape", "x", output="s"),
            node("Gather", "s", "zero", output="n"),
            node("Concat", "n", "minus", axis=0, output="t"),
            node("Reshape", "x", "t", output="f"),
            node("MatMul", "f", "v"),
        ],
        ("n", 3, 4, 4),
        {"zero": np.array([0]), "minus": np.array([-1]), "v": normal(48, 3)},
    ),
    "constants_behind_dequantize": (
        [node("DequantizeLinear", "q", "scale", "zero", output="w"), node("Conv", "x", "w")],
        (1, 3, 5, 5),
        {"q": RNG.integers(-9, 9, (4, 3, 3, 3), dtype=np.int8), "scale": np.float32(0.1), "zero": np.int8(0)},
    ),
    "dropout_identity": (
        [node("Dropout", "x", output="d"), node("Identity", "d", output="i"), node("Conv", "i", "w")],
        (1, 3, 5, 5),
        {"w": CONV["w"]},
    ),
    "conv_transpose": (
        [node("ConvTranspose", "x", "w", "b", strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 0])],
        (1, 3, 4, 5),
        {"w": normal(3, 5, 3, 2), "b": normal(5)},
    ),
    "conv_transpose_of_stride_1_dilated": (
        [node("ConvTranspose", "x", "w", dilations=[2, 1], pads=[1, 1, 1, 1])],
        (1, 3, 4, 5),
        {"w": normal(3, 2, 3, 3)},
    ),
    "conv_transpose_in_groups": (
        [node("ConvTranspose", "x", "w", strides=[2, 2], group=2, auto_pad="SAME_UPPER")],
        (1, 4, 3, 4),
        {"w": normal(4, 3, 3, 3)},
    ),
    "conv_transpose_larger_than_its_kernel": (
        [node("ConvTranspose", "x", "w", strides=[3, 3], output_padding=[1, 2])],
        (1, 2, 3, 3),
        {"w": normal(2, 3, 2, 1)},
    ),
    "decoder": (
        [
            node("Conv", "x", "w", "b", pads=[1, 1, 1, 1], output="c"),
            node("Relu", "c", output="e"),
            node("ConvTranspose", "e", "t", strides=[2, 2], output="u"),
            node("BatchNormalization", "u", "g", "h", "m", "v", output="n"),
            node("Relu", "n", output="r"),
            node("Conv", "r", "p", pads=[1, 1, 1, 1], output="d"),
            node("ConvTranspose", "d", "q", strides=[2, 2], pads=[1, 1, 1, 1], output="o"),
            node("Conv", "o", "k", pads=[1, 1, 1, 1], dilations=[1, 1], strides=[1, 1]),
        ],
        (1, 3, 4, 3),
        CONV
        | {"t": normal(4, 3, 2, 2), "p": normal(4, 3, 3, 3), "q": normal(4, 2, 4, 4), "k": normal(1, 2, 3, 3)}
        | {"g": normal(3), "h": normal(3), "m": normal(3), "v": np.abs(normal(3)) + 0.1},
    ),
    "enlarged_and_convolved": (
        [
            node("Resize", "x", "", "f", output="u"),
            node("Conv", "u", "w", "b", pads=[1, 1, 1, 1]),
        ],
        (1, 3, 4, 5),
        CONV | {"f": np.array([1, 1, 2, 2], np.float32)},
    ),
    "enlarged_and_convolved_with_a_stride": (
        [
            node("Conv", "x", "w", "b", pads=[1, 1, 1, 1], output="c"),
            node("Resize", "c", "", "f", output="u"),
            node("Conv", "u", "k", pads=[2, 2, 1, 1], strides=[2, 3], dilations=[2, 1]),
        ],
        (1, 3, 6, 6),
        CONV | {"f": np.array([1, 1, 3, 3], np.float32), "k": normal(5, 4, 3, 3)},
    ),
    "enlarged_depthwise": (
        [
            node(
                "Resize",
                "x",
                "",
                "",
                "z",
                output="u",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            ),
            node("Conv", "u", "w", group=3, pads=[1, 1, 1, 1]),
        ],
        (1, 3, 4, 5),
        {"w": normal(3, 1, 3, 3), "z": np.array([1, 3, 8, 10])},
    ),
    "enlarged_output": (
        [node("Resize", "x", "", "f", output="u"), node("Relu", "u")],
        (1, 3, 4, 5),
        {"f": np.array([1, 1, 1.5, 2], np.float32)},
    ),
    "enlarged_and_flattened": (
        [
            node("Resize", "x", "", "f", output="u"),
            node("Flatten", "u", output="v"),
            node("MatMul", "v", "w"),
        ],
        (1, 2, 2, 3),
        {"f": np.array([1, 1, 2, 2], np.float32), "w": normal(48, 3)},
    ),
    "skip_of_a_decoder": (
        [
            node("Conv", "x", "w", "b", pads=[1, 1, 1, 1], output="c"),
            node("Relu", "c", output="s"),
            node("MaxPool", "s", output="p", kernel_shape=[2, 2], strides=[2, 2]),
            node("ConvTranspose", "p", "t", strides=[2, 2], output="u"),
            node("Concat", "u", "s", axis=1, output="j"),
            node("Conv", "j", "k", pads=[1, 1, 1, 1], output="d"),
            node("Relu", "d"),
        ],
        (1, 3, 6, 4),
        CONV | {"t": normal(4, 2, 2, 2), "k": normal(3, 6, 3, 3)},
    ),
    "sum_with_an_enlarged_image": (
        [
            node("Conv", "x", "w", "b", pads=[1, 1, 1, 1], output="c"),
            node("MaxPool", "c", output="p", kernel_shape=[2, 2], strides=[2, 2]),
            node("Resize", "p", "", "f", output="u"),
            node("Add", "u", "c"),
        ],
        (1, 3, 6, 4),
        CONV | {"f": np.array([1, 1, 2, 2], np.float32)},
    ),
    "depth_to_space": (
        [node("Conv", "x", "w", output="c"), node("DepthToSpace", "c", blocksize=2)],
        (1, 3, 4, 5),
        {"w": normal(8, 3, 3, 3)},
    ),
    "depth_to_space_by_columns": (
        [
            node("Conv", "x", "w", output="c"),
            node("DepthToSpace", "c", output="d", blocksize=2, mode="CRD"),
            node("Conv", "d", "k"),
        ],
        (1, 3, 4, 5),
        {"w": normal(8, 3, 3, 3), "k": normal(3, 2, 2, 2)},
    ),
    "concat": (
        [
            node("Conv", "x", "w", "b", output="c"),
            node("Relu", "c", output="r"),
            node("Conv", "x", "v", output="d"),
            node("Concat", "r", "d", "r", axis=1, output="j"),
            node("BatchNormalization", "j", "g", "h", "m", "n", output="q"),
            node("Conv", "q", "k", output="o"),
            node("Relu", "o"),
        ],
        (1, 3, 6, 6),
        CONV
        | {"v": normal(2, 3, 3, 3), "k": normal(3, 10, 2, 2)}
        | {"g": normal(10), "h": normal(10), "m": normal(10), "n": np.abs(normal(10)) + 0.1},
    ),
    "concat_pooled": (
        [
            node("Conv", "x", "w", "b", output="c"),
            node("Conv", "x", "v", output="d"),
            node("Concat", "c", "d", axis=1, output="j"),
            node("Relu", "j", output="r"),
            node("MaxPool", "r", kernel_shape=[2, 2], output="m"),
            node("GlobalAveragePool", "m"),
        ],
        (1, 3, 6, 6),
        CONV | {"v": normal(2, 3, 3, 3)},
    ),
    "concat_nhwc": (
        [
            node("Transpose", "x", perm=[0, 3, 1, 2], output="t"),
            node("Conv", "t", "w", "b", output="c"),
            node("Conv", "t", "v", output="d"),
            node("Transpose", "c", perm=[0, 2, 3, 1], output="e"),
            node("Transpose", "d", perm=[0, 2, 3, 1], output="f"),
            node("Concat", "e", "f", axis=3, output="j"),
            node("Transpose", "j", perm=[0, 3, 1, 2], output="u"),
            node("Conv", "u", "k"),
        ],
        (1, 6, 6, 3),
        CONV | {"v": normal(2, 3, 3, 3), "k": normal(3, 6, 1, 1)},
    ),
    "split_and_shuffled_channels": (
        [
            node("Conv", "x", "w", "b", output="c"),
            helper.make_node("Split", ["c", "sizes"], ["s", "t"], name="split", axis=1),
            node("Conv", "s", "v", output="d"),
            node("Add", "d", "d", output="dd"),
            node("Concat", "dd", "dd", axis=1, output="j"),
            node("Reshape", "j", "two", output="r"),
            node("Transpose", "r", perm=[0, 2, 1, 3, 4], output="q"),
            node("Reshape", "q", "four", output="z"),
            node("Conv", "z", "k", group=2),
        ],
        (1, 3, 6, 6),
        CONV
        | {"v": normal(2, 3, 1, 1), "k": normal(4, 2, 1, 1), "sizes": np.array([3, 1])}
        | {"two": np.array([1, 2, 2, 4, 4]), "four": np.array([1, 4, 4, 4])},
    ),
    "slice_of_channels": (
        [
            node("Conv", "x", "w", "b", output="c"),
            node("Slice", "c", "one", "three", "one", output="s"),
            node("Relu", "s", output="r"),
            node("Mul", "r", "g", output="m"),
            node("Conv", "m", "v"),
        ],
        (1, 3, 6, 6),
        CONV | {"v": normal(2, 2, 1, 1), "g": normal(2, 1, 1), "one": np.array([1]), "three": np.array([3])},
    ),
    "leaky_relu": (
        [
            node("Conv", "x", "w", "b", output="c"),
            node("LeakyRelu", "c", output="l", alpha=0.2),
            node("Conv", "l", "v"),
        ],
        (1, 3, 5, 5),
        CONV | {"v": normal(2, 4, 3, 3)},
    ),
    "prelu": (
        [node("Conv", "x", "w", "b", output="c"), node("PRelu", "c", "s")],
        (1, 3, 5, 5),
        CONV | {"s": normal(4, 1, 1)},
    ),
    "pad_first_nhwc": (
        [
            node("Pad", "x", "p", output="q"),
            node("LeakyRelu", "q", output="l"),
            node("Transpose", "l", perm=[0, 3, 1, 2], output="t"),
            node("Conv", "t", "w", "b"),
        ],
        (1, 6, 5, 3),
        CONV | {"p": np.array([0, 1, 2, 0, 0, 0, 1, 0])},
    ),
    "pad_behind_relu_nhwc": (
        [
            node("Transpose", "x", perm=[0, 3, 1, 2], output="t"),
            node("Conv", "t", "w", "b", output="c"),
            node("Relu", "c", output="r"),
            node("Transpose", "r", perm=[0, 2, 3, 1], output="u"),
            node("Pad", "u", "p", output="q"),
            node("Transpose", "q", perm=[0, 3, 1, 2], output="v"),
            node("MaxPool", "v", kernel_shape=[2, 2]),
        ],
        (1, 6, 5, 3),
        CONV | {"p": np.array([0, 1, 2, 0, 0, 0, 1, 0])},
    ),
    "lines": (
        [
            node("Conv", "x", "w", "b", strides=[2], pads=[1, 2], output="c"),
            node("Relu", "c", output="r"),
            node("MaxPool", "r", kernel_shape=[2], strides=[2], output="m"),
            node("Conv", "m", "d", group=4, dilations=[2], output="e"),
            node("AveragePool", "e", kernel_shape=[2], output="a"),
            node("Flatten", "a", output="f"),
            node("MatMul", "f", "v"),
        ],
        (1, 3, 30),
        {"w": normal(4, 3, 5), "b": normal(4), "d": normal(4, 1, 2), "v": normal(16, 3)},
    ),
    "mean_of_a_line": (
        [node("Conv", "x", "w", output="c"), node("GlobalAveragePool", "c")],
        (1, 3, 30),
        {"w": normal(4, 3, 5)},
    ),
    "sum_of_three": (
        [
            node("Conv", "x", "w", output="c"),
            node("Relu", "c", output="r"),
            node("Neg", "r", output="n"),
            node("Conv", "x", "v", output="d"),
            node("Sum", "n", "d", "c"),
        ],
        (1, 3, 5, 5),
        {"w": CONV["w"], "v": normal(4, 3, 3, 3)},
    ),
    "bounds": (
        [node("Conv", "x", "w", output="c"), node("Max", "lo", "c", output="m"), node("Min", "m", "hi")],
        (1, 3, 5, 5),
        {"w": CONV["w"], "lo": np.float32(-0.5), "hi": np.array([1.5], np.float32)},
    ),
    "hard_sigmoid": (
        [node("Conv", "x", "w", output="c"), node("HardSigmoid", "c", alpha=0.3, beta=0.6)],
        (1, 3, 5, 5),
        {"w": CONV["w"]},
    ),
    "largest_and_total": (
        [
            node("Conv", "x", "w", output="c"),
            node("ReduceMax", "c", axes=[2, 3], keepdims=0, output="m"),
            node("ReduceSum", "c", "axes", keepdims=0, output="s"),
            node("Concat", "m", "s", axis=1, output="j"),
            node("MatMul", "j", "v"),
        ],
        (1, 3, 5, 5),
        {"w": CONV["w"], "axes": np.array([2, 3]), "v": normal(8, 3)},
    ),
    "chosen_channels": (
        [
            node("Conv", "x", "w", output="c"),
            node("Gather", "c", "i", axis=1, output="g"),
            node("Conv", "g", "v"),
        ],
        (1, 3, 5, 5),
        {"w": CONV["w"], "i": np.array([3, 0, 0]), "v": normal(2, 3, 2, 2)},
    ),
    "transposed_output": (
        [node("Conv", "x", "w", output="c"), node("Transpose", "c", perm=[0, 2, 3, 1])],
        (1, 3, 5, 6),
        {"w": CONV["w"]},
    ),
    "vector_input": ([node("Gemm", "x", "w", "b")], (1, 9), {"w": normal(9, 4), "b": normal(4)}),
}


@pytest.mark.parametrize("case", CASES)
def test_computes_what_onnxruntime_computes(case, onnx_model, run_onnx):
    nodes, shape, constants = CASES[case]
    path = onnx_model(nodes, shape, constants)
    graph = lower(load_model(path))
    assert all(isinstance(layer, Mac | MaxPool) for layer in graph.layers)
    x = np.random.default_rng(1).normal(size=(3, *shape[1:])).astype(np.float32)
    name, output_shape = graph.outputs[0]
    values = evaluate(graph, x)[name].reshape(3, -1)
    if name in graph.orders:
        values = values[:, graph.orders[name]]
    np.testing.assert_allclose(values.reshape(3, *output_shape), run_onnx(path, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("opset", range(11, 22))
def test_operator_sets(opset, onnx_model, run_onnx):
    nodes = [
        node("Conv", "x", "w", "b", pads=[1, 1, 1, 1], output="c"),
        node("BatchNormalization", "c", "g", "h", "m", "v", output="n"),
        node("Clip", "n", "lo", "hi", output="r"),
        node("Pad", "r", "p", output="q"),
        node("Conv", "q", "k", group=4, strides=[2, 2], output="d"),
        node("Add", "d", "d", output="a"),
        node("GlobalAveragePool", "a", output="e"),
        node("Flatten", "e", output="f"),
        node("Gemm", "f", "l", transB=1),
    ]
    constants = CONV | {"g": normal(4), "h": normal(4), "m": normal(4), "v": np.abs(normal(4)) + 0.1}
    constants |= {"lo": np.float32(0), "hi": np.float32(6), "p": np.array([0, 0, 0, 0, 0, 0, 1, 1])}
    path = onnx_model(nodes, (1, 3, 8, 8), constants | {"k": normal(4, 1, 3, 3), "l": normal(5, 4)}, opset=opset)
    graph = lower(load_model(path))
    x = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)
    values = evaluate(graph, x)[graph.outputs[0][0]].reshape(2, 5)
    np.testing.assert_allclose(values, run_onnx(path, x), rtol=1e-4, atol=1e-4)


def test_lowering_twice_changes_nothing(onnx_model):
    graph = lower(load_model(onnx_model(*CASES["residual_identity"])))
    assert lower(graph).layers == graph.layers


def test_last_softmax_is_left_to_the_host(onnx_model, run_onnx):
    nodes = [node("Gemm", "x", "w", output="g"), node("Softmax", "g")]
    path = onnx_model(nodes, (1, 5), {"w": normal(5, 3)})
    graph = load_model(path)
    assert graph.notes == ("Softmax (node 'the_Softmax') is left to the host: outputs are its inputs",)
    x = normal(2, 5)
    scores = np.exp(evaluate(graph, x)[graph.outputs[0][0]].reshape(2, 3))
    np.testing.assert_allclose(scores / scores.sum(axis=1, keepdims=True), run_onnx(path, x), rtol=1e-4)


def test_two_outputs_keep_the_models_order(onnx_model):
    nodes = [node("Conv", "x", "w", output="c"), node("Relu", "c", output="r")]
    graph = lower(load_model(onnx_model(nodes, (1, 3, 5, 5), {"w": CONV["w"]}, outputs=("r", "c"))))
    assert graph.outputs == (("r", (4, 3, 3)), ("c", (4, 3, 3)))
    values = evaluate(graph, normal(1, 3, 5, 5))
    np.testing.assert_array_equal(values["r"], np.maximum(values["c"], 0))


def test_batchnorm_and_activation_cost_no_layer(onnx_model):
    (layer,) = lower(load_model(onnx_model(*CASES["conv_batchnorm_relu"]))).layers
    assert isinstance(layer, Mac) and layer.low == 0.0


@pytest.mark.parametrize(
    ("case", "constant"), [("residual_identity", [False, True]), ("residual_projection", [False, False])]
)
def test_residual_sum_is_one_layer_of_two_terms(case, constant, onnx_model):
    last = lower(load_model(onnx_model(*CASES[case]))).layers[-1]
    assert isinstance(last, Mac)
    assert [term.constant for term in last.terms] == constant
    assert last.low == 0.0


def test_nhwc_input_is_transposed_by_the_input_spec(onnx_model):
    spec = load_model(onnx_model(*CASES["flatten_gemm_nhwc"])).input
    assert (spec.shape, spec.permutation) == ((5, 6, 3), (2, 0, 1))


def test_built_in_example_keeps_its_batchnorm_in_the_file_and_loses_it_in_the_graph(run_onnx):
    data = digits()
    with digits_model() as path:
        graph = lower(load_model(path))
        expected = run_onnx(path, data.test_x)
    assert [type(layer) for layer in graph.layers] == [Mac, Mac, Mac, MaxPool, Mac, Mac, Mac]
    scores = evaluate(graph, data.test_x)["scores"][:, :, 0, 0]
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-3)
    assert np.mean(expected.argmax(axis=1) == data.test_y) >= 0.985


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("resnet8_float", 9),
        ("dscnn_float", 11),
        ("mnist-8", 5),
        ("mobilenetv1_vww_float", 29),
        ("autoencoder_ad_float", 10),
    ],
)
def test_real_models_load(name, layers, run_onnx):
    path = SHARED / "models" / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    graph = lower(load_model(path))
    assert len(graph.layers) == layers
    x = np.random.default_rng(2).uniform(0, 255, (2, *graph.input.shape)).astype(np.float32)
    result, expected = evaluate(graph, x)[graph.outputs[0][0]].reshape(2, -1), run_onnx(path, x).reshape(2, -1)
    if graph.notes:
        result = np.exp(result - result.max(axis=1, keepdims=True))
        result /= result.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-3)
