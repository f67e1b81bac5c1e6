"""Allocation of tensors in activation memory by the time in which each is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..quantised import QuantisedGraph

__all__ = ["Lifetime", "least_words", "lifetimes", "pack_tensors"]

_LIMITS = 8
_TRIES = 2000


@dataclass(frozen=True)
class Lifetime:
    """First and last layer (inclusive) for which a tensor's words must not be shared; -1 is before the first layer."""

    first: int
    last: int

    def meets(self, other: Lifetime) -> bool:
        """Whether the two are needed at the same time."""
        return self.first <= other.last and other.first <= self.last


def lifetimes(graph: QuantisedGraph) -> dict[str, Lifetime]:
    """Lifetime of every tensor: from its layer to its last reader, outputs to the end of the run.

    A state keeps its place from run to run; what it takes over lies there, too (`states.places`).
    """
    first = {graph.input.tensor: -1}
    last = {graph.input.tensor: -1}
    for index, layer in enumerate(graph.layers):
        first[layer.output] = last[layer.output] = index
        for name in layer.sources:
            last[name] = index
    for name in graph.output_tensors:
        last[name] = len(graph.layers)
    for state in graph.states:
        for name in (state.tensor, state.update):
            first[name], last[name] = -1, len(graph.layers)
    return {name: Lifetime(first[name], last[name]) for name in first}


def least_words(sizes: Mapping[str, int], lives: Mapping[str, Lifetime]) -> int:
    """Words of the tensors that are needed at the same time, at most: no packing takes fewer."""
    births = {lives[name].first for name in sizes}
    return max(
        sum(size for name, size in sizes.items() if lives[name].first <= birth <= lives[name].last) for birth in births
    )


def pack_tensors(sizes: Mapping[str, int], lives: Mapping[str, Lifetime]) -> tuple[dict[str, int], int]:
    """Base address of each tensor, and the words used in all.

    First fit in several orders; where none reaches the most words ever alive, which is the least possible, a bounded
    search that puts every tensor as low or as high as it goes. (The problem itself is NP-hard.)

    Parameters
    ----------
    sizes : mapping of name to int
        Words of each tensor.
    lives : mapping of name to Lifetime
    """
    place = {name: index for index, name in enumerate(sizes)}
    born = sorted(sizes, key=lambda name: (lives[name].first, place[name]))
    orders = (
        sorted(sizes, key=lambda name: (-sizes[name], place[name])),
        born,
        sorted(sizes, key=lambda name: (-lives[name].last, place[name])),
        sorted(sizes, key=lambda name: (lives[name].first - lives[name].last, -sizes[name], place[name])),
    )
    rivals = {name: tuple(other for other in sizes if lives[name].meets(lives[other])) for name in sizes}
    bases = min((_first_fit(order, sizes, rivals) for order in orders), key=lambda bases: _used(bases, sizes))
    used = _used(bases, sizes)
    least = least_words(sizes, lives)
    for part in range(_LIMITS):
        limit = least + (used - least) * part // _LIMITS
        if limit < used and (found := _search(born, sizes, rivals, limit)) is not None:
            bases, used = found, _used(found, sizes)
    return {name: bases[name] for name in sizes}, used


def _used(bases: Mapping[str, int], sizes: Mapping[str, int]) -> int:
    return max(bases[name] + sizes[name] for name in bases)


def _gaps(
    name: str, bases: Mapping[str, int], sizes: Mapping[str, int], rivals: Mapping[str, tuple[str, ...]], limit: int
) -> list[tuple[int, int]]:
    """Free ranges below ``limit`` that hold a tensor, lowest first; ``rivals`` are those needed at the same time."""
    taken = sorted((bases[other], bases[other] + sizes[other]) for other in rivals[name] if other in bases)
    gaps, start = [], 0
    for low, high in [*taken, (limit, limit)]:
        if low - start >= sizes[name]:
            gaps.append((start, low))
        start = max(start, high)
    return gaps


def _first_fit(order: list[str], sizes: Mapping[str, int], rivals: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    bases: dict[str, int] = {}
    for name in order:
        bases[name] = _gaps(name, bases, sizes, rivals, sum(sizes.values()))[0][0]
    return bases


def _search(
    order: list[str], sizes: Mapping[str, int], rivals: Mapping[str, tuple[str, ...]], limit: int
) -> dict[str, int] | None:
    """Bases below ``limit`` for tensors placed in this order; None if none are found in a number of tries."""

    def choices() -> Iterator[int]:
        name = order[len(bases)]
        gaps = _gaps(name, bases, sizes, rivals, limit)
        ends = (gaps[0][0], gaps[-1][1] - sizes[name]) if gaps else ()
        # A chain fits best with its tensors at the two ends by turns.
        return iter(dict.fromkeys(reversed(ends) if len(bases) % 2 else ends))

    bases: dict[str, int] = {}
    pending = [choices()]
    for _ in range(_TRIES):
        name = order[len(pending) - 1]
        bases.pop(name, None)
        base = next(pending[-1], None)
        if base is None:
            pending.pop()
            if not pending:
                return None
            continue
        bases[name] = base
        if len(bases) == len(order):
            return bases
        pending.append(choices())
    return None
