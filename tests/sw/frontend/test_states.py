"""States of ONNX models: what inputs take over from outputs, held against onnxruntime frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from narrows.sw.errors import InputError, ModelError, UnsupportedOperator
from narrows.sw.frontend import import_model
from narrows.sw.frontend.states import STATE
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.reference import judge
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(23)
Maker = Callable[..., Path]


def normal(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(0, 0.5, shape).astype(np.float32)


@pytest.fixture
def stateful(tmp_path: Path) -> Maker:
    """A file of nodes with inputs and outputs by name and shape."""

    def make(
        nodes: list[onnx.NodeProto],
        inputs: dict[str, tuple[int | str, ...]],
        outputs: tuple[str, ...],
        constants: dict[str, NDArray],
        said: dict[str, str] | None = None,
    ) -> Path:
        graph = helper.make_graph(
            nodes,
            "stateful",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        helper.set_model_props(model, {f"{STATE}{name}": output for name, output in (said or {}).items()})
        onnx.save(model, tmp_path / "m.onnx")
        return tmp_path / "m.onnx"

    return make


@pytest.fixture
def elman(stateful: Maker) -> Path:
    """An Elman cell: what it takes over is tanh of a sum that reads it, and it gives a sum of that."""
    node = helper.make_node
    nodes = [
        node("MatMul", ["x", "w"], ["a"], "in"),
        node("MatMul", ["h", "u"], ["b"], "again"),
        node("Add", ["a", "b"], ["s"], "sum"),
        node("Add", ["s", "c"], ["t"], "offset"),
        node("Tanh", ["t"], ["h_next"], "tanh"),
        node("MatMul", ["h_next", "v"], ["y"], "out"),
    ]
    constants = {"w": normal(4, 6), "u": normal(6, 6), "c": normal(6), "v": normal(6, 3)}
    return stateful(nodes, {"x": ("n", 4), "h": ("n", 6)}, ("y", "h_next"), constants)


def frame_by_frame(path: Path, frames: NDArray, states: dict[str, str], first: dict[str, NDArray]) -> NDArray:
    """The first output of onnxruntime, which is handed the states from frame to frame."""
    session = onnxruntime.InferenceSession(path)
    names = [each.name for each in session.get_outputs()]
    held, given = dict(first), []
    for frame in frames:
        found = dict(zip(names, session.run(names, {"x": frame[np.newaxis], **held}), strict=True))
        held = {name: found[output] for name, output in states.items()}
        given.append(found["y"])
    return np.concatenate(given)


def test_a_cell_is_what_onnxruntime_makes_of_its_states(elman: Path) -> None:
    frames = RNG.normal(size=(12, 4)).astype(np.float32)
    imported = import_model(elman, states={"h": "h_next"})
    wanted = frame_by_frame(elman, frames, {"h": "h_next"}, {"h": np.zeros((1, 6), np.float32)})
    for graph in (imported.graph, lower(imported.graph)):
        assert [output.name for output in graph.outputs] == ["y"]
        found = given_outputs(graph.outputs, evaluate(graph, frames))["y"]
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    verdict = judge(elman, imported, frames, states={"h": "h_next"})
    assert verdict.runtime.startswith("onnxruntime") and verdict.samples == 16


def test_a_line_of_frames_keeps_its_order_and_its_first_values(stateful: Maker) -> None:
    """Lines of an image that lies with its channels last, a window over them, and the newest ones kept."""
    node = helper.make_node
    nodes = [
        node("Transpose", ["x"], ["line"], "line_first", perm=[0, 3, 1, 2]),
        node("Transpose", ["lines"], ["lines_first"], "lines_first", perm=[0, 3, 1, 2]),
        node("Concat", ["lines_first", "line"], ["window"], "join", axis=2),
        node("Slice", ["window", "from", "to", "axis"], ["newest"], "slice"),
        node("Transpose", ["newest"], ["kept"], "last", perm=[0, 2, 3, 1]),
        node("Conv", ["window", "w"], ["y"], "conv"),
    ]
    first = normal(1, 3, 2, 5)
    constants = {
        "w": normal(4, 5, 4, 2),
        "lines": first,
        "from": np.array([1]),
        "to": np.array([4]),
        "axis": np.array([2]),
    }
    inputs = {"x": (1, 1, 2, 5), "lines": (1, 3, 2, 5)}
    path = stateful(nodes, inputs, ("y", "kept"), constants, {"lines": "kept"})
    frames = RNG.normal(size=(9, 1, 2, 5)).astype(np.float32)
    imported = import_model(path)
    (state,) = imported.graph.states
    assert imported.graph.tensors[state.tensor] == (5, 3, 2)
    np.testing.assert_array_equal(state.initial, first[0].transpose(2, 0, 1))
    found = given_outputs(imported.graph.outputs, evaluate(lower(imported.graph), frames))["y"]
    wanted = frame_by_frame(path, frames, {"lines": "kept"}, {"lines": first})
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert judge(path, imported, frames).samples == 16


def test_states_that_an_import_reads_wrongly_are_found(elman: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from narrows.sw.errors import ImportMismatch

    imported = import_model(elman, states={"h": "h_next"})
    with pytest.raises(ImportMismatch, match="narrows reads this model wrongly"):
        judge(elman, _forgetful(imported), RNG.normal(size=(6, 4)), states={"h": "h_next"})


def _forgetful(imported):
    """An import whose state begins elsewhere."""
    import dataclasses

    (state,) = imported.graph.states
    wrong = dataclasses.replace(state, initial=state.initial + 0.5)
    return dataclasses.replace(imported, graph=dataclasses.replace(imported.graph, states=(wrong,)))


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ({"g": "h_next"}, "the model has no input 'g' for a state: its inputs are 'x', 'h'"),
        ({"h": "z"}, "the model has no output 'z' for a state: its outputs are 'y', 'h_next'"),
    ],
)
def test_states_that_do_not_fit_are_refused(elman: Path, states: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        import_model(elman, states=states)


def test_a_state_of_another_shape_is_refused(elman: Path) -> None:
    with pytest.raises(ModelError, match=r"output 'y' has the shape \(1, 3\), 'h', which takes it over, \(1, 6\)"):
        import_model(elman, states={"h": "y"})


def test_two_inputs_name_the_way_out(elman: Path) -> None:
    with pytest.raises(ModelError, match=r"has 2 inputs \('x', 'h'\): one is supported.*--state INPUT=OUTPUT"):
        import_model(elman)


def test_what_the_host_computes_is_no_state(stateful: Maker) -> None:
    node = helper.make_node
    nodes = [node("MatMul", ["x", "w"], ["a"], "in"), node("Add", ["a", "h"], ["s"]), node("Softmax", ["s"], ["y"])]
    path = stateful(nodes, {"x": (1, 4), "h": (1, 6)}, ("y",), {"w": normal(4, 6)})
    with pytest.raises(UnsupportedOperator, match="the host would have to compute it in every run, for 'h'"):
        import_model(path, states={"h": "y"})
