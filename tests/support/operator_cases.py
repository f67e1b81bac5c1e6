"""Models of few nodes: convolutions, clamps, sums and averages, as nodes, input shape and constants."""

import numpy as np
from onnx import helper

__all__ = ["CONV", "OPERATOR_CASES", "node", "normal"]

RNG = np.random.default_rng(5)


def normal(*shape):
    """Constants of normal distribution, the same in every run."""
    return RNG.normal(size=shape).astype(np.float32)


def node(kind, *inputs, output="y", **attributes):
    """A node with one output, named by its kind."""
    name = f"the_{kind}" if output == "y" else f"{kind}_{output}"
    return helper.make_node(kind, list(inputs), [output], name=name, **attributes)


CONV = {"w": normal(4, 3, 3, 3), "b": normal(4)}

OPERATOR_CASES = {
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
}
