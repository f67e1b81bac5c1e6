"""DrainPace: how long a tile drains."""

from __future__ import annotations

from amaranth.hdl import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.delay_line import kept
from ..cells.interfaces import INSTRUCTION
from ..spec.config import AcceleratorConfig

__all__ = ["DrainPace", "pace_bits"]


def pace_bits(config: AcceleratorConfig) -> int:
    """Width of the cycles that a tile takes at most."""
    return (config.rows * config.tile_granules * config.planes).bit_length()


class DrainPace(wiring.Component):
    """``cycles`` that a full tile of ``instruction`` takes to drain, 3 cycles after that: there is time before a tile
    ends. A MAC takes ``ceil(rows / drain_rows) * tile_granules * planes``, a MAX ``planes``.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__({"instruction": In(INSTRUCTION), "cycles": Out(pace_bits(config))})

    def elaborate(self, platform: object) -> Module:
        """Sums of shifts, where a product would cost a hard multiplier."""
        m = Module()
        config, fields = self._config, self.instruction.fields
        rows = fields.rows[: config.rows.bit_length()]
        planes = fields.planes[: config.planes.bit_length()]
        [drains] = kept(m, "drains", (rows + config.drain_rows - 1) >> (config.drain_rows - 1).bit_length())
        [granules] = kept(m, "granules", sum((Mux(planes[bit], drains, 0) << bit) for bit in range(len(planes))))
        tile = sum(
            granules << bit for bit in range(config.tile_granules.bit_length()) if config.tile_granules >> bit & 1
        )
        m.d.sync += self.cycles.eq(Mux(self.instruction.is_max, planes, tile))
        return m
