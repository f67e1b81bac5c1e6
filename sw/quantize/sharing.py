"""Layers that share tables of levels, where a model has more curves than the core has tables."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.formats import Format
from ..curves import Function
from ..errors import CapacityError
from ..graph import Graph
from ..layers import Mac
from ..quantised import LevelTable, QuantisedTensor
from ..shortage import Shortage
from . import evaluate
from .lookup import choose_integers, level_table
from .planned import curved_layers, free_curves, shared_function, tables_needed
from .tensors import Choice, choose, describe

__all__ = ["SharedTable", "share_tables"]

_IMAGES = 16
_SAMPLES = 2048


@dataclass(frozen=True)
class SharedTable:
    """A layer's part in a table that it shares: a function on integers, with scale and zero level of its values.

    The layer's own function is ``gain`` times that one plus ``offset``.
    """

    function: Function
    integers: QuantisedTensor
    values: Choice
    gain: float
    offset: float

    @property
    def choice(self) -> Choice:
        """Scale and zero level of the layer's output; the latter is the nearest level to where its values are 0."""
        values, scale = self.values, self.values.scale * self.gain
        zero = int(values.format.quantise(values.zero - self.offset / scale))
        return replace(values, scale=scale, zero=zero, error=values.error * self.gain**2)

    def levels(self, integers: QuantisedTensor) -> LevelTable:
        """The table, for the layer's integers."""
        return level_table(self.function, integers, describe("", (1, 1, 1), self.values, -np.inf, np.inf), None)


@dataclass(frozen=True)
class _Curved:
    """A layer whose function is ``gain * function + offset``, with the sums that some samples give."""

    layer: Mac
    function: Function
    gain: float
    offset: float
    sums: NDArray[np.float64]

    @property
    def spread(self) -> float:
        """How far its values lie apart, as a power of two."""
        return float(np.log2(max(self.function(self.sums).std(), np.finfo(np.float32).tiny)))


def share_tables(
    graph: Graph, samples: NDArray, config: AcceleratorConfig, format_of: Callable[[Mac], Format]
) -> dict[str, SharedTable]:
    """Tables by the names of layers that have to share one; any other curve has a table of its own.

    Layers share one if they have the same function but for a factor and a summand (`shared_function`), the same format,
    and values of similar size: of all layers in the order of their spread, neighbours that differ most get different
    ones.

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
    least, most = tables_needed(graph, format_of)
    if least > tables:
        shortage = Shortage.of_tables(config, least, most, layer=curved[0].name)
        raise CapacityError(str(shortage), (shortage,))
    if len(curved) <= tables:
        return {}
    kinds: dict[tuple[Function, Format], list[_Curved]] = {}
    for each in _with_sums(graph, samples, format_of):
        kinds.setdefault((each.function, format_of(each.layer)), []).append(each)
    gaps: list[tuple[float, tuple[Function, Format], int]] = []
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
                shared |= _one_table(*key, members[first:end])
    return shared


def _with_sums(graph: Graph, samples: NDArray, format_of: Callable[[Mac], Format]) -> list[_Curved]:
    tensors = evaluate.evaluate(graph, samples[:_IMAGES])
    rng = np.random.default_rng(0)
    found = []
    for layer in free_curves(graph):
        sums = evaluate.sums(layer, tensors, graph.grids).astype(np.float64).ravel()
        found.append(_Curved(layer, *shared_function(layer, format_of(layer)), rng.choice(sums, _SAMPLES)))
    return found


def _one_table(function: Function, fmt: Format, members: list[_Curved]) -> dict[str, SharedTable]:
    sums = np.concatenate([each.sums for each in members])
    integers = choose_integers(members[0].layer.output, (1, 1, 1), function, sums, None)
    values = choose(function(sums), fmt)
    return {each.layer.name: SharedTable(function, integers, values, each.gain, each.offset) for each in members}
