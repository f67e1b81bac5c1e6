"""product_layer: the product of two quantised tensors in integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...hw.spec.certificate import signed_bits
from ...hw.spec.config import AcceleratorConfig
from ..integer.segments import sum_bounds
from ..layers import Product
from ..quantised import HeldSegment, MacLayer, QuantisedTensor

__all__ = ["product_layer", "product_segment"]


def product_segment(layer: Product, tensors: Mapping[str, QuantisedTensor]) -> HeldSegment:
    """The product, of tensors by name."""
    source, held, depthwise = layer.first, layer.second, not layer.matrix
    weights = HeldSegment.blank(tensors[source].shape, tensors[held].shape, depthwise=depthwise)
    return HeldSegment(source=source, held=held, weights=weights, depthwise=depthwise)


def product_layer(
    layer: Product,
    tensors: Mapping[str, QuantisedTensor],
    output: QuantisedTensor,
    config: AcceleratorConfig,
    *,
    fixed: bool,
) -> tuple[MacLayer, QuantisedTensor]:
    """The layer in integers, and its output.

    What sums are multiplied by, ``scale(x) * scale(w) / scale(y)``, has as many bits as a multiplicand. So that it has
    no error, the output's scale gives way by as much, unless it is ``fixed``: that of a trained grid, or of a state.
    """
    segment = product_segment(layer, tensors)
    x, w = tensors[segment.source], tensors[segment.held]
    fraction, exponent = np.frexp(x.scale * w.scale / output.scale)
    multiplicand = int(np.rint(fraction * (1 << config.rescale_bits)))
    if multiplicand == 1 << config.rescale_bits:
        multiplicand, exponent = multiplicand >> 1, exponent + 1
    shift = int(np.clip(config.rescale_bits - exponent, 0, config.shift_max))
    if not fixed:
        output = replace(output, scale=float(x.scale * w.scale * 2.0**shift / multiplicand))
    channels, terms = segment.weights.shape[:2]
    quantised = MacLayer(
        name=layer.name,
        segments=(segment,),
        bias=np.full(channels, terms * x.zero * w.zero, dtype=np.int64),
        multiplicand=np.full(channels, multiplicand, dtype=np.int64),
        shift=np.full(channels, shift, dtype=np.int64),
        cert_bits=signed_bits(*sum_bounds((segment,), tensors)),
        output=layer.output,
    )
    return quantised, output
