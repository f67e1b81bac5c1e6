"""Transfers of LOAD and STORE: which bytes of the window they touch, and in which bursts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .config import AcceleratorConfig
from .isa import Opcode
from .registers import Region, region_stride

__all__ = [
    "BURST_BEATS",
    "MEMORIES",
    "OUTSTANDING",
    "PAGE",
    "QUEUE_DEPTH",
    "Burst",
    "bursts",
    "is_legal",
    "line_bytes",
    "line_starts",
    "pieces_per_word",
    "words_per_beat",
]

PAGE = 4096
"""No burst crosses a multiple of so many bytes (AXI4), and the window begins and ends at one."""

BURST_BEATS = 64
"""A burst ends where the number of its beat is a multiple of this: so it stays within a page at every bus width."""

OUTSTANDING = 15
"""Bursts that each of loader and storer may have under way."""

QUEUE_DEPTH = 16
"""Instructions that wait in front of each of loader and storer."""

MEMORIES: Mapping[Opcode, tuple[Region, ...]] = {
    Opcode.LOAD: (Region.WEIGHTS, Region.PARAMS, Region.ACTIVATIONS),
    Opcode.STORE: (Region.ACTIVATIONS,),
}
"""Memories that an instruction may name."""


class Burst(NamedTuple):
    """Neighbouring beats: byte of the window that the first begins with, and how many they are."""

    address: int
    beats: int


def words_per_beat(config: AcceleratorConfig, region: Region) -> int:
    """Words side by side in a beat; 1 where a word takes a beat or more."""
    return max(1, config.bus_bytes // region_stride(config, region))


def pieces_per_word(config: AcceleratorConfig, region: Region) -> int:
    """Beats that a word takes; 1 where a beat holds a word or more."""
    return max(1, region_stride(config, region) // config.bus_bytes)


def is_legal(opcode: Opcode, fields: Mapping[str, int]) -> bool:
    """Whether a core with a backing store executes a LOAD or STORE with these fields."""
    return fields["memory"] in MEMORIES[opcode] and fields["count"] > 0 and fields["lines"] > 0


def line_bytes(config: AcceleratorConfig, fields: Mapping[str, int]) -> int:
    """Bytes of a line of a LOAD or STORE."""
    return fields["count"] * region_stride(config, Region(fields["memory"]))


def line_starts(fields: Mapping[str, int]) -> Iterator[int]:
    """Byte of the window that each line of a LOAD or STORE begins with."""
    for line in range(fields["lines"]):
        yield (fields["external"] + line * fields["external_pitch"]) % (1 << 32)


def bursts(config: AcceleratorConfig, start: int, count: int) -> Iterator[Burst]:
    """Bursts of a line of ``count`` bytes from byte ``start`` of the window."""
    first, end = start // config.bus_bytes, -(-(start + count) // config.bus_bytes)
    while first < end:
        beats = min(BURST_BEATS - first % BURST_BEATS, end - first)
        yield Burst(first * config.bus_bytes, beats)
        first += beats
