"""Cycles that a layer takes at least on a core, from the shape of the array, its bandwidth and the drain."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.pipeline import pipeline
from ..compile.geometry import Window
from ..program import Program
from ..quantised import HeldSegment, MacLayer, MaxLayer, QuantisedGraph

__all__ = ["LayerBound", "layer_bounds"]


@dataclass(frozen=True, kw_only=True)
class LayerBound:
    """Lower bounds of a layer's cycles.

    ``array`` are the steps if every word that is read is as full as the layer's values allow, ``drain`` the cycles in
    which results leave, ``latency`` those from the last step to the last write, which nothing hides, since the next
    layer reads what this one writes. Every step reads one weight word and one word a row: that is all the bandwidth
    there is, so that ``array`` is the bound from bandwidth, too.
    """

    name: str
    array: int
    drain: int
    latency: int

    @property
    def cycles(self) -> int:
        """The bound: the slower of array and drain, and the latency."""
        return max(self.array, self.drain) + self.latency


def layer_bounds(program: Program) -> list[LayerBound]:
    """Bounds of a program's layers, in order.

    A multiply-accumulate layer of O channels and N output pixels takes ``ceil(N/rows) * ceil(O/columns)`` tiles. A
    dense segment of I channels and T taps takes ``passes * ceil(I*T/lanes)`` steps of each, where a pass is a pair of
    digits; a depthwise one ``passes * ceil(columns*T/lanes)``. Where all segments are depthwise, rows may as well hold
    channel groups of one pixel: ``passes * N*T * ceil(ceil(O/lanes)/rows) * ceil(lanes/columns)`` steps. A max-pool
    reads and writes a word a cycle. A layer that enlarges is a layer for each phase of its output.
    """
    graph, config, plan = program.graph, program.config, pipeline(program.config)
    bounds = []
    for layer in graph.layers:
        channels, height, width = graph.tensors[layer.output].shape
        pixels = height * width
        planes = program.layouts[layer.output].planes
        if isinstance(layer, MaxLayer):
            words = pixels * -(-channels // config.lanes) * planes
            taps = sum(Window.of(layer).hits(program.layouts[layer.source], (height, width)))
            latency = plan.operands + plan.max_pool + plan.writer
            bounds.append(LayerBound(name=layer.name, array=words * taps, drain=words, latency=latency))
            continue
        drain = -(-pixels // config.drain_rows) * -(-channels // config.rescalers) * planes
        latency = plan.operands + plan.array + plan.drain + plan.writer
        phases = math.prod(layer.enlarge)
        array = phases * _steps(layer, graph, config, pixels // phases, channels)
        bounds.append(LayerBound(name=layer.name, array=array, drain=drain, latency=latency))
    return bounds


def _steps(layer: MacLayer, graph: QuantisedGraph, config: AcceleratorConfig, pixels: int, channels: int) -> int:
    tiles = -(-pixels // config.rows) * -(-channels // config.columns)
    words = -(-channels // config.lanes)
    groups = pixels * -(-words // config.rows) * -(-config.lanes // config.columns)
    steps = grouped = 0
    for segment in layer.segments:
        if isinstance(segment, HeldSegment):
            weight_planes = config.digits.count(graph.tensors[segment.held].levels)
        else:
            weight_planes = int(config.weight_digits.fewest_codes(segment.weights).any(axis=(1, 2, 3, 4)).sum())
        passes = weight_planes * config.digits.count(graph.tensors[segment.source].levels)
        taps = math.prod(segment.weights.shape[2:])
        values = (config.columns if segment.depthwise else segment.weights.shape[1]) * taps
        steps += passes * -(-values // config.lanes)
        grouped += passes * groups * taps
    if all(segment.depthwise for segment in layer.segments):
        return min(tiles * steps, grouped)
    return tiles * steps
