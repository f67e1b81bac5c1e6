"""blocks: the parts of a float graph between which one tensor alone is passed on."""

from __future__ import annotations

from dataclasses import dataclass

from ..graph import Graph
from ..layers import Layer, Mac

__all__ = ["Block", "blocks"]


@dataclass(frozen=True)
class Block:
    """Neighbouring layers that read one tensor from before them, ``source``; ``outputs`` is what is read after them."""

    layers: tuple[Layer, ...]
    source: str
    outputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its layers, the first and the last."""
        first, last = self.layers[0].name, self.layers[-1].name
        return first if first == last else f"{first} .. {last}"


def blocks(graph: Graph) -> list[Block]:
    """All layers of a lowered graph in blocks, each with learned weights and as short as can be.

    A residual block is one of them, so is a layer that no skip connection spans. Layers without learned weights go with
    those behind them, at the graph's end with those before. A graph with states, or whose layers all read several
    tensors from before, is one block or none.
    """
    found: list[Block] = []
    begun, source, count = 0, graph.input.tensor, len(graph.layers)
    for end in range(1, count + 1):
        if not any(map(_is_learned, graph.layers[begun:end])):
            continue
        last = not any(map(_is_learned, graph.layers[end:]))
        passed = _passed(graph, graph.layers[:end], graph.layers[end:])
        if not last and len(passed) != 1:
            continue
        layers = graph.layers[begun : count if last else end]
        inside = {layer.output for layer in layers}
        if all(name in inside or name == source for layer in layers for name in layer.sources):
            outputs = graph.ends if last else passed
            found.append(Block(layers, source, tuple(name for name in outputs if name in inside)))
        if last:
            break
        begun, source = end, passed[0]
    return found


def _passed(graph: Graph, before: tuple[Layer, ...], rest: tuple[Layer, ...]) -> tuple[str, ...]:
    """Tensors that are there after some layers and needed by the rest, or when all is over."""
    there = [*graph.starts, *(layer.output for layer in before)]
    needed = {*graph.ends, *(name for layer in rest for name in layer.sources)}
    return tuple(name for name in there if name in needed)


def _is_learned(layer: Layer) -> bool:
    return isinstance(layer, Mac) and not all(term.constant for term in layer.terms)
