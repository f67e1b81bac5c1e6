"""GoldenModel: what every tensor of a quantised graph must hold, from the contract alone, with all widths checked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.exact import ExactLayer
from ..hw.spec.semantics import max_pool
from ..hw.spec.tables import TABLE_TOP
from ..sw.cores import on_all_cores, one_thread
from ..sw.enlarging import enlarged
from ..sw.errors import NarrowsError
from ..sw.layer_arithmetic import drain_of, exact_sources, sum_bounds
from ..sw.quantised import MacLayer, MaxLayer, QuantisedGraph, QuantisedTensor
from .product_layer import ProductLayer

__all__ = ["GoldenModel", "WidthError"]

_BATCH_VALUES, _BATCH_MOST = 1 << 20, 64  # values of a tensor at once, and samples, on each core


class WidthError(NarrowsError, AssertionError):
    """A number does not fit the width that configuration or certificate give it: a fault of quantiser or compiler."""


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
        self._config = config
        last: dict[str, int] = {}
        self._layers: dict[str, ExactLayer] = {}
        self._products: dict[str, ProductLayer] = {}
        for index, layer in enumerate(graph.layers):
            last |= dict.fromkeys(layer.sources, index)
            if isinstance(layer, MacLayer):
                self._check_parameters(layer)
                self._check_sums(layer)
                if layer.products:
                    self._products[layer.name] = ProductLayer(layer, graph.tensors)
                else:
                    self._layers[layer.name] = _exact(layer, graph.tensors)
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
            if isinstance(layer, MaxLayer):
                result = max_pool(
                    tensors[layer.source],
                    kernel=layer.kernel,
                    stride=layer.stride,
                    pads=layer.pads,
                    dilation=layer.dilation,
                )
            elif layer.products:
                result = self._products[layer.name].run(tensors)
            else:
                found = self._layers[layer.name].run([tensors[segment.source] for segment in layer.segments])
                result = enlarged(found.transpose(1, 0, 2, 3), layer.enlarge).transpose(1, 0, 2, 3)
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

    def _check_sums(self, layer: MacLayer) -> None:
        """See that no sum passes the certificate, and no level the output's span, whatever the sources hold."""
        low, high = sum_bounds(layer.segments, self._graph.tensors)
        _check(layer, "final sum", low, high, layer.cert_bits)
        if layer.table:
            low, high = self._graph.tensors[layer.output].span
            used = layer.table.levels[layer.table.low + TABLE_TOP : layer.table.high + TABLE_TOP + 1]
            if used.min() < low or used.max() > high:
                raise WidthError(
                    f"layer {layer.name}: its table holds levels from {used.min()} to {used.max()}, its output those "
                    f"from {low} to {high}"
                )

    def _check_parameters(self, layer: MacLayer) -> None:
        config, output = self._config, self._graph.tensors[layer.output]
        if layer.cert_bits > config.acc_bits:
            raise WidthError(
                f"layer {layer.name}: its certificate asks for {layer.cert_bits} accumulator bits, "
                f"the configuration has {config.acc_bits}"
            )
        needed = config.digits.count(output.levels)
        if needed > config.planes:
            raise WidthError(
                f"layer {layer.name}: its output needs {needed} planes, the configuration writes {config.planes}"
            )
        _check(layer, "bias", layer.bias, layer.bias, config.bias_width)
        top = 1 << config.rescale_bits
        for name, values, low, high in (
            ("multiplicand", layer.multiplicand, top // 2, top - 1),
            ("shift", layer.shift, 0, config.shift_max),
        ):
            wrong = np.flatnonzero((values < low) | (values > high))
            if len(wrong):
                raise WidthError(
                    f"layer {layer.name}, channel {wrong[0]}: {name} {values[wrong[0]]} is not {low} to {high}"
                )


def _exact(layer: MacLayer, tensors: Mapping[str, QuantisedTensor]) -> ExactLayer:
    """The layer's arithmetic."""
    return ExactLayer(layer.segments, exact_sources(layer.segments, tensors), drain_of(layer, tensors))


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


def _check(layer: MacLayer, what: str, low: NDArray[np.int64], high: NDArray[np.int64], bits: int) -> None:
    """Raise unless every channel's range fits ``bits`` bits of two's complement."""
    limit = 1 << (bits - 1)
    wrong = np.flatnonzero((low < -limit) | (high >= limit))
    if len(wrong):
        channel = int(wrong[0])
        value = low[channel] if low[channel] < -limit else high[channel]
        raise WidthError(f"layer {layer.name}, channel {channel}: {what} {value} does not fit {bits} bits")
