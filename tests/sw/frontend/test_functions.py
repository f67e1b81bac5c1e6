"""Operators that are written out as ONNX defines them: layers give what onnxruntime gives."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.inliner
import pytest
from narrows.sw.errors import ModelError
from narrows.sw.frontend import load_model
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from operator_cases import node

RNG = np.random.default_rng(29)
TOKENS = (1, 5, 8)
IMAGE = (1, 3, 8, 8)
HEADS = {"q_num_heads": 2, "kv_num_heads": 2}


def weights(*shape: int) -> np.ndarray:
    return RNG.normal(0, 0.4, shape).astype(np.float32)


def attention(*masks: str, values: int = 8, **attributes):
    """Attention over three projections of the tokens, those of keys and values to so many channels."""
    nodes = [node("MatMul", "x", name, output=f"{name}0") for name in "qkv"]
    constants = {"q": weights(8, 8), "k": weights(8, values), "v": weights(8, values)}
    return [*nodes, node("Attention", "q0", "k0", "v0", *masks, **HEADS | attributes)], TOKENS, constants


def masked(mask: np.ndarray):
    nodes, shape, constants = attention("m")
    return nodes, shape, constants | {"m": mask}


def in_heads():
    """Operands of four axes: heads of their own."""
    nodes = [node("MatMul", "x", name, output=f"{name}0") for name in "qkv"]
    for name in "qkv":
        nodes.append(node("Reshape", f"{name}0", "split", output=f"{name}1"))
        nodes.append(node("Transpose", f"{name}1", output=f"{name}2", perm=[0, 2, 1, 3]))
    nodes.append(node("Attention", "q2", "k2", "v2", output="o"))
    nodes += [node("Transpose", "o", output="t", perm=[0, 2, 1, 3]), node("Reshape", "t", "join")]
    constants = {name: weights(8, 8) for name in "qkv"}
    return nodes, TOKENS, constants | {"split": np.array([0, 0, 2, 4]), "join": np.array([0, 0, -1])}


def rotated(**attributes):
    angles = RNG.normal(size=(5, 2))
    nodes = [
        node("MatMul", "x", "q", output="a"),
        node("RotaryEmbedding", "a", "cos", "sin", "at", output="r", num_heads=2, **attributes),
        node("MatMul", "r", "k"),
    ]
    constants = {"q": weights(8, 8), "k": weights(8, 8), "at": np.array([[0, 1, 2, 4, 3]])}
    return (
        nodes,
        TOKENS,
        constants
        | {
            "cos": np.cos(angles).astype(np.float32),
            "sin": np.sin(angles).astype(np.float32),
        },
    )


def between_convolutions(*inner, **constants: np.ndarray):
    nodes = [node("Conv", "x", "w", output="a"), *inner, node("Conv", "r", "p")]
    return nodes, IMAGE, {"w": weights(4, 3, 3, 3), "p": weights(4, 4, 1, 1)} | constants


CASES = {
    "attention": attention(),
    "with a scale": attention(scale=0.3),
    "of what came before": attention(is_causal=1),
    "with a soft cap": attention(softcap=2.0),
    "with fewer keys than queries": attention(values=4, q_num_heads=4),
    "with a mask": masked(weights(5, 5)),
    "with a mask of truths": masked(np.tril(np.ones((5, 5), dtype=np.bool_))),
    "with heads of their own": in_heads(),
    "halves rotated": rotated(),
    "neighbours rotated": rotated(interleaved=1),
    "cropped and padded": between_convolutions(
        node("CenterCropPad", "a", "size", output="r", axes=[2, 3]), size=np.array([4, 9])
    ),
    "cast like a sample": between_convolutions(
        node("CastLike", "three", "a", output="c"), node("Mul", "a", "c", output="r"), three=np.array(3)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_layers_give_what_onnxruntime_gives(name: str, onnx_model, run_onnx) -> None:
    nodes, shape, constants = CASES[name]
    path = onnx_model(nodes, shape, constants, opset=23)
    graph = lower(load_model(path))
    assert not graph.notes
    x = np.random.default_rng(0).normal(size=(3, *shape[1:])).astype(np.float32)
    [values] = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(values, run_onnx(path, x), rtol=1e-4, atol=1e-5)


def test_what_cannot_be_written_out_is_refused_in_one_line(onnx_model, monkeypatch) -> None:
    def broken(*args, **kwargs) -> onnx.ModelProto:
        raise RuntimeError("Type unknown for q0")

    path = onnx_model(*attention(), opset=23)
    monkeypatch.setattr(onnx.inliner, "inline_selected_functions", broken)
    with pytest.raises(ModelError, match=r"^Attention cannot be written out as other operators: export the model"):
        load_model(path)


def test_parts_of_a_concat_that_are_empty_are_left_out(onnx_model, run_onnx) -> None:
    nodes = [
        node("Conv", "x", "w", output="a"),
        node("Slice", "a", "end", "end", "axis", output="nothing"),
        node("Concat", "nothing", "a", output="r", axis=1),
        node("Conv", "r", "p"),
    ]
    constants = {"w": weights(4, 3, 3, 3), "p": weights(4, 4, 1, 1), "end": np.array([4]), "axis": np.array([1])}
    path = onnx_model(nodes, IMAGE, constants, opset=23)
    graph = lower(load_model(path))
    x = np.random.default_rng(0).normal(size=(2, *IMAGE[1:])).astype(np.float32)
    [values] = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(values, run_onnx(path, x), rtol=1e-4, atol=1e-5)
