"""Rows of bench/networks.py: a network imported, judged, quantised, compiled and compared on every engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.costs.estimate import estimate
from narrows.sw.costs.examine import examine
from narrows.sw.costs.timeline import timeline
from narrows.sw.costs.work import useful_macs, utilisation
from narrows.sw.engines import EngineName
from narrows.sw.errors import CapacityError, NarrowsError
from narrows.sw.frontend import Imported, import_model
from narrows.sw.graph import Graph
from narrows.sw.listener import Quiet
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import LayerFormats, QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.reference import judge
from narrows.sw.runtime import prepare_input, restore_outputs
from narrows.sw.verify import compare_engines
from numpy.typing import NDArray

from .samples import features, images
from .windows import ends_of, equal_codes, sketched_cycles, windowed

__all__ = ["Network", "Row", "rows_of"]

_CALIBRATION, _FRAMES, _FEW, _JUDGED = 64, 200, 24, 2


@dataclass(frozen=True)
class Network:
    """A network of the bench.

    ``file`` gives its model for images of so many lines, or whatever it fixes itself where ``sizes`` is (0, 0). Of
    ``sizes`` the first is for cycles, the second for everything that computes: accuracy, the model of the machine and
    the Verilog. Tensors of names like ``wide`` (a regular expression) have DyBit8 in the first formats: cell states of
    an LSTM reach far, and most lie near 0. ``formats`` are of weights and activations, or ``weights:activations``.
    """

    source: str
    file: Callable[[int], Path]
    config: AcceleratorConfig
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    sizes: tuple[int, int] = (0, 0)
    formats: tuple[str, ...] = ("int8",)
    samples: Callable[[np.random.Generator, int, tuple[int, ...]], NDArray[np.float32]] = images
    deployed: bool = False
    wide: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A network in one pair of formats. ``as_shipped`` is whether the package's own file is taken, ``refusal`` why a
    network is not.

    ``agreement`` is the share of codes that are LiteRT's where ``codes`` says how many were compared, else of samples
    whose first answer is the float model's; None for networks that give images. ``snr_db`` is that of the first output.
    ``cycles`` are the program's for images of ``pixels`` lines; everything else is of ``checked_pixels`` lines;
    ``frame_cycles`` and ``window_cycles`` are a stream's, of layers that are not
    made twice to be exact.
    """

    model: str
    source: str
    as_shipped: bool
    refusal: str = ""
    formats: str = ""
    pixels: int = 0
    checked_pixels: int = 0
    frames: int = 0
    codes: int = 0
    agreement: float | None = None
    snr_db: float | None = None
    isa_mismatches: int | None = None
    rtl_mismatches: int | None = None
    units: int = 0
    cycles: int = 0
    frame_cycles: int = 0
    window_cycles: int = 0
    utilisation: float = 0.0


def rows_of(name: str, network: Network, frames: int, isa: int, rtl: int) -> list[Row]:
    """Rows of a network, one for each of its formats, or one that says why it is refused."""
    large, small = network.sizes
    path = network.file(small)
    try:
        refusals = examine(path, network.shapes, network.states).refusals
        imported = None if refusals else import_model(path, network.shapes, network.states)
    except NarrowsError as error:
        refusals, imported = (str(error),), None
    if imported is None:
        return [Row(model=name, source=network.source, as_shipped=False, refusal=refusals[0])]
    if lower(imported.graph).grids:
        return [_stream_row(name, network, path, imported, frames, isa, rtl)]
    rng = np.random.default_rng(3)
    counts = (_FRAMES if network.states else _FEW, _FEW)
    calibration, x = (network.samples(rng, count, imported.graph.input.shape) for count in counts)
    judge(path, imported, x[:_JUDGED], states=network.states)
    rows = []
    for formats in network.formats:
        weights, _, acts = (formats if ":" in formats else f"{formats}:{formats}").partition(":")
        row = Row(
            model=name,
            source=network.source,
            as_shipped=network.deployed,
            formats=f"{weights} x {acts}",
            pixels=large,
            checked_pixels=small,
            units=network.config.macs,
        )
        own: dict[str, LayerFormats] = {}
        if network.wide and formats == network.formats[0]:
            names = [layer.name for layer in lower(imported.graph).layers if re.fullmatch(network.wide, layer.output)]
            own = dict.fromkeys(names, LayerFormats(acts="dybit8"))
            row = replace(row, formats=f"{row.formats}, cells dybit8")
        settings = QuantSettings(weights=weights, acts=acts, layers=own)
        try:
            row = _computed(row, imported.graph, settings, network.config, (calibration, x), (isa, rtl))
            row = row if small == large else _sketched(row, network, settings)
        except CapacityError as error:
            row = replace(row, as_shipped=False, refusal=str(error))
        rows.append(row)
    return rows


