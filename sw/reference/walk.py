"""walk: a graph layer by layer on a runtime's own values, each step held to what float rounding allows.

Where every step is right on values of the runtime's, the whole is: nothing adds up, and a value that a trained
quantiser rounds the other way at a tie is found in its own step instead of everywhere behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..enlarging import enlarged
from ..graph import Graph
from ..grids import Grid, Rounding
from ..layers import Curve, Layer, Mac, MaxPool, Product, Quantise
from ..quantize import evaluate

__all__ = ["Suspect", "walk"]

_EPSILON = 2.0**-24
_LEAST = 2.0**-149
"""Step of the smallest float32 numbers: what is smaller than 2**-126 is a multiple of it, however exact its parts."""
_FUNCTION = 2e-5
"""Error of other people's functions in float32, as a part of the largest value."""
_TIE = 0.02
"""How near two levels' middle a sum counts as a tie, in levels, where integers are rescaled by other arithmetic."""


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A tensor in which a layer gives something else than the runtime: the worst element and both its values."""

    layer: str
    tensor: str
    index: tuple[int, ...]
    ours: float
    theirs: float


def walk(
    graph: Graph,
    sample: NDArray,
    known: Mapping[str, np.ma.MaskedArray],
    *,
    steps: float = 0.0,
    held: Mapping[str, NDArray] | None = None,
) -> tuple[Suspect | None, dict[str, NDArray[np.float64]], int]:
    """Hold every layer of a graph against a runtime's values.

    Parameters
    ----------
    graph : Graph
    sample : array, shape (1, ...)
    known : mapping of arrays, shape (1, C, H, W)
        The runtime's values of tensors, as far as it has them; masked where it does not show them.
    steps : float
        What the runtime's integer kernels may be off, in levels (`runtimes.Runtime`).
    held : mapping of arrays, shape (1, C, H, W)
        What states hold before the sample.

    Returns
    -------
    suspect : Suspect or None
        The first that differs by more than rounding, in the order of execution.
    tensors : dict of arrays
        The runtime's values, and ours where it has none.
    ties : int
        Elements that the runtime rounded to another level than we would.
    """
    name = graph.input.tensor
    tensors = {name: evaluate.rounded(graph, name, evaluate.model_input(graph, sample), np.float64)}
    tensors |= {state: evaluate.rounded(graph, state, values, np.float64) for state, values in (held or {}).items()}
    if name in known:
        tensors[name] = known[name].filled(0.0) if not np.ma.getmaskarray(known[name]).any() else tensors[name]
    ties, unseen = 0, dict[str, tuple[NDArray, NDArray]]()
    for layer in graph.layers:
        centre, low, high = _range(graph, layer, tensors, steps, unseen)
        theirs = known.get(layer.output)
        if theirs is None:
            tensors[layer.output], unseen[layer.output] = centre, (low, high)
            continue
        tensors[layer.output] = theirs = np.where(np.ma.getmaskarray(theirs), centre, np.ma.getdata(theirs))
        outside = np.maximum(low - theirs, theirs - high)
        outside = np.where(np.isnan(theirs) & np.isnan(centre), -1.0, outside)
        wrong = ~(outside <= 0)
        if wrong.any():
            at = np.unravel_index(int(np.where(np.isnan(outside), np.inf, outside).argmax()), outside.shape)
            index = tuple(int(place) for place in at[1:])
            ours, other = float(centre[at]), float(theirs[at])
            return Suspect(layer=layer.name, tensor=layer.output, index=index, ours=ours, theirs=other), tensors, ties
        if layer.output in graph.grids:
            ties += int((np.abs(theirs - centre) > 0.5 * graph.grids[layer.output].scale).sum())
    return None, tensors, ties


def _range(
    graph: Graph,
    layer: Layer,
    tensors: Mapping[str, NDArray],
    steps: float,
    unseen: Mapping[str, tuple[NDArray, NDArray]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What a layer gives, and the least and the largest that it may give with float rounding on the way.

    Of a maximum that of the rounding before it, too, where the runtime rounds behind it: such a source is ``unseen``.
    """
    grid = graph.grids.get(layer.output)
    if isinstance(layer, Quantise):
        grid = layer.grid
    function = isinstance(layer, Curve) or (isinstance(layer, Mac) and layer.curve is not None)
    if isinstance(layer, Mac):
        sums = evaluate.sums(layer, tensors, graph.grids)
        taps = sum(term.weights[0].size for term in layer.terms)
        reach = evaluate.sums(_magnitudes(layer), {name: np.abs(tensors[name]) for name in layer.sources}, {})
        slack = _EPSILON * (8 + np.sqrt(taps)) * reach + _LEAST * taps
        if grid is not None and not function:
            slack = slack + _TIE * steps * grid.scale + _rounded_twice(graph, layer, grid)
        results = [enlarged(layer.activated(sums + offset), layer.enlarge) for offset in (0.0, -slack, slack)]
    else:
        results = [evaluate.applied(layer, tensors, graph.grids)]
        slack = 8 * _EPSILON * sum(np.abs(tensors[name]).max(initial=0.0) for name in layer.sources)
        if isinstance(layer, Product):
            terms = tensors[layer.first].shape[1] if layer.matrix else 1
            reach = float(np.prod([np.abs(tensors[name]).max(initial=0.0) for name in layer.sources]))
            slack = 8 * _EPSILON * terms * reach
            results += [results[0] - slack, results[0] + slack]
        elif isinstance(layer, MaxPool):
            ends = unseen.get(layer.source, ())
            results += [evaluate.applied(layer, {layer.source: end}, graph.grids) for end in ends]
        else:
            moved = [{name: tensors[name] + offset for name in layer.sources} for offset in (-slack, slack)]
            results += [evaluate.applied(layer, each, {}) for each in moved]
    low, high = np.minimum.reduce(results), np.maximum.reduce(results)
    if function:
        finite = np.abs(results[0][np.isfinite(results[0])])
        low, high = (end + sign * _FUNCTION * finite.max(initial=0.0) for end, sign in ((low, -1), (high, 1)))
    centre = results[0]
    if grid is not None and not isinstance(layer, MaxPool):
        centre, low, high = (grid.round(each) for each in (centre, low, high))
        if function:
            low, high = low - steps * grid.scale, high + steps * grid.scale
    spare = 8 * _EPSILON * np.maximum(np.abs(low), np.abs(high)) + _LEAST
    return centre, low - spare, high + spare


def _rounded_twice(graph: Graph, layer: Mac, grid: Grid) -> NDArray[np.float64] | float:
    """How far a first rounding may move sums (`Rounding.TWICE`): by half a step of it, one sum at most (means: 2)."""
    if grid.rounding not in (Rounding.TWICE, Rounding.MEAN):
        return 0.0
    units = [
        (np.abs(term.weights[:, 0, 0, 0]) if term.step is None else term.step) * graph.grids[term.source].scale
        for term in layer.terms
        if term.source in graph.grids
    ]
    most = 2 if grid.rounding is Rounding.MEAN else 1
    return most * np.max(units, axis=0)[:, np.newaxis, np.newaxis] if units else 0.0


def _magnitudes(layer: Mac) -> Mac:
    """The layer with the magnitudes of its weights and biases: on magnitudes it gives the size of what it sums."""
    terms = tuple(replace(term, weights=np.abs(term.weights)) for term in layer.terms)
    return replace(layer, terms=terms, bias=np.abs(layer.bias))
