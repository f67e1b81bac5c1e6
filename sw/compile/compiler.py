"""From a quantised graph to a program: the order of the compiler's steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.layout import TensorLayout
from ..errors import CapacityError
from ..program import Program
from ..quantised import QuantisedGraph
from .allocate import Lifetime, lifetimes, pack_tensors
from .assemble import Assembler
from .bands import plan_activations
from .certify import certify
from .copies import copy_strided_sources, pad_sources
from .layouts import PaceError, choose_layouts
from .maxima import without_max_pools
from .planners import planner_of
from .shortages import Shortages
from .states import places, written_last
from .streamed import compile_streamed

__all__ = ["compile_graph"]

_PRICES = (0, 1, 4, 16, 1 << 20)
"""Cycles that a word of activation memory is worth, tried in order until a model fits."""


def compile_graph(graph: QuantisedGraph, config: AcceleratorConfig) -> Program:
    """Program that computes a quantised graph on a core; the same for the same arguments.

    The program's graph has additional layers: copies of tensors, where a layer could not read its sources otherwise,
    and sums and differences in place of max-pools, where the core has no unit for these.

    Parameters
    ----------
    graph : QuantisedGraph
    config : AcceleratorConfig

    Raises
    ------
    CapacityError
        If a memory, a count or a field is too small; the message names all of them, with the layer and the parameter
        to raise.
    CertificateError
        If a layer's sums need more accumulator bits than it states or the configuration has, and nothing else is
        lacking.
    """
    if not isinstance(graph, QuantisedGraph):
        raise TypeError(f"graph must be a QuantisedGraph, not {graph!r}")
    if not isinstance(config, AcceleratorConfig):
        raise TypeError(f"config must be an AcceleratorConfig, not {config!r}")
    graph = written_last(without_max_pools(graph, config), config)
    graph, layouts = _paced(pad_sources(graph, config), config)
    shortages = Shortages(config)
    planners = [planner_of(layer, graph, config) for layer in graph.layers]
    for planner in planners:
        planner.check_units(shortages)
    certificates = {layer.name: certify(layer, graph, config, shortages) for layer in graph.layers}
    if config.has_backing:
        for planner in planners:
            planner.check_bands()
        return compile_streamed(graph, _bandable(graph, config, layouts), config, certificates, shortages)
    placed = _place_tensors(graph, config, layouts, shortages)
    assembler = Assembler(graph, config, placed, shortages)
    for layer in graph.layers:
        assembler.add_resident(layer, certificates[layer.name])
    return assembler.finish()


def _paced(graph: QuantisedGraph, config: AcceleratorConfig) -> tuple[QuantisedGraph, dict[str, TensorLayout]]:
    """The graph, with copies where a layer could otherwise not read all its sources at one pace, and its layouts."""
    while True:
        try:
            return graph, choose_layouts(graph, config)
        except PaceError as error:
            layer = next(layer for layer in graph.layers if layer.name == error.layer)
            copied = copy_strided_sources(graph, layer, config)
            if copied is None:
                raise
            graph = copied


def _bandable(
    graph: QuantisedGraph, config: AcceleratorConfig, layouts: dict[str, TensorLayout]
) -> dict[str, TensorLayout]:
    """The given layouts, or ordinary ones where bands of lines would cut through others."""
    packed = {name for name, layout in layouts.items() if layout.unfold is not None or layout.interleaved}
    if not packed:
        return layouts
    try:
        plan = plan_activations(graph, config, layouts)
    except CapacityError:
        return choose_layouts(graph, config, packed=False)
    banded = [layer for layer in graph.layers if len(plan.layers[layer.name].bands) > 1]
    cut = {*plan.external, *(name for layer in banded for name in (*layer.sources, layer.output))}
    return choose_layouts(graph, config, packed=False) if packed & cut else layouts


def _place_tensors(
    graph: QuantisedGraph, config: AcceleratorConfig, layouts: dict[str, TensorLayout], shortages: Shortages
) -> dict[str, TensorLayout]:
    """Layouts with bases: the given ones, or where they do not fit smaller ones."""
    lives, shared = lifetimes(graph), places(graph)
    for price in _PRICES:
        if price:
            layouts = choose_layouts(graph, config, price=price)
        sizes = {name: layout.size for name, layout in layouts.items() if name not in shared}
        bases, used = pack_tensors(sizes, lives)
        if used <= config.act_words:
            break
    layer = _widest_layer(graph, sizes, lives)
    shortages.need("act_words", "words of activation memory", used, layer)
    return {name: replace(layout, base=bases[shared.get(name, name)]) for name, layout in layouts.items()}


def _widest_layer(graph: QuantisedGraph, sizes: Mapping[str, int], lives: Mapping[str, Lifetime]) -> str:
    """Layer at which the most words are in use."""
    in_use = [
        sum(size for name, size in sizes.items() if lives[name].first <= index <= lives[name].last)
        for index in range(len(graph.layers))
    ]
    return graph.layers[int(np.argmax(in_use))].name if in_use else ""
