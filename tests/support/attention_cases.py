"""Attention and normalisation as exporters write them: nodes, input shape and constants."""

from __future__ import annotations

import numpy as np
from operator_cases import node

__all__ = ["ATTENTION_CASES", "NORMALISATION_CASES", "SOFTMAX_CASES"]

TOKENS, WIDTH, HEADS = 6, 8, 2
RNG = np.random.default_rng(11)


def weights(*shape: int) -> np.ndarray:
    return RNG.normal(0, 1 / np.sqrt(shape[0]), shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


PROJECTIONS = [
    operation
    for name in "qkv"
    for operation in (
        node("MatMul", "x", f"w{name}", output=f"{name}m"),
        node("Add", f"{name}m", f"b{name}", output=f"{name}0"),
    )
]
CONSTANTS = {
    **{f"w{name}": weights(WIDTH, WIDTH) for name in "qkvo"},
    **{f"b{name}": RNG.normal(size=WIDTH).astype(np.float32) for name in "qkv"},
    "scale": np.float32(np.sqrt(WIDTH // HEADS)),
    "split": ints(1, TOKENS, HEADS, WIDTH // HEADS),
    "join": ints(1, TOKENS, WIDTH),
    "mask": np.triu(np.full((TOKENS, TOKENS), -1e4, dtype=np.float32), 1),
}
INPUT = (1, TOKENS, WIDTH)


def heads(name: str, *perm: int):
    return [
        node("Reshape", f"{name}0", "split", output=f"{name}1"),
        node("Transpose", f"{name}1", output=name, perm=perm),
    ]


JOIN = [
    node("Transpose", "o", output="ot", perm=[0, 2, 1, 3]),
    node("Reshape", "ot", "join", output="oj"),
    node("MatMul", "oj", "wo"),
]
IN_HEADS = [*PROJECTIONS, *heads("q", 0, 2, 1, 3), *heads("k", 0, 2, 3, 1), *heads("v", 0, 2, 1, 3)]
SCORES = [node("MatMul", "q", "k", output="s0"), node("Div", "s0", "scale", output="s")]
VALUES = [node("MatMul", "p", "v", output="o"), *JOIN]

_SLICES = {f"{part}{number}": ints(number * 4, number * 4 + 4)[at : at + 1] for number in range(2)
           for at, part in enumerate(("from", "to"))}  # fmt: skip

ATTENTION_CASES = {
    "one head": (
        [
            *PROJECTIONS,
            node("Transpose", "k0", output="k", perm=[0, 2, 1]),
            node("MatMul", "q0", "k", output="s"),
            node("Softmax", "s", output="p", axis=-1),
            node("MatMul", "p", "v0"),
        ],
        INPUT,
        CONSTANTS,
    ),
    "several heads": ([*IN_HEADS, *SCORES, node("Softmax", "s", output="p", axis=-1), *VALUES], INPUT, CONSTANTS),
    "masked": (
        [
            *IN_HEADS,
            *SCORES,
            node("Add", "s", "mask", output="sm"),
            node("Softmax", "sm", output="p", axis=-1),
            *VALUES,
        ],
        INPUT,
        CONSTANTS,
    ),
    "scaled before": (
        [
            *IN_HEADS,
            node("Div", "q", "scale", output="qs"),
            node("MatMul", "qs", "k", output="s"),
            node("Softmax", "s", output="p", axis=3),
            *VALUES,
        ],
        INPUT,
        CONSTANTS,
    ),
    "heads as batch of three axes": (
        [
            *PROJECTIONS,
            *(node("Reshape", f"{name}0", "tokens", output=f"{name}1") for name in "qkv"),
            node("Transpose", "q1", output="q", perm=[1, 0, 2]),
            node("Transpose", "k1", output="k", perm=[1, 2, 0]),
            node("Transpose", "v1", output="v", perm=[1, 0, 2]),
            *SCORES,
            node("Softmax", "s", output="p", axis=-1),
            node("MatMul", "p", "v", output="o"),
            node("Transpose", "o", output="ot", perm=[1, 0, 2]),
            node("Reshape", "ot", "join", output="oj"),
            node("MatMul", "oj", "wo"),
        ],
        INPUT,
        CONSTANTS | {"tokens": ints(TOKENS, HEADS, WIDTH // HEADS)},
    ),
    "keys transposed by themselves": (
        [
            *PROJECTIONS,
            *heads("q", 0, 2, 1, 3),
            *heads("v", 0, 2, 1, 3),
            node("Reshape", "k0", "split", output="k1"),
            node("Transpose", "k1", output="k2", perm=[0, 2, 1, 3]),
            node("Transpose", "k2", output="k", perm=[0, 1, 3, 2]),
            *SCORES,
            node("Softmax", "s", output="p", axis=-1),
            *VALUES,
        ],
        INPUT,
        CONSTANTS,
    ),
    "no softmax": ([*IN_HEADS, node("MatMul", "q", "k", output="p"), *VALUES], INPUT, CONSTANTS),
    "of an image's pixels": (
        [
            *(node("Conv", "x", f"c{name}", output=f"{name}i") for name in "qkv"),
            *(node("Reshape", f"{name}i", "flat", output=f"{name}f") for name in "qkv"),
            node("Transpose", "qf", output="qt", perm=[0, 2, 1]),
            node("MatMul", "qt", "kf", output="s"),
            node("Softmax", "s", output="p", axis=-1),
            node("Transpose", "p", output="pt", perm=[0, 2, 1]),
            node("MatMul", "vf", "pt", output="o"),
            node("Reshape", "o", "image", output="oi"),
            node("Conv", "oi", "co"),
        ],
        (1, 4, 3, 4),
        {f"c{name}": weights(4, 4, 1, 1) for name in "qkvo"} | {"flat": ints(1, 4, 12), "image": ints(1, 4, 3, 4)},
    ),
}
"""Scaled dot-product attention; the last layer is linear, so that nothing is the host's."""

LINE = (1, TOKENS, WIDTH)
IMAGE = (1, 6, 4, 5)
BEHIND = {"w": weights(WIDTH, 5)}
KERNEL = {"k": weights(6, 6, 1, 1), "kb": RNG.normal(size=6).astype(np.float32)}
GAIN = {"g": 1 + RNG.normal(0, 0.2, WIDTH).astype(np.float32), "h": RNG.normal(0, 0.2, WIDTH).astype(np.float32)}
CHANNELS = {"g": 1 + RNG.normal(0, 0.2, 6).astype(np.float32), "h": RNG.normal(0, 0.2, 6).astype(np.float32)}


def on_line(*nodes):
    return [node("MatMul", "x", "wi", output="a"), *nodes, node("MatMul", "n", "w")]


def on_image(*nodes):
    return [node("Conv", "x", "k", "kb", output="a"), *nodes, node("Conv", "n", "k")]


LINES = BEHIND | GAIN | {"wi": weights(WIDTH, WIDTH)}
EPSILON = {"e": np.float32(1e-5), "two": np.float32(2)}
AXES = {"last": ints(-1)}
NORMALISATION_CASES = {
    "LayerNormalization": (on_line(node("LayerNormalization", "a", "g", "h", output="n", axis=-1)), LINE, LINES),
    "LayerNormalization without bias": (on_line(node("LayerNormalization", "a", "g", output="n")), LINE, LINES),
    "layer norm of old exporters": (
        on_line(
            node("ReduceMean", "a", output="m", axes=[-1]),
            node("Sub", "a", "m", output="d"),
            node("Pow", "d", "two", output="q"),
            node("ReduceMean", "q", output="v", axes=[-1]),
            node("Add", "v", "e", output="ve"),
            node("Sqrt", "ve", output="s"),
            node("Div", "d", "s", output="r"),
            node("Mul", "r", "g", output="rg"),
            node("Add", "rg", "h", output="n"),
        ),
        LINE,
        LINES | EPSILON,
    ),
    "root mean square": (
        on_line(
            node("Mul", "a", "a", output="q"),
            node("ReduceMean", "q", output="v", axes=[-1]),
            node("Add", "v", "e", output="ve"),
            node("Sqrt", "ve", output="s"),
            node("Reciprocal", "s", output="i"),
            node("Mul", "a", "i", output="r"),
            node("Mul", "r", "g", output="n"),
        ),
        LINE,
        LINES | EPSILON,
    ),
    "L2": (
        on_line(node("ReduceL2", "a", output="l", axes=[-1], keepdims=1), node("Div", "a", "l", output="n")),
        LINE,
        LINES,
    ),
    "LpNormalization": (on_line(node("LpNormalization", "a", output="n", axis=-1, p=2)), LINE, LINES),
    "InstanceNormalization": (
        on_image(node("InstanceNormalization", "a", "g", "h", output="n", epsilon=1e-3)),
        IMAGE,
        KERNEL | CHANNELS,
    ),
    "group norm of exporters": (
        on_image(
            node("Reshape", "a", "groups", output="ag"),
            node("InstanceNormalization", "ag", "ones", "zeros", output="i"),
            node("Reshape", "i", "image", output="r"),
            node("Mul", "r", "gc", output="rg"),
            node("Add", "rg", "hc", output="n"),
        ),
        IMAGE,
        KERNEL
        | {
            "groups": ints(1, 2, -1),
            "image": ints(*IMAGE),
            "ones": np.ones(2, np.float32),
            "zeros": np.zeros(2, np.float32),
            "gc": CHANNELS["g"].reshape(-1, 1, 1),
            "hc": CHANNELS["h"].reshape(-1, 1, 1),
        },
    ),
    "MeanVarianceNormalization": (
        on_image(node("MeanVarianceNormalization", "a", output="n", axes=[0, 2, 3])),
        IMAGE,
        KERNEL,
    ),
    "layer norm of channels first": (
        on_image(
            node("Transpose", "a", output="at", perm=[0, 2, 3, 1]),
            node("LayerNormalization", "at", "g", "h", output="nt"),
            node("Transpose", "nt", output="n", perm=[0, 3, 1, 2]),
        ),
        IMAGE,
        KERNEL | CHANNELS,
    ),
}
"""A normalisation between two linear layers."""

SOFTMAX_CASES = {
    "channels": (on_image(node("Softmax", "a", output="n", axis=1)), IMAGE, KERNEL),
    "last axis": (on_line(node("Softmax", "a", output="n", axis=-1)), LINE, LINES),
    "tokens": (on_line(node("Softmax", "a", output="n", axis=1)), LINE, LINES),
    "pixels": (
        on_image(
            node("Reshape", "a", "flat", output="f"),
            node("Softmax", "f", output="s", axis=2),
            node("Reshape", "s", "image", output="n"),
        ),
        IMAGE,
        KERNEL | {"flat": ints(1, 6, 20), "image": ints(*IMAGE)},
    ),
    "logarithm": (on_line(node("LogSoftmax", "a", output="n", axis=-1)), LINE, LINES),
}
"""A Softmax between two linear layers."""
