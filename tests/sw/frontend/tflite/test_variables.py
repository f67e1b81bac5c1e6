"""Variables of TFLite files: every code of a stream is LiteRT's, and what is more than a state is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tflite
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import UnsupportedOperator
from narrows.sw.frontend import import_model, load_model
from narrows.sw.frontend.tflite import has_litert, run_litert
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.reference import judge
from narrows.sw.runtime import prepare_input, restore_outputs
from tflite_builder import Op, Tensor, tflite_bytes

KIND, RESOURCE = tflite.BuiltinOperator, tflite.TensorType.RESOURCE
BYTE = {"scale": [0.05], "zero": [-7]}
FIRST = np.arange(-12, 12, dtype=np.int8).reshape(1, 3, 2, 4)


def handle(name: str, output: int) -> Op:
    return Op(kind=KIND.VAR_HANDLE, inputs=(), output=output, options=("VarHandleOptions", {"SharedName": name}))


def window(tmp_path: Path, *, first: np.ndarray | None = FIRST, assigned: tuple[int, ...] = (8,)) -> Path:
    """Three lines that are kept before one of the input, a convolution over the four, the newest three kept."""
    rng = np.random.default_rng(11)
    scales = rng.uniform(0.001, 0.01, 5)

    def numbers(values, name):
        return Tensor(name=name, shape=np.shape(values), data=np.array(values, np.int32), kind=tflite.TensorType.INT32)

    tensors = [
        Tensor(name="x", shape=(1, 1, 2, 4), **BYTE),
        Tensor(name="lines", shape=(), kind=RESOURCE),
        Tensor(name="kept", shape=(1, 3, 2, 4), **BYTE),
        Tensor(name="window", shape=(1, 4, 2, 4), **BYTE),
        Tensor(
            name="w",
            shape=(5, 4, 2, 4),
            data=rng.integers(-127, 128, (5, 4, 2, 4), dtype=np.int8),
            scale=scales,
            zero=[0] * 5,
        ),
        Tensor(
            name="b",
            shape=(5,),
            data=rng.integers(-900, 900, 5, dtype=np.int32),
            scale=BYTE["scale"] * scales,
            zero=[0] * 5,
            kind=tflite.TensorType.INT32,
        ),
        Tensor(name="sums", shape=(1, 1, 1, 5), scale=[0.04], zero=[9]),
        Tensor(name="y", shape=(1, 5), scale=[0.04], zero=[9]),
        Tensor(name="newest", shape=(1, 3, 2, 4), **BYTE),
        numbers([0, 1, 0, 0], "from"),
        numbers([1, 3, 2, 4], "size"),
        numbers([1, 5], "flat"),
    ]
    valid = {"Padding": tflite.Padding.VALID, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    ops = [
        Op(kind=KIND.CALL_ONCE, inputs=(), output=(), options=("CallOnceOptions", {"InitSubgraphIndex": 1})),
        handle("lines", 1),
        Op(kind=KIND.READ_VARIABLE, inputs=(1,), output=2),
        Op(kind=KIND.CONCATENATION, inputs=(2, 0), output=3, options=("ConcatenationOptions", {"Axis": 1})),
        Op(kind=KIND.SLICE, inputs=(3, 9, 10), output=8),
        *(Op(kind=KIND.ASSIGN_VARIABLE, inputs=(1, each), output=()) for each in assigned),
        Op(kind=KIND.CONV_2D, inputs=(3, 4, 5), output=6, options=("Conv2DOptions", valid)),
        Op(kind=KIND.RESHAPE, inputs=(6, 11), output=7),
    ]
    beginning = [
        Tensor(name="lines", shape=(), kind=RESOURCE),
        Tensor(name="first", shape=(1, 3, 2, 4), data=first, **BYTE),
    ]
    once = [handle("lines", 0), Op(kind=KIND.ASSIGN_VARIABLE, inputs=(0, 1), output=())]
    path = tmp_path / "window.tflite"
    path.write_bytes(tflite_bytes(tensors, ops, [0], [7], others=[(beginning, once)]))
    return path


@pytest.mark.skipif(not has_litert(), reason="LiteRT is an extra")
@pytest.mark.parametrize("seed", range(3))
def test_every_code_of_a_stream_is_that_of_litert(tmp_path: Path, seed: int) -> None:
    path = window(tmp_path)
    frames = np.random.default_rng(seed).uniform(-6, 6.5, (24, 1, 2, 4)).astype(np.float32)
    config = AcceleratorConfig(acc_bits=28, bias_bits=30, rescale_bits=32, weight_words=8192, act_words=8192)
    imported = import_model(path)
    np.testing.assert_allclose(imported.graph.states[0].initial, 0.05 * (FIRST[0].transpose(2, 0, 1) + 7.0), atol=1e-6)
    assert judge(path, imported, frames).runtime.startswith("LiteRT")
    quantised = quantise(imported.graph, frames, QuantSettings(exact=True), config)
    levels = GoldenModel(quantised, config).run(prepare_input(quantised, frames), quantised.output_tensors)
    found, wanted = restore_outputs(quantised, levels), run_litert(path, frames)
    steps = np.rint((found["y"] - wanted["y"]) / 0.04)
    assert not steps.any(), f"seed {seed}"


def test_two_assignments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOperator, match="variable 'lines' is not read first and then assigned once"):
        load_model(window(tmp_path, assigned=(8, 2)))


def test_a_variable_that_is_never_assigned_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOperator, match="variable 'lines' is not read first and then assigned once"):
        load_model(window(tmp_path, assigned=()))


def test_a_variable_without_a_first_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOperator, match="variable 'lines' has no constant for a first value"):
        load_model(window(tmp_path, first=None))
