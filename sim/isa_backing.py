"""Backing store of the ISA model, and what LOAD and STORE move between it and the on-chip memories."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.registers import Fault, Region, region_beats, region_depth, region_stride
from ..hw.spec.transfer import PAGE, line_bytes, line_starts
from .isa_records import MachineError

__all__ = ["BackingStore", "chip_words"]


class BackingStore:
    """Memory behind the bus, and the window through which instructions see it.

    Parameters
    ----------
    config : AcceleratorConfig
    size : int
        Bytes, from address 0 of the bus on; beyond, the bus answers with an error.

    Attributes
    ----------
    words : array of uint32, shape (size / 4,)
    base, limit : int
        Registers WINDOW_BASE and WINDOW_LIMIT.
    """

    def __init__(self, config: AcceleratorConfig, size: int) -> None:
        self._config = config
        self.words = np.zeros(size // 4, dtype=np.uint32)
        self.base = self.limit = 0

    def set_window(self, *, base: int | None = None, limit: int | None = None) -> None:
        """Write one of the window's registers."""
        if base is not None:
            self.base = base & -PAGE
        if limit is not None:
            self.limit = limit & -PAGE

    def fault_of(self, fields: Mapping[str, int]) -> Fault:
        """Why the bus, or the window, refuses a LOAD or STORE; or `Fault.NONE`."""
        size = line_bytes(self._config, fields)
        for start in line_starts(fields):
            if start + size > self.limit:
                return Fault.WINDOW
            if self.base + start + size > self.words.nbytes:
                return Fault.BUS
        return Fault.NONE

    def read(self, fields: Mapping[str, int]) -> NDArray[np.uint32]:
        """Words that a LOAD finds, of shape (lines * count, region_beats)."""
        region = Region(fields["memory"])
        padded = self.words[self._places(fields)].reshape(-1, region_stride(self._config, region) // 4)
        return padded[:, : region_beats(self._config, region)]

    def write(self, fields: Mapping[str, int], words: NDArray[np.uint32]) -> None:
        """Write the words of a STORE, of the same shape."""
        padded = np.zeros((len(words), region_stride(self._config, Region(fields["memory"])) // 4), dtype=np.uint32)
        padded[:, : words.shape[1]] = words
        self.words[self._places(fields)] = padded.reshape(fields["lines"], -1)

    def _places(self, fields: Mapping[str, int]) -> NDArray[np.int64]:
        stride = region_stride(self._config, Region(fields["memory"]))
        starts = np.array(list(line_starts(fields)), dtype=np.int64)
        if (starts % stride).any():
            raise MachineError(f"a line begins at byte {int(starts[0])}, not at a multiple of {stride}")
        return (self.base + starts[:, None]) // 4 + np.arange(fields["count"] * stride // 4)


def chip_words(config: AcceleratorConfig, fields: Mapping[str, int]) -> NDArray[np.int64]:
    """On-chip words of a LOAD or STORE in the order moved, of shape (lines * count,).

    Raises
    ------
    MachineError
        If it goes beyond a memory whose addresses do not wrap.
    """
    lines = (fields["address"] + fields["pitch"] * np.arange(fields["lines"])) % (1 << 16)
    words = (lines[:, None] + np.arange(fields["count"])).reshape(-1)
    if fields["memory"] == Region.ACTIVATIONS:
        return words % config.act_words
    depth = region_depth(config, Region(fields["memory"]))
    if words.max() >= depth:
        raise MachineError(f"word {int(words.max())} of {Region(fields['memory']).name} is loaded, there are {depth}")
    return words
