"""host_write: what a memory sees of the host's writes."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data

from ..spec.config import AcceleratorConfig
from ..spec.pipeline import pipeline
from ..spec.registers import REGION_BITS, Region

__all__ = ["HOST_WRITE", "host_write"]

HOST_WRITE = data.StructLayout({"enable": 1, "offset": REGION_BITS - 2, "data": 32})
"""A write of one beat: ``enable`` is high for its cycle, ``offset`` counts words of 32 bits."""


def host_write(m: Module, config: AcceleratorConfig, bus: Any, region: Region) -> data.View:
    """Writes of one region on a `HOST_BUS`, in the cycle in which the port shows them.

    Where `Pipeline.host_write` says so a cycle later: there the memories lie too far apart for one register, and every
    region keeps a write of its own. No host can tell, since a read takes longer to reach a memory, and so does
    the start of a run.
    """
    write = Signal(HOST_WRITE, name=f"write_{region.name.lower()}")
    chosen = bus.write & (bus.write_region == region)
    if not pipeline(config).host_write:
        m.d.comb += [write.enable.eq(chosen), write.offset.eq(bus.write_offset), write.data.eq(bus.write_data)]
        return write
    m.d.sync += write.enable.eq(chosen)
    with m.If(chosen):  # an enable of its own, or synthesis would make one register of all
        m.d.sync += [write.offset.eq(bus.write_offset), write.data.eq(bus.write_data)]
    return write
