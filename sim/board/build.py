"""build_board: the program that simulates a board's top, compiled once for the same Verilog."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ...sw.errors import ToolMissing
from ...sw.processes import run_process
from ..builds import cache_folder, kept_build
from ..cosim.errors import SimulationError
from ..cosim.simulators import verilator_root
from ..verilated import prepare_make

__all__ = ["bench_of", "build_board"]

_PROGRAM = "Vbench"
_FLAGS = ("-Wno-fatal", "-Wno-lint", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--timescale", "1ns/1ps")
_PORT = re.compile(r"^\s*(input|output|inout)\s+(?:\[\d+:\d+\]\s+)?(\S+?)\s*;", re.MULTILINE)
_ICE40_PIN = re.compile(r"\bSB_IO( #\((?:[^;])*?\.PIN_TYPE\(6'h([0-9a-f]+)\))")
_ICE40_INPUT = re.compile(r"\bSB_IO_IN #\([^;]*?\.PACKAGE_PIN\((\w+)\)")
_INOUT = re.compile(r"\binout ((?!usb_)\w+__io);")
_SDRAM_PIN = re.compile(r"sdram_0__(\w+)__io")
_FLASH_PIN = re.compile(r"spi_flash\w*_0__(cs|clk|copi|cipo)__io")
_FLASH = """\
    wire flash_cs, flash_clk, flash_copi, flash_cipo;
    narrows_flash_chip flash (
        .clk(clk), .power(power), .cs_n(flash_cs), .sck(flash_clk), .copi(flash_copi), .cipo(flash_cipo), .violations()
    );
"""
_FLASH_CLOCK_CELL = "    assign flash_clk = board.flash_clock.USRMCLKI;\n"
_SDRAM = """\
    wire sdram_clk, sdram_clk_en, sdram_cs, sdram_ras, sdram_cas, sdram_we;
    wire [1:0] sdram_ba, sdram_dqm;
    wire [12:0] sdram_a;
    wire [15:0] sdram_dq;
    narrows_sdram_chip #(.WORDS_LOG2(25)) sdram (
        .clk(sdram_clk), .cke(sdram_clk_en), .cs_n(sdram_cs), .ras_n(sdram_ras), .cas_n(sdram_cas), .we_n(sdram_we),
        .ba(sdram_ba), .a(sdram_a), .dm(sdram_dqm), .dq(sdram_dq),
        .violations(), .refreshes(), .longest_gap(), .reads(), .writes(), .activates()
    );
"""
_LINKS = {
    "uart": {"rx": "input", "tx": "output"},
    "spi": {"cs_n": "input", "sck": "input", "copi": "input", "cipo": "output"},
    "usb": {"d_p": "inout", "d_n": "inout", "pullup": "output"},
}
_PINS = {link: "".join(f"{direction} {pin}, " for pin, direction in pins.items()) for link, pins in _LINKS.items()}
_PINS["usb"] = "input drive, host_p, host_n, output line_p, line_n, "
_WIRES = {
    "usb": """    wire d_p, d_n, pulled;
    assign d_p = drive ? host_p : 1'bz;
    assign d_n = drive ? host_n : 1'bz;
    assign (weak1, weak0) d_p = pulled;
    assign (weak1, weak0) d_n = 1'b0;
    assign line_p = d_p;
    assign line_n = d_n;
