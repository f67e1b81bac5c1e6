"""refloated: the float graph of what a network has learned, from which narrower formats can start."""

from __future__ import annotations

from dataclasses import replace

from ...errors import InputError
from ...graph import Graph
from ...layers import Mac
from .mac import TrainedMac
from .network import Network

__all__ = ["refloated"]


def refloated(network: Network) -> Graph:
    """The lowered graph with the weights and biases that a network has now, before they are rounded.

    Quantised anew, perhaps in narrower formats, it starts where the network has come to: first 8 bits, then 4, 3, 2.

    Raises
    ------
    InputError
        If the network's weights are normalised (accumulators ``a2q`` and ``a2q+``): their lengths are no weights.
    """
    if network.settings.accumulator not in ("free", "fitted"):
        raise InputError(f"accumulator must be free or fitted to go on from, not {network.settings.accumulator}")
    macs = iter(network.layers)
    layers = []
    for layer in network.graph.layers:
        mac = next(macs) if isinstance(layer, Mac) else None
        if isinstance(layer, Mac) and isinstance(mac, TrainedMac):
            weights = mac.real_weights()
            terms = tuple(
                replace(term, weights=weights[index].numpy(), step=None) if index in weights else term
                for index, term in enumerate(layer.terms)
            )
            layers.append(replace(layer, terms=terms, bias=mac.real_bias().numpy()))
        else:
            layers.append(layer)
    return replace(network.graph, layers=tuple(layers))
