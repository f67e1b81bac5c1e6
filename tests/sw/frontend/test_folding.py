"""What does not depend on samples becomes constant, within bounds; what nothing needs is left out."""

import tracemalloc

import numpy as np
import onnx
import pytest
from narrows.sw.errors import ModelError, UnsupportedOperator
from narrows.sw.frontend import load_model
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from onnx import TensorProto, helper
from operator_cases import node

SHAPE = (1, 3, 6, 5)
RNG = np.random.default_rng(22)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


W = normal(4, 3, 3, 3)
X = np.random.default_rng(9).normal(size=(4, *SHAPE[1:])).astype(np.float32)


def answer(path):
    graph = lower(load_model(path))
    (values,) = given_outputs(graph.outputs, evaluate(graph, X)).values()
    return values


def check(path, run_onnx):
    np.testing.assert_allclose(answer(path), run_onnx(path, X), rtol=1e-5, atol=1e-5)


def test_shapes_of_tensors(onnx_model, run_onnx):
    nodes = [
        node("Conv", "x", "w", output="c"),
        node("Shape", "c", output="s", end=2),
        node("Concat", "s", "minus", output="t", axis=0),
        node("Reshape", "c", "t", output="r"),
        node("Size", "c", output="n"),
        node("Cast", "n", output="f", to=TensorProto.FLOAT),
        node("Div", "r", "f"),
    ]
    check(onnx_model(nodes, SHAPE, {"w": W, "minus": np.array([-1])}), run_onnx)


def test_a_shape_before_the_first_layer(onnx_model, run_onnx):
    nodes = [
        node("Shape", "x", output="s"),
        node("Gather", "s", "first", output="n"),
        node("Concat", "n", "rest", output="t", axis=0),
        node("Reshape", "x", "t", output="r"),
        node("MatMul", "r", "m"),
    ]
    constants = {"first": np.array([0]), "rest": np.array([-1]), "m": normal(90, 4)}
    check(onnx_model(nodes, ("n", 3, 6, 5), constants), run_onnx)


def test_computed_weights(onnx_model, run_onnx):
    nodes = [
        node("Constant", output="two", value_float=2.0),
        node("Mul", "w", "two", output="d"),
        node("Transpose", "d", output="t", perm=[0, 1, 3, 2]),
        node("Conv", "x", "t"),
    ]
    check(onnx_model(nodes, SHAPE, {"w": W}), run_onnx)


def branches(condition):
    """An If as exporters write it for a squeeze of an axis that may not be 1; its branches read values around it."""
    then = helper.make_graph(
        [node("ReduceMean", "c", output="t", axes=[2, 3]), node("Add", "t", "inner", output="tt")],
        "then",
        [],
        [helper.make_tensor_value_info("tt", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.float32([[[[0.5]]]]), "inner")],
    )
    other = helper.make_graph(
        [node("Relu", "c", output="e")], "else", [], [helper.make_tensor_value_info("e", TensorProto.FLOAT, None)]
    )
    return node("If", condition, output="y", then_branch=then, else_branch=other)


@pytest.mark.parametrize("channels", [4, 5])
def test_a_branch_that_shapes_decide(channels, onnx_model, run_onnx):
    nodes = [
        node("Conv", "x", "w", output="c"),
        node("Shape", "c", output="s"),
        node("Gather", "s", "one", output="n"),
        node("Equal", "n", "many", output="same"),
        branches("same"),
    ]
    constants = {"w": W, "one": np.array(1), "many": np.array(channels)}
    check(onnx_model(nodes, SHAPE, constants), run_onnx)


def test_a_branch_that_samples_decide_is_refused(onnx_model):
    nodes = [
        node("Conv", "x", "w", output="c"),
        node("ReduceMax", "c", output="m", keepdims=0),
        node("Greater", "m", "zero", output="same"),
        branches("same"),
    ]
    with pytest.raises(UnsupportedOperator) as caught:
        load_model(onnx_model(nodes, SHAPE, {"w": W, "zero": np.float32(0)}))
    assert "is not supported" in str(caught.value)


