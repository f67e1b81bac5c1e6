"""Operators on codes give what onnxruntime's own kernels for them give, to one step where sums lie half way."""

import numpy as np
import onnx
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import UnsupportedOperator
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.trained import beside_integers
from narrows.sw.runtime import prepare_input, restore_outputs
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quant_pre_process, quantize_static
from operator_cases import node

CONFIG = AcceleratorConfig(acc_bits=28, rescale_bits=16, planes=5, taps=1024, blocks=512, tables=4)
RNG = np.random.default_rng(51)
SHAPE = (1, 3, 6, 5)
STEP = 0.0517


def integers(*shape):
    return RNG.integers(-127, 128, shape).astype(np.int8)


CONSTANTS = {
    "xs": np.float32(0.0237),
    "xz": np.uint8(117),
    "ws": np.abs(RNG.normal(0.007, 0.001, 4)).astype(np.float32),
    "wz4": np.zeros(4, np.int8),
    "s1": np.float32(0.0071),
    "z1": np.int8(0),
    "zu": np.uint8(0),
    "ys": np.float32(STEP),
    "yz": np.uint8(101),
    "cs": np.float32(0.031),
    "cz": np.uint8(90),
    "w": integers(4, 3, 3, 3),
    "m": integers(90, 4),
    "mt": integers(4, 90),
    "b": RNG.integers(-2000, 2000, 4).astype(np.int32),
    "shape": np.array([1, 90]),
    "f": np.float32(0.0237 * 0.0071),
    "order": np.array([1, 2, 0]),
}


def own(kind, inputs, output="y", **attributes):
    return helper.make_node(kind, inputs, [output], name=f"{kind}_{output}", domain="com.microsoft", **attributes)


QUANTISE = node("QuantizeLinear", "x", "xs", "xz", output="q")
CONV = node("QLinearConv", "q", "xs", "xz", "w", "ws", "wz4", "cs", "cz", "b", output="c", pads=[1, 1, 1, 1])
REAL = node("DequantizeLinear", "o", "ys", "yz")
FLAT = node("Reshape", "q", "shape", output="r")
CASES = {
    "QLinearConv": [
        QUANTISE,
        node("QLinearConv", "q", "xs", "xz", "w", "ws", "wz4", "ys", "yz", "b", output="o", strides=[2, 1]),
        REAL,
    ],
    "QLinearMatMul": [
        QUANTISE,
        FLAT,
        node("QLinearMatMul", "r", "xs", "xz", "m", "ws", "wz4", "ys", "yz", output="o"),
        REAL,
    ],
    "QGemm": [
        QUANTISE,
        FLAT,
        own("QGemm", ["r", "xs", "xz", "mt", "ws", "wz4", "b", "ys", "yz"], "o", transB=1),
        REAL,
    ],
    "QGemm of real results": [
        QUANTISE,
        FLAT,
        own("QGemm", ["r", "xs", "xz", "mt", "s1", "z1", "b"], transB=1, alpha=0.5),
    ],
    "QLinearAdd": [QUANTISE, CONV, own("QLinearAdd", ["c", "cs", "cz", "c", "cs", "cz", "ys", "yz"], "o"), REAL],
    "QLinearGlobalAveragePool": [
        QUANTISE,
        CONV,
        own("QLinearGlobalAveragePool", ["c", "cs", "cz", "cs", "cz"], "o"),
        node("DequantizeLinear", "o", "cs", "cz"),
    ],
    "channels at the end": [
        QUANTISE,
        CONV,
        node("Transpose", "c", output="t", perm=[0, 2, 3, 1]),
        own("QLinearGlobalAveragePool", ["t", "cs", "cz", "cs", "cz"], "o", channels_last=1),
        node("DequantizeLinear", "o", "cs", "cz"),
    ],
    "QLinearAveragePool": [
        QUANTISE,
        CONV,
        own("QLinearAveragePool", ["c", "cs", "cz", "cs", "cz"], "o", kernel_shape=[2, 2], strides=[2, 1]),
        node("DequantizeLinear", "o", "cs", "cz"),
    ],
    "QLinearConcat": [
        QUANTISE,
        CONV,
        node("MaxPool", "c", output="m2", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        own("QLinearConcat", ["ys", "yz", "c", "cs", "cz", "m2", "cs", "cz"], "o", axis=1),
        REAL,
    ],
    "QLinearLeakyRelu": [QUANTISE, CONV, own("QLinearLeakyRelu", ["c", "cs", "cz", "ys", "yz"], "o", alpha=0.2), REAL],
    "ConvInteger": [
        QUANTISE,
        node("ConvInteger", "q", "w", "xz", "z1", output="i", pads=[1, 1, 1, 1]),
        node("Cast", "i", output="g", to=TensorProto.FLOAT),
        node("Mul", "g", "f"),
    ],
    "MatMulInteger": [
        QUANTISE,
        FLAT,
        node("MatMulInteger", "r", "m", "xz", output="i"),
        node("Cast", "i", output="g", to=TensorProto.FLOAT),
        node("Mul", "g", "f"),
    ],
}


def model(tmp_path, nodes):
    used = {name for each in nodes for name in each.input}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in CONSTANTS.items() if k in used],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def answer(path, x):
    graph = quantise(load_model(path), x, QuantSettings(), CONFIG)
    tensors = GoldenModel(graph, CONFIG).run(prepare_input(graph, x))
    (values,) = restore_outputs(graph, tensors).values()
    return values


