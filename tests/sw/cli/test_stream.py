"""Streaming models on the command line: compiled with a core sized for them, run frame by frame."""

from __future__ import annotations

from pathlib import Path

import narrows
import numpy as np
import onnx
import pytest
from narrows.sw.api.samples import frames_of
from narrows.sw.cli import run
from narrows.sw.errors import InputError
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(31)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Lines of 4 numbers in a row, two of which make a frame."""
    np.savez(tmp_path / "r.npz", x=RNG.normal(size=(25, 4)).astype(np.float32))
    return tmp_path / "r.npz"


@pytest.fixture
def window(tmp_path: Path) -> Path:
    """A model of frames of two lines, which keeps the three newest lines."""
    node = helper.make_node
    nodes = [
        node("Concat", ["kept", "x"], ["lines"], "join", axis=1),
        node("Slice", ["lines", "from", "to", "axis"], ["newest"], "slice"),
        node("Flatten", ["lines"], ["flat"], "flat"),
        node("MatMul", ["flat", "w"], ["y"], "dense"),
    ]
    constants = {
        "w": RNG.normal(size=(20, 3)).astype(np.float32),
        "from": np.array([2]),
        "to": np.array([5]),
        "axis": np.array([1]),
    }
    graph = helper.make_graph(
        nodes,
        "window",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, size, 4))
            for name, size in (("x", 2), ("kept", 3))
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "newest")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    path = tmp_path / "window.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_recording_is_cut_into_frames_and_each_is_answered(
    window: Path, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = np.load(recording)["x"][:24].reshape(12, 2, 4)
    np.savez(tmp_path / "c.npz", x=frames)
    program = tmp_path / "m.nrw"
    arguments = ["--calib", str(tmp_path / "c.npz"), "--weights", "int8", "--acts", "int8", "-o", str(program)]
    assert (
        run(["compile", str(window), "--state", "kept=newest", "--preset", "medium", "--acc-bits", "24", *arguments])
        == 0
    )
    capsys.readouterr()
    shown = {}
    for engine in ("golden", "isa"):
        stream = ["--input", str(recording), "--stream", "--engine", engine, "-o", str(tmp_path / f"{engine}.npz")]
        assert run(["run", str(program), *stream]) == 0
        shown[engine] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("frame ")]
    assert shown["golden"] == shown["isa"] and len(shown["isa"]) == 12
    lines = np.concatenate([np.zeros((3, 4)), frames.reshape(24, 4)])
    windows = np.stack([lines[2 * number : 2 * number + 5].ravel() for number in range(12)])
    weights = numpy_helper.to_array(onnx.load(window).graph.initializer[0])
    given = np.load(tmp_path / "isa.npz")["y"]
    assert np.abs(given - windows @ weights).max() < 0.1
    assert run(["run", str(program), "--input", str(recording), "--stream", "--model", str(window)]) == 0


def test_a_file_keeps_its_states_and_python_knows_them(window: Path) -> None:
    model = narrows.load(window, states={"kept": "newest"})
    assert model.input_shape == (2, 4) and list(model.outputs) == ["y"]
    assert model.doctor("tiny", acts="int8").found.refusals == ()
    x = RNG.uniform(-1, 1, (16, 2, 4))
    program = model.quantize(x, weights="int8", acts="int8").compile("medium", acc_bits=24)
    assert program.verify(x[:5], engines=["isa"])
    for what in ("train", "search"):
        with pytest.raises(InputError, match="takes samples in any order, and this model keeps 'kept' from run to run"):
            getattr(model.quantize(x), what)(x)


@pytest.mark.parametrize(
    ("shape", "count"), [((6, 2, 4), 6), ((7, 4), 3), ((2, 4), 1)]
)  # frames; lines in a row, the last of which fills none; one frame
def test_recordings_are_frames_or_lines_in_a_row(shape: tuple[int, ...], count: int) -> None:
    values = np.arange(np.prod(shape)).reshape(shape)
    frames = frames_of(values, (2, 4))
    np.testing.assert_array_equal(frames.ravel(), values.ravel()[: count * 8])
    assert frames.shape == (count, 2, 4)


@pytest.mark.parametrize("shape", [(1, 4), (6, 5), (8,)])
def test_what_is_no_recording_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="has no frames of 2 x 4"):
        frames_of(np.zeros(shape), (2, 4))


@pytest.mark.parametrize("text", ["h", "=y", "h="])
def test_a_pair_of_names_is_asked_for(text: str, window: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", str(window), "--state", text]) == 2
    assert "--state must be an input and the output it takes over" in capsys.readouterr().err
