"""Networks with made-up weights, as ONNX files, for benches of everything but accuracy."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from narrows.sw.files import write_whole
from onnx import NodeProto, TensorProto, helper, numpy_helper

__all__ = ["Builder", "chain", "cnn", "depthwise", "enlarger", "mlp", "mobilenet_v2", "resnet18", "yolo"]


class Builder:
    """An ONNX graph under construction; every method takes and gives names of values."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
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
        self.weights += weights.size + bias.size
        (y,) = self.node(
            "Conv",
            x,
            self.constant(weights),
            self.constant(bias),
            pads=[kernel // 2] * 4,
            strides=[stride] * 2,
            group=groups,
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
        bias = self._rng.normal(0, 0.1, outputs).astype(np.float32)
        self.weights += weights.size + bias.size
        return self.act(self.node("Gemm", x, self.constant(weights), self.constant(bias))[0], act)

    def save(self, path: Path, shape: tuple[int | str, ...], outputs: list[str], opset: int = 17) -> Path:
        """Write the model, whose input is ``x``."""
        graph = helper.make_graph(
            self._nodes,
            path.stem,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            initializer=self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        write_whole(path, model.SerializeToString())
        return path


def yolo(path: Path, size: int = 320, width: int = 16, act: str = "Silu") -> Path:
    """A detector of YOLOv8n's shape (3 M weights at ``width`` 16): backbone, pyramid, three heads before decoding."""
    net = Builder()
    w = width

    def block(x: str, inputs: int, outputs: int, depth: int, *, skip: bool) -> str:
        half = outputs // 2
        wide = net.conv(x, inputs, outputs, 1, act=act)
        parts = net.node("Split", wide, net.constant(np.array([half, half])), outputs=2, axis=1)
        for _ in range(depth):
            y = net.conv(net.conv(parts[-1], half, half, act=act), half, half, act=act)
            parts.append(net.node("Add", parts[-1], y)[0] if skip else y)
        (joined,) = net.node("Concat", *parts, axis=1)
        return net.conv(joined, half * (2 + depth), outputs, 1, act=act)

    def pyramid(x: str, channels: int) -> str:
        half = channels // 2
        parts = [net.conv(x, channels, half, 1, act=act)]
        for _ in range(3):
            parts += net.node("MaxPool", parts[-1], kernel_shape=[5, 5], pads=[2, 2, 2, 2], strides=[1, 1])
        return net.conv(net.node("Concat", *parts, axis=1)[0], 4 * half, channels, 1, act=act)

    def enlarge(x: str) -> str:
        scales = net.constant(np.array([1, 1, 2, 2], dtype=np.float32))
        return net.node(
            "Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        )[0]

    x = net.conv(net.conv("x", 3, w, stride=2, act=act), w, 2 * w, stride=2, act=act)
    x = net.conv(block(x, 2 * w, 2 * w, 1, skip=True), 2 * w, 4 * w, stride=2, act=act)
    third = block(x, 4 * w, 4 * w, 2, skip=True)
    fourth = block(net.conv(third, 4 * w, 8 * w, stride=2, act=act), 8 * w, 8 * w, 2, skip=True)
    fifth = block(net.conv(fourth, 8 * w, 16 * w, stride=2, act=act), 16 * w, 16 * w, 1, skip=True)
    fifth = pyramid(fifth, 16 * w)
    up = net.node("Concat", enlarge(fifth), fourth, axis=1)[0]
    middle = block(up, 24 * w, 8 * w, 1, skip=False)
    small = block(net.node("Concat", enlarge(middle), third, axis=1)[0], 12 * w, 4 * w, 1, skip=False)
    down = net.node("Concat", net.conv(small, 4 * w, 4 * w, stride=2, act=act), middle, axis=1)[0]
    medium = block(down, 12 * w, 8 * w, 1, skip=False)
    down = net.node("Concat", net.conv(medium, 8 * w, 8 * w, stride=2, act=act), fifth, axis=1)[0]
    large = block(down, 24 * w, 16 * w, 1, skip=False)
    outputs = []
    for x, channels in ((small, 4 * w), (medium, 8 * w), (large, 16 * w)):
        for inner, last in ((max(4 * w, 64), 64), (max(4 * w, 80), 80)):
            y = net.conv(net.conv(x, channels, inner, act=act), inner, inner, act=act)
            outputs.append(net.conv(y, inner, last, 1, act=""))
    return net.save(path, (1, 3, size, size), outputs)


def mlp(path: Path, widths: tuple[int, ...]) -> Path:
    """Fully connected layers of these widths, the input's first."""
    net, x = Builder(), "x"
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        x = net.dense(x, inputs, outputs, act="" if index == len(widths) - 2 else "Relu")
    return net.save(path, (1, widths[0]), [x])


def cnn(
    path: Path, size: int, channels: tuple[int, ...], *, act: str = "Relu", pool: str = "MaxPool", classes: int = 10
) -> Path:
    """Convolutions of 3 x 3, a pool of 2 x 2 behind each (empty: strides of 2), an average, and a dense layer."""
    net, x, inputs = Builder(), "x", 3
    for outputs in channels:
        x = net.conv(x, inputs, outputs, stride=1 if pool else 2, act=act)
        if pool:
            (x,) = net.node(pool, x, kernel_shape=[2, 2], strides=[2, 2])
        inputs = outputs
    (x,) = net.node("Flatten", *net.node("GlobalAveragePool", x))
    return net.save(path, (1, 3, size, size), [net.dense(x, inputs, classes, act="")])


def depthwise(path: Path, size: int, channels: tuple[int, ...]) -> Path:
    """Depthwise convolutions of stride 1 and 2 by turns with pointwise ones between, as in MobileNet, with skips."""
    net, inputs = Builder(), channels[0]
    x = net.conv("x", 3, inputs, stride=2)
    for index, outputs in enumerate(channels[1:]):
        y = net.conv(x, inputs, inputs, stride=1 + index % 2, groups=inputs)
        y = net.conv(y, inputs, outputs, 1, act="")
        x = net.node("Add", x, y)[0] if inputs == outputs and not index % 2 else y
        inputs = outputs
    (x,) = net.node("Flatten", *net.node("GlobalAveragePool", x))
    return net.save(path, (1, 3, size, size), [net.dense(x, inputs, 10, act="")])


def chain(path: Path, size: int, channels: int, layers: int) -> Path:
    """Many small convolutions of one size, with skips over every second one."""
    net = Builder()
    x = net.conv("x", 3, channels)
    for _ in range(layers // 2):
        x = net.node("Add", x, net.conv(net.conv(x, channels, channels), channels, channels, act=""))[0]
    return net.save(path, (1, 3, size, size), [net.conv(x, channels, 4, 1, act="")])


def enlarger(path: Path, size: int) -> Path:
    """Super-resolution as in ESPCN: three convolutions on a large image."""
    net = Builder()
    x = net.conv(net.conv("x", 1, 64, 5, act="Tanh"), 64, 32, act="Tanh")
    return net.save(path, (1, 1, size, size), [net.conv(x, 32, 9, act="")])


_INVERTED = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, repeats and stride of MobileNetV2's blocks (arXiv 1801.04381, table 2)."""


def mobilenet_v2(path: Path, size: int, classes: int = 1000) -> Path:
    """MobileNetV2 of width 1: 3.5 M weights with 1,000 classes."""
    net, inputs = Builder(), 32
    x = net.conv("x", 3, inputs, stride=2, act="Relu6")
    for expansion, outputs, repeats, first in _INVERTED:
        for index in range(repeats):
            inner, stride = inputs * expansion, first if index == 0 else 1
            y = net.conv(x, inputs, inner, 1, act="Relu6") if expansion > 1 else x
            y = net.conv(y, inner, inner, stride=stride, groups=inner, act="Relu6")
            y = net.conv(y, inner, outputs, 1, act="")
            x = net.node("Add", x, y)[0] if stride == 1 and inputs == outputs else y
            inputs = outputs
    x = net.conv(x, inputs, 1280, 1, act="Relu6")
    (x,) = net.node("Flatten", *net.node("GlobalAveragePool", x))
    return net.save(path, (1, 3, size, size), [net.dense(x, 1280, classes, act="")])


def resnet18(path: Path, size: int, classes: int = 1000) -> Path:
    """ResNet-18: 11.7 M weights with 1,000 classes (arXiv 1512.03385, table 1)."""
    net, inputs = Builder(), 64
    (x,) = net.node("MaxPool", net.conv("x", 3, 64, 7, 2), kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
    for outputs in (64, 128, 256, 512):
        for index in range(2):
            stride = 2 if index == 0 and outputs > 64 else 1
            y = net.conv(net.conv(x, inputs, outputs, stride=stride), outputs, outputs, act="")
            same = stride == 1 and inputs == outputs
            (x,) = net.node("Add", y, x if same else net.conv(x, inputs, outputs, 1, stride, act=""))
            x, inputs = net.act(x, "Relu"), outputs
    (x,) = net.node("Flatten", *net.node("GlobalAveragePool", x))
    return net.save(path, (1, 3, size, size), [net.dense(x, 512, classes, act="")])
