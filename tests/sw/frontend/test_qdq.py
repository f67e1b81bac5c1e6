"""Models in the QDQ format keep their scales, zero points and integers: onnxruntime's own quantiser is the source."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.costs.sketch import sketch
from narrows.sw.errors import UnsupportedOperator
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.layers import Mac
from narrows.sw.passes import lower
from narrows.sw.quantised import MacLayer
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.runtime import prepare_input, restore_outputs
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quant_pre_process, quantize_static

DATA = digits()
TEST = DATA.test_x[:200]
CONFIG = AcceleratorConfig(acc_bits=24, rescale_bits=16)


class Samples(CalibrationDataReader):
    def __init__(self, name, samples):
        self._samples = iter([{name: sample[np.newaxis].astype(np.float32)} for sample in samples])

    def get_next(self):
        return next(self._samples, None)


@pytest.fixture(scope="module")
def quantised_digits(tmp_path_factory):
    """The built-in model in the QDQ format, with options of onnxruntime's quantiser."""

    def make(**options) -> Path:
        path = tmp_path_factory.mktemp("qdq") / "digits.onnx"
        prepared = path.with_name("prepared.onnx")
        with digits_model() as source:
            quant_pre_process(source, prepared, skip_symbolic_shape=True)
            name = onnx.load(source).graph.input[0].name
            quantize_static(prepared, path, Samples(name, DATA.calib_x[:50]), quant_format=QuantFormat.QDQ, **options)
        return path

    return make


KINDS = {
    "asymmetric": {"per_channel": True, "activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8},
    "symmetric": {
        "per_channel": True,
        "activation_type": QuantType.QInt8,
        "weight_type": QuantType.QInt8,
        "extra_options": {"ActivationSymmetric": True},
    },
    "unsigned weights": {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8},
}


@pytest.mark.parametrize("kind", KINDS)
def test_answers_of_onnxruntime(kind, quantised_digits, run_onnx):
    path = quantised_digits(**KINDS[kind])
    graph = load_model(path)
    expected = run_onnx(path, TEST)
    name = graph.outputs[0].tensor
    np.testing.assert_allclose(evaluate(lower(graph), TEST)[name][:, :, 0, 0], expected, atol=1e-4)

    quantised = quantise(graph, DATA.calib_x[:50], QuantSettings(), CONFIG)
    tensors = GoldenModel(quantised, CONFIG).run(prepare_input(quantised, TEST))
    scores = restore_outputs(quantised, tensors)[graph.outputs[0].name]
    step = quantised.tensors[name].scale
    assert np.abs(scores - expected).max() <= 2.01 * step
    assert (np.abs(scores - expected) < 0.5 * step).mean() >= 0.9
    np.testing.assert_array_equal(scores.argmax(axis=1), expected.argmax(axis=1))


def test_integers_scales_and_zero_points_are_those_of_the_file(quantised_digits):
    path = quantised_digits(**KINDS["asymmetric"])
    model = onnx.load(path)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    quantised = quantise(load_model(path), DATA.calib_x[:50], QuantSettings(), CONFIG)
    scales = {float(constants[n.input[1]]) for n in model.graph.node if n.op_type == "QuantizeLinear"}
    zeros = {int(constants[n.input[2]]) for n in model.graph.node if n.op_type == "QuantizeLinear"}
    for tensor in quantised.tensors.values():
        assert tensor.scale in scales
        assert tensor.zero in zeros and (tensor.format.name, tensor.low, tensor.high) == ("uint8", 0, 255)
    kernels = [codes for codes in constants.values() if codes.dtype == np.int8 and codes.ndim > 1]
    layers = [layer for layer in quantised.layers if isinstance(layer, MacLayer) and not layer.segments[0].depthwise]
    for kernel, layer in zip(kernels, layers, strict=True):
        rows, levels = (values.reshape(len(kernel), -1) for values in (kernel, layer.segments[0].weights))
        factor = np.abs(levels).max(axis=1) // np.abs(rows).max(axis=1)
        np.testing.assert_array_equal(levels, rows * factor[:, np.newaxis])


def test_quantisers_cost_no_layer(quantised_digits):
    graph = lower(load_model(quantised_digits(**KINDS["asymmetric"])))
    with digits_model() as path:
        plain = lower(load_model(path))
    # a rounded residual is a sum of its own: what it adds has been rounded before
    assert len(graph.layers) == len(plain.layers) + 1
    assert all(layer.output in graph.grids for layer in graph.layers)
    sums = [layer for layer in graph.layers if isinstance(layer, Mac) and len(layer.terms) > 1]
    assert [[term.constant for term in layer.terms] for layer in sums] == [[True, True]]


def node(kind, *inputs, output="y", **attributes):
    return helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **attributes)


REFUSED = {
    "wide codes": (
        [node("QuantizeLinear", "x", "s", "wide", output="q"), node("DequantizeLinear", "q", "s", "wide")],
        "operator QuantizeLinear (node 'QuantizeLinear_q') is not supported: its codes are int32: use int8 or uint8",
    ),
    "scales by channel": (
        [
            node("QuantizeLinear", "x", "by", "zs", output="q", axis=1),
            node("DequantizeLinear", "q", "by", "zs", axis=1),
        ],
        "operator QuantizeLinear (node 'QuantizeLinear_q') is not supported: its scale differs by channel: train with "
        "one scale for a tensor",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_kept_is_refused(case, onnx_model):
    nodes, message = REFUSED[case]
    constants = {
        "s": np.float32(0.1),
        "z": np.uint8(3),
        "wide": np.int32(0),
        "by": np.array([0.1, 0.2, 0.3], np.float32),
        "zs": np.zeros(3, np.uint8),
    }
    used = {name for n in nodes for name in n.input}
    path = onnx_model(nodes, (1, 3, 4, 4), {k: np.asarray(v) for k, v in constants.items() if k in used}, opset=21)
    with pytest.raises(UnsupportedOperator) as caught:
        load_model(path)
    assert str(caught.value) == message


def test_a_sketch_has_the_parameter_words_of_the_program(quantised_digits):
    """Biases are not known before calibration: layers must not share words because they have none yet."""
    graph, config = load_model(quantised_digits(**KINDS["asymmetric"])), CONFIG
    sketched = compile_graph(sketch(lower(graph), config, QuantSettings()), config)
    program = compile_graph(quantise(graph, DATA.calib_x[:50], QuantSettings(), config), config)
    assert len(sketched.params) == len(program.params)
