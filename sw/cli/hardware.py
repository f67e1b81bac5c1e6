"""Commands on the hardware: verilog, synth."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from ...hw.spec.config import AcceleratorConfig
from ..errors import InputError
from ..synthesis import SynthesisReport
from .options import BoardOption, ConfigFile, JsonFile, Preset, chosen_config
from .output import progress_bar, report_done, show_table, writable_folder, write_json, write_text

__all__ = ["Target", "Wrapper", "show_resources", "synth", "verilog"]

OfProgram = Annotated[
    Path | None, typer.Option("--program", metavar="M.nrw", help="The configuration that a program needs.")
]


class Wrapper(enum.StrEnum):
    """Ports of a core for other people's designs."""

    AXI = "axi"
    WISHBONE = "wishbone"
    SPI = "spi"
    BARE = "bare"


class Target(enum.StrEnum):
    """FPGA families."""

    ECP5 = "ecp5"
    ICE40 = "ice40"
    XILINX = "xilinx"


class Device(enum.StrEnum):
    """Devices that open tools place."""

    LFE5U_85F = "lfe5u-85f"
    LFE5U_45F = "lfe5u-45f"
    LFE5U_25F = "lfe5u-25f"
    ICE40UP5K = "ice40up5k"
    ICE40HX8K = "ice40hx8k"


def verilog(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="TOP.v", help="Where the Verilog goes.")],
    preset: Preset = None,
    config: ConfigFile = None,
    board: BoardOption = None,
    program: OfProgram = None,
    wrapper: Annotated[
        Wrapper | None,
        typer.Option("--wrapper", help="With this port, and with all that a design around the core needs beside it."),
    ] = None,
    mhz: Annotated[
        float, typer.Option("--mhz", min=0.001, metavar="F", help="Clock in the constraints that --wrapper writes.")
    ] = 50.0,
    json: JsonFile = None,
) -> None:
    """Write the core of a configuration as Verilog: module `narrows_core`, one clock, a host's port, an interrupt.

    With --wrapper the same folder also gets constraints (SDC, LPF), the register map, a C header and a bare-metal C
    driver; with --program the program as C data, too.

    **Examples**

        narrows verilog --preset medium -o core.v

        narrows verilog --program model.nrw --wrapper wishbone --mhz 80 -o ip/core.v
    """
    from ...hw.verilog import to_verilog

    writable_folder(output)
    machine = chosen_config(preset, config, board, program, host=wrapper.value if wrapper else None)
    text = to_verilog(machine)
    beside = _beside(machine, text, output.stem, mhz, program) if wrapper else {}
    for path, content in {output: text, **{output.parent / name: content for name, content in beside.items()}}.items():
        write_text(path, content)
    report_done(f"{output}: {_described(machine)}")
    if beside:
        report_done(f"beside it: {', '.join(beside)}")
    report = {"verilog": str(output), "beside": [str(output.parent / name) for name in beside]}
    write_json(json, {**report, "config": machine.to_dict(), "macs": machine.macs})


def _beside(machine: AcceleratorConfig, verilog: str, name: str, mhz: float, program: Path | None) -> dict[str, str]:
    from ..program import Program
    from ..standalone import standalone_files

    compiled = Program.load(program) if program else None
    return standalone_files(machine, verilog, name=name, mhz=mhz, program=compiled)


