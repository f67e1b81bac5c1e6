"""GoldenModel: what every tensor of a quantised graph must hold, from the contract alone, with all widths checked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..hw.spec.config import AcceleratorConfig
from ..sw.cores import on_all_cores, one_thread
from ..sw.integer.layer import Evaluator
from ..sw.quantised import QuantisedGraph, QuantisedTensor

__all__ = ["GoldenModel"]

_BATCH_VALUES, _BATCH_MOST = 1 << 20, 64  # values of a tensor at once, and samples, on each core


class GoldenModel:
    """Integer execution of a graph.

    Sums are computed as matrix products of floating-point numbers that are exact (`hw/spec/exact.py`). What makes
    them so, and that all fits the machine's widths, follows from the spans of all tensors and is checked here once; a
    run checks its input.

    Parameters
    ----------
    graph : QuantisedGraph
    config : AcceleratorConfig
        Gives the widths that are checked.

    Raises
    ------
    WidthError
        If a bias, a multiplicand or a shift does not fit its field, a certificate asks for more than the accumulator
        has or for less than its weights and sources can give, or a table holds levels beyond its output's clamp.
    """

    def __init__(self, graph: QuantisedGraph, config: AcceleratorConfig) -> None:
        self._graph = graph
        last: dict[str, int] = {}
        self._evaluators: dict[str, Evaluator] = {}
        for index, layer in enumerate(graph.layers):
            last |= dict.fromkeys(layer.sources, index)
            layer.check_widths(graph.tensors, config)
            self._evaluators[layer.name] = layer.evaluator(graph.tensors)
        self._last_read = [{name for name, at in last.items() if at == index} for index in range(len(graph.layers))]

    def run(self, levels: ArrayLike, keep: Collection[str] | None = None) -> dict[str, NDArray[np.int64]]:
        """Levels of every tensor, or of some.

        Parameters
        ----------
        levels : array of int, shape (N, C, H, W)
            Of the graph's input tensor. Of a graph with states these are the frames of one stream, from its begin on.
        keep : collection of str, optional
            Names of the tensors wanted; the others' memory is free again as soon as no layer needs them.

        Returns
        -------
        dict of int64 arrays, shape (N, C, H, W), by tensor name

        Raises
        ------
        ValueError
            If the input has the wrong shape or holds numbers that are not levels of its format within its span.
        """
        levels = np.asarray(levels, dtype=np.int64)
        tensor = self._graph.tensors[self._graph.input.tensor]
        if levels.ndim != 4 or levels.shape[1:] != tensor.shape:
            raise ValueError(f"input levels must have the shape (N, *{tensor.shape}), not {levels.shape}")
        _check_levels(levels, tensor)
        kept = frozenset(self._graph.tensors) if keep is None else frozenset(keep)
        if self._graph.states:
            with one_thread(exact=True):
                return self._run_stream(levels, kept)
        largest = max(math.prod(each.shape) for each in self._graph.tensors.values())
        batch = min(max(1, _BATCH_VALUES // largest), _BATCH_MOST)
        starts = range(0, max(len(levels), 1), batch)
        name = self._graph.input.tensor
        with one_thread(exact=True):
            batches = on_all_cores(lambda first: self._run_batch({name: levels[first : first + batch]}, kept), starts)
        return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}

    def _run_stream(self, frames: NDArray[np.int64], kept: frozenset[str]) -> dict[str, NDArray[np.int64]]:
        """Tensors of frames, each of which takes over what the one before it left."""
        states = self._graph.states
        now = {state.tensor: np.asarray(state.initial, dtype=np.int64)[np.newaxis] for state in states}
        needed = kept | {state.update for state in states}
        found: list[dict[str, NDArray[np.int64]]] = []
        for number in range(max(len(frames), 1)):
            starts = {self._graph.input.tensor: frames[number : number + 1]}
            held = now if len(frames) else {name: levels[:0] for name, levels in now.items()}
            found.append(self._run_batch(starts | held, needed))
            now = {state.tensor: found[-1][state.update] for state in states}
        return {name: np.concatenate([frame[name] for frame in found]) for name in found[0] if name in kept}

    def _run_batch(self, starts: Mapping[str, NDArray[np.int64]], kept: frozenset[str]) -> dict[str, NDArray[np.int64]]:
        """Tensors of some samples; while it runs they have their channels first, as float32."""
        tensors = {name: levels.transpose(1, 0, 2, 3).astype(np.float32, order="C") for name, levels in starts.items()}
        for index, layer in enumerate(self._graph.layers):
            result = self._evaluators[layer.name](tensors)
            output, shape = self._graph.tensors[layer.output], (len(result), *result.shape[2:])
            if shape != output.shape:
                raise ValueError(
                    f"layer {layer.name} gives the shape {shape}, its output {output.name} has {output.shape}"
                )
            tensors[layer.output] = result
            for name in self._last_read[index] - kept:
                tensors.pop(name, None)
        found = {name: tensor for name, tensor in tensors.items() if name in kept}
        return {name: tensor.transpose(1, 0, 2, 3).astype(np.int64, order="C") for name, tensor in found.items()}


def _check_levels(levels: NDArray[np.int64], tensor: QuantisedTensor) -> None:
    """Refuse numbers that are not levels of a tensor's format within its span."""
    low, high = tensor.span
    if not levels.size or (low <= levels.min() and levels.max() <= high):
        known = np.zeros(high - low + 1, dtype=bool)
        known[tensor.levels - low] = True
        if known[levels - low].all():
            return
    tensor.format.encode(levels)
    raise ValueError(f"input levels must be {low} to {high}: the certificates count on it")