def test_unread_nodes_need_no_handler(onnx_model, run_onnx):
    nodes = [node("Floor", "x", output="z"), node("Floor", "z", output="zz"), node("Conv", "x", "w")]
    check(onnx_model(nodes, SHAPE, {"w": W}), run_onnx)


GROWING = {
    "filled": [node("ConstantOfShape", "huge", output="k")],
    "tiled": [node("Tile", "one", "huge", output="k")],
    "expanded": [node("Expand", "one", "huge", output="k")],
    "product": [node("MatMul", "column", "row", output="k")],
    "range": [node("Range", "zero", "end", "step", output="k")],
    "padded": [node("Pad", "one", "much", output="k")],
}


@pytest.mark.parametrize("case", GROWING)
def test_huge_constants_are_refused_before_they_are_made(case, onnx_model):
    constants = {
        "huge": np.array([1 << 30]),
        "one": np.ones(1, np.float32),
        "column": np.ones((1 << 15, 1), np.float32),
        "row": np.ones((1, 1 << 15), np.float32),
        "zero": np.array(0),
        "end": np.array(1 << 30),
        "step": np.array(1),
        "much": np.array([0, 1 << 30]),
    }
    nodes = [*GROWING[case], node("ReduceSum", "k", output="r", keepdims=0), node("Cast", "r", output="f", to=1)]
    nodes += [node("Add", "x", "f", output="a"), node("Conv", "a", "w")]
    used = {name for n in nodes for name in n.input}
    path = onnx_model(nodes, SHAPE, {name: value for name, value in constants.items() if name in used} | {"w": W})
    tracemalloc.start()
    with pytest.raises(ModelError, match=r"makes a constant of (shape|no known size)"):
        load_model(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()


def test_constants_whose_size_nobody_infers_are_refused(onnx_model):
    constants = {name: np.array(value, np.int16) for name, value in (("zero", 0), ("end", 3), ("step", 1))}
    nodes = [node("Range", *constants, output="k"), node("ReduceSum", "k", output="r", keepdims=0)]
    nodes += [node("Cast", "r", output="f", to=1), node("Add", "x", "f", output="a"), node("Conv", "a", "w")]
    with pytest.raises(ModelError, match="makes a constant of no known size"):
        load_model(onnx_model(nodes, SHAPE, constants | {"w": W}))


def test_local_functions_are_inlined(tmp_path, run_onnx):
    inner = helper.make_function(
        "own",
        "Scaled",
        ["a"],
        ["b"],
        [
            helper.make_node("Constant", [], ["k"]),
            helper.make_node("Mul", ["a", "k"], ["b"]),
        ],
        [helper.make_opsetid("", 17)],
        attribute_protos=[helper.make_attribute("factor", 3.0)],
    )
    inner.node[0].attribute.append(
        onnx.AttributeProto(name="value_float", ref_attr_name="factor", type=onnx.AttributeProto.FLOAT)
    )
    outer = helper.make_function(
        "own",
        "Twice",
        ["a"],
        ["b"],
        [
            helper.make_node("Scaled", ["a"], ["t"], domain="own", factor=-0.5),
            helper.make_node("Scaled", ["t"], ["b"], domain="own"),
        ],
        [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)],
    )
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Twice", ["c"], ["y"], domain="own")],
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(W, "w")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    path = tmp_path / "functions.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, functions=[inner, outer], ir_version=9), path)
    check(path, run_onnx)


def test_files_that_list_no_initializer_as_input(onnx_model, run_onnx):
    path = onnx_model([node("Conv", "x", "w")], SHAPE, {"w": W}, opset=9)
    model = onnx.load(path)
    model.ir_version = 3  # which wants them listed; exporters of onnxruntime leave them out
    onnx.save(model, path)
    check(path, run_onnx)


@pytest.mark.parametrize("opset", [1, 6])
def test_ancient_versions_are_refused(opset, onnx_model):
    path = onnx_model([node("Relu", "x")], SHAPE, opset=opset)
    with pytest.raises(UnsupportedOperator) as caught:
        load_model(path)
    assert str(caught.value) == (
        f"the model uses version {opset} of ONNX's operators, 7 to 23 are read: export it with one of these "
        "(opset_version)"
    )