@pytest.mark.parametrize("case", CASES)
def test_answers_of_onnxruntime(case, tmp_path, run_onnx):
    path = model(tmp_path, CASES[case])
    x = np.random.default_rng(52).normal(0, 1.0, (12, *SHAPE[1:])).astype(np.float32)
    expected = run_onnx(path, x)
    wrong = np.abs(answer(path, x) - expected)
    if CASES[case][-1].op_type == "DequantizeLinear":
        assert wrong.max() <= 1.001 * STEP
        # of four codes' averages one in four lies half way between two levels, where either is right
        assert (wrong < 1e-3 * STEP).mean() > (0.85 if "AveragePool" in case else 0.95)
    else:
        assert wrong.max() <= np.abs(expected).max() / 4096  # sums themselves, in as many bits as five digits hold
    assert beside_integers(lower(load_model(path))).note == ""


class Samples(CalibrationDataReader):
    def __init__(self, name, samples):
        self._samples = iter([{name: sample[np.newaxis].astype(np.float32)} for sample in samples])

    def get_next(self):
        return next(self._samples, None)


def test_a_model_of_onnxruntimes_quantiser(tmp_path, run_onnx):
    path, prepared, data = tmp_path / "digits.onnx", tmp_path / "prepared.onnx", digits()
    with digits_model() as source:
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        name = onnx.load(source).graph.input[0].name
    kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    samples = Samples(name, data.calib_x[:50])
    quantize_static(prepared, path, samples, quant_format=QuantFormat.QOperator, per_channel=True, **kinds)
    x = data.test_x[:100]
    graph = quantise(load_model(path), data.calib_x[:50], QuantSettings(), CONFIG)
    tensors = GoldenModel(graph, CONFIG).run(prepare_input(graph, x))
    (scores,) = restore_outputs(graph, tensors).values()
    expected = run_onnx(path, x)
    np.testing.assert_array_equal(scores.argmax(axis=1), expected.argmax(axis=1))
    step = graph.tensors[graph.outputs[0].tensor].scale
    assert (np.abs(scores - expected) < 0.5 * step).mean() > 0.9


def test_dynamic_scales_are_refused(tmp_path):
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="dynamic"),
        node("ConvInteger", "q", "w", "z", "z1", output="i"),
        node("Cast", "i", output="y", to=TensorProto.FLOAT),
    ]
    with pytest.raises(UnsupportedOperator) as caught:
        load_model(model(tmp_path, nodes))
    assert str(caught.value) == (
        "operator DynamicQuantizeLinear (node 'dynamic') is not supported: quantise statically: scales must be constant"
    )
