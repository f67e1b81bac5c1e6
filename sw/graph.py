"""The typed float graph: what frontends produce and passes rewrite, over (C, H, W) tensors of one sample."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from .grids import Grid
from .layers import Layer
from .origin import with_origins
from .outputs import Output, output_tensors
from .quantised import InputSpec
from .states import State
from .windows import Shape

__all__ = ["Graph", "rebuild"]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Layers in execution order over named tensors.

    ``outputs`` are the model's, in its order; ``notes`` say in one line each what of the model is left to the host.
    ``grids`` holds the trained grids of tensors whose `Quantise` layers are gone: of the input, of states, and of what
    layers write.
    """

    name: str
    tensors: dict[str, Shape]
    input: InputSpec
    layers: tuple[Layer, ...]
    outputs: tuple[Output, ...]
    notes: tuple[str, ...] = ()
    grids: dict[str, Grid] = field(default_factory=dict)
    states: tuple[State, ...] = ()

    @property
    def output_tensors(self) -> tuple[str, ...]:
        """Tensors that outputs show, each once."""
        return output_tensors(self.outputs)

    @property
    def starts(self) -> tuple[str, ...]:
        """Tensors that no layer writes: the input, then the states."""
        return self.input.tensor, *(state.tensor for state in self.states)

    @property
    def ends(self) -> tuple[str, ...]:
        """Tensors that are needed when a run is over, each once: those that outputs show, and updates of states."""
        return tuple(dict.fromkeys((*self.output_tensors, *(state.update for state in self.states))))

    def producers(self) -> dict[str, Layer]:
        """Layer that writes each tensor (none for the input)."""
        return {layer.output: layer for layer in self.layers}

    def last_readers(self) -> dict[str, Layer]:
        """The last layer that reads each tensor, of those that layers read."""
        return {source: layer for layer in self.layers for source in layer.sources}

    def uses(self) -> Counter[str]:
        """How often each tensor is read: by layers, by outputs of the network, by states that take it over."""
        taken = [output.tensor for output in self.outputs] + [state.update for state in self.states]
        return Counter([s for layer in self.layers for s in layer.sources] + taken)


def rebuild(graph: Graph, layers: list[Layer]) -> Graph:
    """The graph with other layers: ordered in an order of execution, unread layers and tensors dropped.

    Their origins go on (`origin.with_origins`); every rewrite ends here.
    """
    producers = {layer.output: layer for layer in layers}
    ordered: dict[str, Layer] = {}
    pending = [(name, False) for name in reversed(graph.ends)]
    while pending:
        name, ready = pending.pop()
        layer = producers.get(name)
        if layer is None or layer.output in ordered:
            continue
        if ready:
            ordered[layer.output] = layer
        else:
            pending.append((name, True))
            pending.extend((source, False) for source in reversed(layer.sources))
    names = {*graph.starts, *ordered}
    tensors = {name: shape for name, shape in graph.tensors.items() if name in names}
    grids = {name: grid for name, grid in graph.grids.items() if name in names}
    return replace(graph, layers=with_origins(graph.layers, tuple(ordered.values())), tensors=tensors, grids=grids)
