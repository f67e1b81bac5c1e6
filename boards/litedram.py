"""litedram: the controller of an SDRAM chip as LiteDRAM's generator writes it, and what initialises the chip through
it."""

from __future__ import annotations

import functools
import json
import math
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..hw.memory.sdram_start import ControlWrite
from ..hw.spec.sdram import SdramChip
from ..sw.extras import need
from ..sw.processes import run_process
from ..sw.toolchain.programs import ToolFailed
from .board import Board, BoardError

__all__ = ["LITEDRAM", "LiteDram", "generate_litedram", "sdram_controller"]

LITEDRAM = "litedram_core"
"""Name of the generated module: clock, reset, pins ``sdram_*``, AXI4 slave ``user_port_0_*`` as wide as the chip,
Wishbone slave ``wb_ctrl_*``."""

_LOGGED = 300  # last characters of a failed generator's log that are shown

# bits of the controller's registers: litedram/dfii.py
_BY_HARDWARE, _CKE = 1, 2
_CS, _WE, _CAS, _RAS = 1, 2, 4, 8
_PRECHARGE, _REFRESH, _SET_MODE = _CS | _RAS | _WE, _CS | _RAS | _CAS, _CS | _RAS | _CAS | _WE

_ALL_BANKS = 1 << 10
_REFRESHES = 8
_MODE_CYCLES = 4  # tMRD is 2


@dataclass(frozen=True, kw_only=True)
class LiteDram:
    """A generated controller.

    Parameters
    ----------
    verilog : str
        Module `LITEDRAM`.
    writes : tuple of ControlWrite
        Initialise the chip and give it to the controller, for `hw.memory.sdram_start.SdramStart`.
    """

    verilog: str
    writes: tuple[ControlWrite, ...]


@functools.cache
def generate_litedram(chip: SdramChip, *, device: str, clock_mhz: float) -> LiteDram:
    """Generate the controller of a chip.

    Parameters
    ----------
    chip : SdramChip
    device : str
        The FPGA, whose pin registers it instantiates.
    clock_mhz : float
        Of chip, controller and core.

    Raises
    ------
    ToolMissing
        If LiteDRAM is not installed.
    BoardError
        If the clock is too slow to refresh the chip in time.
    ToolFailed
        If the generator fails; the message is its last line.
    """
    for package in ("litedram", "litex", "migen", "yaml"):
        need(package, "boards with SDRAM", "sdram")
    if math.floor(chip.refresh * clock_mhz / 1e3) < 100:
        raise BoardError(f"{chip.name} cannot be refreshed in time at {clock_mhz:g} MHz: choose at least 13 MHz")
    ns = {name: getattr(chip, name) for name in ("rcd", "rp", "ras", "rfc", "wr", "rrd")}
    # LiteDRAM rounds cycles up, which must not lengthen the interval of refreshes
    ns["refresh"] = math.floor(chip.refresh * clock_mhz / 1e3) * 1e3 / clock_mhz - 1e-3
    request = {
        "device": device,
        "clock_hz": clock_mhz * 1e6,
        "rows": chip.rows,
        "columns": chip.columns,
        "width": chip.width,
        "ns": ns,
    }
    with tempfile.TemporaryDirectory(prefix="narrows-litedram-") as scratch:
        folder = Path(scratch)
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        command = [sys.executable, "-m", f"{__package__}.litedram_run", str(folder / "request.json"), str(folder)]
        with (folder / "log").open("wb") as log:
            ended = run_process(command, cwd=folder, stdout=log)
        if ended.returncode:
            lines = (folder / "log").read_text(encoding="utf-8", errors="replace").strip()[-_LOGGED:].splitlines()
            raise ToolFailed(f"LiteDRAM's generator failed: {lines[-1] if lines else 'it says nothing'}")
        text = (folder / f"{LITEDRAM}.v").read_text(encoding="utf-8")
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    if facts["cas_latency"] != chip.cas_latency(clock_mhz):
        raise BoardError(f"LiteDRAM has no CAS latency of {chip.cas_latency(clock_mhz)} at {clock_mhz:g} MHz")
    return LiteDram(
        verilog=_plain(text, chip), writes=tuple(_initialise(chip, facts["registers"], facts["cas_latency"], clock_mhz))
    )


def sdram_controller(board: Board) -> str | None:
    """Verilog of module `LITEDRAM` for a board whose core has a bus to its SDRAM; raises as `generate_litedram`
    does."""
    if board.sdram is None or not board.config.has_backing:
        return None
    return generate_litedram(board.sdram, device=board.device, clock_mhz=board.clock_mhz).verilog


def _plain(text: str, chip: SdramChip) -> str:
    """The Verilog without comments, which hold the day it was written, and with data pins that go both ways: the
    generator calls them inputs, as the pin cells' instances are its own top's."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*//.*\n", "", text, flags=re.MULTILINE)
    text, found = re.subn(rf"\binput( +wire +\[{chip.width - 1}:0\] sdram_dq\b)", r"inout\1", text)
    if found != 1 and f"inout  wire   [{chip.width - 1}:0] sdram_dq" not in text:
        raise ToolFailed(
            "LiteDRAM's generator gives other pins than expected: install the version that the extra names"
        )
    return re.sub(r"\n{3,}", "\n\n", text)


def _initialise(
    chip: SdramChip, registers: Mapping[str, int], cas_latency: int, clock_mhz: float
) -> list[ControlWrite]:
    """JEDEC JESD21-C, 3.11.5.1: steady clock, all banks precharged, eight refreshes, mode register (bursts of one
    word)."""

    def cycles(nanoseconds: float) -> int:
        return math.ceil(nanoseconds * clock_mhz / 1e3)

    def write(name: str, data: int, wait: int = 0) -> ControlWrite:
        return ControlWrite(registers[name], data, wait)

    def command(bits: int, address: int, wait: int, times: int = 1) -> list[ControlWrite]:
        issue = write("sdram_dfii_pi0_command_issue", 1, wait)
        place = [write("sdram_dfii_pi0_address", address), write("sdram_dfii_pi0_baddress", 0)]
        return [*place, write("sdram_dfii_pi0_command", bits), *[issue] * times]

    return [
        write("sdram_dfii_control", _CKE, cycles(chip.power_up)),
        *command(_PRECHARGE, _ALL_BANKS, cycles(chip.rp)),
        *command(_REFRESH, 0, cycles(chip.rfc), _REFRESHES),
        *command(_SET_MODE, cas_latency << 4, _MODE_CYCLES),
        write("sdram_dfii_control", _BY_HARDWARE | _CKE),
        write("ddrctrl_init_done", 1),
    ]
