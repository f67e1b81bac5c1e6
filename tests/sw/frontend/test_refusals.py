"""Bad models are refused in one line that names the culprit and a way out."""

import contextlib
import re

import numpy as np
import pytest
from narrows.sw.errors import ModelError, UnsupportedOperator
from narrows.sw.examples import digits_model
from narrows.sw.frontend import load_model
from onnx import helper

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
        "operator LRN (node 'the_LRN') is not supported: use BatchNormalization",
    ),
    "no rewrite known": ([node("Floor", "x")], "operator Floor (node 'the_Floor') is not supported"),
    "softmax inside": (
        [node("Softmax", "x", output="s"), node("Conv", "s", "w")],
        "operator Softmax (node 'Softmax_s') is not supported: only the host can compute it, "
        "and Conv (node 'the_Conv') behind it needs a layer",
    ),
    "computed weights": (
        [node("Relu", "x", output="v"), node("Conv", "x", "v")],
        "operator Conv (node 'the_Conv') is not supported: its weights must be constant",
    ),
    "product of tensors": (
        [node("Conv", "x", "w", output="c"), node("Conv", "x", "w2", output="d"), node("Mul", "c", "d")],
        "operator Mul (node 'the_Mul') is not supported: the product of two tensors has no layer: "
        "one must be constant, or both functions of one tensor",
    ),
    "root": (
        [node("Conv", "x", "w", output="c"), node("Pow", "c", "half")],
        "operator Pow (node 'the_Pow') is not supported: its exponent must be a whole number from 1 to 8",
    ),
    "average without padding": (
        [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1])],
        "operator AveragePool (node 'the_AveragePool') is not supported: padding left out of the "
        "average needs divisors by pixel: set count_include_pad=1 or pad none",
    ),
    "bias by pixel": (
        [node("Add", "x", "pixels", output="a"), node("Conv", "a", "w")],
        "operator Add (node 'Add_a') is not supported: its constant differs from pixel to pixel: "
        "use one value a channel",
    ),
    "average of lines": (
        [node("ReduceMean", "x", axes=[2], keepdims=1)],
        "operator ReduceMean (node 'the_ReduceMean') is not supported: it must reduce height and "
        "width: use GlobalAveragePool or GlobalMaxPool",
    ),
    "transposed image": (
        [
            node("Conv", "x", "w", output="c"),
            node("Transpose", "c", output="t", perm=[0, 1, 3, 2]),
            node("MaxPool", "t", kernel_shape=[2, 2]),
        ],
        "operator MaxPool (node 'the_MaxPool') is not supported: its input of shape (1, 4, 4, 3) is not "
        "(batch, channels, height, width): transpose the model's input only, or export it with channels "
        "first",
    ),
    "dense layer on an image": (
        [node("MatMul", "x", "m")],
        "operator MatMul (node 'the_MatMul') is not supported: it needs one row of 6 values, its "
        "input has shape (1, 3, 5, 6): flatten it first",
    ),
    "leftover of an enlarged image": (
        [
            node("Resize", "x", "", "f", output="u"),
            node("MaxPool", "u", kernel_shape=[2, 2]),
        ],
        "operator MaxPool (node 'the_MaxPool') is not supported: its input of shape (1, 3, 10, 12) is not "
        "(batch, channels, height, width): transpose the model's input only, or export it with channels first",
    ),
    "smooth enlargement": (
        [node("Resize", "x", "", "f", mode="linear")],
        "operator Resize (node 'the_Resize') is not supported: only mode=\"nearest\" moves data without computing: "
        "use it, or a ConvTranspose",
    ),
    "padding with a value": (
        [node("Conv", "x", "w", output="c"), node("Pad", "c", "p", "one")],
        "operator Pad (node 'the_Pad') is not supported: it must pad with 0, by constant amounts",
    ),
    "padding channels": (
        [node("Conv", "x", "w", output="c"), node("Pad", "c", "q")],
        "operator Pad (node 'the_Pad') is not supported: only height and width can be padded, and nothing cropped",
    ),
    "computed slope": (
        [node("PRelu", "x", "x")],
        "operator PRelu (node 'the_PRelu') is not supported: its slope must be constant",
    ),
    "open output shape": (
        [node("ConvTranspose", "x", "up", output_shape=[9, 9])],
        "operator ConvTranspose (node 'the_ConvTranspose') is not supported: output_shape leaves its padding open: "
        "give pads and output_padding",
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
        "operator Add (node 'the_Add') is not supported: its operands have shapes (1, 5, 6, 4) and (1, 5, 6, 3): both "
        "must be equal",
    ),
    "partial windows": (
        [node("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)],
        "operator MaxPool (node 'the_MaxPool') is not supported: ceil_mode=1 adds a partial window here: "
        "set explicit pads",
    ),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_unsupported_operators_are_named_with_node_and_rewrite(case, onnx_model):
    nodes, message = UNSUPPORTED[case]
    constants = {
        "f": np.array([1, 1, 2, 2], np.float32),
        "p": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "q": np.array([0, 1, 0, 0, 0, 0, 0, 0]),
        "one": np.float32(1.0),
        "half": np.float32(0.5),
        "up": np.ones((3, 2, 2, 2), np.float32),
        "s4": np.array([1, 5, 6, 4]),
        "s3": np.array([1, 5, 6, 3]),
        "w": W,
        "w2": 2 * W,
        "pixels": np.arange(30, dtype=np.float32).reshape(5, 6),
        "m": np.ones((6, 2), np.float32),
    }
    used = {name for n in nodes for name in n.input}
    path = onnx_model(nodes, (1, 3, 5, 6), {k: v for k, v in constants.items() if k in used})
    assert refusal(path) == message


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
    assert refusal(path, ModelError) == "input 'x' has no fixed size on axis 2: export the model with that size"


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
