"""HostWindow: the host's bus, divided among the registers and memories behind it."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.delay_line import delayed
from ..cells.interfaces import HOST_WRITE
from ..spec.config import AcceleratorConfig
from ..spec.pipeline import pipeline
from ..spec.registers import REGION_BITS, Region, region_depth, region_stride
from .host_bus import HOST_BUS

__all__ = ["HostWindow"]

_READ = (Region.REGISTERS, Region.ACTIVATIONS, Region.CHECKSUMS)
_NEVER_WRITTEN = (Region.CHECKSUMS,)


class HostWindow(wiring.Component):
    """A write for each region, ``<region>_write``, and what the host reads of the words that the regions show for
    ``offset``, ``<region>_word``.

    A memory sees a write in the cycle in which the bus shows it, or `Pipeline.host_write` later where the memories lie
    too far apart for one register: then every memory keeps a write of its own, and the registers see theirs a cycle
    before. No host can tell, since a read takes longer to reach a memory, and so does the start of a run. A word gets
    to the bus `Pipeline.host_word` after the memory shows it. A write behind a memory's last word goes nowhere.

    The bus hears that the core is ``busy`` a cycle late, but a start at once, unless the core is ``deaf`` to it.
    ``conflict`` and ``refused`` pass through.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._written = [region for region in Region if region not in _NEVER_WRITTEN and region_depth(config, region)]
        super().__init__(
            {
                "bus": In(HOST_BUS),
                "busy": In(1),
                "deaf": In(1),
                "conflict": Out(1),
                "refused": Out(1),
                "offset": Out(REGION_BITS - 2),
                **{f"{region.name.lower()}_write": Out(HOST_WRITE) for region in self._written},
                **{f"{region.name.lower()}_word": In(32) for region in _READ},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One comparison a region for writes, one selection for reads."""
        m = Module()
        plan, bus = pipeline(self._config), self.bus
        behind = max(plan.host_write - 1, 0)
        offset = delayed(m, bus.write_offset, behind, "write_offset")
        data = delayed(m, bus.write_data, behind, "write_data")
        busy, deaf, starts = Signal(), Signal(), bus.starts
        for stage in range(behind):
            starts = starts | delayed(m, bus.starts, stage + 1, f"starts{stage}_", reset_less=False)
        m.d.sync += [busy.eq(self.busy), deaf.eq(self.deaf)]
        m.d.comb += [
            bus.busy.eq(busy | (starts & ~deaf)),
            self.conflict.eq(bus.conflict),
            self.refused.eq(bus.refused),
            self.offset.eq(bus.read_offset),
        ]
        for region in self._written:
            write = getattr(self, f"{region.name.lower()}_write")
            beats = region_depth(self._config, region) * region_stride(self._config, region) // 4
            low = (beats - 1).bit_length()
            # a comparison alone would be a chain of carries
            inside = ~bus.write_offset[low:].any() & ((bus.write_offset[:low] < beats) if beats != 1 << low else 1)
            chosen = bus.write & (bus.write_region == region) & inside
            chosen = delayed(m, chosen, behind, f"{region.name.lower()}_chosen", reset_less=False)
            if region is Region.REGISTERS or not plan.host_write:
                m.d.comb += [write.enable.eq(chosen), write.offset.eq(offset), write.data.eq(data)]
                continue
            m.d.sync += write.enable.eq(chosen)
            with m.If(chosen):  # an enable of its own, or synthesis would make one register of all
                m.d.sync += [write.offset.eq(offset), write.data.eq(data)]
        word = Signal(32)
        with m.Switch(bus.read_region):
            for region in _READ:
                name = f"{region.name.lower()}_word"
                with m.Case(region):
                    m.d.comb += word.eq(delayed(m, getattr(self, name), plan.host_word - 1, name))
        m.d.comb += bus.read_data.eq(delayed(m, word, 1, "word"))
        return m
