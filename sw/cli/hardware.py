"""Commands on the hardware: verilog, synth."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import Annotated

import typer

from ...hw.spec.config import AcceleratorConfig
from ..synthesis import SynthesisReport
from .options import ConfigFile, JsonFile, Preset, chosen_config
from .output import progress_bar, report_done, show_table, writable_folder, write_json, write_text

__all__ = ["Target", "Wrapper", "show_resources", "synth", "verilog"]

OfProgram = Annotated[
    Path | None, typer.Option("--program", metavar="M.nrw", help="The configuration that a program needs.")
]


class Wrapper(enum.StrEnum):
    """Ports of a core for other people's designs."""

    AXI = "axi"
    WISHBONE = "wishbone"
    BARE = "bare"


class Target(enum.StrEnum):
    """FPGA families."""

    ECP5 = "ecp5"
    ICE40 = "ice40"
    XILINX = "xilinx"


def verilog(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="TOP.v", help="Where the Verilog goes.")],
    preset: Preset = None,
    config: ConfigFile = None,
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
    machine = chosen_config(preset, config, program, host=wrapper.value if wrapper else None)
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
    target: Annotated[Target, typer.Option("--target", help="FPGA family.")],
    preset: Preset = None,
    config: ConfigFile = None,
    program: OfProgram = None,
    json: JsonFile = None,
) -> None:
    """Synthesise the core of a configuration with Yosys and count its resources, module by module.

    The core takes the form that suits the family (`fabric`), whatever the configuration says of it. The first run takes
    a minute longer: Yosys is compiled for this machine once.

    **Example**

        narrows synth --preset medium --target ecp5
    """
    from ...hw.verilog import TECHMAPS, to_verilog
    from ..synthesis import synthesise

    machine = dataclasses.replace(chosen_config(preset, config, program), fabric=target.value)
    with progress_bar(f"synthesising for {target}"):
        report = synthesise(to_verilog(machine), target, techmap=TECHMAPS.get(target, ""))
    show_resources(report, _described(machine))
    write_json(json, {"config": machine.to_dict(), "macs": machine.macs, **report.to_dict()})


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
