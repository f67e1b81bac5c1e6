"""Forms that operators had in older versions of ONNX, against onnxruntime on the same file."""

import numpy as np
import pytest
from narrows.sw.frontend import load_model
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from onnx import helper
from operator_cases import node

SHAPE = (1, 3, 6, 5)
RNG = np.random.default_rng(21)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


W, V = normal(4, 3, 3, 3), normal(2, 4, 1, 1)
SCALES = np.array([1, 1, 2, 2], np.float32)
STATISTICS = {"g": normal(4), "h": normal(4), "m": normal(4), "v": np.abs(normal(4)) + 0.1}
CONV = node("Conv", "x", "w", output="c")
NORM = helper.make_node("BatchNormalization", ["c", "g", "h", "m", "v"], ["y"], name="norm", epsilon=0.01)

FORMS = {
    "slice by attributes": ([CONV, node("Slice", "c", starts=[1, -3], ends=[9, -1], axes=[2, -1])], {"w": W}, (7, 9)),
    "slice without axes": ([CONV, node("Slice", "c", starts=[0, 1, 0], ends=[1, 3, 9])], {"w": W}, (7, 9)),
    "resize of opset 10": (
        [CONV, node("Resize", "c", "s", output="r"), node("Conv", "r", "v")],
        {"w": W, "s": SCALES, "v": V},
        (10,),
    ),
    "upsample by an attribute": (
        [CONV, node("Upsample", "c", scales=[1.0, 1.0, 2.0, 2.0], output="r"), node("Conv", "r", "v")],
        {"w": W, "v": V},
        (7, 8),
    ),
    "upsample by an operand": (
        [CONV, node("Upsample", "c", "s", output="r"), node("Conv", "r", "v")],
        {"w": W, "s": SCALES, "v": V},
        (9,),
    ),
    "clip by attributes": ([CONV, node("Clip", "c", min=-0.5, max=0.75)], {"w": W}, (7, 10)),
    "clip by default": ([CONV, node("Clip", "c")], {"w": W}, (7, 10)),
    "pad by attributes": (
        [CONV, node("Pad", "c", pads=[0, 0, 1, 2, 0, 0, 0, 1], output="p"), node("Conv", "p", "v")],
        {"w": W, "v": V},
        (7, 10),
    ),
    "batchnorm": ([CONV, NORM], {"w": W} | STATISTICS, (7, 8, 9, 14, 15, 22)),
    "dropout": ([CONV, node("Dropout", "c", ratio=0.7)], {"w": W}, (7, 10)),
    "dropout with operands": (
        [CONV, node("Dropout", "c", "p", "no")],
        {"w": W, "p": np.float32(0.7), "no": np.bool_(False)},
        (12, 22),
    ),
    "axes by attributes": (
        [
            CONV,
            node("ReduceMean", "c", axes=[2, 3], keepdims=0, output="m"),
            node("Unsqueeze", "m", axes=[2, 3], output="u"),
            node("Conv", "u", "v", output="d"),
            node("Squeeze", "d", axes=[2, 3]),
        ],
        {"w": W, "v": V},
        (7, 11, 12),
    ),
    "split by attributes": (
        [CONV, helper.make_node("Split", ["c"], ["a", "b"], axis=1, split=[1, 3]), node("Conv", "b", "u")],
        {"w": W, "u": normal(2, 3, 1, 1)},
        (7, 11, 12),
    ),
}
FORMS_BY_OPSET = [(name, opset) for name, (_, _, opsets) in FORMS.items() for opset in opsets]


@pytest.mark.parametrize(("form", "opset"), FORMS_BY_OPSET)
def test_answers_of_onnxruntime(form, opset, onnx_model, run_onnx):
    nodes, constants, _ = FORMS[form]
    path = onnx_model(nodes, SHAPE, {name: np.asarray(value) for name, value in constants.items()}, opset=opset)
    x = np.random.default_rng(9).normal(size=(4, *SHAPE[1:])).astype(np.float32)
    graph = lower(load_model(path))
    (found,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(found, run_onnx(path, x), rtol=1e-5, atol=1e-5)
