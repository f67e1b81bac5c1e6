"""What is said of TFLite operators without a converter, and that what it advises works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from narrows.sw.errors import UnsupportedOperator
from narrows.sw.frontend import load_model
from narrows.sw.frontend.tflite import has_litert, run_litert
from narrows.sw.frontend.tflite.operators import HANDLERS, REWRITES
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from tflite_builder import Op, Tensor, tflite_bytes

KIND, FLOAT, INT = tflite.BuiltinOperator, tflite.TensorType.FLOAT32, tflite.TensorType.INT32
STEPS, FEATURES, UNITS = 3, 5, 4
BUILTIN = [name for name in REWRITES if not name.startswith("TFLite_")]


@pytest.mark.parametrize("name", BUILTIN)
def test_the_refusal_names_the_operator_and_what_to_do_instead(name: str, tmp_path: Path) -> None:
    path = tmp_path / "one.tflite"
    tensors = [Tensor(name=each, shape=(1, 2), kind=FLOAT) for each in ("x", "y")]
    path.write_bytes(tflite_bytes(tensors, [Op(kind=getattr(KIND, name), inputs=(0,), output=1)], [0], [1]))
    with pytest.raises(UnsupportedOperator) as caught:
        load_model(path)
    assert str(caught.value) == f"operator {name} (node 'y') is not supported: {REWRITES[name]}"
    assert name not in HANDLERS


@pytest.mark.parametrize("name", [name for name in BUILTIN if name.endswith(("LSTM", "RNN"))])
def test_recurrent_operators_are_not_said_to_be_beyond_what_runs(name: str) -> None:
    assert "unroll=True" in REWRITES[name] and "ONNX, whose LSTM, GRU and RNN run" in REWRITES[name]


class _Model:
    """Tensors and operators of a file under construction."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []

    def tensor(self, *shape: int, data: np.ndarray | None = None, kind: int = FLOAT) -> int:
        self.tensors.append(Tensor(name=f"t{len(self.tensors)}", shape=shape, data=data, kind=kind))
        return len(self.tensors) - 1

    def constant(self, values: np.ndarray) -> int:
        kind = FLOAT if values.dtype == np.float32 else INT
        return self.tensor(*values.shape, data=values, kind=kind)

    def op(
        self, name: str, *inputs: int, count: int = 1, shape: tuple[int, ...] = (1, UNITS), options: Any = None
    ) -> list[int]:
        outputs = [self.tensor(*shape) for _ in range(count)]
        self.ops.append(Op(kind=getattr(KIND, name), inputs=inputs, output=outputs, options=options))
        return outputs


def unrolled(path: Path, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> None:
    """An LSTM over a sequence (1, STEPS, FEATURES) as plain operators; gates in the order i, f, g, o."""
    model = _Model()
    x = model.tensor(1, STEPS, FEATURES)
    w_, u_, b_ = (model.constant(values.astype(np.float32)) for values in (w, u, b))
    axis = model.constant(np.array(1, np.int32))
    h = c = model.constant(np.zeros((1, UNITS), np.float32))
    options = ("UnpackOptions", {"Num": STEPS, "Axis": 1})
    for frame in model.op("UNPACK", x, count=STEPS, shape=(1, FEATURES), options=options):
        dense = ("FullyConnectedOptions", {})
        [seen] = model.op("FULLY_CONNECTED", frame, w_, b_, shape=(1, 4 * UNITS), options=dense)
        [kept] = model.op("FULLY_CONNECTED", h, u_, -1, shape=(1, 4 * UNITS), options=dense)
        [sums] = model.op("ADD", seen, kept, shape=(1, 4 * UNITS), options=("AddOptions", {}))
        i, f, g, o = model.op("SPLIT", axis, sums, count=4, options=("SplitOptions", {"NumSplits": 4}))
        [i], [f], [g], [o] = (model.op("TANH" if each == g else "LOGISTIC", each) for each in (i, f, g, o))
        [old], [new] = (model.op("MUL", *pair, options=("MulOptions", {})) for pair in ((f, c), (i, g)))
        [c] = model.op("ADD", old, new, options=("AddOptions", {}))
        [bounded] = model.op("TANH", c)
        [h] = model.op("MUL", o, bounded, options=("MulOptions", {}))
    path.write_bytes(tflite_bytes(model.tensors, model.ops, [x], [h]))


def lstm(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Last hidden states (N, UNITS) of sequences (N, STEPS, FEATURES)."""
    h = c = np.zeros((len(x), UNITS))
    for frame in x.transpose(1, 0, 2):
        i, f, g, o = np.split(frame @ w.T + h @ u.T + b, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-each)) for each in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
    return h


@pytest.mark.parametrize("seed", range(3))
def test_an_lstm_whose_steps_are_written_out_is_read_as_what_it_computes(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(4 * UNITS, FEATURES)), rng.normal(size=(4 * UNITS, UNITS)), rng.normal(size=4 * UNITS)
    x = rng.normal(size=(6, STEPS, FEATURES)).astype(np.float32)
    path = tmp_path / "lstm.tflite"
    unrolled(path, *weights)
    graph = lower(load_model(path))
    [found] = given_outputs(graph.outputs, evaluate(graph, x)).values()
    wanted = lstm(x, *(each.astype(np.float32) for each in weights))
    np.testing.assert_allclose(found, wanted, atol=1e-5, err_msg=f"seed {seed}")
    if has_litert():
        [reference] = run_litert(path, x).values()
        np.testing.assert_allclose(found, reference, atol=1e-5, err_msg=f"seed {seed}")
