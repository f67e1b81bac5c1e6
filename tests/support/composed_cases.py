"""Models of few nodes whose tensors are enlarged, joined, cut or put in another order, and operators made of others."""

import numpy as np
from onnx import helper
from operator_cases import CONV, node, normal

__all__ = ["COMPOSED_CASES"]

COMPOSED_CASES = {
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
