"""standalone_files: everything that goes beside the Verilog of a core."""

from __future__ import annotations

from pathlib import Path

from ...hw.spec.config import AcceleratorConfig
from ..errors import ProgramMismatch
from ..linked import Linked
from ..program import Program
from .audio_files import audio_files
from .constraints import lpf, sdc
from .header import core_header
from .ip_xact import ip_xact
from .model_data import model_sources
from .ports import core_ports
from .register_map import register_map

__all__ = ["standalone_files"]

_DRIVER = ("narrows.h", "narrows.c")
_SPI = ("narrows_spi.h", "narrows_spi.c")


def standalone_files(
    config: AcceleratorConfig,
    verilog: str,
    *,
    name: str,
    mhz: float,
    source: str = "",
    program: Program | Linked | None = None,
    audio: bool = False,
) -> dict[str, str]:
    """Texts by file name: constraints, register map, IP-XACT, C header, C driver, and perhaps a model as C data.

    Parameters
    ----------
    config : AcceleratorConfig
    verilog : str
        The core of this configuration.
    name : str
        What constraints and register map are called, without ending.
    mhz : float
        Clock that the constraints ask for.
    source : str
        Name of the Verilog's file; ``name`` with the ending ``.v`` without it.
    program : Program or Linked, optional
    audio : bool
        The front end of keyword models, too.

    Raises
    ------
    ProgramMismatch
        If the program was compiled for another configuration.
    ProgramError
        If its tensors do not all stay on the chip.
    """
    if program is not None and program.config.digest != config.digest:
        raise ProgramMismatch("the program was compiled for another configuration: compile the model for the core's")
    ports = core_ports(verilog)
    files = {
        f"{name}.sdc": sdc(ports, mhz),
        f"{name}.lpf": lpf(ports, mhz),
        f"{name}.md": register_map(config, ports),
        "component.xml": ip_xact(config, ports, source or f"{name}.v"),
        "narrows_core.h": core_header(config),
    }
    files |= {
        file: (Path(__file__).parent / file).read_text(encoding="utf-8")
        for file in (*_DRIVER, *(_SPI if config.host == "spi" else ()))
    }
    if program is not None:
        files["narrows_model.h"], files["narrows_model.c"] = model_sources(program, config)
    return files | (audio_files() if audio else {})
