"""Small ONNX models made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from narrows.sw.onnx_sessions import exact_session
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

ModelFactory = Callable[..., Path]


@pytest.fixture
def onnx_model(tmp_path: Path) -> ModelFactory:
    """A model of nodes over constants: ``onnx_model(nodes, shape, constants)``; the last node gives its output."""

    def make(
        nodes: list[onnx.NodeProto],
        shape: tuple[int | str, ...],
        constants: dict[str, NDArray] | None = None,
        *,
        opset: int = 17,
        outputs: tuple[str, ...] = (),
        name: str = "model.onnx",
    ) -> Path:
        graph = helper.make_graph(
            nodes,
            "test",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [
                helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
                for output in outputs or nodes[-1].output[:1]
            ],
            [numpy_helper.from_array(value, key) for key, value in (constants or {}).items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        path = tmp_path / name
        onnx.save(model, path)
        return path

    return make


@pytest.fixture
def run_onnx() -> Callable[[Path, NDArray], NDArray]:
    """First output of a model, sample by sample, as onnxruntime computes it without rewrites of its own."""

    def run(path: Path, x: NDArray) -> NDArray:
        session = exact_session(path)
        name = session.get_inputs()[0].name
        return np.concatenate(
            [np.asarray(session.run(None, {name: sample[np.newaxis].astype(np.float32)})[0]) for sample in x]
        )

    return run
