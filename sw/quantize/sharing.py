"""Layers that share tables of levels, where a model has more curves than the core has tables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.formats import Format
from ..curves import Function
from ..errors import CapacityError
from ..graph import Graph
from ..layers import Mac
from ..quantised import QuantisedTensor
from ..shortage import Shortage
from . import evaluate
from .lookup import choose_integers
from .planned import curved_layers, tables_needed
from .tensors import Choice, choose

__all__ = ["SharedTable", "share_tables"]

_IMAGES = 16
_SAMPLES = 2048


@dataclass(frozen=True)
class SharedTable:
    """What layers with one table have in common: the integers that are looked up, and scale and zero level behind."""

    integers: QuantisedTensor
    choice: Choice


@dataclass(frozen=True)
class _Curved:
    """A layer with the sums that some samples give."""

    layer: Mac
    function: Function
    sums: NDArray[np.float64]

    @property
    def spread(self) -> float:
        """How far its values lie apart, as a power of two."""
        return float(np.log2(max(self.function(self.sums).std(), np.finfo(np.float32).tiny)))


def share_tables(
    graph: Graph, samples: NDArray, config: AcceleratorConfig, format_of: Callable[[Mac], Format]
) -> dict[str, SharedTable]:
    """Tables by the names of layers that have to share one; any other curve has a table of its own.

    Layers share one if they have the same function and format, and values of similar size: of all layers in the order
    of their spread, neighbours that differ most get different ones.

    Parameters
    ----------
    graph : Graph
        Lowered.
    samples : array, shape (N, ...)
        As the model takes them.
    config : AcceleratorConfig
        Of the core.
    format_of : callable
        Format of a layer's output.

    Raises
    ------
    CapacityError
        If there are more functions than tables.
    """
    curved, tables = curved_layers(graph), config.tables
    free = [layer for layer in curved if layer.grid is None and layer.output not in graph.grids]
    least, most = tables_needed(graph, format_of)
    if least > tables:
        shortage = Shortage.of_tables(config, least, most, layer=curved[0].name)
        raise CapacityError(str(shortage), (shortage,))
    if len(curved) <= tables:
        return {}
    kinds: dict[Hashable, list[_Curved]] = {}
    for each in _with_sums(graph, samples, free):
        kinds.setdefault((each.function, format_of(each.layer)), []).append(each)
    gaps: list[tuple[float, Hashable, int]] = []
    for key, members in kinds.items():
        members.sort(key=lambda each: each.spread)
        gaps += [(members[n].spread - members[n - 1].spread, key, n) for n in range(1, len(members))]
    gaps.sort(key=lambda gap: -gap[0])
    cuts = gaps[: tables - least]
    shared: dict[str, SharedTable] = {}
    for key, members in kinds.items():
        edges = [0, *sorted(n for _, own, n in cuts if own == key), len(members)]
        for first, end in itertools.pairwise(edges):
            if end - first > 1:
                shared |= _one_table(members[first:end], format_of)
    return shared


def _with_sums(graph: Graph, samples: NDArray, layers: list[Mac]) -> list[_Curved]:
    tensors = evaluate.evaluate(graph, samples[:_IMAGES])
    rng = np.random.default_rng(0)
    found = []
    for layer in layers:
        assert layer.curve is not None
        sums = evaluate.sums(layer, tensors, graph.grids).astype(np.float64).ravel()
        found.append(_Curved(layer, layer.curve, rng.choice(sums, _SAMPLES)))
    return found


def _one_table(members: list[_Curved], format_of: Callable[[Mac], Format]) -> dict[str, SharedTable]:
    layer, function = members[0].layer, members[0].function
    sums = np.concatenate([each.sums for each in members])
    table = SharedTable(
        choose_integers(layer.output, (1, 1, 1), function, sums, None), choose(function(sums), format_of(layer))
    )
    return {each.layer.name: table for each in members}
