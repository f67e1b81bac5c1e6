"""Updates of states are written by layers of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph import Graph, rebuild
from ..layers import Layer, Mac
from ..states import State
from .merge_adds import identity

__all__ = ["own_updates"]


def own_updates(graph: Graph) -> Graph:
    """The graph with a copy wherever what a state takes over is not written by a layer that copies for it alone.

    A state's update has the state's own format, so nothing else may ask anything of it.
    """
    uses, producers = graph.uses(), graph.producers()
    layers, tensors, grids = list[Layer](graph.layers), dict(graph.tensors), dict(graph.grids)
    states: list[State] = []
    for state in graph.states:
        producer = producers.get(state.update)
        alone = isinstance(producer, Mac) and producer.copies and producer.is_linear and uses[state.update] == 1
        if not alone or grids.get(state.update) != grids.get(state.tensor):
            output = f"{state.tensor}/update"
            channels = tensors[state.update][0]
            layers.append(
                Mac(
                    name=output,
                    terms=(identity(state.update, channels),),
                    bias=np.zeros(channels),
                    output=output,
                    copies=True,
                    origin=() if producer is None else producer.origin,
                )
            )
            tensors[output] = tensors[state.update]
            if state.tensor in grids:
                grids[output] = grids[state.tensor]
            state = replace(state, update=output)
        states.append(state)
    return rebuild(replace(graph, tensors=tensors, grids=grids, states=tuple(states)), layers)
