"""sdram: a board's SDRAM chip behind its core: the controller's Verilog, and what joins both with the pins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.build import Subsignal
from amaranth.hdl import Cat, ClockSignal, Const, Elaboratable, Instance, Module, ResetSignal
from amaranth.lib import io
from amaranth.lib.wiring import Out

from ..hw.memory.axi4 import Axi4
from ..hw.memory.sdram_port import SdramPort
from ..hw.spec.sdram import SdramChip
from ..hw.verilog import convert
from .litedram import LITEDRAM, generate_litedram

if TYPE_CHECKING:
    from .board import Board

__all__ = ["SDRAM_PORT", "BoardSdram", "sdram_verilog"]

SDRAM_PORT = "narrows_sdram"
"""Name of the module of `SdramPort` where it stands alone."""

_PINS = {"cke": "clk_en", "cs_n": "cs", "ras_n": "ras", "cas_n": "cas", "we_n": "we", "ba": "ba", "a": "a", "dm": "dqm"}
"""The controller's pins that only go out, and what amaranth-boards calls them."""

_UNCONNECTED = ("cache", "prot")
"""Signals of an address channel that the controller does not have."""


def sdram_verilog(chip: SdramChip, *, device: str, clock_mhz: float, bus_bits: int) -> str:
    """Verilog of modules `SDRAM_PORT` and `litedram.LITEDRAM` for a core's bus; raises as `generate_litedram` does."""
    core = generate_litedram(chip, device=device, clock_mhz=clock_mhz)
    port = SdramPort(bus_bits=bus_bits, chip_bits=chip.width, writes=core.writes)
    return convert(port, SDRAM_PORT) + core.verilog


class BoardSdram(Elaboratable):
    """The controller between a core's AXI4 master and the board's resource ``("sdram", 0)``.

    The chip's clock is the core's, turned over by a pin cell like those of all other pins: its edges lie in the middle
    of what these show, however long pins take. `hw.spec.sdram.SdramChip.spare_ns` says for which clocks that serves.

    Parameters
    ----------
    board : Board
        With a chip.

    Raises
    ------
    ToolMissing, ToolFailed, BoardError
        As `generate_litedram` does.
    """

    def __init__(self, board: Board) -> None:
        assert board.sdram is not None
        self._chip = board.sdram
        core = generate_litedram(self._chip, device=board.device, clock_mhz=board.clock_mhz)
        self._port = SdramPort(bus_bits=board.config.bus_bits, chip_bits=self._chip.width, writes=core.writes)

    def core_ports(self) -> dict[str, Any]:
        """The core's ports that belong here, as an `Instance` takes them."""
        return _instance_ports(self._port.bus, "m_axi_", from_master=True)

    def elaborate(self, platform: Any) -> Module:
        """Port, controller, pins."""
        m = Module()
        m.submodules.port = port = self._port
        control, chip_bytes = port.control, self._chip.bytes
        axi4 = _instance_ports(port.port, "user_port_0_", from_master=False)
        for channel in ("ar", "aw"):
            for name in _UNCONNECTED:
                del axi4[f"i_user_port_0_{channel}{name}"]
            address, size = f"i_user_port_0_{channel}addr", f"i_user_port_0_{channel}size"
            axi4 |= {address: axi4[address][: (chip_bytes - 1).bit_length()], size: Cat(axi4[size], Const(0, 1))}
            axi4[f"i_user_port_0_{channel}id"] = Const(0, 1)
        wires = {part.name: "-" for part in platform.lookup("sdram", 0).ios if isinstance(part, Subsignal)}
        pins = platform.request("sdram", 0, dir=wires)
        m.submodules.controller = Instance(
            LITEDRAM,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            **axi4,
            **{f"i_wb_ctrl_{name}": getattr(control, name) for name in ("cyc", "stb", "we", "adr", "sel", "dat_w")},
            i_wb_ctrl_cti=Const(0, 3),
            i_wb_ctrl_bte=Const(0, 2),
            o_wb_ctrl_ack=control.ack,
            **{f"o_sdram_{name}": getattr(pins, pin).io for name, pin in _PINS.items()},
            io_sdram_dq=pins.dq.io,
        )
        m.submodules.clock = clock = io.Buffer("o", pins.clk)
        m.submodules.turned = Instance("ODDRX1F", i_D0=0, i_D1=1, i_SCLK=ClockSignal(), i_RST=0, o_Q=clock.o)
        return m


def _instance_ports(bus: Any, prefix: str, *, from_master: bool) -> dict[str, Any]:
    """Ports of an instance for all signals of an AXI4 bus; of the master, or of the slave."""
    found = {}
    for name in Axi4(data_width=8).members:
        driven_by_master = Axi4(data_width=8).members[name].flow is Out
        found[f"{'o' if driven_by_master == from_master else 'i'}_{prefix}{name}"] = getattr(bus, name)
    return found
