"""ProgramTensors: tensors of a program in the memories of a core that holds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.registers import Region, region_address, region_stride
from ...hw.spec.words import unpack_codes
from ..program import Program
from .transport import Transport
from .windows import from_burst, gathered, runs, to_burst, window_span

__all__ = ["WINDOW_BASE", "ProgramTensors"]

WINDOW_BASE = 0
"""Byte address of a program's window on the backing store."""


class ProgramTensors:
    """Reads and writes tensors wherever they lie: in the activation memory, or in the backing store.

    Parameters
    ----------
    transport : Transport
    config : AcceleratorConfig
    program : Program
    """

    def __init__(self, transport: Transport, config: AcceleratorConfig, program: Program) -> None:
        self._transport, self._config, self._program = transport, config, program
        self._known: dict[str, tuple[NDArray[np.int64], list[tuple[int, int]]]] = {}

    async def read(self, name: str) -> NDArray[np.int64]:
        """Levels of a tensor, of shape (C, H, W)."""
        config, layout = self._config, self._program.layouts[name]
        addresses, ranges = self._places(name)
        codes = np.zeros((ranges[-1][1], layout.lanes), dtype=np.uint8)
        for first, end in ranges:
            address, count = window_span(config, Region.ACTIVATIONS, first, end - first)
            if name in self._program.external:
                burst = await self._transport.read_backing(self._backing(name, first), count)
            else:
                burst = await self._transport.read(address, count)
            words = from_burst(config, Region.ACTIVATIONS, burst)
            codes[first:end] = unpack_codes(words, layout.lanes, config.code_bits)
        return layout.unpack(codes[addresses], config.digits)

    async def write(self, name: str, levels: NDArray[np.int64]) -> None:
        """Write levels of shape (C, H, W).

        Raises
        ------
        ValueError
            If the shape is wrong or a level does not fit the tensor's planes; then nothing is written.
        """
        config = self._config
        packed = self._program.layouts[name].pack(levels, config.digits)
        for first, words in gathered(packed, *self._places(name), config):
            burst = to_burst(config, Region.ACTIVATIONS, words)
            if name in self._program.external:
                await self._transport.write_backing(self._backing(name, first), burst)
            else:
                await self._transport.write(region_address(config, Region.ACTIVATIONS, first), burst)

    def _backing(self, name: str, word: int) -> int:
        """Address in the backing store of a word of a tensor."""
        return WINDOW_BASE + self._program.external[name] + word * region_stride(self._config, Region.ACTIVATIONS)

    def _places(self, name: str) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
        """Word of every pixel of a tensor, in the memory where it lies, and the ranges that hold them all."""
        if name not in self._known:
            addresses = self._program.layouts[name].addresses()
            if name not in self._program.external:
                addresses %= self._config.act_words
            self._known[name] = addresses, runs(addresses)
        return self._known[name]
