"""ProductLayer: a layer some of whose weights are another tensor, in integers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.exact import exact_sums
from ..hw.spec.semantics import accumulate_products
from ..sw.layer_arithmetic import drain_of, exact_sources
from ..sw.quantised import HeldSegment, MacLayer, QuantisedTensor

__all__ = ["ProductLayer"]


class ProductLayer:
    """A layer with products of tensors, planned once, for any number of batches.

    Parameters
    ----------
    layer : MacLayer
    tensors : mapping of QuantisedTensor
        Its sources and its output, by name.
    """

    def __init__(self, layer: MacLayer, tensors: Mapping[str, QuantisedTensor]) -> None:
        self._layer, self._tensors = layer, tensors
        self._static = [segment for segment in layer.segments if not isinstance(segment, HeldSegment)]
        self._sources = exact_sources(self._static, tensors)
        self._drain = drain_of(layer, tensors)

    def run(self, levels: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Levels of shape (O, N, OH, OW), from those of the sources by name, of shape (C, N, H, W)."""
        parts = [self._product(segment, levels) for segment in self._layer.products]
        if self._static:
            given = [levels[segment.source] for segment in self._static]
            parts.append(exact_sums(self._static, self._sources, given).astype(np.int64))
        return self._drain(np.sum(parts, axis=0))

    def _product(self, segment: HeldSegment, levels: Mapping[str, NDArray[np.float32]]) -> NDArray[np.int64]:
        x, w = (levels[name].transpose(1, 0, 2, 3).astype(np.int64) for name in (segment.source, segment.held))
        zero, held_zero = (self._tensors[name].zero for name in (segment.source, segment.held))
        return accumulate_products(x, zero, w, held_zero, depthwise=segment.depthwise).transpose(1, 0, 2, 3)
