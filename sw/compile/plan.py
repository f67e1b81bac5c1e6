"""BlockPlan: a block of a COMPUTE on its way to a record."""

from __future__ import annotations

from dataclasses import dataclass

from .geometry import Tap

__all__ = ["BlockPlan"]


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
