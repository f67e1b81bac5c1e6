"""Builders of random nodes: each gives nodes that read a value of the model, or none where the value does not suit."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto

from .dice import Dice

__all__ = ["Builders"]

_CURVES = {
    "Sigmoid": 7, "Tanh": 7, "Elu": 7, "Selu": 7, "Celu": 12, "Softplus": 7, "Softsign": 7, "ThresholdedRelu": 10,
    "HardSigmoid": 7, "HardSwish": 14, "Mish": 18, "Gelu": 20, "Abs": 7, "Erf": 9,
}  # fmt: skip
"""Functions of one element, with the first version that has them."""


class Builders(Dice):
    """One method for each kind of operator, and `pick`, which chooses one."""

    def pick(self) -> list[NodeProto]:
        """Nodes of a kind chosen at random; perhaps none."""
        builders = [
            self._conv, self._conv, self._conv_transpose, self._max_pool, self._average_pool, self._global_pool,
            self._norm, self._relu, self._clip, self._curve, self._prelu, self._arithmetic, self._arithmetic,
            self._of_two, self._extreme, self._concat, self._split, self._slice, self._transpose, self._reshape,
            self._flatten, self._axes, self._pad, self._resize, self._depth, self._gather, self._reduce, self._gemm,
            self._matmul, self._passed, self._computed_shape,
        ]  # fmt: skip
        return builders[self._int(0, len(builders) - 1)]()

    def _conv(self) -> list[NodeProto]:
        source = self._value()
        shape = self.shapes[source]
        if len(shape) not in (3, 4):
            return []
        channels = shape[1]
        groups = [g for g in range(1, channels + 1) if channels % g == 0]
        group = self._choice(1, 1, channels, *groups)
        outputs = group * self._int(1, 3)
        window = self._window(len(shape) - 2, dilated=True)
        weights = self._normal(outputs, channels // group, *window["kernel_shape"])
        inputs = [source, weights, *([self._normal(outputs)] if self._chance(0.6) else [])]
        if self._chance(0.5):
            del window["kernel_shape"]
        return [self._node("Conv", *inputs, group=group, **window)]

    def _conv_transpose(self) -> list[NodeProto]:
        source = self._value()
        shape = self.shapes[source]
        if len(shape) not in (3, 4):
            return []
        channels, axes = shape[1], len(shape) - 2
        group = self._choice(1, 1, channels)
        window = self._window(axes, dilated=True)
        if self._chance(0.3):
            window["output_padding"] = self._int(0, 1, axes)
        weights = self._normal(channels, self._int(1, 3), *window["kernel_shape"])
        inputs = [source, weights]
        if self._chance(0.5):
            inputs.append(self._normal(self.constants[weights].shape[1] * group))
        return [self._node("ConvTranspose", *inputs, group=group, **window)]

    def _max_pool(self) -> list[NodeProto]:
        source = self._value()
        axes = len(self.shapes[source]) - 2
        if axes not in (1, 2):
            return []
        window = self._window(axes, dilated=self.opset >= 10)
        if self.opset >= 10 and self._chance(0.3):
            window["ceil_mode"] = 1
        return [self._node("MaxPool", source, **window)]

    def _average_pool(self) -> list[NodeProto]:
        source = self._value()
        axes = len(self.shapes[source]) - 2
        if axes not in (1, 2):
            return []
        window = self._window(axes, dilated=self.opset >= 19)
        if self.opset >= 10 and self._chance(0.3):
            window["ceil_mode"] = 1
        if self._chance(0.5):
            window["count_include_pad"] = self._int(0, 1)
        return [self._node("AveragePool", source, **window)]

    def _global_pool(self) -> list[NodeProto]:
        return [self._node(self._choice("GlobalAveragePool", "GlobalMaxPool"), self._value())]

    def _norm(self) -> list[NodeProto]:
        source = self._value()
        shape = self.shapes[source]
        if len(shape) < 2:
            return []
        scale, bias, mean = (self._constant(self.rng.normal(size=shape[1])) for _ in range(3))
        variance = self._constant(np.abs(self.rng.normal(size=shape[1])) + 0.1)
        attributes: dict[str, Any] = {"epsilon": float(self._choice(1e-5, 1e-3, 0.1))} if self._chance(0.7) else {}
        return [self._node("BatchNormalization", source, scale, bias, mean, variance, **attributes)]

    def _relu(self) -> list[NodeProto]:
        if self._chance(0.7):
            return [self._node("Relu", self._value())]
        attributes: dict[str, Any] = {"alpha": float(self.rng.uniform(-0.5, 1.5))} if self._chance(0.7) else {}
        return [self._node("LeakyRelu", self._value(), **attributes)]

    def _clip(self) -> list[NodeProto]:
        low, high = sorted(float(v) for v in self.rng.normal(size=2))
        ends = self._choice((low, high), (low, None), (None, high))
        if self.opset < 11:
            return [self._node("Clip", self._value(), **{k: v for k, v in zip(("min", "max"), ends, strict=True) if v})]
        return [self._node("Clip", self._value(), *("" if v is None else self._constant(v) for v in ends))]

    def _curve(self) -> list[NodeProto]:
        kind = self._choice(*(name for name, since in _CURVES.items() if since <= self.opset))
        attributes: dict[str, Any] = {}
        if kind in ("Elu", "Celu", "ThresholdedRelu", "HardSigmoid") and self._chance(0.6):
            attributes["alpha"] = float(self.rng.uniform(0.1, 1.5))
        if kind == "HardSigmoid" and self._chance(0.5):
            attributes["beta"] = float(self.rng.uniform(0.1, 0.9))
        if kind == "Gelu" and self._chance(0.5):
            attributes["approximate"] = "tanh"
        return [self._node(kind, self._value(), **attributes)]

    def _prelu(self) -> list[NodeProto]:
        source = self._value()
        return [self._node("PRelu", source, self._broadcast(self.shapes[source]))]

    def _broadcast(self, shape: tuple[int, ...]) -> str:
        """A constant that broadcasts to a shape: of one element, by one axis or several, of all."""
        kept = [self._chance(0.15) for _ in shape]
        if len(shape) > 1 and self._chance(0.7):
            kept = [axis == 1 for axis in range(len(shape))]
        own = [size if keep else 1 for size, keep in zip(shape, kept, strict=True)]
        while own and own[0] == 1 and self._chance(0.6):
            own = own[1:]
        return self._constant(self.rng.normal(size=own) + self._choice(0.0, 2.0))

    def _arithmetic(self) -> list[NodeProto]:
        source = self._value()
        pair = [source, self._broadcast(self.shapes[source])]
        return [self._node(self._choice("Add", "Sub", "Mul", "Div"), *(pair[::-1] if self._chance(0.3) else pair))]

    def _of_two(self) -> list[NodeProto]:
        first = self._value()
        same = [name for name, shape in self.shapes.items() if shape == self.shapes[first]]
        second = self._choice(*same) if self._chance(0.8) else self._value()
        return [self._node(self._choice("Add", "Add", "Sub", "Mul", "Max", "Sum", "Mean"), first, second)]

    def _extreme(self) -> list[NodeProto]:
        bound = self._constant(self.rng.normal())
        pair = [self._value(), bound]
        return [self._node(self._choice("Max", "Min"), *(pair[::-1] if self._chance(0.3) else pair))]

    def _concat(self) -> list[NodeProto]:
        first = self._value()
        shape = self.shapes[first]
        axis = self._choice(1, 1, *range(1, len(shape))) if len(shape) > 1 else 0
        fits = [
            name
            for name, other in self.shapes.items()
            if len(other) == len(shape) and all(a == b or i == axis for i, (a, b) in enumerate(zip(shape, other)))  # noqa: B905
        ]
        parts = [first, *(self._choice(*fits) for _ in range(self._int(1, 2)))]
        if self._chance(0.1):
            parts[-1] = self._constant(self.rng.normal(size=shape))
        return [self._node("Concat", *parts, axis=axis - (len(shape) if self._chance(0.2) and self.opset >= 11 else 0))]

    def _split(self) -> list[NodeProto]:
        source = self._value()
        shape = self.shapes[source]
        axes = [axis for axis in range(1, len(shape)) if shape[axis] > 1]
        if not axes:
            return []
        axis = self._choice(*axes)
        first = self._int(1, shape[axis] - 1)
        sizes = [first, shape[axis] - first]
        if self.opset < 13:
            return [self._node("Split", source, outputs=2, axis=axis, split=sizes)]
        return [self._node("Split", source, self._constant(sizes, np.int64), outputs=2, axis=axis)]

    def _slice(self) -> list[NodeProto]:
        source = self._value()
        shape = self.shapes[source]
        axes = [axis for axis in range(1, len(shape)) if self._chance(0.5)] or [len(shape) - 1]
        starts = [self._int(0, max(0, shape[axis] - 1)) for axis in axes]
        ends = [self._int(start + 1, shape[axis] + 2) for start, axis in zip(starts, axes, strict=True)]
        starts = [start - (shape[axis] if self._chance(0.3) else 0) for start, axis in zip(starts, axes, strict=True)]
        if self.opset < 10:
            return [self._node("Slice", source, starts=starts, ends=ends, axes=axes)]
        steps = [self._int(1, 2) for _ in axes]
        if self._chance(0.15):
            steps, starts, ends = [-1] * len(axes), [-1] * len(axes), [-100] * len(axes)
        return [self._node("Slice", source, *(self._constant(v, np.int64) for v in (starts, ends, axes, steps)))]

    def _transpose(self) -> list[NodeProto]:
        source = self._value()
        axes = [1 + int(axis) for axis in self.rng.permutation(len(self.shapes[source]) - 1)]
        back = [node for node in self.nodes if node.op_type == "Transpose" and node.output[0] == source]
        if back and self._chance(0.5):
            return [self._node("Transpose", source, perm=[int(i) for i in np.argsort(back[0].attribute[0].ints)])]
        return [self._node("Transpose", source, perm=[0, *axes])]

    def _reshape(self) -> list[NodeProto]:
        source = self._value()
        shape = self.shapes[source]
        count = int(np.prod(shape[1:]))
        factors = [n for n in range(1, count + 1) if count % n == 0]
        first = self._choice(*factors)
        rest = count // first
        second = self._choice(*(n for n in range(1, rest + 1) if rest % n == 0))
        target = self._choice([1, -1], [0, first, -1], [1, first, second, -1], [-1, first, second, rest // second])
        return [self._node("Reshape", source, self._constant(target, np.int64))]

    def _flatten(self) -> list[NodeProto]:
        attributes = {"axis": self._choice(0, 1, 1, 2)} if self._chance(0.5) else {}
        return [self._node("Flatten", self._value(), **attributes)]

    def _axes(self) -> list[NodeProto]:
        source = self._value()
        shape = self.shapes[source]
        single = [axis for axis in range(1, len(shape)) if shape[axis] == 1]
        kind, axes = ("Squeeze", [self._choice(*single)]) if single else ("Unsqueeze", [self._int(1, len(shape))])
        if self.opset < 13:
            return [self._node(kind, source, axes=axes)]
        return [self._node(kind, source, self._constant(axes, np.int64))]

    def _pad(self) -> list[NodeProto]:
        source = self._value()
        rank = len(self.shapes[source])
        amounts = [0] * (2 * rank)
        for axis in range(2 if self._chance(0.85) else 1, rank):
            amounts[axis], amounts[rank + axis] = self._int(0, 2, 2)
        mode = self._choice("constant", "constant", "constant", "reflect", "edge")
        value = float(self._choice(0.0, 0.0, 1.5, -0.5))
        if self.opset < 11:
            return [self._node("Pad", source, pads=amounts, mode=mode, value=value)]
        inputs = [source, self._constant(amounts, np.int64)]
        if mode == "constant" and self._chance(0.7):
            inputs.append(self._constant(value))
        return [self._node("Pad", *inputs, mode=mode)]

    def _resize(self) -> list[NodeProto]:
        source = self._value()
        shape = self.shapes[source]
        if len(shape) != 4:
            return []
        scales = [1.0, 1.0, *(float(self._choice(1.0, 2.0, 2.0, 3.0, 1.5, 0.5)) for _ in range(2))]
        mode = self._choice("nearest", "nearest", "linear")
        if self.opset < 9:
            return [self._node("Upsample", source, scales=scales, mode=mode)]
        if self.opset < 11:
            kind = "Upsample" if self.opset == 9 else "Resize"
            return [self._node(kind, source, self._constant(scales), mode=mode)]
        attributes: dict[str, Any] = {"mode": mode}
        if self._chance(0.8):
            attributes["coordinate_transformation_mode"] = self._choice(
                "half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"
            )
        if mode == "nearest" and self._chance(0.6):
            attributes["nearest_mode"] = self._choice("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
        roi = "" if self.opset >= 13 else self._constant(np.zeros(0))
        if self._chance(0.3):
            sizes = [int(size * scale) for size, scale in zip(shape, scales, strict=True)]
            none = "" if self.opset >= 13 else self._constant(np.zeros(0))
            return [self._node("Resize", source, roi, none, self._constant(sizes, np.int64), **attributes)]
        return [self._node("Resize", source, roi, self._constant(scales), **attributes)]

    def _depth(self) -> list[NodeProto]:
        source = self._value()
        if self._chance(0.5):
            return [self._node("SpaceToDepth", source, blocksize=2)]
        attributes = {"mode": self._choice("DCR", "CRD")} if self.opset >= 11 and self._chance(0.6) else {}
        return [self._node("DepthToSpace", source, blocksize=2, **attributes)]

    def _gather(self) -> list[NodeProto]:
        source = self._value()
        shape = self.shapes[source]
        if len(shape) < 2:
            return []
        axis = self._int(1, len(shape) - 1)
        indices = self._int(0, shape[axis] - 1, self._int(1, shape[axis]))
        kind = np.int64 if self._chance(0.7) else np.int32
        return [self._node("Gather", source, self._constant(indices, kind), axis=axis)]

    def _reduce(self) -> list[NodeProto]:
        source = self._value()
        rank = len(self.shapes[source])
        axes = [2, 3] if rank == 4 and self._chance(0.6) else [a for a in range(1, rank) if self._chance(0.5)]
        axes = [axis - (rank if self._chance(0.3) and self.opset >= 11 else 0) for axis in axes] or [rank - 1]
        kind = self._choice("ReduceMean", "ReduceMean", "ReduceMax", "ReduceSum")
        keep = {"keepdims": self._int(0, 1)} if self._chance(0.7) else {}
        if self.opset < (13 if kind == "ReduceSum" else 18):
            return [self._node(kind, source, axes=axes, **keep)]
        return [self._node(kind, source, self._constant(axes, np.int64), **keep)]

    def _gemm(self) -> list[NodeProto]:
        source = self._value()
        shape = self.shapes[source]
        if len(shape) != 2:
            return []
        outputs, transposed = self._int(1, 6), self._int(0, 1)
        weights = self._normal(*((outputs, shape[1]) if transposed else (shape[1], outputs)))
        attributes: dict[str, Any] = {"transB": transposed}
        if self._chance(0.3):
            attributes |= {"alpha": float(self.rng.uniform(0.3, 2)), "beta": float(self.rng.uniform(0.3, 2))}
        bias = [self._choice(self._normal(outputs), self._normal(1, outputs), self._normal(1))]
        if self.opset >= 11 and self._chance(0.3):
            bias = []
        return [self._node("Gemm", source, weights, *bias, **attributes)]

    def _matmul(self) -> list[NodeProto]:
        source = self._value()
        shape = self.shapes[source]
        return [self._node("MatMul", source, self._normal(shape[-1], self._int(1, 5)))] if len(shape) > 1 else []

    def _passed(self) -> list[NodeProto]:
        kind = self._choice("Identity", "Dropout", "Neg", "Cast")
        return [self._node(kind, self._value(), **({"to": TensorProto.FLOAT} if kind == "Cast" else {}))]

    def _computed_shape(self) -> list[NodeProto]:
        """A Reshape to what Shape gives; only whoever runs the model knows what that is."""
        raise NotImplementedError
