"""Models of layers whose weights depend on places, with a core that is large enough for them."""

from pathlib import Path

import numpy as np
import onnx
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.compile import compile_graph
from narrows.sw.frontend import load_model
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from onnx import TensorProto, helper, numpy_helper
from operator_cases import node

__all__ = ["CONFIG", "PLACED_CASES", "placed_program"]

CONFIG = AcceleratorConfig(
    rows=2, columns=4, lanes=4, rescalers=2, acc_bits=28, rescale_bits=8, planes=3, act_words=16384, weight_words=16384,
    param_words=1024, blocks=1024, taps=512, instructions=64,
)  # fmt: skip

RNG = np.random.default_rng(3)
W = {"w": RNG.normal(size=(3, 2, 1, 1)).astype(np.float32)}
FIRST = node("Conv", "x", "w", output="c")


def constants(**values):
    return W | {name: np.asarray(value) for name, value in values.items()}


PLACED_CASES = {
    "bilinear": ([FIRST, node("Resize", "c", "", "s", mode="linear")], constants(s=np.float32([1, 1, 2, 1.5]))),
    "average without padding": (
        [FIRST, node("AveragePool", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 2])],
        constants(),
    ),
    "partial maxima": ([FIRST, node("MaxPool", "c", kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1)], constants()),
    "side by side": ([FIRST, node("Relu", "c", output="r"), node("Concat", "c", "r", axis=3)], constants()),
    "flipped and summed": (
        [FIRST, node("Slice", "c", "b", "e", "a", "t", output="f"), node("Add", "c", "f")],
        constants(b=[-1], e=[-99], a=[3], t=[-1]),
    ),
    "reflected": ([FIRST, node("Pad", "c", "p", mode="reflect", output="q"), node("MaxPool", "q", kernel_shape=[2, 2])],
                  constants(p=[0, 0, 1, 2, 0, 0, 2, 0])),
    "summands by pixel": ([FIRST, node("Add", "c", "k")], constants(k=RNG.normal(size=(3, 5, 6)).astype(np.float32))),
    "factors by pixel": ([FIRST, node("Mul", "c", "k")], constants(k=RNG.normal(size=(1, 5, 1)).astype(np.float32))),
    "mean repeated": (
        [FIRST, node("ReduceMean", "c", output="m", axes=[2, 3]), node("Add", "c", "m")],
        constants(),
    ),
    "dense over lines": (
        [FIRST, node("Reshape", "c", "n", output="f"), node("MatMul", "m", "f")],
        constants(m=RNG.normal(size=(4, 3)).astype(np.float32), n=[1, 3, 30]),
    ),
    "far padding": ([FIRST, node("Conv", "c", "d", pads=[0, 17, 0, 17], dilations=[1, 17])],
                    constants(d=RNG.normal(size=(2, 3, 1, 3)).astype(np.float32))),
}  # fmt: skip


def placed_program(case: str, folder: Path) -> Program:
    """A case compiled in 8 bits, by way of a file in a folder."""
    nodes, values = PLACED_CASES[case]
    shape = (1, 2, 5, 18 if case == "far padding" else 6)
    graph = helper.make_graph(
        nodes,
        case,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    samples = np.random.default_rng(4).normal(size=(8, *shape[1:]))
    settings = QuantSettings(weights="int8", acts="int8")
    return compile_graph(quantise(load_model(path), samples, settings, CONFIG), CONFIG)
