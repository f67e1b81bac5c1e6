"""Layers of trained integers: their levels as they are, on one scale of sums, and rescalers for trained grids."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.certificate import final_sum_bounds, signed_bits
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.digits import DIGITS_MAX, Digits
from ...hw.spec.formats import Int
from ..errors import CertificateError
from ..graph import Graph
from ..grids import Grid
from ..layers import Mac, Term
from ..quantised import MacLayer, QuantisedTensor, Segment
from ..shortage import Shortage
from .thresholds import Line, Rescaling, fit_gain, fit_sign, fit_steps

__all__ = ["is_kept", "keep", "least_segments"]

_TOLERANCE = 0.03
"""What sums of several terms may be off by, in output levels, where their scales have no small common multiple."""

_USUAL = Int(8)
"""Digits of multiplied weights: more than this format needs are not taken for accuracy's sake alone."""

_ALMOST = 4
"""Wrong sums of a channel up to which one digit more is tried: it is meant to make the layer exact."""

_FINER = (2, 4, 8, 16)
"""Factors by which weights may be multiplied, beside powers of the radix."""

_IDLE = 2
"""Positions without digits that a layer may have for accuracy's sake."""


def is_kept(layer: Mac, graph: Graph) -> bool:
    """Whether a layer's weights are trained integers (or the graph's own), in a graph with trained grids."""
    if not graph.grids:
        return False
    integers = all(term.constant or term.step is not None for term in layer.terms)
    return integers and (layer.output in graph.grids or any(term.step is not None for term in layer.terms))


