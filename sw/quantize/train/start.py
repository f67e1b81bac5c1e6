"""Where training starts: the post-training quantised graph, and what it does not say of itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from ....hw.spec.config import AcceleratorConfig
from ...errors import CapacityError
from ...graph import Graph
from ...layers import Mac
from ...quantised import MacLayer, QuantisedGraph, QuantisedTensor
from ...runtime.tensors import prepare_input
from .. import evaluate
from ..lookup import choose_integers
from ..prepare import prepared
from ..quantise import quantise
from ..settings import QuantSettings
from .mac import TrainedMac
from .network import Network, sums
from .settings import TrainSettings

__all__ = ["network_of"]


def network_of(
    graph: Graph,
    calibration: NDArray,
    quantisation: QuantSettings,
    config: AcceleratorConfig,
    settings: TrainSettings,
    progress: Callable[[str, int, int], None] | None = None,
) -> Network:
    """A network to train, quantised from a float graph with calibration samples.

    Parameters
    ----------
    graph : Graph
        As a frontend makes it.
    calibration : array, shape (N, *input shape)
    quantisation : QuantSettings
    config : AcceleratorConfig
    settings : TrainSettings
    progress : callable, optional
        As for `quantise`.

    Raises
    ------
    NarrowsError
        As from `quantise` and `Network`; `CapacityError` if activation functions would have to share a table.
    """
    lowered = prepared(graph, calibration, quantisation)
    curved = sum(isinstance(layer, Mac) and layer.curve is not None for layer in lowered.layers)
    if curved > config.tables:
        raise CapacityError(
            f"the model has {curved} activation functions and the core {config.tables} tables: trained functions need "
            f"one each, set tables = {curved} in the configuration"
        )
    start = quantise(graph, calibration, quantisation, config, progress)
    network = Network(lowered, start, quantisation, config, settings, _looked_up(lowered, start, calibration))
    if settings.accumulator in ("a2q", "a2q+"):
        _correct_biases(network, calibration)
    return network


@torch.no_grad()
def _correct_biases(network: Network, calibration: NDArray) -> None:
    """Give every layer's sums the means that they have in the float model, layer after layer.

    Projected and centred weights are others than those that post-training quantisation found biases for.
    """
    graph, tensors = network.graph, evaluate.evaluate(network.graph, calibration)
    zero = network.start.tensors[graph.input.tensor].zero
    offsets = torch.from_numpy(prepare_input(network.start, calibration) - zero).float()
    macs = iter(network.layers)
    for layer in graph.layers:
        if not isinstance(layer, Mac):
            continue
        mac = next(macs)
        if isinstance(mac, TrainedMac):
            done = network.run(offsets)
            wanted = torch.from_numpy(evaluate.sums(layer, tensors, graph.grids)).double().mean((0, 2, 3))
            mac.correct_bias(wanted, sums(layer, done).double().mean((0, 2, 3)), done.steps[layer.name].operands.gain)


def _looked_up(graph: Graph, start: QuantisedGraph, calibration: NDArray) -> dict[str, QuantisedTensor]:
    """The integers that tables are made for, by layer: a program keeps their levels, not their scale."""
    found: dict[str, QuantisedTensor] = {}
    tensors: dict[str, NDArray[np.float32]] = {}
    for layer, started in zip(graph.layers, start.layers, strict=True):
        if not isinstance(layer, Mac) or layer.curve is None or graph.grids:
            continue
        assert isinstance(started, MacLayer), "the start is made of the same graph"
        tensors = tensors or evaluate.evaluate(graph, calibration)
        shape, sums = graph.tensors[layer.output], evaluate.sums(layer, tensors, graph.grids)
        scales = None
        if all(term.constant for term in layer.terms):
            term, segment = layer.terms[0], started.segments[0]
            unit = term.weights.flat[0] * start.tensors[term.source].scale / segment.weights.flat[0]
            scales = np.array([unit * 2.0 ** started.shift[0] / started.multiplicand[0]])
        integers = choose_integers(layer.output, shape, layer.curve, sums, scales)
        found[layer.name] = integers
    return found