"""
}


def bench_of(verilog: str, top: str, link: str) -> str:
    """Verilog of the module ``bench`` (clk, power, pins of the link, leds) around a board's top, whose pins tell what
    they are.

    Pins are named as Amaranth names those of resources: ``uart_0__rx__io``, ``spi_0__sck__io`` and so on,
    ``led_N__io``, and ``clk..._0__io``. Other inputs are high, as unused pins with a pull-up. Pins ``sdram_0__...__io``
    lead to a chip, ``narrows_sdram_chip``, those ``spi_flash..._0__...__io`` to ``narrows_flash_chip``, whose clock may
    come from an ECP5's cell ``flash_clock``. Of USB the bench has what the host drives, while ``drive`` is high, and
    the line's levels; the board's pull-up holds D+ while nobody does.

    Raises
    ------
    ValueError
        If there is no such top, or it has no such link or no clock.
    """
    kinds = {pin: rf"{link}_\d+__{pin}__io" for pin in _LINKS[link]} | {"led": r"led_\d+__io", "clk": r"clk\w*__io"}
    module = re.search(rf"^module {re.escape(top)}\s*\(.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    if module is None:
        raise ValueError(f"the Verilog has no module {top}")
    found: dict[str, list[str]] = {kind: [] for kind in kinds}
    connections = []
    for direction, name in _PORT.findall(module[0]):
        kind = next((kind for kind, form in kinds.items() if re.fullmatch(form, name)), None)
        if kind is not None:
            net = {"led": f"leds[{len(found['led'])}]", "pullup": "pulled"}.get(kind, kind)  # a pullup is Verilog's
            found[kind].append(name)
            connections.append(f".{name}({net})")
        elif memory := _SDRAM_PIN.fullmatch(name):
            connections.append(f".{name}(sdram_{memory[1]})")
        elif flash := _FLASH_PIN.fullmatch(name):
            connections.append(f".{name}(flash_{flash[1]})")
        elif direction == "input":
            connections.append(f".{name}(1'b1)")
    for kind in ("clk", *_LINKS[link]):
        if len(found[kind]) != 1:
            raise ValueError(f"{top} has {len(found[kind])} pins {kind}, not one")
    ports = f"input clk, input power, {_PINS[link]}output [7:0] leds"
    spare = "".join(f"    assign leds[{index}] = 0;\n" for index in range(len(found["led"]), 8))
    chip = _SDRAM if any(_SDRAM_PIN.fullmatch(name) for _, name in _PORT.findall(module[0])) else ""
    if any("(flash_" in connection for connection in connections):
        chip += _FLASH + ("" if any("(flash_clk)" in connection for connection in connections) else _FLASH_CLOCK_CELL)
    board = f"    {top} board({', '.join(connections)});\n"
    return f"module bench({ports});\n{_WIRES.get(link, '')}{chip}{board}{spare}endmodule\n"


def build_board(verilog: str, top: str, link: str) -> Path:
    """The program for a board's top; see `main.cpp` for what it does.

    Parameters
    ----------
    verilog : str
        The top, its core and all else that is not in `cells.v`.
    top : str
        Name of the top module.
    link : str
        How its host is connected: ``"uart"``, ``"spi"`` or ``"usb"``.

    Raises
    ------
    ToolMissing
        If Verilator, make or a C++ compiler is not installed.
    SimulationError
        If the program cannot be built; the message names the log.
    """
    root = verilator_root()
    for program in ("c++", "make", "perl"):
        if shutil.which(program) is None:
            raise ToolMissing(f"{program} is not installed: the simulation is compiled with it")
    folder = Path(__file__).parent
    cells = (folder / "cells.v").read_text(encoding="utf-8")
    source = bench_of(verilog, top, link) + cells + _inputs_told_apart(verilog)
    programs = {path.name: path.read_text(encoding="utf-8") for path in (*folder.glob("*.cpp"), *folder.glob("*.h"))}
    recipe = "\0".join([source, link, *programs.values(), *_FLAGS, importlib.metadata.version("verilator")])
    place = cache_folder() / "boards" / hashlib.sha256(recipe.encode()).hexdigest()[:20]

    def build(scratch: Path) -> tuple[str, ...]:
        (scratch / "design.v").write_text(source, encoding="utf-8")
        for name, program in programs.items():
            (scratch / name).write_text(program, encoding="utf-8")
        _compile(root, scratch, link)
        return (f"obj_dir/{_PROGRAM}",)

    return kept_build(place, build, SimulationError) / _PROGRAM


def _inputs_told_apart(verilog: str) -> str:
    """Verilog without inouts: each SB_IO whose output is off (bits 5 to 2 of its PIN_TYPE) is called SB_IO_IN."""
    told = _ICE40_PIN.sub(lambda cell: f"SB_IO{'' if int(cell[2], 16) >> 2 else '_IN'}{cell[1]}", verilog)
    inputs = set(_ICE40_INPUT.findall(told))
    return _INOUT.sub(lambda port: f"{'input' if port[1] in inputs else 'output'} {port[1]};", told)


def _compile(root: Path, folder: Path, link: str) -> None:
    environment = os.environ | {"VERILATOR_ROOT": str(root)}
    verilate = [str(root / "bin" / "verilator"), "--cc", "--exe", *_FLAGS]
    verilate += ["-CFLAGS", f"-std=c++20 -I.. -DNARROWS_{link.upper()}"]
    verilate += ["--top-module", "bench", "design.v", "main.cpp"]
    # The wheel's makefile expects a program named python.
    make = ["make", "-C", str(folder / "obj_dir"), "-f", f"{_PROGRAM}.mk"]
    make += [f"PYTHON3={sys.executable}", f"VERILATOR_ROOT={root}"]
    with (folder / "build.log").open("wb") as log:

        def run(command: Sequence[str]) -> None:
            if run_process(command, cwd=folder, stdout=log, env=environment).returncode:
                raise SimulationError(f"the board's simulation cannot be built; see {folder / 'build.log'}")

        run(verilate)
        run([*make, *prepare_make(folder / "obj_dir", make, run)])
