"""Allocation of tensors in activation memory by the time in which each is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..quantised import MacLayer, MaxLayer, QuantisedGraph

__all__ = ["Lifetime", "lifetimes", "pack_tensors", "sources"]


@dataclass(frozen=True)
class Lifetime:
    """First and last layer (inclusive) for which a tensor's words must not be shared; -1 is before the first layer."""

    first: int
    last: int

    def meets(self, other: Lifetime) -> bool:
        """Whether the two are needed at the same time."""
        return self.first <= other.last and other.first <= self.last


def sources(layer: MacLayer | MaxLayer) -> tuple[str, ...]:
    """Tensors that a layer reads, each once, in order."""
    names = (layer.source,) if isinstance(layer, MaxLayer) else tuple(segment.source for segment in layer.segments)
    return tuple(dict.fromkeys(names))


def lifetimes(graph: QuantisedGraph) -> dict[str, Lifetime]:
    """Lifetime of every tensor: from its layer to its last reader, outputs to the end of the run."""
    first = {graph.input.tensor: -1}
    last = {graph.input.tensor: -1}
    for index, layer in enumerate(graph.layers):
        first[layer.output] = last[layer.output] = index
        for name in sources(layer):
            last[name] = index
    for name, _ in graph.outputs:
        last[name] = len(graph.layers)
    return {name: Lifetime(first[name], last[name]) for name in first}


def pack_tensors(sizes: Mapping[str, int], lives: Mapping[str, Lifetime]) -> tuple[dict[str, int], int]:
    """Base address of each tensor, and the words used in all.

    First fit in several orders (largest first, as they appear, last needed first, longest-lived first), of which the
    tightest is kept; the problem itself is NP-hard, and graphs are small.

    Parameters
    ----------
    sizes : mapping of name to int
        Words of each tensor.
    lives : mapping of name to Lifetime
    """
    position = {name: index for index, name in enumerate(sizes)}
    orders: tuple[Callable[[str], tuple[int, ...]], ...] = (
        lambda name: (-sizes[name],),
        lambda name: (lives[name].first,),
        lambda name: (-lives[name].last,),
        lambda name: (lives[name].first - lives[name].last, -sizes[name]),
    )
    best: tuple[dict[str, int], int] | None = None
    for order in orders:
        bases = _first_fit(sorted(sizes, key=lambda name: (*order(name), position[name])), sizes, lives)
        used = max((bases[name] + sizes[name] for name in bases), default=0)
        if best is None or used < best[1]:
            best = bases, used
    assert best is not None
    return {name: best[0][name] for name in sizes}, best[1]


def _first_fit(order: list[str], sizes: Mapping[str, int], lives: Mapping[str, Lifetime]) -> dict[str, int]:
    bases: dict[str, int] = {}
    for name in order:
        alive = [other for other in bases if lives[name].meets(lives[other])]
        taken = sorted((bases[other], bases[other] + sizes[other]) for other in alive)
        base = 0
        for low, high in taken:
            if base + sizes[name] <= low:
                break
            base = max(base, high)
        bases[name] = base
    return bases
