"""A kind of integer layer that narrows does not have, whole: every n-th pixel of a tensor, in the max-pool unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import Mode
from narrows.sw.compile.emit import signed_address
from narrows.sw.compile.geometry import Walk, Window
from narrows.sw.compile.plan import BlockPlan, LoweredLayer
from narrows.sw.compile.planner import Layouts, LeastCycles, Planner
from narrows.sw.compile.shortages import Shortages
from narrows.sw.integer.checks import need, need_window
from narrows.sw.integer.layer import Evaluator, IntegerLayer
from narrows.sw.quantised import QuantisedTensor
from numpy.typing import NDArray

__all__ = ["EveryLayer", "EveryPlanner"]


@dataclass(frozen=True, kw_only=True)
class EveryLayer(IntegerLayer):
    """Every n-th line and column. It reads its source through one window of one tap, which it is itself."""

    kind: ClassVar[str] = "every"
    cert_bits = 0
    segments = ()
    table = None
    enlarge = (1, 1)

    kernel: ClassVar = (1, 1)
    pads: ClassVar = (0, 0, 0, 0)
    dilation: ClassVar = (1, 1)
    inset: ClassVar = (0, 0, 0, 0)
    depthwise: ClassVar = True

    name: str
    source: str
    stride: tuple[int, int]
    output: str
    origin: tuple[str, ...] = ()

    @property
    def readers(self) -> tuple[EveryLayer, ...]:
        return (self,)

    def with_readers(self, readers: Sequence[EveryLayer]) -> EveryLayer:
        (reader,) = readers
        return reader

    def reading(self, names: Mapping[str, str]) -> Self:
        return replace(self, source=names.get(self.source, self.source))

    def placed(self, source: str, pads: Sequence[int], inset: Sequence[int]) -> Self:
        assert pads[0] <= 0, "a band begins at or above the first line that it needs"
        return replace(self, source=source)

    def evaluator(self, tensors: Mapping[str, QuantisedTensor]) -> Evaluator:
        return lambda levels: self._thinned(levels[self.source])

    def _thinned(self, levels: NDArray) -> NDArray:
        return levels[..., :: self.stride[0], :: self.stride[1]]

    def lanes(
        self,
        levels: NDArray[np.int64],
        stored: Mapping[str, NDArray[np.int64]],
        tensors: Mapping[str, QuantisedTensor],
        config: AcceleratorConfig,
    ) -> NDArray[np.int64]:
        return self._thinned(stored[self.source][: -(-len(levels) // config.lanes) * config.lanes])

    def check(self, tensors: Mapping[str, QuantisedTensor]) -> None:
        source, output, where = tensors[self.source], tensors[self.output], f"layer {self.name!r}"
        need(source.shape[0] == output.shape[0], f"{where} has other channels than its source")
        need(source.format == output.format, f"{where} writes another format than it reads")
        need_window(source, output, self, where)

    @property
    def what(self) -> str:
        return f"every {'x'.join(map(str, self.stride))}"


class EveryPlanner(Planner[EveryLayer]):
    """Maxima of one level each."""

    mode: ClassVar[Mode] = Mode.MAX

    def check_units(self, shortages: Shortages) -> None:
        shortages.need("max_pool", "max-pool unit", 1, self.layer.name)

    def written(self, layouts: Layouts) -> tuple[int, int]:
        return self.output.shape[0], layouts[self.layer.source].planes

    def walk(self, layouts: Layouts) -> Walk | None:
        return self._walk(layouts, 1)

    def extent(self, layouts: Layouts) -> dict[str, int]:
        return {"column_groups": -(-self.output.shape[0] // self.config.lanes)}

    def steps(self, layouts: Layouts) -> int:
        return layouts[self.layer.source].planes

    def lower(self, layouts: Layouts) -> LoweredLayer:
        layout, size = layouts[self.layer.source], self.layer.size(self.output)
        planes = reversed(range(layout.planes))
        taps = [tap for plane in planes for tap in Window.of(self.layer).taps(layout, size, plane=plane)]
        return LoweredLayer(
            fields={**self.extent(layouts), "channel_period": 1, "channel_step": signed_address(layout.group_pitch)},
            blocks=(BlockPlan(base=layout.base, taps=tuple(taps)),),
        )

    def least(self, layouts: Layouts) -> LeastCycles:
        pixels = int(np.prod(self.output.shape[1:]))
        words = pixels * self.extent(layouts)["column_groups"] * self.steps(layouts)
        return LeastCycles(array=words, drain=words, latency=0, tile=1)
