"""The certificate of a layer, derived again from the weights that are compiled."""

from __future__ import annotations

from ...hw.spec.config import AcceleratorConfig
from ..errors import CertificateError
from ..outline import is_outlined
from ..quantised import IntegerLayer, QuantisedGraph
from .shortages import Shortages

__all__ = ["certify"]


def certify(layer: IntegerLayer, graph: QuantisedGraph, config: AcceleratorConfig, shortages: Shortages) -> int:
    """Accumulator bits that the layer's final sums need; what it states where its weights are not known yet.

    Raises
    ------
    CertificateError
        If the layer states fewer.
    """
    if is_outlined(layer):
        shortages.need("acc_bits", "accumulator bits", layer.cert_bits, layer.name)
        return min(layer.cert_bits, config.acc_bits)
    bits = layer.sum_bits(graph.tensors)
    if bits > layer.cert_bits:
        raise CertificateError(
            f"layer {layer.name!r} states {layer.cert_bits} accumulator bits but its weights need {bits}: "
            "quantise the model again"
        )
    shortages.need("acc_bits", "accumulator bits", bits, layer.name)
    return min(bits, config.acc_bits)
