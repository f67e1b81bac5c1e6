"""Random ONNX models: every operator that is read, with random attributes, in random versions of ONNX.

A model is built node by node. onnxruntime runs what there is so far: it gives the shape of what a node writes, and
nodes that it refuses are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime
from narrows.sw.onnx_sessions import exact_session
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from .builders import Builders

__all__ = ["RandomModel", "reference_session"]

_LARGEST = 2000
"""Elements of the largest tensor."""


def reference_session(model: ModelProto) -> onnxruntime.InferenceSession:
    """A session of onnxruntime that rewrites nothing."""
    return exact_session(model.SerializeToString())


@dataclass
class RandomModel(Builders):
    """A model of a seed: its nodes, constants, and values with their shapes."""

    seed: int
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.opset = int(self.rng.integers(7, 23))
        size = tuple(int(n) for n in self.rng.integers(3, 9, 2))
        channels = int(self.rng.integers(1, 5))
        kinds = [(1, channels, *size)] * 6 + [(1, channels, size[0] * 2), (1, *size, channels), (1, channels * size[0])]
        self.input_shape: tuple[int, ...] = kinds[int(self.rng.integers(len(kinds)))]
        self.shapes["x"] = self.input_shape
        self.scale = float(self.rng.choice([0.5, 1.0, 3.0]))
        wanted, tries = int(self.rng.integers(1, 8)), 0
        while len(self.nodes) < wanted and tries < 40:
            tries += 1
            self._try(self.pick())
        self.outputs = self._ends()

    @property
    def has_pole(self) -> bool:
        """Whether it divides by a tensor: values are then of any size, and 8 bits hold few of them."""
        return any(node.op_type == "Div" and node.input[1] not in self.constants for node in self.nodes)

    def samples(self, count: int) -> NDArray[np.float32]:
        """Samples, of shape (count, *input shape)."""
        rng = np.random.default_rng(self.seed + 1)
        return (rng.normal(size=(count, *self.input_shape[1:])) * self.scale).astype(np.float32)

    @property
    def model(self) -> ModelProto:
        """The whole model."""
        return self._model(self.nodes, self.outputs)

    def __str__(self) -> str:
        steps = ", ".join(
            f"{node.op_type}({', '.join(node.input)}; "
            f"{', '.join(f'{a.name}={helper.get_attribute_value(a)}' for a in node.attribute)}) -> {node.output[0]}"
            for node in self.nodes
        )
        return f"seed {self.seed}, opset {self.opset}, x {self.input_shape}: {steps}"

    def _model(self, nodes: list[NodeProto], outputs: list[str]) -> ModelProto:
        used = {name for node in nodes for name in node.input}
        graph = helper.make_graph(
            nodes,
            f"seed{self.seed}",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.input_shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items() if name in used],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def _ends(self) -> list[str]:
        """Values that nobody reads; of several at most three, and sometimes one that others read as well."""
        read = {name for node in self.nodes for name in node.input}
        written = [name for node in self.nodes for name in node.output if name in self.shapes]
        ends = [name for name in written if name not in read]
        inner = [name for name in written if name in read]
        ends = ends[-3:]
        if inner and self.rng.random() < 0.15:
            ends.append(str(self.rng.choice(inner)))
        return ends

    def _try(self, nodes: list[NodeProto]) -> None:
        """Adds nodes if onnxruntime takes them and what they write is finite and not large."""
        if not nodes:
            return
        fresh = [name for node in nodes for name in node.output]
        try:
            session = reference_session(self._model([*self.nodes, *nodes], fresh))
            results = session.run(None, {"x": self.samples(1)})
        except Exception:
            return
        good = all(
            r.dtype == np.float32 and 0 < r.size <= _LARGEST and r.shape[:1] == (1,) and np.abs(r).max() < 1e4
            for r in map(np.asarray, results)
        )
        if good:
            self.nodes += nodes
            self.shapes |= {name: np.asarray(r).shape for name, r in zip(fresh, results, strict=True)}

    def _computed_shape(self) -> list[NodeProto]:
        source = self._value()
        if self._chance(0.5):
            return [self._node("Flatten", source)]
        size = self._node("Shape", source)
        axis = self._constant([0], np.int64)
        batch = helper.make_node("Gather", [size.output[0], axis], [f"{size.output[0]}b"])
        rest = self._constant([-1], np.int64)
        whole = helper.make_node("Concat", [batch.output[0], rest], [f"{size.output[0]}c"], axis=0)
        shaped = helper.make_node("Reshape", [source, whole.output[0]], [f"{size.output[0]}d"], name=f"{size.name}d")
        try:
            session = reference_session(self._model([*self.nodes, size, batch, whole, shaped], [shaped.output[0]]))
            (result,) = session.run(None, {"x": self.samples(1)})
        except Exception:
            return []
        self.nodes += [size, batch, whole, shaped]
        self.shapes[shaped.output[0]] = np.asarray(result).shape
        return []
