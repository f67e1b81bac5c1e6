"""HOST_BUS: what every host port drives inside a core."""

from __future__ import annotations

from amaranth.lib.wiring import In, Out, Signature

from ..spec.registers import REGION_BITS, Region

__all__ = ["HOST_BUS"]

HOST_BUS = Signature(
    {
        "busy": In(1),
        "conflict": Out(1),
        "refused": Out(1),
        "starts": Out(1),
        "write": Out(1),
        "write_region": Out(Region),
        "write_offset": Out(REGION_BITS - 2),
        "write_data": Out(32),
        "read_region": Out(Region),
        "read_offset": Out(REGION_BITS - 2),
        "read_data": In(32),
    }
)
"""From a host port to the core behind it.

A write shows region, offset (in words) and data for one cycle with ``write`` high. A read shows its region and offset,
and takes ``read_data`` `HOST_READ_CYCLES` later; no write begins meanwhile. While ``busy`` a port refuses accesses to
memories, but for writes of `Region.FRAME`; ``conflict`` is high for a cycle where the host tried to write one.
``refused`` is high for a cycle after every access that was not carried out, ``starts`` with a write that asks for a run
or for a frame to be laid out."""
