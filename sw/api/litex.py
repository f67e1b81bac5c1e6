"""NarrowsCore: a core as a module of LiteX, for the SoC of somebody else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from litex.gen import ClockSignal, Instance, LiteXModule, ResetSignal
from litex.soc.integration.soc import SoCRegion
from litex.soc.interconnect import wishbone
from litex.soc.interconnect.csr_eventmanager import EventManager, EventSourceLevel

from ...hw.spec.registers import ADDRESS_BITS
from ..errors import InputError
from .config import Config
from .hardware import write_core
from .program import Program

__all__ = ["NarrowsCore"]

_INPUTS = ("cyc", "stb", "we", "adr", "sel", "dat_w")
_OUTPUTS = ("dat_r", "ack", "err")


class NarrowsCore(LiteXModule):
    """A core behind LiteX's Wishbone, without a bridge.

    Its Verilog is written when the module is made, and is one of the platform's sources; beside it lie the C driver,
    the register map and the rest of what ``narrows verilog --wrapper wishbone`` writes. ``bus`` is the Wishbone
    interface, ``ev`` an event manager whose source ``run`` is high while the core's ``irq`` is.

    Parameters
    ----------
    platform : LiteX platform
    core : Program, Config, str or Path
        A program, whose core it becomes and which the C driver gets as data; or a configuration as `Config` takes it.
    folder : str or Path
        Where the files go; it is made if need be.

    Raises
    ------
    InputError
        If the core has a backing store: its AXI4 port is not connected here.
    """

    def __init__(self, platform: Any, core: Program | Config | str | os.PathLike[str], folder: str | Path) -> None:
        program = core.compiled if isinstance(core, Program) else None
        config = (core.config if isinstance(core, Program) else Config(core)).core
        if config.has_backing:
            raise InputError("a core with a backing store has an AXI4 port, which LiteX's module does not connect")
        self.files = write_core(config, Path(folder) / "narrows_core.v", wrapper="wishbone", program=program)
        self.bus = bus = wishbone.Interface(data_width=32, address_width=ADDRESS_BITS, addressing="word")
        self.ev = EventManager()
        self.ev.run = EventSourceLevel(description="A run is done or faulted, or an access was refused.")
        self.ev.finalize()
        self.specials += Instance(  # pyright: ignore[reportOperatorIssue]
            "narrows_core",
            i_clk=ClockSignal("sys"),
            i_rst=ResetSignal("sys"),
            o_irq=self.ev.run.trigger,
            **({"i_work_clk": ClockSignal("sys")} if config.gated else {}),  # a SoC has no gate for it
            **{f"i_s_wb_{name}": getattr(bus, name) for name in _INPUTS},
            **{f"o_s_wb_{name}": getattr(bus, name) for name in _OUTPUTS},
        )
        platform.add_source(str(self.files[0]))

    def add_to(self, soc: Any, name: str = "narrows", origin: int = 0x9000_0000) -> None:
        """Put it into a SoC: ``soc.NAME``, a region of the bus that is not cached, an interrupt if there is a CPU."""
        soc.add_module(name=name, module=self)
        soc.bus.add_slave(name, self.bus, SoCRegion(origin=origin, size=1 << ADDRESS_BITS, cached=False))
        if soc.irq.enabled:
            soc.irq.add(name, use_loc_if_exists=True)
