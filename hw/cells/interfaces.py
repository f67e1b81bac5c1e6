"""Signatures that units of several rooms share, and how a unit hands on those of its parts."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, ShapeLike
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Member, Out, Signature

from ..spec.boot import BootState
from ..spec.config import AcceleratorConfig
from ..spec.isa import COMPUTE
from ..spec.registers import REGION_BITS, Region, region_depth
from .checks import CHECK
from .records import record_layout

__all__ = [
    "BOOT",
    "EVENTS",
    "HOST_WRITE",
    "INSTRUCTION",
    "STORE_ACCESS",
    "STREAMING",
    "STREAM_BYTE",
    "MemoryRead",
    "MemoryWrite",
    "hand_on",
    "members_of",
    "table_reads",
]


INSTRUCTION = Signature({"run": Out(1), "fields": Out(record_layout(COMPUTE)), "is_max": Out(1)})
"""From who holds a COMPUTE to who executes it: ``fields`` and ``is_max`` (its mode) are stable while ``run`` is high,
which falls for a cycle at least between two instructions."""

BOOT = Signature({"busy": Out(1), "state": Out(BootState), "tag": Out(24)})
"""From a boot loader: ``busy`` until the boot has ended; what became of it, and, of an image that was loaded,
`spec.boot.image_tag`."""

EVENTS = Signature({"step": Out(1), "stall_drain": Out(1), "stall_walk": Out(1)})
"""What a cycle of the compute unit was: a step, or lost to the drain or to the pixel walker."""

HOST_WRITE = Signature({"enable": Out(1), "offset": Out(REGION_BITS - 2), "data": Out(32)})
"""A beat that the host writes to a memory: ``enable`` is high for its cycle, ``offset`` counts words of 32 bits."""

STREAM_BYTE = data.StructLayout({"byte": 8, "last": 1, "error": 1})
"""A byte of a frame or of an answer; ``last`` goes with the last one. With ``error`` it is none. Of a frame: the one
under way, if one is, ends there and is spoilt; with ``last``, too, one whose bytes were all lost. Of an answer: it is
the whole of it, and stands for a frame that gave none."""

STREAMING = Signature({"enable": Out(1), "counted": Out(1), "forget": Out(1), "wrong": In(3)})
"""From the registers to the stream server: ``enable`` and ``counted`` are bits of `Register.STREAM`, ``forget`` is a
pulse with each write of that; ``wrong`` are its sticky bits from SHORT on."""

STORE_ACCESS = Signature(
    {
        "stb": Out(1),
        "we": Out(1),
        "offset": Out(REGION_BITS - 2),
        "dat_w": Out(32),
        "dat_r": In(32),
        "ack": In(1),
        "err": In(1),
    }
)
"""From a serial link's port to the backing store: ``stb`` stays high until ``ack``, with which ``dat_r`` is there, or
``err`` where nothing was carried out, either of them for a cycle; then it is low for a cycle at least. ``offset``
counts words of the window."""


class MemoryRead(Signature):
    """From a client that reads a memory: where ``valid`` and ``ready`` are high, ``data`` is the word of ``address`` as
    many cycles later as the plan says for that memory. Who shares the memory with nobody leaves both alone: they are
    high. What is read with check bits has its ``checks`` a cycle behind ``data``, whatever ``valid`` was.

    Parameters
    ----------
    address_bits : int
    shape : shape-like
        Of what is read at once.
    checks : int
        Words with check bits among that.
    """

    def __init__(self, address_bits: int, shape: ShapeLike, checks: int = 0) -> None:
        super().__init__(
            {
                "valid": Out(1, init=1),
                "ready": In(1, init=1),
                "address": Out(address_bits),
                "data": In(shape),
                **({"checks": In(data.ArrayLayout(CHECK, checks))} if checks else {}),
            }
        )


class MemoryWrite(Signature):
    """From a client that writes a memory: where ``valid`` and ``ready`` are high, the granules of ``data`` that
    ``enable`` names are stored in the word of ``address``. ``ready`` as in `MemoryRead`.

    Parameters
    ----------
    address_bits : int
    width : int
        Bits of a word.
    granules : int
        Parts of a word with an enable each.
    """

    def __init__(self, address_bits: int, width: int, granules: int) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "ready": In(1, init=1),
                "address": Out(address_bits),
                "data": Out(width),
                "enable": Out(granules),
            }
        )


def table_reads(config: AcceleratorConfig) -> MemoryRead:
    """What the rescalers read: an address and an entry each, `Pipeline.table_read` apart."""
    count = config.drain_rows * config.rescalers
    address_bits = (region_depth(config, Region.TABLES) - 1).bit_length()
    levels = data.ArrayLayout(config.level_bits, count)
    return MemoryRead(data.ArrayLayout(address_bits, count), levels, count * config.is_protected)


def members_of(part: wiring.Component, *names: str) -> dict[str, Member]:
    """Members of a part that the unit around it has, too."""
    return {name: part.signature.members[name] for name in names}


def hand_on(m: Module, unit: Any, part: Any, *names: str) -> None:
    """Connect members of a unit with those of its part of the same names."""
    for name in names:
        outer, inner = getattr(unit, name), getattr(part, name)
        for outside, inside in zip(outer, inner, strict=True) if isinstance(outer, list) else [(outer, inner)]:
            wiring.connect(m, wiring.flipped(outside), inside)
