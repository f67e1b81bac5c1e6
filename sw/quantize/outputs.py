"""Formats of network outputs whose weights are trained integers: sums as they are, where they fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.formats import MAX_INT_BITS, MIN_BITS, Format, Int
from ..layers import Mac
from ..quantised import QuantisedTensor
from .tensors import Choice

__all__ = ["kept_output", "output_format", "widest_integers"]

_ROOM = 1.25
"""How far beyond the calibration samples' largest output the format reaches."""


def output_format(config: AcceleratorConfig) -> Format:
    """Format of outputs of learned layers: integers of 8 bits, or of as many as the core's planes hold, or its base."""
    digits = config.digits
    formats = (Int(bits) for bits in range(8, min(digits.base.bits, 7), -1))
    return next((fmt for fmt in formats if digits.of_format(fmt) <= config.planes), digits.base)


def widest_integers(config: AcceleratorConfig) -> Format:
    """The widest signed integers that the core's planes hold."""
    formats = (Int(bits) for bits in range(MAX_INT_BITS, MIN_BITS, -1))
    return next((fmt for fmt in formats if config.digits.of_format(fmt) <= config.planes), Int(MIN_BITS))


def kept_output(
    layer: Mac, sources: Mapping[str, QuantisedTensor], values: NDArray, config: AcceleratorConfig
) -> Choice:
    """Widest integers, in steps of the layer's sums times the power of two that makes the calibration values fit.

    Parameters
    ----------
    layer : Mac
        Of trained integers.
    sources : mapping of QuantisedTensor
    values : array of float, any shape
        What the layer gives on calibration samples.
    config : AcceleratorConfig
    """
    fmt = widest_integers(config)
    units = [term.step * sources[term.source].scale for term in layer.terms if term.step is not None]
    unit = float(np.min([u[u > 0].min(initial=np.inf) for u in units]))
    reach = float(np.abs(values).max(initial=0.0)) * _ROOM / fmt.top
    scale = unit * 2.0 ** max(0, int(np.ceil(np.log2(max(reach, np.finfo(float).tiny) / unit))))
    return Choice(fmt, scale, 0, scale * scale / 12)