def _computed(
    row: Row,
    graph: Graph,
    settings: QuantSettings,
    config: AcceleratorConfig,
    samples: tuple[NDArray[np.float32], NDArray[np.float32]],
    checks: tuple[int, int],
) -> Row:
    """A float model in integers beside its float answers, and on as many samples on the engines as ``checks`` say."""
    calibration, x = samples
    quantised, floats = quantise(graph, calibration, settings, config), lower(graph)
    program = compile_graph(quantised, config)
    levels = GoldenModel(quantised, config).run(prepare_input(quantised, x), quantised.output_tensors)
    first, cycles = quantised.outputs[0], timeline(program).cycles
    ours = restore_outputs(quantised, levels, raw=True)[first.name].reshape(len(x), -1)
    theirs = first.elements(evaluate(floats, x)[first.tensor]).reshape(len(x), -1)
    gives_scores = floats.tensors[first.tensor][1:] == (1, 1)
    wrong = _wrong(program, x, checks)
    return replace(
        row,
        agreement=float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean()) if gives_scores else None,
        snr_db=float(10 * np.log10(np.square(theirs - theirs.mean()).mean() / np.square(ours - theirs).mean())),
        isa_mismatches=wrong[EngineName.ISA],
        rtl_mismatches=wrong[EngineName.RTL],
        cycles=cycles,
        utilisation=utilisation(useful_macs(floats), cycles, config.macs),
    )


def _sketched(row: Row, network: Network, settings: QuantSettings) -> Row:
    """The row with the cycles of the large size, by the cycle model on a program with blank weights."""
    graph = lower(import_model(network.file(row.pixels), network.shapes, network.states).graph)
    found = estimate(graph, network.config, settings, only=True)
    if found.program is None or found.problems:
        return replace(row, cycles=0, utilisation=0.0, refusal=f"of {row.pixels} lines: {found.problems[0]}")
    cycles = timeline(found.program).cycles
    return replace(row, cycles=cycles, utilisation=utilisation(useful_macs(graph), cycles, network.config.macs))


def _stream_row(name: str, network: Network, path: Path, imported: Imported, frames: int, isa: int, rtl: int) -> Row:
    """A network that comes with integers of its own, frame by frame."""
    rng, config = np.random.default_rng(5), network.config
    low, high = ends_of(imported.graph)
    calibration, x = (features(rng, count, imported.graph.input.shape, low, high) for count in (_CALIBRATION, frames))
    quantised = quantise(imported.graph, calibration, QuantSettings(exact=True), config)
    program = compile_graph(quantised, config)
    codes, equal = equal_codes(path, imported, quantised, x, config)
    wrong = _wrong(program, x, (isa, rtl))
    cycles = timeline(program).cycles
    return Row(
        model=name,
        source=network.source,
        as_shipped=True,
        formats="int8 x int8, its own",
        frames=frames,
        codes=codes,
        agreement=equal / codes,
        isa_mismatches=wrong[EngineName.ISA],
        rtl_mismatches=wrong[EngineName.RTL],
        units=config.macs,
        cycles=cycles,
        frame_cycles=sketched_cycles(lower(imported.graph), config),
        window_cycles=sketched_cycles(windowed(lower(imported.graph)), config),
        utilisation=utilisation(useful_macs(lower(imported.graph)), cycles, config.macs),
    )


def _wrong(program: Program, x: NDArray, checks: tuple[int, int]) -> dict[EngineName, int | None]:
    """Tensors that differ from the golden model's on the model of the machine and as Verilog; None: not tried."""
    wrong: dict[EngineName, int | None] = {}
    for engine, count in zip((EngineName.ISA, EngineName.RTL), checks, strict=True):
        levels = prepare_input(program.graph, x[:count])
        wrong[engine] = (
            len(compare_engines(program, levels, [engine], bar=Quiet().progress).mismatches) if count else None
        )
    return wrong
