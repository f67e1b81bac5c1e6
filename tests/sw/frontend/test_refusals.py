"""Bad models are refused in one line that names the culprit and a way out."""

import contextlib
import re
import tracemalloc

import numpy as np
import onnx
import pytest
from narrows.sw.errors import ModelError, UnsupportedOperator
from narrows.sw.examples import digits_model
from narrows.sw.frontend import load_model
from onnx import TensorProto, helper, numpy_helper

W = np.ones((4, 3, 3, 3), np.float32)


def node(kind, *inputs, output="y", **attributes):
    name = f"the_{kind}" if output == "y" else f"{kind}_{output}"
    return helper.make_node(kind, list(inputs), [output], name=name, **attributes)


def refusal(path, kind: type[ModelError] = UnsupportedOperator):
    with pytest.raises(kind) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


UNSUPPORTED = {
    "foreign operator": (
        [node("Conv", "x", "w", output="c"), node("LRN", "c", size=3)],
        "operator LRN (node 'the_LRN') is not supported: it divides by sums of squares of the sample: train without "
        "it, or with BatchNormalization",
    ),
    "computed weights": (
        [node("Relu", "x", output="v"), node("Conv", "x", "v")],
        "operator Conv (node 'the_Conv') is not supported: its weights must be constant",
    ),
    "norm of order 1 in the middle": (
        [
            node("Conv", "x", "w", output="c"),
            node("LpNormalization", "c", p=1, axis=1, output="n"),
            node("Conv", "n", "w2"),
        ],
        "operator LpNormalization (node 'LpNormalization_n') is not supported: in the middle of a network its order "
        "must be 2",
    ),
    "partial windows by name": (
        [node("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, auto_pad="VALID")],
        "operator MaxPool (node 'the_MaxPool') is not supported: runtimes disagree on ceil_mode=1 with auto_pad=VALID: "
        "give pads instead",
    ),
    "compared": (
        [node("Equal", "x", "one", output="e"), node("Cast", "e", output="f", to=1), node("Conv", "f", "w")],
        "operator Equal (node 'Equal_e') is not supported: only the host can compute it, and Conv (node 'the_Conv') "
        "behind it needs a layer: begin the model behind what compares its input, and give that as its input",
    ),
    "resized channels": (
        [node("Conv", "x", "w", output="c"), node("Resize", "c", "", "", "s8", mode="linear")],
        "operator Resize (node 'the_Resize') is not supported: only height and width can be resized",
    ),
    "transposed image": (
        [
            node("Conv", "x", "w", output="c"),
            node("Transpose", "c", output="t", perm=[0, 1, 3, 2]),
            node("MaxPool", "t", kernel_shape=[2, 2]),
        ],
        "operator MaxPool (node 'the_MaxPool') is not supported: its input of shape (1, 4, 4, 3) shows channels, lines "
        "or columns of an earlier image as one another (a Transpose or Reshape in the middle), which no layer does: "
        "keep images in one order",
    ),
    "computed slope": (
        [node("PRelu", "x", "x")],
        "operator PRelu (node 'the_PRelu') is not supported: its slope must be constant",
    ),
    "sum of different orders": (
        [
            node("Transpose", "x", perm=[0, 2, 3, 1], output="n"),
            node("Conv", "x", "w", pads=[1, 1, 1, 1], output="c"),
            node("Transpose", "c", perm=[0, 3, 1, 2], output="d"),
            node("Reshape", "d", "s4", output="e"),
            node("Reshape", "x", "s3", output="z"),
            node("Add", "e", "z"),
        ],
        "operator Add (node 'the_Add') is not supported: its operands of shapes (1, 5, 6, 4) and (1, 5, 6, 3) do not "
        "broadcast",
    ),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_unsupported_operators_are_named_with_node_and_rewrite(case, onnx_model):
    nodes, message = UNSUPPORTED[case]
    constants = {
        "s4": np.array([1, 5, 6, 4]),
        "s8": np.array([1, 8, 3, 4]),
        "s3": np.array([1, 5, 6, 3]),
        "w": W,
        "w2": 2 * W,
        "one": np.float32(1),
    }
    used = {name for n in nodes for name in n.input}
    path = onnx_model(nodes, (1, 3, 5, 6), {k: v for k, v in constants.items() if k in used})
    assert refusal(path) == message


@pytest.mark.parametrize(
    ("operands", "hint"),
    [
        (
            ("table", "x"),
            "it looks a table up by values of the sample: begin the model behind it, its input can be what it gives",
        ),
        (("x", "depth", "ends"), "begin the model behind it: its input can be the one-hot values"),
    ],
)
def test_indices_are_looked_up_before_the_model(operands, hint, tmp_path):
    kind = "Gather" if len(operands) == 2 else "OneHot"
    constants = {"table": np.ones((9, 4), np.float32), "depth": np.array(9), "ends": np.float32([0, 1])}
    graph = helper.make_graph(
        [node(kind, *operands)],
        "looked_up",
        [helper.make_tensor_value_info("x", TensorProto.INT64, (1, 7))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(constants[name], name) for name in operands if name in constants],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    assert refusal(path) == f"operator {kind} (node 'the_{kind}') is not supported: {hint}"


def test_custom_domain_is_refused(onnx_model):
    path = onnx_model([helper.make_node("FusedMatMul", ["x"], ["y"], name="q", domain="com.microsoft")], (1, 3, 5, 6))
    assert refusal(path) == (
        "operator FusedMatMul (node 'q') is not standard ONNX: export the float model, without quantisation or "
        "custom nodes"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_must_be_finite(value, onnx_model):
    weights = W.copy()
    weights[1, 2, 0, 0] = value
    path = onnx_model([node("Conv", "x", "kernel")], (1, 3, 5, 6), {"kernel": weights})
    assert refusal(path, ModelError) == "initializer 'kernel' holds NaN or infinity: train or export the model again"


@pytest.mark.parametrize(("kind", "limit"), [("Max", np.inf), ("Min", -np.inf), ("Max", np.nan)])
def test_limits_that_leave_no_number_are_refused(kind, limit, onnx_model):
    path = onnx_model(
        [node("Conv", "x", "kernel", output="c"), node(kind, "c", "limit")],
        (1, 3, 5, 6),
        {"kernel": W, "limit": np.float32(limit)},
    )
    assert re.search("NaN or infinity|nothing but infinity", refusal(path, ModelError))


@pytest.mark.parametrize("epsilon", [-2.0, -1.0, float("nan")])
def test_statistics_that_give_no_number_are_refused(epsilon, onnx_model):
    ones = np.ones(3, dtype=np.float32)
    norm = helper.make_node("BatchNormalization", ["x", "g", "b", "m", "v"], ["y"], name="norm", epsilon=epsilon)
    path = onnx_model([norm], (1, 3, 4, 4), dict.fromkeys("gbmv", ones))
    with pytest.raises(ModelError, match="node 'norm' computes with NaN or infinity"):
        load_model(path)


def test_missing_file(tmp_path):
    path = tmp_path / "none.onnx"
    assert refusal(path, ModelError) == f"cannot read {path}: no such file"


def test_empty_file(tmp_path):
    path = tmp_path / "empty.onnx"
    path.write_bytes(b"")
    assert (
        refusal(path, ModelError) == f"cannot read {path}: it holds no ONNX graph; give a float model exported as .onnx"
    )


@pytest.mark.parametrize("length", [1, 10, 100, 5000, 30000])
def test_truncated_file(length, tmp_path):
    path = tmp_path / "cut.onnx"
    with digits_model() as whole:
        path.write_bytes(whole.read_bytes()[:length])
    assert re.match(f"cannot read {re.escape(str(path))}", refusal(path, ModelError))


def test_folder_instead_of_file(tmp_path):
    said = f"cannot read {tmp_path}: it is a folder, not a model: give the model's file"
    assert refusal(tmp_path, ModelError) == said


def test_fixed_batch(onnx_model):
    path = onnx_model([node("Conv", "x", "w")], (4, 3, 5, 6), {"w": W})
    assert refusal(path, ModelError) == "input 'x' has a fixed batch of 4: export it with batch 1 or a dynamic one"


def test_dynamic_size(onnx_model):
    path = onnx_model([node("Conv", "x", "w")], (1, 3, "height", 6), {"w": W})
    assert refusal(path, ModelError) == (
        "input 'x' has no fixed size on axis 2: give one with --input-shape x=1,3,64,6, or export the model with that "
        "size"
    )


@pytest.mark.parametrize("shape", [(1, 2**31 - 1, 8, 8), (1, 3, 2**20, 2**20), (1, 2**26)])
def test_sizes_beyond_any_core_take_no_memory(shape, onnx_model):
    path = onnx_model([helper.make_node("Relu", ["x"], ["y"])], shape)
    tracemalloc.start()
    with pytest.raises(ModelError, match=r"value 'x' has .* elements, more than any core holds"):
        load_model(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


@pytest.mark.parametrize("pads", [[1 << 40, 0, 0, 0], [1 << 14] * 4, [0, 0, 1 << 30, 1 << 30]])
def test_attributes_that_ask_for_more_than_any_core_are_refused(pads, onnx_model):
    weights = {"w": np.ones((1, 1, 1, 1), dtype=np.float32)}
    path = onnx_model([helper.make_node("Conv", ["x", "w"], ["y"], name="c", pads=pads)], (1, 1, 4, 4), weights)
    with pytest.raises(ModelError, match=r"which no core holds|more than any core holds"):
        load_model(path)


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
def test_a_bias_is_one_constant_for_each_channel(kind, onnx_model):
    weights = {"w": np.ones((3, 3, 1, 1), dtype=np.float32), "b": np.ones(2, dtype=np.float32)}
    path = onnx_model([helper.make_node(kind, ["x", "w", "b"], ["y"], name="c")], (1, 3, 4, 4), weights)
    with pytest.raises(ModelError, match=r"node 'c' has a bias of shape \(2,\) for 3 channels"):
        load_model(path)
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[0, 2, 3], keepdims=0),
        helper.make_node(kind, ["x", "w", "m"], ["y"], name="c"),
    ]
    path = onnx_model(nodes, (1, 3, 4, 4), {"w": weights["w"]})
    with pytest.raises(UnsupportedOperator, match="its bias must be constant"):
        load_model(path)


@pytest.mark.parametrize("attribute", [{"strides": [0, 1]}, {"dilations": [1, 0]}, {"dilations": [0, 0]}])
def test_windows_that_do_not_move_are_refused(attribute, onnx_model):
    pool = helper.make_node("MaxPool", ["x"], ["y"], name="p", **({"kernel_shape": [2, 2]} | attribute))
    with pytest.raises(ModelError, match=r"^[^\n]+$"):
        load_model(onnx_model([pool], (1, 3, 8, 8)))


def test_blocks_of_no_size_are_refused(onnx_model):
    said = refusal(onnx_model([node("SpaceToDepth", "x", blocksize=0)], (1, 4, 8, 8)), ModelError)
    assert "the_SpaceToDepth' makes no sense" in said


def test_kernel_larger_than_image(onnx_model):
    path = onnx_model([node("MaxPool", "x", kernel_shape=[9, 9])], (1, 3, 5, 6))
    assert refusal(path, ModelError).startswith(
        "node 'the_MaxPool' has a window of (9, 9), larger than its input of (5, 6)"
    )


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_never_raise_anything_else(seed, tmp_path):
    rng = np.random.default_rng(seed)
    with digits_model() as whole:
        content = bytearray(whole.read_bytes())
    # The structure is at both ends, between them lie weights, which may be anything.
    for position in rng.choice(np.r_[0:2500, len(content) - 900 : len(content)], 3):
        content[position] = rng.integers(256)
    path = tmp_path / "damaged.onnx"
    path.write_bytes(bytes(content))
    with contextlib.suppress(ModelError):
        load_model(path)
