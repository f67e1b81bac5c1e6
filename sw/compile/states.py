"""States in memory: each has one place, which the layer that writes its update overwrites."""

from __future__ import annotations

from dataclasses import replace

from ...hw.spec.config import AcceleratorConfig
from ..quantised import IntegerLayer, QuantisedGraph
from .copies import copy_of

__all__ = ["in_place", "places", "written_last"]


def places(graph: QuantisedGraph) -> dict[str, str]:
    """State in whose place each update lies."""
    return {state.update: state.tensor for state in graph.states}


def in_place(graph: QuantisedGraph) -> QuantisedGraph:
    """The graph as memory sees it: updates under the names of their states."""
    names = places(graph)
    if not names:
        return graph
    return replace(
        graph,
        layers=tuple(layer.renamed(names) for layer in graph.layers),
        outputs=tuple(replace(output, tensor=names.get(output.tensor, output.tensor)) for output in graph.outputs),
        states=tuple(replace(state, update=state.tensor) for state in graph.states),
    )


def written_last(graph: QuantisedGraph, config: AcceleratorConfig) -> QuantisedGraph:
    """The graph with every update written when nothing reads its state any more.

    A layer that writes an update which no layer reads goes to the end; where that does not help (states that take over
    each other), it writes beside the state, and a copy at the end brings that there.
    """
    if not graph.states:
        return graph
    layers = list(graph.layers)
    read = {source for layer in layers for source in layer.sources}
    free = [state for state in graph.states if state.update not in read]
    for _ in free:  # what one of them moves behind may have to move in turn: a line of delays
        early = [state.update for state in free if _too_early(layers, state.tensor, state.update)]
        for update in early:
            layers.sort(key=lambda layer, update=update: layer.output == update)
    tensors = dict(graph.tensors)
    for state in graph.states:
        if _too_early(layers, state.tensor, state.update):
            beside = replace(tensors[state.update], name=f"{state.update} beside {state.tensor}")
            tensors[beside.name] = beside
            layers = [layer.renamed({state.update: beside.name}) for layer in layers]
            layers.append(copy_of(beside, tensors[state.update], config))
    return replace(graph, tensors=tensors, layers=tuple(layers))


def _too_early(layers: list[IntegerLayer], state: str, update: str) -> bool:
    """Whether a state is read by the layer that writes its update, or by a later one."""
    writer = next(index for index, layer in enumerate(layers) if layer.output == update)
    return any(state in layer.sources for layer in layers[writer:])