def synth(
    target: Annotated[
        Target | None, typer.Option("--target", help="FPGA family.", show_default="that of --board")
    ] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    board: BoardOption = None,
    program: OfProgram = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Run nothing: say what it is estimated to take of an ECP5.")
    ] = False,
    pnr: Annotated[bool, typer.Option("--pnr", help="Place and route it too, with nextpnr.")] = False,
    device: Annotated[
        Device | None, typer.Option("--device", help="For --pnr; without it lfe5u-85f or ice40up5k.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, metavar="N", help="Placements to try with --pnr.")] = 3,
    mhz: Annotated[float, typer.Option("--mhz", min=1, metavar="F", help="Clock that --pnr aims for.")] = 100.0,
    floorplan: Annotated[
        Path | None, typer.Option("--floorplan", metavar="FILE.svg", help="Picture of the median placement.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Synthesise the core of a configuration with Yosys and count its resources, module by module.

    The core takes the form that suits the family (`fabric`), whatever the configuration says of it. The first run takes
    a minute longer: Yosys is compiled for this machine once.

    With --pnr the core, its host's port a UART for want of pins, is placed and routed with several seeds: median and
    range of its clock, the modules on the critical path, cells of every module in the JSON file.

    **Examples**

        narrows synth --preset medium --target ecp5

        narrows synth --board ulx3s --estimate

        narrows synth --preset tiny --target ecp5 --pnr --floorplan tiny.svg
    """
    from ...hw.verilog import TECHMAPS, to_verilog
    from ..synthesis import synthesise

    machine = chosen_config(preset, config, board, program)
    target = target or _family(board)
    machine = dataclasses.replace(machine, fabric=target.value)
    if estimate:
        write_json(json, _estimated(machine, target))
        return
    if pnr:
        if floorplan is not None:
            writable_folder(floorplan)
        write_json(json, _placed(machine, target, device, seeds, mhz, floorplan))
        return
    with progress_bar(f"synthesising for {target}"):
        report = synthesise(to_verilog(machine), target, techmap=TECHMAPS.get(target, ""))
    show_resources(report, _described(machine))
    write_json(json, {"config": machine.to_dict(), "macs": machine.macs, **report.to_dict()})


def _family(board: str | None) -> Target:
    """The family of a board's FPGA, which is the default."""
    from ...boards.catalogue import find_board

    if board is None:
        raise InputError(f"say which FPGA family: --target {', '.join(Target)}, or --board NAME")
    family = find_board(board).family
    if family not in list(Target):
        raise InputError(f"{board} has an FPGA of the family {family}: use narrows board build {board}")
    return Target(family)


def _estimated(machine: AcceleratorConfig, target: Target) -> dict[str, Any]:
    """Show what a core is estimated to take, and give that as JSON holds it."""
    from ..report.cells import estimate_cells
    from ..report.clocks import estimate_clock

    if target is not Target.ECP5:
        raise InputError(f"there are no estimates for {target}: leave out --estimate, or choose --target ecp5")
    cells, clock = estimate_cells(machine), estimate_clock(machine)
    report_done(
        f"{_described(machine)}: about {cells.luts:,} LUT4 with carry as packed (within {cells.error:.0%}), "
        f"{cells.brams} block RAMs, {clock.mhz:.0f} MHz in speed grade 6 (within {clock.error:.0%}); errors are the "
        "largest on cores that the estimates were not fitted to"
    )
    report = {"lut": cells.luts, "bram": cells.brams, "error": cells.error}
    return {"config": machine.to_dict(), **report, "fmax_mhz": clock.mhz, "fmax_error": clock.error}


def _placed(
    machine: AcceleratorConfig, target: Target, device: Device | None, seeds: int, mhz: float, floorplan: Path | None
) -> dict[str, Any]:
    """Place and route a core, show what came of it, and give that as JSON holds it."""
    from ...hw.verilog import TECHMAPS, to_verilog
    from ..place_and_route import DEVICES, place_and_route
    from ..report.floorplan import draw_floorplan

    fitting = [name for name, found in DEVICES.items() if found.family == target.value]
    name = device.value if device else next(iter(fitting), "")
    if name not in fitting:
        raise InputError(f"--pnr places {target.value} on {', '.join(fitting) or 'nothing: use ecp5 or ice40'}")
    machine = dataclasses.replace(machine, host="uart")
    with progress_bar(f"placing on {name}") as step:
        report = place_and_route(
            to_verilog(machine),
            name,
            mhz=mhz,
            seeds=tuple(range(1, seeds + 1)),
            techmap=TECHMAPS[target.value],
            on_seed=lambda seed: step(seed - 1, seeds),
        )
    show_resources(report.synthesis, _described(machine))
    found = report.to_dict()
    show_table(
        f"critical path on {name}, seed {report.median_seed}",
        ("module", "logic ns", "routing ns"),
        [
            (part.module or "(between modules)", f"{part.logic_ns:.2f}", f"{part.routing_ns:.2f}")
            for part in report.placements[report.median_seed].path
        ],
    )
    clocks = found["fmax_mhz"]
    spent = f"{sum(run.seconds for run in report.steps):.0f} s, {max(run.megabytes for run in report.steps):,.0f} MB"
    report_done(
        f"{clocks['median']:.1f} MHz, {clocks['low']:.1f} to {clocks['high']:.1f} with {seeds} seeds; placed in {spent}"
    )
    if floorplan is not None:
        draw_floorplan(report.floorplan, floorplan, title=f"{_described(machine)}, {name}")
        report_done(f"{floorplan}: the floorplan")
    return {"config": machine.to_dict(), "macs": machine.macs, **found}


def show_resources(report: SynthesisReport, title: str) -> None:
    """Table of a synthesis report."""
    rows = [*report.modules.items(), ("total", report.total)]
    show_table(
        f"{title}, {report.target}",
        ("module", report.lut_name, "carry", f"{report.lut_name} with carry", "FF", "BRAM", "DSP", "LUT RAM"),
        [
            (
                name or "(between modules)",
                *(
                    f"{value:,}"
                    for value in (used.lut, used.carry, used.lut_total, used.ff, used.bram, used.dsp, used.lutram)
                ),
            )
            for name, used in rows
        ],
    )


def _described(machine: AcceleratorConfig) -> str:
    return (
        f"{machine.rows} x {machine.columns} x {machine.lanes} = {machine.macs} multiply-accumulates, "
        f"{machine.acc_bits}-bit accumulators, {machine.rescale_bits}-bit rescalers"
    )
