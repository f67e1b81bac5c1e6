"""Written: what leaves drain and max-pool unit to be written."""

from __future__ import annotations

from amaranth.lib import data
from amaranth.lib.wiring import Out, Signature

__all__ = ["WRITE_FLAGS", "Written"]

WRITE_FLAGS = data.StructLayout(
    {
        "valid": 1,
        "beside": 3,  # bit i: row i + 1 behind it is written beside it
        "pixel_planes": 1,  # the last plane of its granule
        "row": 1,  # the last write of its pixel
        "tile": 1,  # the last write of its tile
    }
)
"""Where something written stands in its tile."""


class Written(Signature):
    """To the writer: ``codes`` of a granule or a word, to be written while ``flags.valid`` is high.

    Parameters
    ----------
    width : int
        Bits of the codes.
    """

    def __init__(self, width: int) -> None:
        super().__init__({"codes": Out(width), "flags": Out(WRITE_FLAGS)})
