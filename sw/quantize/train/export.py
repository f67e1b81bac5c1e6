"""A trained network as a quantised graph: the integers of its forward pass, certified anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....hw.spec.certificate import final_sum_bounds, signed_bits
from ...errors import CapacityError, CertificateError
from ...layers import Mac
from ...quantised import IntegerLayer, MacLayer, QuantisedGraph, QuantisedTensor
from .network import Network, Pass, Step

__all__ = ["to_quantised"]


@torch.no_grad()
def to_quantised(network: Network) -> QuantisedGraph:
    """The graph that gives on every input the codes that ``network.run(..., exact=True)`` gives.

    Raises
    ------
    CertificateError
        If a layer's sums need more bits than the accumulator has: weights were trained with it left free.
    CapacityError
        If a zero level moved to where a tensor needs more digit planes than the core writes.
    """
    graph, config = network.graph, network.config
    blank = torch.zeros(1, *graph.tensors[graph.input.tensor])
    done = network.run(blank, exact=True)
    tensors = {name: _tensor(network, name, done) for name in graph.tensors}
    layers: list[IntegerLayer] = []
    for layer, started in zip(graph.layers, network.start.layers, strict=True):
        if isinstance(layer, Mac):
            assert isinstance(started, MacLayer), "the start is made of the same graph"
            made = _mac(started, done.steps[layer.name], [tensors[source] for source in layer.sources])
            if made.cert_bits > config.acc_bits:
                raise CertificateError(
                    f"layer {layer.name!r}: its sums need {made.cert_bits} accumulator bits, the configuration has "
                    f"{config.acc_bits}: train with accumulator 'fitted', or set acc_bits to {made.cert_bits}"
                )
            needed = config.digits.count(tensors[layer.output].levels)
            if needed > config.planes:
                raise CapacityError(
                    f"tensor {layer.output!r} needs {needed} digit planes after training, the core writes at most "
                    f"{config.planes}: set planes to {needed}, or train without learn_shift"
                )
            layers.append(made)
        else:
            layers.append(started)
    return replace(network.start, tensors=tensors, layers=tuple(layers))


def _tensor(network: Network, name: str, done: Pass) -> QuantisedTensor:
    start, now = network.start.tensors[name], done.clamped[name]
    low, zero, high = (int(part) for part in (now.low, now.zero, now.high))
    return replace(start, scale=float(now.scale), zero=zero, low=low, high=high)


def _mac(started: MacLayer, step: Step, sources: list[QuantisedTensor]) -> MacLayer:
    operands = step.operands
    levels = [_integers(weights) for weights in operands.weights]
    channels = len(started.bias)
    zeros = [w.reshape(channels, -1).sum(1) * source.zero for w, source in zip(levels, sources, strict=True)]
    bounds = final_sum_bounds([(w, source.span) for w, source in zip(levels, sources, strict=True)])
    return replace(
        started,
        segments=tuple(replace(s, weights=w) for s, w in zip(started.segments, levels, strict=True)),
        bias=_integers(operands.bias) - np.sum(zeros, axis=0),
        multiplicand=operands.gain.multiplicand.numpy(),
        shift=operands.gain.shift.numpy(),
        cert_bits=signed_bits(*bounds),
        table=step.table,
    )


def _integers(values: Tensor) -> NDArray[np.int64]:
    array = values.numpy()
    integers = array.astype(np.int64)
    if not np.array_equal(integers, array):
        raise AssertionError("operands are integers")
    return integers
