"""BlockPlan, LoweredLayer: a COMPUTE and its blocks before what they refer to has places."""

from __future__ import annotations

from dataclasses import dataclass

from .geometry import Tap
from .tables import Blank

__all__ = ["BlockPlan", "LoweredLayer"]


@dataclass(frozen=True, kw_only=True)
class BlockPlan:
    """A block before its taps have found their places; fields as in `isa.BLOCK`, addresses not yet reduced."""

    taps: tuple[Tap, ...]
    base: int = 0
    group_pitch: int = 0
    weight_base: int = 0
    groups: int = 1
    shift: int = 0
    hold: int = 0
    pad_code: int = 0
    latch: int = 0
    alike: int = 0
    held: int = 0
    fixed: int = 0
    constant: int = 0


@dataclass(frozen=True, kw_only=True)
class LoweredLayer:
    """A layer as fields of a COMPUTE without ``first_block``, ``weight_base`` and ``param_base``.

    ``weights`` are its weight words as bytes, ``params`` its parameter words as 32-bit beats (`Blank` where weights are
    not known), ``table`` the words of its table of levels; a max-pool has none.
    """

    fields: dict[str, int]
    blocks: tuple[BlockPlan, ...]
    weights: tuple[bytes, ...] | Blank = ()
    params: tuple[tuple[int, ...], ...] | Blank = ()
    table: bytes = b""

    @property
    def steps(self) -> int:
        """Words read for one tile."""
        return sum(block.groups * len(block.taps) for block in self.blocks)
