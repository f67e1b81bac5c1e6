"""Recurrent operators over sequences, and over one step with states, against onnxruntime."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from narrows.sw.errors import UnsupportedOperator
from narrows.sw.frontend import import_model
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.reference import judge
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(41)
INPUTS, UNITS = 3, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def model(path: Path, kind: str, steps: int, *, state: bool = False, **attributes) -> Path:
    """A recurrent node over (steps, 1, 3), and a dense layer of what its last step gives."""
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    size = GATES[kind] * UNITS
    shapes = {
        "w": (directions, size, INPUTS),
        "r": (directions, size, UNITS),
        "b": (directions, 2 * size),
        "v": (directions * UNITS, 2),
    }
    node = helper.make_node
    states = ["h", "c"][: 1 + (kind == "LSTM")] if state else []
    outputs = ["all", "h_next", "c_next"][: 2 + (kind == "LSTM")]
    inputs = ["x", "w", "r", "b", "", *states] if state else ["x", "w", "r", "b"]
    nodes = [
        node(kind, inputs, outputs, "cell", hidden_size=UNITS, **attributes),
        node("Gather", ["all", "last"], ["end"], "pick", axis=0),
        node("Reshape", ["end", "flat"], ["f"], "flatten"),
        node("MatMul", ["f", "v"], ["y"], "dense"),
    ]
    constants = {name: RNG.normal(0, 0.7, shape).astype(np.float32) for name, shape in shapes.items()}
    constants |= {"last": np.array(steps - 1), "flat": np.array([1, -1])}
    shown = ["y", *([f"{name}_next" for name in states])]
    graph = helper.make_graph(
        nodes,
        "recurrent",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, (steps, 1, INPUTS)),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 1, UNITS)) for name in states),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in shown],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def sequences(path: Path, kind: str, steps: int, **attributes) -> Path:
    """The same behind an input with its batch first."""
    inner = onnx.load(model(path, kind, steps, **attributes))
    inner.graph.input[0].name = "x_first"
    dims = inner.graph.input[0].type.tensor_type.shape.dim
    dims[0].dim_value, dims[1].dim_value = 1, steps
    inner.graph.node.insert(0, helper.make_node("Transpose", ["x_first"], ["x"], "turn", perm=[1, 0, 2]))
    onnx.save(inner, path)
    return path


CASES = [
    ("LSTM", {}),
    ("LSTM", {"direction": "bidirectional"}),
    ("GRU", {"linear_before_reset": 0}),
    ("GRU", {"linear_before_reset": 1}),
    ("GRU", {"direction": "reverse", "linear_before_reset": 1}),
    ("RNN", {}),
    ("RNN", {"direction": "reverse", "activations": ["Relu"]}),
]


@pytest.mark.parametrize(("kind", "attributes"), CASES)
@pytest.mark.parametrize("steps", [1, 5])
def test_sequences_are_those_of_onnxruntime(kind: str, attributes: dict, steps: int, tmp_path: Path) -> None:
    path = sequences(tmp_path / "m.onnx", kind, steps, **attributes)
    x = RNG.normal(size=(6, steps, INPUTS)).astype(np.float32)
    session = onnxruntime.InferenceSession(path)
    wanted = np.concatenate([np.asarray(session.run(["y"], {"x_first": each[np.newaxis]})[0]) for each in x])
    imported = import_model(path)
    found = given_outputs(imported.graph.outputs, evaluate(lower(imported.graph), x))["y"]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert judge(path, imported, x).samples == 4


@pytest.mark.parametrize("kind", GATES)
def test_one_step_keeps_its_states(kind: str, tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx", kind, 1, state=True)
    states = {"h": "h_next"} | ({"c": "c_next"} if kind == "LSTM" else {})
    frames = RNG.normal(size=(9, 1, INPUTS)).astype(np.float32)
    session = onnxruntime.InferenceSession(path)
    held, wanted = {name: np.zeros((1, 1, UNITS), np.float32) for name in states}, []
    for frame in frames:
        y, *after = session.run(["y", *states.values()], {"x": frame[np.newaxis], **held})
        held = dict(zip(states, after, strict=True))
        wanted.append(y)
    imported = import_model(path, states=states)
    found = given_outputs(imported.graph.outputs, evaluate(lower(imported.graph), frames))["y"]
    np.testing.assert_allclose(found, np.concatenate(wanted), atol=1e-5)
    assert judge(path, imported, frames, states=states).runtime.startswith("onnxruntime")


@pytest.mark.parametrize("kind", GATES)
def test_cells_upon_cells_need_no_names(kind: str, tmp_path: Path) -> None:
    path, size = tmp_path / "m.onnx", GATES[kind] * UNITS
    constants, nodes, last = {"first": np.array([0])}, [helper.make_node("Identity", ["x"], ["s0"])], "s0"
    for number, inputs in enumerate((INPUTS, UNITS), 1):
        shapes = {"w": (1, size, inputs), "r": (1, size, UNITS), "b": (1, 2 * size)}
        constants |= {f"{name}{number}": RNG.normal(0, 0.7, shape).astype(np.float32) for name, shape in shapes.items()}
        operands = [last, *(f"{name}{number}" for name in shapes)]
        nodes.append(helper.make_node(kind, operands, ["", f"s{number}"], hidden_size=UNITS))  # the last step alone
        last = f"s{number}"
    nodes.append(helper.make_node("Squeeze", [last, "first"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "stack",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, INPUTS))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    assert judge(path, import_model(path), RNG.normal(size=(3, 1, INPUTS))).runtime.startswith("onnxruntime")


@pytest.mark.parametrize(
    "attributes", [{"clip": 3.0}, {"input_forget": 1}, {"activations": ["Sigmoid", "Softsign", "Tanh"]}]
)
def test_what_is_not_known_is_refused(attributes: dict, tmp_path: Path) -> None:
    path = sequences(tmp_path / "m.onnx", "LSTM", 2, **attributes)
    with pytest.raises(UnsupportedOperator, match=r"LSTM \(node 'cell'\) .*: it runs over up to 64 steps"):
        import_model(path)


@pytest.mark.parametrize(("length", "taken"), [(3, True), (2, False)])
def test_lengths_are_those_of_the_sequence(length: int, taken: bool, tmp_path: Path) -> None:
    path = sequences(tmp_path / "m.onnx", "GRU", 3)
    inner = onnx.load(path)
    next(node for node in inner.graph.node if node.op_type == "GRU").input.append("lengths")
    inner.graph.initializer.append(numpy_helper.from_array(np.array([length], np.int32), "lengths"))
    onnx.save(inner, path)
    if taken:
        assert judge(path, import_model(path), RNG.normal(size=(3, 3, INPUTS))).runtime.startswith("onnxruntime")
    else:
        with pytest.raises(UnsupportedOperator, match="GRU"):
            import_model(path)


def test_a_whole_network_of_torch_is_taken(tmp_path: Path) -> None:
    """As exporters write it: the batch first, states that begin at 0 by a chain of shapes."""
    torch = pytest.importorskip("torch")

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = torch.nn.GRU(INPUTS, UNITS, batch_first=True, bidirectional=True)
            self.dense = torch.nn.Linear(2 * UNITS, 2)

        def forward(self, x):
            return self.dense(self.cell(x)[0][:, -1])

    torch.manual_seed(3)
    path, x = tmp_path / "m.onnx", torch.randn(1, 6, INPUTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, of several kinds
        torch.onnx.export(Network().eval(), (x,), path, dynamo=False, input_names=["x"], output_names=["y"])
    imported = import_model(path)
    assert judge(path, imported, RNG.normal(size=(4, 6, INPUTS))).samples == 4
