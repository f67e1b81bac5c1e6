"""lowered: a model's graph of layers that the core has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..graph import Graph

__all__ = ["lowered"]


def lowered(graph: Graph, *, exact: bool = False) -> Graph:
    """A float graph of layers that the core has; ``exact`` as `QuantSettings` has it."""
    from ..passes import lower
    from ..quantize.halves import in_halves

    return in_halves(lower(graph), exact=exact)
