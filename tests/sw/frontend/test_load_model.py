"""What the frontend and the passes make of a model computes what onnxruntime computes on the file."""

import os
from pathlib import Path

import numpy as np
import pytest
from composed_cases import COMPOSED_CASES
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.layers import Mac, MaxPool
from narrows.sw.outputs import Output, given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from operator_cases import CONV, OPERATOR_CASES, node, normal

SHARED = Path(os.environ.get("NARROWS_DATA", "."))  # a folder of models and data that are not ours to ship

CASES = OPERATOR_CASES | COMPOSED_CASES


@pytest.mark.parametrize("case", CASES)
def test_computes_what_onnxruntime_computes(case, onnx_model, run_onnx):
    nodes, shape, constants = CASES[case]
    path = onnx_model(nodes, shape, constants)
    graph = lower(load_model(path))
    assert all(isinstance(layer, Mac | MaxPool) for layer in graph.layers)
    x = np.random.default_rng(1).normal(size=(3, *shape[1:])).astype(np.float32)
    (values,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(values, run_onnx(path, x), rtol=1e-4, atol=1e-4)


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
    values = evaluate(graph, x)[graph.outputs[0].tensor].reshape(2, 5)
    np.testing.assert_allclose(values, run_onnx(path, x), rtol=1e-4, atol=1e-4)


def test_lowering_twice_changes_nothing(onnx_model):
    graph = lower(load_model(onnx_model(*CASES["residual_identity"])))
    assert lower(graph).layers == graph.layers


def test_last_softmax_is_left_to_the_host(onnx_model, run_onnx):
    nodes = [node("Gemm", "x", "w", output="g"), node("Softmax", "g")]
    path = onnx_model(nodes, (1, 5), {"w": normal(5, 3)})
    graph = load_model(path)
    assert graph.notes == ("Softmax (node 'the_Softmax') is left to the host",)
    x = normal(2, 5)
    (scores,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(scores, run_onnx(path, x), rtol=1e-4)


def test_two_outputs_keep_the_models_order(onnx_model):
    nodes = [node("Conv", "x", "w", output="c"), node("Relu", "c", output="r")]
    graph = lower(load_model(onnx_model(nodes, (1, 3, 5, 5), {"w": CONV["w"]}, outputs=("r", "c"))))
    assert graph.outputs == (Output.whole("r", (4, 3, 3)), Output.whole("c", (4, 3, 3)))
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
    (result,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(result, run_onnx(path, x), rtol=1e-3, atol=1e-3)
