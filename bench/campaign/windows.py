"""Streaming networks beside LiteRT, code by code, and beside the same layers over a whole window of frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.costs.estimate import estimate, roomy
from narrows.sw.costs.timeline import timeline
from narrows.sw.frontend import Imported
from narrows.sw.frontend.tflite import run_litert
from narrows.sw.graph import Graph, rebuild
from narrows.sw.layers import Layer, Mac, renamed
from narrows.sw.passes import lower
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.quantize import QuantSettings
from narrows.sw.runtime import prepare_input
from numpy.typing import NDArray

__all__ = ["ends_of", "equal_codes", "sketched_cycles", "windowed"]


def ends_of(graph: Graph) -> tuple[float, float]:
    """Smallest and largest value that the input's codes stand for."""
    grid = lower(graph).grids[graph.input.tensor]
    return float(grid.scale * (grid.low - grid.zero)), float(grid.scale * (grid.high - grid.zero))


def equal_codes(
    path: Path, imported: Imported, quantised: QuantisedGraph, x: NDArray, config: AcceleratorConfig
) -> tuple[int, int]:
    """Codes of all tensors that both have, and how many are equal."""
    ours = GoldenModel(quantised, config).run(prepare_input(quantised, x))
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


def sketched_cycles(graph: Graph, config: AcceleratorConfig) -> int:
    """Cycles of a lowered graph by the cycle model."""
    room = replace(roomy(config), weight_words=config.weight_words)
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
