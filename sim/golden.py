"""GoldenModel: what every tensor of a quantised graph must hold, from the contract alone, with all widths checked."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.formats import Int
from ..hw.spec.semantics import accumulate, max_pool, rescale
from ..hw.spec.tables import look_up
from ..sw.errors import NarrowsError
from ..sw.quantised import MacLayer, MaxLayer, QuantisedGraph

__all__ = ["GoldenModel", "WidthError"]

_BATCH = 16  # samples at once: keeps the tensors of one batch in the cache


class WidthError(NarrowsError, AssertionError):
    """A number does not fit the width that configuration or certificate give it: a fault of quantiser or compiler."""


class GoldenModel:
    """Integer execution of a graph.

    Parameters
    ----------
    graph : QuantisedGraph
    config : AcceleratorConfig
        Gives the widths that are checked.

    Raises
    ------
    WidthError
        If a bias, a multiplicand or a shift does not fit its field, or a certificate asks for more than the
        accumulator has.
    """

    def __init__(self, graph: QuantisedGraph, config: AcceleratorConfig) -> None:
        self._graph = graph
        self._config = config
        last: dict[str, int] = {}
        for index, layer in enumerate(graph.layers):
            last |= dict.fromkeys(layer.sources, index)
            if isinstance(layer, MacLayer):
                self._check_parameters(layer)
        self._last_read = [{name for name, at in last.items() if at == index} for index in range(len(graph.layers))]

    def run(self, levels: ArrayLike, keep: Collection[str] | None = None) -> dict[str, NDArray[np.int64]]:
        """Levels of every tensor, or of some.

        Parameters
        ----------
        levels : array of int, shape (N, C, H, W)
            Of the graph's input tensor.
        keep : collection of str, optional
            Names of the tensors wanted; the others' memory is free again as soon as no layer needs them.

        Returns
        -------
        dict of int64 arrays, shape (N, C, H, W), by tensor name

        Raises
        ------
        WidthError
            If a final sum, a product or a result does not fit.
        ValueError
            If the input has the wrong shape or holds numbers that are not levels of its format within its span.
        """
        levels = np.asarray(levels, dtype=np.int64)
        tensor = self._graph.tensors[self._graph.input.tensor]
        if levels.ndim != 4 or levels.shape[1:] != tensor.shape:
            raise ValueError(f"input levels must have the shape (N, *{tensor.shape}), not {levels.shape}")
        tensor.format.encode(levels)  # refuses numbers that are not levels
        low, high = tensor.span
        if levels.size and not low <= levels.min() <= levels.max() <= high:
            raise ValueError(f"input levels must be {low} to {high}: the certificates count on it")
        kept = frozenset(self._graph.tensors) if keep is None else frozenset(keep)
        starts = range(0, max(len(levels), 1), _BATCH)
        batches = [self._run_batch(levels[first : first + _BATCH], kept) for first in starts]
        return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}

    def _run_batch(self, levels: NDArray[np.int64], kept: frozenset[str]) -> dict[str, NDArray[np.int64]]:
        tensors = {self._graph.input.tensor: levels}
        for index, layer in enumerate(self._graph.layers):
            if isinstance(layer, MaxLayer):
                result = max_pool(
                    tensors[layer.source],
                    kernel=layer.kernel,
                    stride=layer.stride,
                    pads=layer.pads,
                    dilation=layer.dilation,
                )
            else:
                result = self._run_mac(layer, tensors)
            output = self._graph.tensors[layer.output]
            if result.shape[1:] != output.shape:
                raise ValueError(
                    f"layer {layer.name} gives the shape {result.shape[1:]}, "
                    f"its output {output.name} has {output.shape}"
                )
            tensors[layer.output] = result
            for name in self._last_read[index] - kept:
                tensors.pop(name, None)
        return {name: tensor for name, tensor in tensors.items() if name in kept}

    def _run_mac(self, layer: MacLayer, tensors: dict[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        output = self._graph.tensors[layer.output]
        parts = [
            accumulate(tensors[segment.source], self._graph.tensors[segment.source].zero, segment)
            for segment in layer.segments
        ]
        sums = parts[0] if len(parts) == 1 else np.sum(parts, axis=0)
        axes = (0, *range(2, sums.ndim))
        low, high = sums.min(axis=axes, initial=0), sums.max(axis=axes, initial=0)
        _check(layer, "final sum", low, high, layer.cert_bits)
        low, high = low + layer.bias, high + layer.bias
        _check(layer, "sum with bias", low, high, self._config.sum_bits)
        _check(layer, "product", low * layer.multiplicand, high * layer.multiplicand, self._config.value_bits)
        rounded = layer.table or output
        result = rescale(
            sums,
            layer.bias,
            layer.multiplicand,
            layer.shift,
            zero=rounded.zero,
            fmt=Int(8) if layer.table else output.format,
            low=rounded.low,
            high=rounded.high,
        )
        if layer.table:
            result = look_up(layer.table.levels, result)
        low, high = result.min(axis=axes, initial=0), result.max(axis=axes, initial=0)
        _check(layer, "result", low, high, self._config.level_bits)
        return result

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


def _check(layer: MacLayer, what: str, low: NDArray[np.int64], high: NDArray[np.int64], bits: int) -> None:
    """Raise unless every channel's range fits ``bits`` bits of two's complement."""
    limit = 1 << (bits - 1)
    wrong = np.flatnonzero((low < -limit) | (high >= limit))
    if len(wrong):
        channel = int(wrong[0])
        value = low[channel] if low[channel] < -limit else high[channel]
        raise WidthError(f"layer {layer.name}, channel {channel}: {what} {value} does not fit {bits} bits")
