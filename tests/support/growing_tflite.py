"""A TFLite file that grows operator by operator, in float32, int8 or uint8: tensors, constants, grids at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray
from tflite_builder import Op, Tensor

__all__ = ["GrowingFile"]

_KINDS = tflite.BuiltinOperator
_NONE, _RELU, _N1, _RELU6 = (
    tflite.ActivationFunctionType.NONE,
    tflite.ActivationFunctionType.RELU,
    tflite.ActivationFunctionType.RELU_N1_TO_1,
    tflite.ActivationFunctionType.RELU6,
)
_FLOAT, _INT8, _UINT8 = tflite.TensorType.FLOAT32, tflite.TensorType.INT8, tflite.TensorType.UINT8

Shape = tuple[int, ...]


class GrowingFile:
    """Tensors and operators so far; ``now`` is the last tensor, ``done`` the operators' names."""

    def __init__(self, rng: np.random.Generator, kind: int) -> None:
        self.rng, self.kind = rng, kind
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []
        self.done: list[str] = []
        if rng.random() < 0.15:
            shape: Shape = (1, int(rng.integers(2, 7)), int(rng.integers(2, 9)))
        else:
            shape = (1, int(rng.integers(4, 10)), int(rng.integers(4, 10)), int(rng.integers(1, 7)))
        self.now = self.tensor("x", shape, *self.grid())

    @property
    def shape(self) -> Shape:
        return tuple(self.tensors[self.now].shape)

    @property
    def quantised(self) -> bool:
        return self.kind != _FLOAT

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def grid(self, *, positive: bool = False) -> tuple[float, int]:
        """Scale and zero point of values of about -4 to 4."""
        zero = -128 if positive else int(self.rng.integers(-30, 31))
        zero += 128 if self.kind == _UINT8 else 0
        return float(np.float32((4 if positive else 8) / 255 * self.rng.uniform(0.7, 1.4))), zero

    def same(self) -> tuple[float, int]:
        tensor = self.tensors[self.now]
        return (tensor.scale[0], tensor.zero[0]) if self.quantised else (0.0, 0)

    def tensor(self, name: str, shape: Sequence[int], scale: float = 0.0, zero: int = 0) -> int:
        quantisation = {"scale": [scale], "zero": [zero]} if self.quantised else {}
        self.tensors.append(
            Tensor(name=f"{name}{len(self.tensors)}", shape=tuple(shape), kind=self.kind, **quantisation)
        )
        return len(self.tensors) - 1

    def integers(self, values: Any) -> int:
        data = np.asarray(values, np.int32)
        self.tensors.append(
            Tensor(name=f"i{len(self.tensors)}", shape=data.shape, data=data, kind=tflite.TensorType.INT32)
        )
        return len(self.tensors) - 1

    def constant(self, values: NDArray, axis: int | None = None) -> int:
        """A constant: codes with one scale, or one for each index of ``axis``; in float files at times in halves."""
        name, number = f"c{len(self.tensors)}", len(self.tensors)
        if not self.quantised:
            if self.rng.random() < 0.2:
                half = tflite.TensorType.FLOAT16
                self.tensors.append(Tensor(name=name, shape=values.shape, data=values.astype(np.float16), kind=half))
                self.tensors.append(Tensor(name=f"{name}f", shape=values.shape, kind=_FLOAT))
                self.ops.append(Op(kind=_KINDS.DEQUANTIZE, inputs=(number,), output=number + 1))
                return number + 1
            self.tensors.append(Tensor(name=name, shape=values.shape, data=values.astype(np.float32), kind=_FLOAT))
            return number
        if self.kind == _UINT8:
            scale, zero = np.float32(np.ptp(values) / 254 + 1e-3), int(self.rng.integers(110, 146))
            codes = np.clip(np.rint(values / scale) + zero, 1, 255).astype(np.uint8)
            self.tensors.append(
                Tensor(name=name, shape=values.shape, data=codes, scale=[float(scale)], zero=[zero], kind=_UINT8)
            )
            return number
        by_axis = axis is not None and self.rng.random() < 0.7
        reduced = tuple(i for i in range(values.ndim) if i != axis) if by_axis else None
        scale = np.float32(np.abs(values).max(axis=reduced, keepdims=True) / 127 + 1e-4)
        codes, scale = np.clip(np.rint(values / scale), -127, 127).astype(np.int8), scale.ravel()
        self.tensors.append(
            Tensor(
                name=name,
                shape=values.shape,
                data=codes,
                scale=scale.tolist(),
                zero=[0] * scale.size,
                axis=axis if by_axis and axis is not None else 0,
            )
        )
        return number

    def bias(self, count: int, weights: int) -> int:
        values = self.rng.normal(0, 0.3, count)
        if not self.quantised:
            return self.constant(values)
        scale = np.float32(self.tensors[self.now].scale[0]) * np.float32(self.tensors[weights].scale)
        codes = np.rint(values / scale).astype(np.int32)
        self.tensors.append(
            Tensor(
                name=f"b{len(self.tensors)}",
                shape=(count,),
                data=codes,
                scale=scale.tolist(),
                zero=[0] * scale.size,
                kind=tflite.TensorType.INT32,
            )
        )
        return len(self.tensors) - 1

    def put(
        self,
        kind: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        options: tuple[str, dict[str, Any]] | None = None,
        grid: tuple[float, int] | None = None,
    ) -> None:
        """Adds an operator with one output, on a grid of its own unless one is given."""
        output = self.tensor("t", shape, *(self.grid() if grid is None else grid))
        self.ops.append(Op(kind=getattr(_KINDS, kind), inputs=inputs, output=output, options=options))
        self.now = output
        self.done.append(kind)

    def out(self, padding: int, size: int, kernel: int, stride: int) -> int:
        return -(-size // stride) if padding == tflite.Padding.SAME else (size - kernel) // stride + 1

    def window(self, most: int = 3) -> dict[str, int]:
        """Kernel, strides and padding that fit the image."""
        _, height, width, _ = self.shape
        return {
            "kh": int(self.rng.integers(1, min(most, height) + 1)),
            "kw": int(self.rng.integers(1, min(most, width) + 1)),
            "StrideH": int(self.rng.integers(1, 3)),
            "StrideW": int(self.rng.integers(1, 3)),
            "Padding": self.pick(tflite.Padding.SAME, tflite.Padding.VALID),
        }

    def fused(self) -> int:
        return self.pick(_NONE, _NONE, _RELU, _RELU6, _N1)
