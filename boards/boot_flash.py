"""BootFlash: the flash memory that a board's FPGA is configured from, and what else fits behind its bitstream."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..hw.spec.boot import FLASH_HZ

__all__ = ["BootFlash"]


@dataclass(frozen=True, kw_only=True)
class BootFlash:
    """An SPI flash with the bitstream in front, and room for a program.

    Parameters
    ----------
    chip : str
        For people.
    size : int
        Bytes.
    offset : int
        Where a program begins: behind the largest bitstream of the FPGA.
    resource : str
        Of the board's platform, number 0: subsignals ``cs``, ``copi``, ``cipo``, perhaps ``clk``, ``wp`` and ``hold``.
    clock_cell : bool
        Its clock is no pin of the FPGA's, but driven through a cell of its own (ECP5: USRMCLK).
    links : tuple of str
        To the host, that need the same pins.
    bits_per_second : int
        At which the FPGA reads its bitstream, nominally.
    pack : str
        Options of the packing tool that make it so.
    write : tuple of str
        Command that writes a file to the flash, whose path comes behind it; in it ``{offset}``.
    """

    chip: str
    size: int
    offset: int
    resource: str
    bits_per_second: int
    write: tuple[str, ...]
    clock_cell: bool = False
    links: tuple[str, ...] = ()
    pack: str = ""

    def divisor(self, clock_mhz: float) -> int:
        """``AcceleratorConfig.flash_divisor`` of a core of so many MHz."""
        return max(1, -(-round(clock_mhz * 1e6) // (2 * FLASH_HZ)))

    def configuration_ms(self, bitstream_bytes: int) -> float:
        """Milliseconds that the FPGA reads its bitstream for, nominally."""
        return bitstream_bytes * 8e3 / self.bits_per_second

    def commands(self, bitstream: Path, image: Path) -> tuple[tuple[str, ...], ...]:
        """Those that write a bitstream and a program."""
        return tuple(
            (*(word.format(offset=f"0x{offset:x}") for word in self.write), str(path))
            for offset, path in ((self.offset, image), (0, bitstream))
        )
