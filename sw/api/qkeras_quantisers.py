"""Quantisers of QKeras: the grids that they round activations to, and the steps of the weights that they give.

Nothing of QKeras or TensorFlow is imported: quantisers are known by their classes' names, and asked for attributes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedOperator
from ..grids import Rounding
from .hgq_quantisers import FixedPoint, power_steps

__all__ = ["grid_of", "weights_of"]

_KNOWN = "train with quantized_bits, quantized_relu or binary"
_OFF_GRID = 1e-3
"""Of a step: what QKeras' float32 puts beside it, ``x + (q - x)``, is a thousandth of that at most."""


def grid_of(quantiser: Any, name: str) -> FixedPoint:
    """The grid of a quantiser of activations, one of -1 and 1 as signed with 1 bit; ``name`` is for errors.

    Raises
    ------
    UnsupportedOperator
        If no even grid, the same for the tensor and for all inputs, does the same.
    """
    kind = type(quantiser).__name__
    if float(getattr(quantiser, "qnoise_factor", 1.0)) != 1.0:
        raise _refused(name, "mixes rounded with unrounded values: end the training with a qnoise_factor of 1")
    if kind == "quantized_relu":
        return _relu_grid(quantiser, name)
    if kind == "quantized_bits":
        return _bits_grid(quantiser, name)
    if kind == "binary" and not quantiser.use_01:
        return _even(_scale(quantiser, name), 1, signed=True)
    raise _refused(name, f"is a {kind}, of which no grid is known: {_KNOWN}")


def _even(step: float, bits: int, *, signed: bool, narrow: bool = False) -> FixedPoint:
    return FixedPoint(step, bits, signed, narrow, Rounding.EVEN)


def _relu_grid(quantiser: Any, name: str) -> FixedPoint:
    if quantiser.use_sigmoid or quantiser.negative_slope:
        raise _refused(name, "has a sigmoid or a negative slope: train with a plain quantized_relu")
    bits = int(quantiser.bits)
    step = 2.0 ** (_whole(quantiser, name) - bits)
    bound = quantiser.relu_upper_bound
    if bound and not quantiser.is_quantized_clip and bound < step * (2**bits - 1):
        raise _refused(name, f"ends at {bound:g}, within its bits: train without relu_upper_bound")
    return _even(step, bits, signed=False)


def _bits_grid(quantiser: Any, name: str) -> FixedPoint:
    bits, signed = int(quantiser.bits), bool(quantiser.keep_negative)
    scale = _scale(quantiser, name)
    if bits == 1 and signed:
        return _even(scale, 1, signed=True)
    step = scale * 2.0 ** (_whole(quantiser, name) - (bits - signed))
    return _even(step, bits, signed=signed, narrow=signed and bool(quantiser.symmetric))


def _whole(quantiser: Any, name: str) -> int:
    """Bits in front of the point, one number for the tensor."""
    given = np.unique(np.asarray(quantiser.integer))
    if given.size != 1:
        raise _refused(name, "has a range for each channel: train with one for the tensor (per_channel=False)")
    return int(given[0])


def _scale(quantiser: Any, name: str) -> float:
    alpha = quantiser.alpha
    if isinstance(alpha, str):
        raise _refused(name, f"scales each input anew (alpha={alpha!r}): train activations with a number for alpha")
    given = np.unique(np.asarray(1.0 if alpha is None else alpha, dtype=np.float64))
    if given.size != 1 or given[0] <= 0:
        raise _refused(name, "has more than one alpha, or one that is not positive: train with one for the tensor")
    return float(given[0])


def weights_of(quantiser: Any, values: Any, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a quantiser gives for weights, and the steps by channel (the last axis) that these are whole multiples of.

    Parameters
    ----------
    quantiser : callable
        Of QKeras, of any kind: fixed point, powers of two, two or three values; scaled by numbers, or by the weights
        themselves (``alpha="auto"``, ``"auto_po2"``).
    values : tensor or array of float32, shape (..., O)
    name : str
        For errors.

    Returns
    -------
    array of float32, shape (..., O)
        Whole multiples of the steps, rid of what float32 put beside them.
    array of float32, for the values to broadcast with

    Raises
    ------
    UnsupportedOperator
        If a channel's weights are no whole multiples of a step, of 32 bits.
    """
    given = np.asarray(quantiser(values), dtype=np.float64)
    scale = _weight_scale(quantiser, given.shape)
    unit = _unit(quantiser)
    relative = given / scale
    if unit is None:  # powers of two, of any size
        exponents = np.round(np.log2(np.abs(np.where(relative == 0, 1, relative))))
        relative = np.sign(relative) * np.exp2(exponents)
        steps = power_steps(relative.astype(np.float32), name) * scale
    else:
        integers = np.rint(relative / unit)
        if np.abs(relative / unit - integers).max(initial=0) > _OFF_GRID * max(1.0, np.abs(integers).max(initial=0)):
            raise _refused(name, "gives weights that are no multiples of its step: is its training over?")
        relative = integers * unit
        steps = unit * scale
    return (relative * scale).astype(np.float32), np.asarray(steps, dtype=np.float32)


def _weight_scale(quantiser: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """By channel: what the call before has left."""
    found = getattr(quantiser, "scale", None)
    scale = np.asarray(1.0 if found is None else found, dtype=np.float64)
    whole = np.broadcast_to(np.where(scale == 0, 1.0, scale), shape)
    return whole.reshape(-1, shape[-1])[:1].reshape((1,) * (len(shape) - 1) + (-1,))


def _unit(quantiser: Any) -> float | None:
    """What weights are multiples of where the scale is 1; None: each is a power of two."""
    kind = type(quantiser).__name__
    if kind in ("quantized_po2", "quantized_relu_po2"):
        return None
    if kind == "quantized_bits" and (width := int(quantiser.bits) - bool(quantiser.keep_negative)):
        return 2.0 ** (int(np.asarray(quantiser.integer)) - width)
    if kind in ("quantized_bits", "binary", "stochastic_binary", "ternary", "stochastic_ternary"):
        return 1.0
    raise UnsupportedOperator(f"weights through a {kind} have no step: {_KNOWN}, ternary or quantized_po2")


def _refused(name: str, why: str) -> UnsupportedOperator:
    return UnsupportedOperator(f"quantiser of {name!r} {why}")
