"""Random choices that builders of nodes share, and the constants and values of a model under construction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

__all__ = ["Dice"]


class Dice:
    """A model's version, constants, nodes and values with their shapes, and random choices by its seed."""

    rng: np.random.Generator
    opset: int
    nodes: list[NodeProto]
    constants: dict[str, NDArray[Any]]
    shapes: dict[str, tuple[int, ...]]

    def _value(self) -> str:
        """A value to read: mostly the newest."""
        names = list(self.shapes)
        return names[-1] if self.rng.random() < 0.75 else str(self.rng.choice(names))

    def _int(self, low: int, high: int, count: int | None = None) -> Any:
        found = self.rng.integers(low, high + 1, count)
        return int(found) if count is None else [int(n) for n in found]

    def _chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def _choice(self, *of: Any) -> Any:
        return of[self._int(0, len(of) - 1)]

    def _constant(self, value: Any, kind: Any = np.float32) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = np.asarray(value, kind)
        return name

    def _normal(self, *shape: int) -> str:
        spread = 1.0 / max(1.0, float(np.sqrt(np.prod(shape[1:]))))
        return self._constant(self.rng.normal(size=shape) * spread * 1.5)

    def _node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> NodeProto:
        number = len(self.shapes) + len(self.nodes)
        names = [f"v{number}_{i}" for i in range(outputs)]
        return helper.make_node(kind, list(inputs), names, name=f"{kind}_{number}", **attributes)

    def _window(self, axes: int, dilated: bool) -> dict[str, Any]:
        kernel = self._int(1, 4, axes)
        found: dict[str, Any] = {"kernel_shape": kernel}
        if self._chance(0.6):
            found["strides"] = self._int(1, 3, axes)
        if dilated and self._chance(0.3):
            found["dilations"] = self._int(1, 3, axes)
        if self._chance(0.25):
            found["auto_pad"] = self._choice("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET")
            if found["auto_pad"].startswith("SAME"):  # where onnxruntime forgets the dilation
                found.pop("dilations", None)
        elif self._chance(0.6):
            found["pads"] = self._int(0, 2, 2 * axes)
        return found
