"""Outputs are the model's: names, order, shapes, types and heads, all as onnxruntime gives them."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from narrows.sw.errors import UnsupportedOperator
from narrows.sw.frontend import load_model
from narrows.sw.onnx_sessions import exact_session
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from onnx import TensorProto, helper, numpy_helper
from operator_cases import node, normal

DENSE = [node("Gemm", "x", "w", "b", output="d")]
CONV = [node("Conv", "x", "k", output="d")]
CONSTANTS = {
    "w": normal(5, 6),
    "b": normal(6),
    "k": normal(4, 3, 2, 2),
    "half": np.float32(0.5),
    "row": normal(6),
    "image": np.abs(normal(1, 4, 1, 1)) + 0.5,
    "one": np.float32(1),
    "scale": np.float32(1 / 256),
    "zero": np.array(-128, np.int8),
    "uzero": np.array(3, np.uint8),
    "flat": np.array([1, -1]),
    "two": np.array([1, 2, -1]),
    "low": np.float32(0.1),
    "high": np.float32(0.4),
    "channels": np.array([1]),
    "pick": np.array([3, 1]),
}

ROWS = {
    "softmax": [node("Softmax", "d")],
    "softmax axis 1": [node("Softmax", "d", axis=1)],
    "log softmax": [node("LogSoftmax", "d")],
    "argmax": [node("ArgMax", "d", axis=1)],
    "argmax without its axis": [node("ArgMax", "d", axis=-1, keepdims=0)],
    "argmin, last of equals": [node("Relu", "d", output="r"), node("ArgMin", "r", axis=1, select_last_index=1)],
    "softmax, argmax": [node("Softmax", "d", output="s"), node("ArgMax", "s", axis=1)],
    "argmax, cast": [node("ArgMax", "d", axis=1, output="a"), node("Cast", "a", to=TensorProto.INT32)],
    "sigmoid": [node("Sigmoid", "d")],
    "tanh, scaled": [
        node("Tanh", "d", output="t"),
        node("Mul", "t", "row"),
    ],
    "sigmoid, scaled, shifted": [
        node("Sigmoid", "d", output="s"),
        node("Mul", "row", "s", output="m"),
        node("Sub", "one", "m"),
    ],
    "sigmoid above a half": [node("Sigmoid", "d", output="s"), node("Greater", "s", "half")],
    "a half of the sigmoid": [node("Sigmoid", "d", output="s"), node("Div", "half", "s")],
    "clipped softmax": [node("Softmax", "d", output="s"), node("Clip", "s", "low", "high")],
    "softmax in codes": [node("Softmax", "d", output="s"), node("QuantizeLinear", "s", "scale", "zero")],
    "softmax in real steps": [
        node("Softmax", "d", output="s"),
        node("QuantizeLinear", "s", "scale", "zero", output="q"),
        node("DequantizeLinear", "q", "scale", "zero"),
    ],
    "largest of softmax": [node("Softmax", "d", output="s"), node("ReduceMax", "s", axes=[1], keepdims=0)],
    "sum of softmax over groups": [
        node("Softmax", "d", output="s"),
        node("Reshape", "s", "two", output="r"),
        node("ReduceSum", "r", "channels"),
    ],
    "softmax of groups": [node("Reshape", "d", "two", output="r"), node("Softmax", "r", axis=1)],
    "softmax, picked": [node("Softmax", "d", output="s"), node("Gather", "s", "pick", axis=1)],
    "unit length": [node("LpNormalization", "d", axis=1)],
    "absolute length": [node("LpNormalization", "d", axis=-1, p=1)],
    "functions of tanh": [
        node("Tanh", "d", output="t"),
        node("Elu", "t", output="e"),
        node("Neg", "e", output="n"),
        node("Relu", "n"),
    ],
    "equal": [node("Equal", "d", "half")],
    "divided by its length": [node("ReduceL2", "d", axes=[1], output="l"), node("Div", "d", "l")],
    "divided by its clipped and spread length": [
        node("ReduceL2", "d", axes=[-1], output="l"),
        node("Clip", "l", "low", output="c"),
        node("Shape", "d", output="s"),
        node("Expand", "c", "s", output="e"),
        node("Div", "d", "e"),
    ],
    "softmax and sigmoid": [node("Softmax", "d", output="s"), node("Sigmoid", "d", output="t"), node("Add", "s", "t")],
    "less its largest, summed without the axis": [
        node("Softmax", "d", output="s"),
        node("ReduceMax", "s", axes=[1], keepdims=0, output="m"),
        node("ReduceSum", "s", "channels", keepdims=1, output="t"),
        node("Sub", "t", "m"),
    ],
    "logarithm of exponentials": [node("ReduceLogSumExp", "d", axes=[1])],
    "sum of magnitudes": [node("ReduceL1", "d", axes=[1], output="l"), node("Div", "d", "l")],
    "sum of squares": [node("ReduceSumSquare", "d", axes=[1], keepdims=0, output="l"), node("Mul", "l", "d")],
}
IMAGES = {
    "softmax over channels": [node("Softmax", "d", axis=1)],
    "sigmoid over an image": [node("Sigmoid", "d")],
    "argmax over channels": [node("ArgMax", "d", axis=1, keepdims=0)],
    "channels last": [node("Transpose", "d", perm=[0, 2, 3, 1], output="t"), node("Softmax", "t", axis=-1)],
    "softmax, then channels last": [
        node("Softmax", "d", axis=1, output="s"),
        node("Transpose", "s", perm=[0, 2, 3, 1]),
    ],
    "flat": [node("Sigmoid", "d", output="s"), node("Reshape", "s", "flat")],
    "scaled by channel": [node("Sigmoid", "d", output="s"), node("Mul", "s", "image")],
    "mean of sigmoid": [node("Sigmoid", "d", output="s"), node("ReduceMean", "s", axes=[2, 3], keepdims=0)],
    "softmax of a mean": [node("GlobalAveragePool", "d", output="g"), node("Softmax", "g", axis=1)],
}


def save(path, nodes, shape, outputs, opset=17):
    used = {name for each in nodes for name in each.input}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in CONSTANTS.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def check(path, count=5, seed=3):
    """Every output of a model's graph against onnxruntime's."""
    session = exact_session(path)
    graph = lower(load_model(path))
    x = np.random.default_rng(seed).normal(size=(count, *graph.input.shape)).astype(np.float32)
    runs = [session.run(None, {"x": sample[np.newaxis]}) for sample in x]
    found = given_outputs(graph.outputs, evaluate(graph, x))
    assert list(found) == [output.name for output in session.get_outputs()]
    for output, values, parts in zip(graph.outputs, found.values(), zip(*runs, strict=True), strict=True):
        expected = np.concatenate(parts)
        assert values.shape == expected.shape == (count, *output.given_shape)
        if expected.dtype.kind == "f":
            assert values.dtype == np.float64
            step = 1.001 / 256 if any(function.kind == "codes" for function in output.head) else 0
            np.testing.assert_allclose(values, expected, rtol=1e-4, atol=max(1e-5, step))
        else:
            assert values.dtype == expected.dtype
            np.testing.assert_allclose(values.astype(int), expected.astype(int), atol=expected.dtype.itemsize == 1)
    return graph


@pytest.mark.parametrize("case", ROWS)
def test_heads_behind_rows_of_scores(case, tmp_path):
    graph = check(save(tmp_path / "m.onnx", [*DENSE, *ROWS[case]], (1, 5), ["y"]))
    assert graph.outputs[0].head
    assert graph.outputs[0].tensor in ("d", "r")


@pytest.mark.parametrize("case", IMAGES)
def test_heads_behind_images(case, tmp_path):
    check(save(tmp_path / "m.onnx", [*CONV, *IMAGES[case]], (1, 3, 4, 3), ["y"]))


@pytest.mark.parametrize("opset", [11, 12, 13, 17, 18])
def test_softmax_before_opset_13_takes_all_axes_from_its_own_on(opset, tmp_path):
    nodes = [
        *CONV,
        node("Softmax", "d", axis=1, output="s"),
        node("Softmax", "d", axis=2),
        node("LogSoftmax", "d", output="l"),
    ]
    check(save(tmp_path / "m.onnx", nodes, (1, 3, 4, 3), ["l", "s", "y"], opset))


def test_several_outputs_show_one_tensor_in_their_own_ways(tmp_path):
    nodes = [
        *CONV,
        node("Relu", "d", output="r"),
        node("Transpose", "r", perm=[0, 2, 3, 1], output="last"),
        node("Flatten", "r", output="flat rows"),
        node("Softmax", "r", axis=1, output="odds"),
        node("ArgMax", "odds", axis=1, output="best"),
        node("Identity", "r", output="copy"),
        node("Conv", "r", "k2", output="more"),
    ]
    CONSTANTS["k2"] = normal(2, 4, 1, 1)
    graph = check(
        save(tmp_path / "m.onnx", nodes, (1, 3, 4, 3), ["more", "best", "copy", "odds", "flat rows", "last", "r", "d"])
    )
    assert [output.tensor for output in graph.outputs] == ["more", "r", "r", "r", "r", "r", "r", "d"]
    assert graph.output_tensors == ("more", "r", "d")


@pytest.mark.parametrize("largest", [0, 1])
def test_the_best_few_and_where_they_are(largest, tmp_path):
    nodes = [*DENSE, node("Softmax", "d", output="s"), node("TopK", "s", "three", largest=largest, axis=1)]
    nodes[-1].output[:] = ["scores", "classes"]
    CONSTANTS["three"] = np.array([3])
    graph = check(save(tmp_path / "m.onnx", nodes, (1, 5), ["classes", "scores"]))
    assert [output.given_shape for output in graph.outputs] == [(3,), (3,)]


def test_a_head_is_split(tmp_path):
    nodes = [*CONV, node("Sigmoid", "d", output="t"), node("Split", "t", axis=1)]
    nodes[-1].output[:] = ["left", "right"]
    nodes.append(node("Softmax", "right", axis=1, output="odds"))
    check(save(tmp_path / "m.onnx", nodes, (1, 3, 4, 3), ["odds", "left"]))


def test_a_part_of_a_tensor_is_an_output(tmp_path):
    nodes = [*CONV, node("Split", "d", axis=1)]
    nodes[-1].output[:] = ["left", "right"]
    nodes.append(node("Sigmoid", "right", output="s"))
    check(save(tmp_path / "m.onnx", nodes, (1, 3, 4, 3), ["s", "left"]))


def test_a_sigmoid_that_is_read_inside_too_is_a_layer(tmp_path):
    nodes = [*CONV, node("Sigmoid", "d", output="s"), node("Conv", "s", "k2", output="y")]
    CONSTANTS["k2"] = normal(2, 4, 1, 1)
    graph = check(save(tmp_path / "m.onnx", nodes, (1, 3, 4, 3), ["s", "y"]))
    assert [output.head for output in graph.outputs] == [(), ()]


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_codes_are_an_output(kind, tmp_path):
    zero = "uzero" if kind == "uint8" else "zero"
    CONSTANTS["wide"] = np.float32(0.05)
    nodes = [*DENSE, node("QuantizeLinear", "d", "wide", zero)]
    graph = check(save(tmp_path / "m.onnx", nodes, (1, 5), ["y"]))
    assert graph.outputs[0].head[0].attributes["type"] == kind


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [node("ArgMax", "d", axis=1, output="s"), node("Conv", "s", "k2")],
            r"ArgMax .* only the host can compute it, and Conv \(node 'the_Conv'\) behind it needs a layer",
        ),
        ([node("Softmax", "d", axis=0)], "it works along the batch axis: leave that alone"),
        (
            [node("Softmax", "d", output="s"), node("Relu", "d", output="t"), node("Add", "s", "t")],
            "only functions of one tensor can follow Softmax 'Softmax_s', which the host computes",
        ),
    ],
)
def test_what_the_host_cannot_compute_is_refused(nodes, message, tmp_path):
    CONSTANTS["k2"] = normal(2, 4, 1, 1)
    with pytest.raises(UnsupportedOperator, match=message):
        load_model(save(tmp_path / "m.onnx", [*CONV, *nodes], (1, 3, 4, 3), ["y"]))


LINKS = {
    "Sigmoid": {},
    "Tanh": {},
    "Softmax": {"axis": 1},
    "Neg": {},
    "HardSwish": {},
    "Relu": {},
    "Abs": {},
    "Softplus": {},
    "ArgMax": {"axis": 1},
    "Mul": {},
    "Add": {},
    "Sub": {},
    "Max": {},
    "Min": {},
    "Flatten": {},
    "ReduceMean": {"axes": [1]},
}


@settings(max_examples=40, deadline=None)
@given(
    start=st.sampled_from(["Softmax", "LogSoftmax", "Sigmoid"]),
    links=st.lists(st.sampled_from(sorted(LINKS)), max_size=4),
)
def test_chains_give_what_onnxruntime_gives(start, links, tmp_path_factory):
    nodes, value = [*DENSE, node(start, "d", output="v0")], "v0"
    if start == "Sigmoid":  # a layer, where means follow
        links = [link for link in links if link != "ReduceMean"]
    if "ArgMax" in links:  # integers behind it, which few operators take
        links = links[: links.index("ArgMax") + 1]
    for number, kind in enumerate(links, start=1):
        constants = ["row"] if kind in ("Mul", "Add", "Sub", "Max", "Min") else []
        nodes.append(node(kind, value, *constants, output=f"v{number}", **LINKS[kind]))
        value = f"v{number}"
    check(save(tmp_path_factory.mktemp("chain") / "m.onnx", nodes, (1, 5), [value]))
