"""An ONNX graph written down operator by operator, with made-up weights or given ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from narrows.sw.files import write_whole
from onnx import NodeProto, TensorProto, helper, numpy_helper

__all__ = ["Builder"]


class Builder:
    """An ONNX graph under construction; every method takes and gives names of values."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._states: dict[str, tuple[int, ...]] = {}
        self.weights = 0

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """Outputs of a node."""
        names = [f"{operator.lower()}_{len(self._nodes)}_{index}" for index in range(outputs)]
        self._nodes.append(helper.make_node(operator, inputs, names, name=names[0][:-2], **attributes))
        return names

    def constant(self, values: np.ndarray) -> str:
        """A constant."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def conv(
        self, x: str, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, groups: int = 1, act: str = "Relu"
    ) -> str:
        """Convolution with bias, padding that keeps the size at stride 1, and an activation (empty: none)."""
        shape = (outputs, inputs // groups, kernel, kernel)
        weights = self._rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
        bias = self._rng.normal(0, 0.1, outputs).astype(np.float32)
        return self.convolution(x, weights, bias, stride, groups=groups, act=act)

    def convolution(
        self,
        x: str,
        weights: np.ndarray,
        bias: np.ndarray,
        stride: int = 1,
        *,
        groups: int = 1,
        act: str = "Relu",
        **padding: Any,
    ) -> str:
        """The same of given weights (O, I, kH, kW) and bias (O,); ``padding`` are attributes in place of its own."""
        weights, bias = weights.astype(np.float32), bias.astype(np.float32)
        self.weights += weights.size + bias.size
        given = padding or {"pads": [weights.shape[-1] // 2] * 4}
        (y,) = self.node(
            "Conv", x, self.constant(weights), self.constant(bias), strides=[stride] * 2, group=groups, **given
        )
        return self.act(y, act)

    def act(self, x: str, kind: str) -> str:
        """An activation; SiLU and ReLU6 are written as exporters do."""
        if kind == "Relu6":
            return self.node("Clip", x, *(self.constant(np.array(end, dtype=np.float32)) for end in (0, 6)))[0]
        if kind == "Silu":
            return self.node("Mul", x, *self.node("Sigmoid", x))[0]
        return self.node(kind, x)[0] if kind else x

    def dense(self, x: str, inputs: int, outputs: int, act: str = "Relu") -> str:
        """Fully connected layer."""
        weights = self._rng.normal(0, np.sqrt(2 / inputs), (inputs, outputs)).astype(np.float32)
        return self.matrix(x, weights, self._rng.normal(0, 0.1, outputs), act)

    def matrix(self, x: str, weights: np.ndarray, bias: np.ndarray, act: str = "") -> str:
        """Fully connected layer of given weights (I, O) and bias (O,)."""
        weights, bias = weights.astype(np.float32), bias.astype(np.float32)
        self.weights += weights.size + bias.size
        return self.act(self.node("Gemm", x, self.constant(weights), self.constant(bias))[0], act)

    def enlarged(self, x: str, factors: Sequence[int] = (2, 2), mode: str = "nearest") -> str:
        """Image enlarged so many times, as Keras and torch do: to the nearest pixel, or bilinear."""
        scales = self.constant(np.array([1, 1, *factors], dtype=np.float32))
        how = {
            "nearest": {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
            "linear": {"coordinate_transformation_mode": "half_pixel"},
        }
        mode = mode.removeprefix("bi")
        return self.node("Resize", x, "", scales, mode=mode, **how[mode])[0]

    def transposed(self, x: str, inputs: int, outputs: int, kernel: int = 2, stride: int = 2) -> str:
        """Transposed convolution with bias."""
        weights = self._rng.normal(0, np.sqrt(1 / inputs), (inputs, outputs, kernel, kernel)).astype(np.float32)
        bias = self._rng.normal(0, 0.1, outputs).astype(np.float32)
        self.weights += weights.size + bias.size
        return self.node("ConvTranspose", x, self.constant(weights), self.constant(bias), strides=[stride] * 2)[0]

    def pooled(self, x: str) -> str:
        """Average of all pixels, (1, C)."""
        return self.node("Flatten", *self.node("GlobalAveragePool", x))[0]

    def lstm(
        self, x: str, weights: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, states: tuple[str, str]
    ) -> str:
        """One step of an LSTM on (1, I), its gates in the order of ONNX: input, output, forget, cell.

        Weights are (4 H, I) and (4 H, H), the bias (8 H,). It goes on from ``states``, hidden and cell, which inputs of
        these names hold and outputs named ``*_next`` leave.
        """
        units = recurrent.shape[1]
        (sequence,) = self.node("Unsqueeze", x, self.constant(np.array([0])))
        constants = (self.constant(each[np.newaxis].astype(np.float32)) for each in (weights, recurrent, bias))
        after = [f"{state}_next" for state in states]
        self._nodes.append(
            helper.make_node("LSTM", [sequence, *constants, "", *states], ["", *after], hidden_size=units)
        )
        self._states |= dict.fromkeys(states, (1, 1, units))
        self.weights += weights.size + recurrent.size + bias.size
        return self.node("Squeeze", after[0], self.constant(np.array([0])))[0]

    def random_lstm(self, x: str, inputs: int, units: int, states: tuple[str, str]) -> str:
        """The same with made-up weights."""
        shapes = (4 * units, inputs), (4 * units, units), (8 * units,)
        weights, recurrent, bias = (self._rng.normal(0, 1.5 / np.sqrt(shape[-1]), shape) for shape in shapes)
        return self.lstm(x, weights, recurrent, bias, states)

    def save(self, path: Path, shape: tuple[int | str, ...], outputs: list[str], opset: int = 17) -> Path:
        """Write the model, whose input is ``x``."""
        graph = helper.make_graph(
            self._nodes,
            path.stem,
            [
                helper.make_tensor_value_info("x", TensorProto.FLOAT, shape),
                *(helper.make_tensor_value_info(name, TensorProto.FLOAT, own) for name, own in self._states.items()),
            ],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
                for name in (*outputs, *(f"{state}_next" for state in self._states))
            ],
            initializer=self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        write_whole(path, model.SerializeToString())
        return path
