"""Commands on the hardware: verilog, synth."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from ...hw.spec.config import AcceleratorConfig
from ..api.hardware import described, estimate_core, place_core, synthesise_core, wrapped, write_core
from ..errors import InputError
from ..linked import load_all
from ..results import writable_folder, write_json
from ..targets import FAMILIES, find_target
from ..tasks import Workers, open_workers
from ..toolchain.synthesis import SynthesisReport
from .options import BoardOption, Cluster, ConfigFile, Jobs, JsonFile, Preset, chosen_config
from .output import TERMINAL, report_done, show_table

__all__ = ["Wrapper", "show_resources", "synth", "verilog"]

OfProgram = Annotated[
    Path | None, typer.Option("--program", metavar="M.nrw", help="The configuration that a program needs.")
]


class Wrapper(enum.StrEnum):
    """Ports of a core for other people's designs."""

    AXI = "axi"
    WISHBONE = "wishbone"
    SPI = "spi"
    BARE = "bare"
    STREAM = "stream"


def verilog(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="TOP.v", help="Where the Verilog goes.", show_default="core.v"),
    ] = None,
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
    audio: Annotated[
        bool, typer.Option("--audio", help="With --wrapper: the front end of keyword models in C, too.")
    ] = False,
    json: JsonFile = None,
) -> None:
    """Write the core of a configuration as Verilog: module `narrows_core`, one clock, a host's port, an interrupt.

    With --wrapper the same folder also gets constraints (SDC, LPF), the register map, IP-XACT, a C header and a
    bare-metal C driver; with --program the program as C data, too. The wrapper "stream" is "axi" with AXI4-Streams
    beside it, on which frames come in and answers leave without a host.

    **Examples**

        narrows verilog --program model.nrw

        narrows verilog --program model.nrw --wrapper wishbone -o ip/core.v

        narrows verilog --program okay_nabu.nrw --wrapper spi --audio -o ip/core.v
    """
    output = output or Path("core.v")
    machine = chosen_config(preset, config, board, program)
    compiled = None if program is None else load_all(program)
    files = write_core(
        machine.core,
        output,
        wrapper=None if wrapper is None else wrapper.value,
        mhz=mhz,
        program=compiled,
        audio=audio,
    )
    report_done(f"{output}: {described(machine.core)}")
    if beside := files[1:]:
        report_done(f"beside it: {', '.join(path.name for path in beside)}")
    given = machine.core if wrapper is None else wrapped(machine.core, wrapper.value)
    report = {"verilog": str(output), "beside": [str(path) for path in beside]}
    write_json(json, {**report, "config": given.to_dict(), "macs": machine.macs})


def synth(
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="NAME",
            help="FPGA family or device, as `narrows list targets` names it.",
            show_default="the family of --board",
        ),
    ] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    board: BoardOption = None,
    program: OfProgram = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Run nothing: say what it is estimated to take of an ECP5.")
    ] = False,
    pnr: Annotated[bool, typer.Option("--pnr", help="Place and route it too, with nextpnr.")] = False,
    seeds: Annotated[int, typer.Option("--seeds", min=1, metavar="N", help="Placements to try with --pnr.")] = 3,
    mhz: Annotated[float, typer.Option("--mhz", min=1, metavar="F", help="Clock that --pnr aims for.")] = 100.0,
    floorplan: Annotated[
        Path | None, typer.Option("--floorplan", metavar="FILE.svg", help="Picture of the median placement.")
    ] = None,
    cluster: Cluster = None,
    jobs: Jobs = 1,
    json: JsonFile = None,
) -> None:
    """Synthesise the core of a configuration with Yosys and count its resources, module by module.

    The core takes the form that suits the family (`fabric`), whatever the configuration says of it. The first run takes
    a minute longer: Yosys is compiled for this machine once.

    With --pnr the core, its host's port a UART for want of pins, is placed and routed with several seeds: median and
    range of its clock, the modules on the critical path, cells of every module in the JSON file. --jobs or --cluster
    places several seeds at once.

    **Examples**

        narrows synth --preset medium --target ecp5

        narrows synth --board ulx3s --estimate

        narrows synth --preset tiny --target ecp5-25k --pnr
    """
    core = chosen_config(preset, config, board, program).core
    target = target or _family(board)
    family, _ = find_target(target)
    if estimate:
        write_json(json, _estimated(core, target))
    elif pnr:
        if floorplan is not None:
            writable_folder(floorplan)
        with open_workers(cluster, jobs) as workers:
            write_json(json, _placed(core, target, seeds, mhz, floorplan, workers))
    else:
        report = synthesise_core(core, target, TERMINAL)
        show_resources(report, described(core))
        own = dataclasses.replace(core, fabric=family)
        write_json(json, {"config": own.to_dict(), "macs": core.macs, **report.to_dict()})


def _family(board: str | None) -> str:
    """The family of a board's FPGA, which is the default."""
    from ...boards.catalogue import find_board

    if board is None:
        raise InputError(f"say which FPGA: --target {', '.join(FAMILIES)} or a device of one, or --board NAME")
    family = find_board(board).family
    if family not in FAMILIES:
        raise InputError(f"{board} has an FPGA of the family {family}: use narrows board build {board}")
    return family


def _estimated(core: AcceleratorConfig, target: str) -> dict[str, Any]:
    """Show what a core is estimated to take, and give that as JSON holds it."""
    found = estimate_core(core, target)
    report_done(
        f"{described(core)}: about {found.luts:,} LUT4 with carry as packed (within {found.error:.0%}), "
        f"{found.brams} block RAMs, {found.mhz:.0f} MHz in speed grade 6 (within {found.mhz_error:.0%}); errors are "
        "the largest on cores that the estimates were not fitted to"
    )
    report = {"lut": found.luts, "bram": found.brams, "error": found.error}
    own = dataclasses.replace(core, fabric=find_target(target)[0])
    return {"config": own.to_dict(), **report, "fmax_mhz": found.mhz, "fmax_error": found.mhz_error}


def _placed(
    core: AcceleratorConfig, target: str, seeds: int, mhz: float, floorplan: Path | None, workers: Workers
) -> dict[str, Any]:
    """Place and route a core, show what came of it, and give that as JSON holds it."""
    from ..report.floorplan import draw_floorplan

    name, report = place_core(
        core,
        target,
        seeds=range(1, seeds + 1),
        mhz=mhz,
        listener=TERMINAL,
        workers=workers,
    )
    machine = dataclasses.replace(core, fabric=find_target(target)[0], host="uart")
    show_resources(report.synthesis, described(machine))
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
        draw_floorplan(report.floorplan, floorplan, title=f"{described(machine)}, {name}")
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
