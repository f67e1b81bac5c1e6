"""Soc: LiteX with VexRiscv, a UART, a timer and a narrows core; what its C program has to know of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import narrows
from litex.build.generic_platform import Pins, Subsignal
from litex.build.sim import SimPlatform
from litex.soc.integration.export import get_csr_header, get_linker_regions, get_mem_header
from litex.soc.integration.soc_core import SoCCore
from migen import ClockDomain
from narrows.sw.api.litex import NarrowsCore

__all__ = ["Soc", "simulated_platform"]

_ROM_BYTES, _RAM_BYTES = 0x20000, 0x2000
_BYTES = [Subsignal("valid", Pins(1)), Subsignal("ready", Pins(1)), Subsignal("data", Pins(8))]
_UART = [Subsignal(f"{way}_{each.name}", *each.constraints) for way in ("source", "sink") for each in _BYTES]


def simulated_platform() -> SimPlatform:
    """A platform of LiteX's for a simulator, with a UART that hands whole bytes over; LiteX has others for boards."""
    return SimPlatform("SIM", [("clk", 0, Pins(1)), ("rst", 0, Pins(1)), ("serial", 0, *_UART)])


class Soc(SoCCore):
    """A processor that runs a program from a ROM of the chip's, and a core in its memory map.

    Parameters
    ----------
    platform : LiteX platform
    program : narrows.Program
        Whose core it gets; the C driver and the program as C data are written to ``folder``.
    folder : Path
    uart_name : str
        As LiteX has it: ``"sim"``, on boards ``"serial"``.
    """

    def __init__(self, platform: Any, program: narrows.Program, folder: Path, uart_name: str = "sim") -> None:
        self.cd_sys = ClockDomain()
        self.comb += [self.cd_sys.clk.eq(platform.request("clk")), self.cd_sys.rst.eq(platform.request("rst"))]
        super().__init__(
            platform,
            clk_freq=50e6,
            cpu_type="vexriscv",
            integrated_rom_size=_ROM_BYTES,
            integrated_sram_size=_RAM_BYTES,
            uart_name=uart_name,
        )
        NarrowsCore(platform, program, folder).add_to(self)

    def write_headers(self, folder: Path) -> None:
        """Write registers (csr.h) and memories (mem.h, regions.ld) for a C program; finalises the SoC."""
        self.finalize()
        csr = get_csr_header(self.csr.regions, self.constants, with_access_functions=False)
        (folder / "csr.h").write_text(csr, encoding="utf-8")
        (folder / "mem.h").write_text(get_mem_header(self.mem_regions), encoding="utf-8")
        (folder / "regions.ld").write_text(get_linker_regions(self.mem_regions), encoding="utf-8")

    def write_verilog(self, folder: Path, words: list[int]) -> list[str]:
        """Write the SoC's Verilog, module ``soc``, with a program in its ROM.

        Returns
        -------
        list of str
            Every Verilog file of it, the processor's and the core's too.
        """
        self.init_rom("rom", words)
        made = self.platform.get_verilog(self, name="soc")
        for name, content in {"soc.v": made.main_source, **made.data_files}.items():
            (folder / name).write_text(content, encoding="utf-8")
        return [str(folder / "soc.v"), *(str(source[0]) for source in self.platform.sources)]