@dataclass(frozen=True)
class _Integers:
    """A term in integers: levels, real value of a product of levels (O,), and the source."""

    term: Term
    levels: NDArray[np.int64]
    unit: NDArray[np.float64]
    tensor: QuantisedTensor

    @staticmethod
    def of(term: Term, tensor: QuantisedTensor) -> _Integers:
        step = np.abs(term.weights[:, 0, 0, 0]) if term.constant else term.step
        assert step is not None, "only kept layers come here"
        safe = np.where(step == 0, 1.0, step)
        levels = np.rint(term.weights / safe[:, np.newaxis, np.newaxis, np.newaxis]).astype(np.int64)
        return _Integers(term, levels, safe * tensor.scale, tensor)

    @functools.cached_property
    def bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Smallest and largest sums by channel."""
        return final_sum_bounds([(self.levels, self.tensor.span)])

    @property
    def largest(self) -> int:
        """Largest magnitude of a level."""
        return int(np.abs(self.levels).max(initial=0))

    def segment(self, factors: NDArray[np.int64]) -> Segment:
        """The segment, its levels times a factor for each channel."""
        return self.term.segment(self.levels * factors[:, np.newaxis, np.newaxis, np.newaxis])


def keep(
    layer: Mac,
    sources: Mapping[str, QuantisedTensor],
    output: QuantisedTensor,
    grid: Grid | None,
    config: AcceleratorConfig,
    sums: NDArray,
    *,
    exact: bool = False,
) -> MacLayer:
    """The layer with its trained integers for weights, and the rescaler that comes nearest to the trained quantiser.

    Parameters
    ----------
    layer : Mac
        For which `is_kept` holds.
    sources : mapping of QuantisedTensor
    output : QuantisedTensor
    grid : Grid or None
        Of the output; None: the output is not a trained one.
    config : AcceleratorConfig
    sums : array of float, shape (N, O, H, W)
        What the layer gives on calibration samples before its clamp: where no rescaler is right for all sums, it is
        right for frequent ones.
    exact : bool
        Give weights as many digits as make it right for all, if some do.

    Raises
    ------
    CertificateError
        If the sums do not fit the accumulator.
    """
    terms = [_Integers.of(term, sources[term.source]) for term in layer.terms]
    factors = _common_scale(layer, terms, output, config)
    line = _line(layer, terms, factors, output, sums)
    if exact:
        line = replace(line, spread=np.full_like(line.spread, np.inf))  # every sum counts alike

    def fitted(finer: int) -> Rescaling:
        sums = replace(line, every=finer)
        if grid is None:
            return fit_gain(sums, output.zero, config)
        if grid.bipolar:
            return fit_sign(sums, config)
        levels, moved = (output.low, output.high), output.zero - grid.zero
        count = math.prod(layer.terms[0].window.kernel)
        return fit_steps(sums, output.zero, levels, config, rounding=grid.rounding, moved=moved, count=count)

    even = grid is not None and grid.bipolar
    chosen, rescaling = _finest(terms, factors, fitted, config, even=even, exact=exact)
    segments = tuple(term.segment(factor) for term, factor in zip(terms, chosen, strict=True))
    bounds = final_sum_bounds([(s.weights, sources[s.source].span) for s in segments])
    _check(layer, bounds, config)
    return MacLayer(
        name=layer.name,
        segments=segments,
        bias=rescaling.bias,
        multiplicand=rescaling.multiplicand,
        shift=rescaling.shift,
        cert_bits=signed_bits(*bounds),
        output=output.name,
    )


def least_segments(
    layer: Mac,
    sources: Mapping[str, QuantisedTensor],
    output: QuantisedTensor,
    grid: Grid | None,
    config: AcceleratorConfig,
) -> tuple[Segment, ...]:
    """Segments that `keep` begins with, before calibration asks for larger multiples of the same integers.

    Arguments are those of `keep`. Where no common scale fits the accumulator the levels are as they were trained.
    """
    terms = [_Integers.of(term, sources[term.source]) for term in layer.terms]
    try:
        factors = _common_scale(layer, terms, output, config)
    except CertificateError:
        factors = np.ones((len(terms), len(layer.bias)), dtype=np.int64)
    least = 2 if grid is not None and grid.bipolar else 1
    return tuple(term.segment(least * factor) for term, factor in zip(terms, factors, strict=True))


def _check(layer: Mac, bounds: tuple[NDArray[np.int64], NDArray[np.int64]], config: AcceleratorConfig) -> None:
    bits = signed_bits(*bounds)
    if bits > config.acc_bits:
        what = "accumulator bits for sums of trained integers"
        shortage = Shortage.of(config, "acc_bits", what, needed=bits, layer=layer.name)
        raise CertificateError(f"{shortage}, or quantise the float model", (shortage,))


def _finest(
    terms: list[_Integers],
    factors: NDArray[np.int64],
    fitted: Callable[[int], Rescaling],
    config: AcceleratorConfig,
    *,
    even: bool,
    exact: bool,
) -> tuple[NDArray[np.int64], Rescaling]:
    """Factors (T, O) and rescalers by channel: weights times 1 (2 if ``even``), or more where that makes them better.

    Larger weights let the bias place steps more finely. Times a power of the digits' radix they have the same digits,
    further up, and what is new are positions without any, which take a step each.
    """
    best: tuple[NDArray[np.int64], Rescaling] | None = None
    for idle in range(_IDLE + 1):
        start = (1 + even) << (idle * config.weight_digits.shift)
        found = _finer(terms, factors, fitted, config, start=start, more=None if exact else 1)
        if found is None:
            break
        if best is None or found[1].cost.sum() < best[1].cost.sum():
            best = found
        if not best[1].wrong.any():
            break
    first = 1 + even
    return best or (factors * first, fitted(first))


def _finer(
    terms: list[_Integers],
    factors: NDArray[np.int64],
    fitted: Callable[[int], Rescaling],
    config: AcceleratorConfig,
    *,
    start: int,
    more: int | None,
) -> tuple[NDArray[np.int64], Rescaling] | None:
    """As `_finest`, from ``start`` times the factors on; None where those do not fit.

    Weights may take so many ``more`` digits only where no sum is wrong then; None: any number, for each sum less.
    """
    planes = _planes(terms, factors * start, config)
    if planes is None:
        return None
    chosen, rescaling = factors * start, fitted(start)
    for finer in (start * power for power in _FINER):
        if not rescaling.wrong.any():
            break
        needed = _planes(terms, factors * finer, config)
        if needed is None or (more is not None and needed != planes and rescaling.wrong.max() > _ALMOST):
            break
        better, take = rescaling.better(fitted(finer))
        mixed = np.where(take, factors * finer, chosen)
        needed = _planes(terms, mixed, config)
        if needed is None or (more is not None and any(n > p + more for n, p in zip(needed, planes, strict=True))):
            break
        if more is None or needed == planes or (rescaling.wrong.max() <= _ALMOST and not better.wrong.any()):
            chosen, rescaling = mixed, better
    return chosen, rescaling


def _planes(terms: list[_Integers], factors: NDArray[np.int64], config: AcceleratorConfig) -> list[int] | None:
    """Positions of digits that each term's weights times factors need; None where they or their sums do not fit."""
    levels = [
        t.levels * factor[:, np.newaxis, np.newaxis, np.newaxis] for t, factor in zip(terms, factors, strict=True)
    ]
    if any(np.abs(each).max(initial=0) > config.weight_digits.span(DIGITS_MAX) for each in levels):
        return None
    if signed_bits(*_bounds(terms, factors)) > config.acc_bits:
        return None
    digits = config.weight_digits
    return [sum(bool(codes.any()) for codes in digits.to_planes(each, digits.count(each))) for each in levels]


