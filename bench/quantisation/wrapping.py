"""Accumulators that are too narrow: what a network answers whose sums wrap, and inputs that make them."""

from __future__ import annotations

import numpy as np
from narrows.hw.spec.formats import Int
from narrows.hw.spec.semantics import accumulate, max_pool, rescale
from narrows.hw.spec.tables import look_up
from narrows.sw.quantised import MacLayer, MaxLayer, QuantisedGraph
from numpy.typing import NDArray

__all__ = ["largest_sums", "wrapped_outputs"]


def wrapped_outputs(graph: QuantisedGraph, levels: NDArray[np.int64], acc_bits: int) -> NDArray[np.int64]:
    """Levels of the first output if sums were kept in so many bits, whatever the certificate says.

    Parameters
    ----------
    graph : QuantisedGraph
    levels : array of int, shape (N, C, H, W)
    acc_bits : int
    """
    tensors = {graph.input.tensor: levels}
    half = 1 << (acc_bits - 1)
    for layer in graph.layers:
        if isinstance(layer, MaxLayer):
            tensors[layer.output] = max_pool(
                tensors[layer.source],
                kernel=layer.kernel,
                stride=layer.stride,
                pads=layer.pads,
                dilation=layer.dilation,
            )
            continue
        parts = [accumulate(tensors[s.source], graph.tensors[s.source].zero, s) for s in layer.segments]
        sums = (np.sum(parts, axis=0) + half) % (2 * half) - half
        to = layer.table or graph.tensors[layer.output]
        fmt = Int(8) if layer.table else graph.tensors[layer.output].format
        result = rescale(
            sums, layer.bias, layer.multiplicand, layer.shift, zero=to.zero, fmt=fmt, low=to.low, high=to.high
        )
        tensors[layer.output] = look_up(layer.table.levels, result) if layer.table else result
    return tensors[graph.outputs[0].tensor]


def largest_sums(graph: QuantisedGraph, layer: MacLayer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The smallest and the largest final sum of each channel that any levels within the sources' clamps can give.

    Found by giving every weight the level that is worst for the channel, and summing the products: an attack, not the
    certificate's formula. Padding cannot make it worse, since a zero level lies within the clamp, or does not: then it
    is among the levels that are tried.

    Returns
    -------
    smallest, largest : arrays of int64, shape (O,)
    """
    smallest = np.zeros(len(layer.bias), dtype=np.int64)
    largest = smallest.copy()
    for segment in layer.segments:
        tensor = graph.tensors[segment.source]
        levels = tensor.format.levels
        used = np.union1d(levels[(levels >= tensor.low) & (levels <= tensor.high)], [tensor.zero])
        weights = segment.weights.reshape(len(layer.bias), -1)
        products = weights[:, :, np.newaxis] * used
        smallest += products.min(axis=2).sum(axis=1)
        largest += products.max(axis=2).sum(axis=1)
    return smallest, largest
