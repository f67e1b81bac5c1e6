"""MaxPlanner: max-pools in the unit for these."""

from __future__ import annotations

import math
from typing import ClassVar

from ...hw.spec.isa import Mode
from ...hw.spec.pipeline import pipeline
from ..quantised import MaxLayer
from .emit import signed_address
from .geometry import Walk, Window
from .plan import BlockPlan, LoweredLayer
from .planner import Layouts, LeastCycles, Planner
from .shortages import Shortages

__all__ = ["MaxPlanner"]


class MaxPlanner(Planner[MaxLayer]):
    """A max-pool: word by word, one pixel at a time, all its channel groups in one go."""

    mode: ClassVar[Mode] = Mode.MAX

    def check_units(self, shortages: Shortages) -> None:
        """As `Planner` says."""
        name, source = self.layer.name, self.graph.tensors[self.layer.source]
        shortages.need("max_pool", "max-pool unit", 1, name)
        needed = self.config.digits.count(source.levels)
        shortages.need("planes", f"digit planes for {source.format}", needed, name)

    def written(self, layouts: Layouts) -> tuple[int, int]:
        """As `Planner` says: the source's planes."""
        return self.output.shape[0], layouts[self.layer.source].planes

    def walk(self, layouts: Layouts) -> Walk | None:
        """As `Planner` says."""
        return self._walk(layouts, 1)

    def extent(self, layouts: Layouts) -> dict[str, int]:
        """As `Planner` says: a column group is a word."""
        return {"column_groups": -(-self.output.shape[0] // self.config.lanes)}

    def steps(self, layouts: Layouts) -> int:
        """As `Planner` says."""
        return math.prod(self.layer.kernel) * layouts[self.layer.source].planes

    def lower(self, layouts: Layouts) -> LoweredLayer:
        """As `Planner` says."""
        layout = layouts[self.layer.source]
        size = self.layer.size(self.output)
        window = Window.of(self.layer)
        planes = [window.taps(layout, size, plane=plane) for plane in reversed(range(layout.planes))]
        positions = zip(window.hits(layout, size), zip(*planes, strict=True), strict=True)
        taps = tuple(tap for hit, position in positions if hit for tap in position)
        return LoweredLayer(
            fields={
                **self.extent(layouts),
                "channel_period": 1,
                "channel_step": signed_address(layout.group_pitch),
            },
            blocks=(BlockPlan(base=layout.base, taps=taps),),
        )

    def least(self, layouts: Layouts) -> LeastCycles:
        """As `Planner` says: it reads and writes a word a cycle."""
        channels, height, width = self.output.shape
        planes = layouts[self.layer.output].planes
        words = height * width * -(-channels // self.config.lanes) * planes
        taps = sum(Window.of(self.layer).hits(layouts[self.layer.source], (height, width)))
        latency = pipeline(self.config).results(is_max=True)
        return LeastCycles(array=words * taps, drain=words, latency=latency, tile=planes)
