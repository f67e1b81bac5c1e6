"""MaxLayer: max-pools of levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.semantics import max_pool
from ..enlarging import Factors
from .checks import need, need_window
from .layer import Evaluator, IntegerLayer
from .segments import Segment
from .table import LevelTable
from .tensor import QuantisedTensor

__all__ = ["MaxLayer"]

_Sides = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class MaxLayer(IntegerLayer):
    """Max-pool on levels; padding is excluded. The output has the source's format, scale and zero.

    It is its own `reader.Reader`.
    """

    kind: ClassVar[str] = "max"
    cert_bits: ClassVar[int] = 0
    segments: ClassVar[tuple[Segment, ...]] = ()
    table: ClassVar[LevelTable | None] = None
    enlarge: ClassVar[Factors] = (1, 1)

    name: str
    source: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: _Sides
    output: str
    dilation: tuple[int, int] = (1, 1)
    origin: tuple[str, ...] = ()

    @property
    def readers(self) -> tuple[MaxLayer, ...]:
        """Itself."""
        return (self,)

    def with_readers(self, readers: Sequence[MaxLayer]) -> MaxLayer:
        """The only reader, which is a whole layer."""
        (reader,) = readers
        return reader

    @property
    def inset(self) -> _Sides:
        """None."""
        return 0, 0, 0, 0

    @property
    def depthwise(self) -> bool:
        """Always."""
        return True

    def reading(self, names: Mapping[str, str]) -> Self:
        """As `reader.Reader` says."""
        return replace(self, source=names.get(self.source, self.source))

    def placed(self, source: str, pads: _Sides, inset: _Sides) -> Self:
        """As `reader.Reader` says; no window of a max-pool is inset."""
        return replace(self, source=source, pads=pads)

    def pads_as_zero(self, tensors: Mapping[str, QuantisedTensor]) -> bool:
        """Only where the zero level is the lowest, so that padding wins nowhere."""
        source = tensors[self.source]
        return source.span[0] == source.zero

    def evaluator(self, tensors: Mapping[str, QuantisedTensor]) -> Evaluator:
        """As `IntegerLayer` says; values may be any numbers."""
        return lambda levels: self._largest(levels[self.source])

    def _largest(self, levels: NDArray) -> NDArray:
        return max_pool(levels, kernel=self.kernel, stride=self.stride, pads=self.pads, dilation=self.dilation)

    def lanes(
        self,
        levels: NDArray[np.int64],
        stored: Mapping[str, NDArray[np.int64]],
        tensors: Mapping[str, QuantisedTensor],
        config: AcceleratorConfig,
    ) -> NDArray[np.int64]:
        """The largest of what the source's lanes hold, in whole words."""
        channels = -(-len(levels) // config.lanes) * config.lanes
        return self._largest(stored[self.source][np.newaxis, :channels])[0]

    def check(self, tensors: Mapping[str, QuantisedTensor]) -> None:
        """As `IntegerLayer` says."""
        source, output, where = tensors[self.source], tensors[self.output], f"layer {self.name!r}"
        need(source.shape[0] == output.shape[0], f"{where} has other channels than its source")
        same = (source.format, source.zero) == (output.format, output.zero)
        need(same, f"{where} writes another format than it reads")
        need(min(self.pads) >= 0, f"{where} has the pads {self.pads}")
        for axis in (0, 1):
            seen = self.dilation[axis] * (self.kernel[axis] - 1) + 1
            need(max(self.pads[axis::2]) < seen, f"{where} has windows of padding alone")
        need_window(source, output, self, where)

    @property
    def what(self) -> str:
        """As `IntegerLayer` says."""
        return "max-pool"
