"""ProductLayer: a layer some of whose weights are another tensor, in integers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..sw.layer_arithmetic import drain_of, final_sums
from ..sw.quantised import MacLayer, QuantisedTensor

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
        self._drain = drain_of(layer, tensors)

    def run(self, levels: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Levels of shape (O, N, OH, OW), from those of the sources by name, of shape (C, N, H, W)."""
        return self._drain(final_sums(self._layer, self._tensors, levels))