def _bounds(terms: list[_Integers], factors: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    low, high = (
        sum(factor * term.bounds[side] for term, factor in zip(terms, factors, strict=True)) for side in (0, 1)
    )
    return np.asarray(low), np.asarray(high)


def _line(
    layer: Mac, terms: list[_Integers], factors: NDArray[np.int64], output: QuantisedTensor, sums: NDArray
) -> Line:
    """Output levels as a function of the sums of levels; biases and zero levels are part of the offset."""
    units = np.array([term.unit for term in terms])
    unit = _unit(units, factors)
    zeros = sum(
        term.tensor.zero * factor * term.levels.sum(axis=(1, 2, 3)) for term, factor in zip(terms, factors, strict=True)
    )
    low, high = _bounds(terms, factors)
    offset = (layer.bias - unit * zeros) / output.scale + output.zero
    mean, spread = sums.mean(axis=(0, 2, 3), dtype=np.float64), sums.std(axis=(0, 2, 3), dtype=np.float64)
    safe = np.where(unit == 0, 1.0, unit)
    return Line(unit / output.scale, offset, low, high, (mean - layer.bias) / safe + zeros, spread / safe)


def _unit(units: NDArray[np.float64], factors: NDArray[np.int64]) -> NDArray[np.float64]:
    """Real value of a sum of 1 that suits all terms best, from units and factors of shape (..., T, O)."""
    return (units * factors).sum(axis=-2) / np.maximum(np.square(factors).sum(axis=-2), 1)


def _common_scale(
    layer: Mac, terms: list[_Integers], output: QuantisedTensor, config: AcceleratorConfig
) -> NDArray[np.int64]:
    """Factors (T, O) of the terms' levels that bring their sums to one scale: 1 where there is one term."""
    units = np.array([term.unit for term in terms])
    used = np.array([term.levels.any(axis=(1, 2, 3)) for term in terms])
    if len(terms) == 1:
        return np.ones_like(units, dtype=np.int64)
    reach = np.array([np.maximum(-term.bounds[0], term.bounds[1]) for term in terms])
    factors = np.zeros_like(units, dtype=np.int64)
    for channel in range(units.shape[1]):
        own = used[:, channel]
        if not own.any():
            continue
        found = None
        for candidates, planes in _candidates(terms, units[own, channel], own, config.weight_digits):
            fits = _fitting(terms, candidates, own, channel, config)
            candidates = candidates[fits]
            if not len(candidates):
                continue
            unit = _unit(units[own, channel][np.newaxis, :, np.newaxis], candidates[:, :, np.newaxis])
            off = np.abs(candidates * unit - units[own, channel]) * reach[own, channel]
            off = off.max(axis=1) / output.scale
            good = np.flatnonzero(off <= _TOLERANCE)
            pick = int(good[0]) if good.size else int(off.argmin())
            if found is None or off[pick] < found[0]:
                found = float(off[pick]), candidates[pick]
            if found[0] <= _TOLERANCE or planes >= config.weight_digits.of_format(_USUAL):
                break
        if found is None:
            _check(layer, _bounds(terms, np.ones_like(factors)), config)
            raise CertificateError(
                f"layer {layer.name!r}: the scales of its operands have no common multiple that fits "
                f"{config.acc_bits} accumulator bits: set acc_bits higher"
            )
        factors[own, channel] = found[1]
    return factors


def _candidates(
    terms: list[_Integers], units: NDArray[np.float64], own: NDArray[np.bool_], digits: Digits
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Factors (J, T) in the order of their size, for more and more digits."""
    largest = np.array([term.largest for term, use in zip(terms, own, strict=True) if use])
    ratio = units / units.min()
    for planes in range(1, digits.most + 1):
        most = int(min(digits.span(planes) / (ratio * largest)))
        if most < 1:
            continue
        yield np.rint(np.outer(np.arange(1, most + 1), ratio)).astype(np.int64), planes


def _fitting(
    terms: list[_Integers],
    candidates: NDArray[np.int64],
    own: NDArray[np.bool_],
    channel: int,
    config: AcceleratorConfig,
) -> NDArray[np.bool_]:
    """Which factors leave the sums within the accumulator."""
    used = [term for term, use in zip(terms, own, strict=True) if use]
    low, high = (candidates @ np.array([term.bounds[side][channel] for term in used]) for side in (0, 1))
    return (low >= -(1 << (config.acc_bits - 1))) & (high < 1 << (config.acc_bits - 1))
