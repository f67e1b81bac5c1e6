"""sensitivities: what the output loses if one layer's weights or activations alone take a narrower format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..tasks import HERE, Workers, in_order
from .measure import Measurer
from .space import Knob, Point, Space
from .trials import Trials, worth

__all__ = ["sensitivities"]


def sensitivities(
    space: Space,
    start: Point,
    measurer: Measurer,
    x: NDArray,
    progress: Callable[[int, int], None],
    workers: Workers = HERE,
) -> dict[tuple[Knob, str], float]:
    """Error ratios (RMSE over RMS of the float output) of every format of every knob, all others as in ``start``.

    What ``start`` itself loses is taken off, in squares; infinite where the sums cannot be certified.

    Parameters
    ----------
    space : Space
    start : Point
        The widest formats.
    measurer : Measurer
    x : array, shape (N, ...)
        Samples; some dozens do.
    progress : callable
        Called with (measurements done, measurements in all).
    workers : Workers
        What runs the measurements.
    """
    scores = measurer.float_scores(x)
    trials = Trials(measurer=measurer, x=x, labels=scores.argmax(axis=1), scores=scores)
    pairs = [(knob, name) for knob in space.knobs for name in space.options(knob)]
    others = [(knob, name) for knob, name in pairs if name != start.formats[knob]]
    points = [start, *(replace(start, formats={**start.formats, knob: name}) for knob, name in others)]
    errors = [np.inf if found is None else found.error for found in in_order(workers, worth, trials, points, progress)]
    floor, alone = errors[0], dict(zip(others, errors[1:], strict=True))
    return {pair: float(np.sqrt(max(0.0, alone[pair] ** 2 - floor**2))) if pair in alone else 0.0 for pair in pairs}
