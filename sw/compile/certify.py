"""The certificate of a layer, derived again from the weights that are compiled."""

from __future__ import annotations

from ...hw.spec.certificate import final_sum_bounds, signed_bits
from ...hw.spec.config import AcceleratorConfig
from ..errors import CertificateError
from ..quantised import MacLayer, QuantisedGraph

__all__ = ["certify"]


def certify(layer: MacLayer, graph: QuantisedGraph, config: AcceleratorConfig) -> int:
    """Accumulator bits that the layer's final sums need.

    Raises
    ------
    CertificateError
        If the layer states fewer, or the configuration has fewer.
    """
    low, high = final_sum_bounds((segment.weights, graph.tensors[segment.source].span) for segment in layer.segments)
    bits = signed_bits(low, high)
    if bits > layer.cert_bits:
        raise CertificateError(
            f"layer {layer.name!r} states {layer.cert_bits} accumulator bits but its weights need {bits}: "
            "quantise the model again"
        )
    if bits > config.acc_bits:
        raise CertificateError(
            f"layer {layer.name!r} needs {bits} accumulator bits, the configuration has {config.acc_bits}: "
            f"raise acc_bits to {bits}, or quantise the model for this configuration"
        )
    return bits
