"""Options that commands share, and what they mean."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import Annotated, Any

import typer
from numpy.typing import NDArray

from ...hw.spec.config import PRESETS, AcceleratorConfig, ConfigError, load_config
from ..archives import read_archive
from ..errors import InputError

__all__ = [
    "Calibration",
    "ConfigFile",
    "Engine",
    "EngineOption",
    "InputFile",
    "JsonFile",
    "Limit",
    "Preset",
    "ProgramFile",
    "Simulator",
    "SimulatorOption",
    "chosen_config",
    "load_samples",
]

DEFAULT_PRESET = "medium"


class Engine(enum.StrEnum):
    """What runs a program."""

    GOLDEN = "golden"
    ISA = "isa"
    RTL = "rtl"


class Simulator(enum.StrEnum):
    """What simulates the Verilog."""

    VERILATOR = "verilator"
    ICARUS = "icarus"


Preset = Annotated[
    str | None,
    typer.Option(
        "--preset", metavar="NAME", help=f"Named configuration: {', '.join(PRESETS)}. Without one: {DEFAULT_PRESET}."
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.toml",
        help='Configuration from a file: parameters by name, perhaps on top of `preset = "NAME"`.',
    ),
]
ProgramFile = Annotated[Path, typer.Argument(metavar="MODEL.nrw", help="Program, as `narrows compile` writes it.")]
InputFile = Annotated[Path, typer.Option("--input", metavar="X.npz", help="Samples `x`, perhaps labels `y`.")]
Calibration = Annotated[Path, typer.Option("--calib", metavar="X.npz", help="Typical samples `x`; some hundred do.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N samples.")]
EngineOption = Annotated[
    Engine,
    typer.Option(
        "--engine", help="golden: integer model of the layers; isa: model of the machine; rtl: the Verilog, simulated."
    ),
]
SimulatorOption = Annotated[
    Simulator,
    typer.Option(
        "--simulator", help="For the Verilog; verilator comes with narrows, icarus is slower but needs no C++ compiler."
    ),
]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON too.")]


def chosen_config(
    preset: str | None, config: Path | None, program: Path | None = None, **overrides: int | str | None
) -> AcceleratorConfig:
    """Configuration by name, from a file, or of a program; ``overrides`` that are not None replace its parameters.

    Raises
    ------
    ConfigError
        If more than one is given, or a name, a file or a value is wrong.
    """
    if sum(choice is not None for choice in (preset, config, program)) > 1:
        raise ConfigError(
            "choose one of --preset, --config and --program" if program else "choose --preset or --config, not both"
        )
    if program is not None:
        from ..program import Program

        chosen = Program.load(program).config
    elif config is not None:
        chosen = load_config(config)
    elif (name := preset or DEFAULT_PRESET) in PRESETS:
        chosen = PRESETS[name]
    else:
        raise ConfigError(f"unknown preset {name!r}: the presets are {', '.join(PRESETS)}")
    return dataclasses.replace(chosen, **{name: value for name, value in overrides.items() if value is not None})


def load_samples(path: Path, limit: int | None = None) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Samples ``x`` and labels ``y`` (or None) of a numpy archive.

    Raises
    ------
    InputError
        If the file cannot be read, or holds no samples, or not as many labels.
    """
    arrays = read_archive(path)
    if "x" not in arrays:
        raise InputError(f"{path} holds {', '.join(arrays) or 'nothing'}: the samples must be named x")
    x, y = arrays["x"], arrays.get("y")
    if x.ndim == 0 or len(x) == 0:
        raise InputError(f"{path} holds no samples: x must have the shape (N, ...)")
    if y is not None and y.shape != x.shape[:1]:
        raise InputError(
            f"{path} holds labels y of shape {y.shape} for {len(x)} samples: they must have the shape ({len(x)},)"
        )
    return x[:limit], None if y is None else y[:limit]
