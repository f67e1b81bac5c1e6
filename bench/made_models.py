"""Networks with made-up weights, as ONNX files, for benches of everything but accuracy."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from onnx_builder import Builder

__all__ = [
    "chain",
    "character_lstm",
    "cnn",
    "depthwise",
    "efficientnet_b0",
    "enlarger",
    "mlp",
    "mobilenet_v2",
    "resnet",
    "resnet18",
    "unet",
    "yolo",
]


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

    x = net.conv(net.conv("x", 3, w, stride=2, act=act), w, 2 * w, stride=2, act=act)
    x = net.conv(block(x, 2 * w, 2 * w, 1, skip=True), 2 * w, 4 * w, stride=2, act=act)
    third = block(x, 4 * w, 4 * w, 2, skip=True)
    fourth = block(net.conv(third, 4 * w, 8 * w, stride=2, act=act), 8 * w, 8 * w, 2, skip=True)
    fifth = block(net.conv(fourth, 8 * w, 16 * w, stride=2, act=act), 16 * w, 16 * w, 1, skip=True)
    fifth = pyramid(fifth, 16 * w)
    up = net.node("Concat", net.enlarged(fifth), fourth, axis=1)[0]
    middle = block(up, 24 * w, 8 * w, 1, skip=False)
    small = block(net.node("Concat", net.enlarged(middle), third, axis=1)[0], 12 * w, 4 * w, 1, skip=False)
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


_RESNETS = {18: ((2, 2, 2, 2), False), 34: ((3, 4, 6, 3), False), 50: ((3, 4, 6, 3), True)}
"""Blocks of each stage, and whether these are bottlenecks (arXiv 1512.03385, table 1)."""


def resnet(path: Path, size: int, depth: int = 18, classes: int = 1000) -> Path:
    """ResNet-18, -34 or -50: 11.7, 21.8 or 25.5 M weights with 1,000 classes."""
    net, inputs, (repeats, narrow) = Builder(), 64, _RESNETS[depth]
    (x,) = net.node("MaxPool", net.conv("x", 3, 64, 7, 2), kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
    for stage, count in enumerate(repeats):
        inner = 64 << stage
        outputs = 4 * inner if narrow else inner
        for index in range(count):
            stride = 2 if index == 0 and stage else 1
            if narrow:
                y = net.conv(net.conv(x, inputs, inner, 1), inner, inner, stride=stride)
                y = net.conv(y, inner, outputs, 1, act="")
            else:
                y = net.conv(net.conv(x, inputs, inner, stride=stride), inner, outputs, act="")
            same = stride == 1 and inputs == outputs
            (x,) = net.node("Add", y, x if same else net.conv(x, inputs, outputs, 1, stride, act=""))
            x, inputs = net.act(x, "Relu"), outputs
    return net.save(path, (1, 3, size, size), [net.dense(net.pooled(x), inputs, classes, act="")])


def resnet18(path: Path, size: int, classes: int = 1000) -> Path:
    """ResNet-18."""
    return resnet(path, size, 18, classes)


def unet(path: Path, size: int, width: int = 64, levels: int = 4, classes: int = 2, *, up: str = "transposed") -> Path:
    """U-Net (arXiv 1505.04597) with padded convolutions: 31 M weights at a width of 64.

    ``up`` says how images are enlarged: by ``"transposed"`` convolutions, or ``"nearest"`` pixels and a convolution.
    """
    net = Builder()

    def twice(x: str, inputs: int, outputs: int) -> str:
        return net.conv(net.conv(x, inputs, outputs), outputs, outputs)

    x, inputs, skips = "x", 3, []
    for level in range(levels):
        x, inputs = twice(x, inputs, width << level), width << level
        skips.append(x)
        (x,) = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = twice(x, inputs, 2 * inputs)
    for skip in reversed(skips):
        if up == "transposed":
            x = net.transposed(x, 2 * inputs, inputs)
        else:
            x = net.conv(net.enlarged(x), 2 * inputs, inputs)
        x = twice(net.node("Concat", skip, x, axis=1)[0], 2 * inputs, inputs)
        inputs //= 2
    return net.save(path, (1, 3, size, size), [net.conv(x, width, classes, 1, act="")])


_EFFICIENT = (
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
    *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)
"""Expansion, channels, repeats, stride and kernel of EfficientNet-B0's blocks (arXiv 1905.11946, table 1)."""


def efficientnet_b0(path: Path, size: int, classes: int = 1000) -> Path:
    """EfficientNet-B0 with squeeze-and-excitation and SiLU: 5.3 M weights with 1,000 classes."""
    net, inputs = Builder(), 32
    x = net.conv("x", 3, inputs, stride=2, act="Silu")
    for expansion, outputs, repeats, first, kernel in _EFFICIENT:
        for index in range(repeats):
            inner, stride = inputs * expansion, first if index == 0 else 1
            y = net.conv(x, inputs, inner, 1, act="Silu") if expansion > 1 else x
            y = net.conv(y, inner, inner, kernel, stride, groups=inner, act="Silu")
            (gate,) = net.node("GlobalAveragePool", y)
            gate = net.conv(gate, inner, inputs // 4, 1, act="Silu")
            (y,) = net.node("Mul", y, net.conv(gate, inputs // 4, inner, 1, act="Sigmoid"))
            y = net.conv(y, inner, outputs, 1, act="")
            x = net.node("Add", x, y)[0] if stride == 1 and inputs == outputs else y
            inputs = outputs
    x = net.conv(x, inputs, 1280, 1, act="Silu")
    return net.save(path, (1, 3, size, size), [net.dense(net.pooled(x), 1280, classes, act="")])


def character_lstm(path: Path, symbols: int = 50, units: int = 128) -> Path:
    """A language model of characters: a step of an LSTM on a one-hot symbol, whose states inputs hold, and scores."""
    net = Builder()
    y = net.random_lstm("x", symbols, units, ("h", "c"))
    return net.save(path, (1, symbols), [net.dense(y, units, symbols, act="")])
