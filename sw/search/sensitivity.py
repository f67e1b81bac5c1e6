"""sensitivities: what the output loses if one layer's weights or activations alone take a narrower format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .measure import Measurer
from .space import Knob, Point, Space

__all__ = ["sensitivities"]


def sensitivities(
    space: Space,
    start: Point,
    measurer: Measurer,
    x: NDArray,
    progress: Callable[[int, int], None],
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
    """
    scores = measurer.float_scores(x)
    labels = scores.argmax(axis=1)

    def error(point: Point) -> float:
        worth = measurer.worth(point, x, labels, scores)
        return np.inf if worth is None else worth.error

    pairs = [(knob, name) for knob in space.knobs for name in space.options(knob)]
    floor, found = error(start), {}
    for done, (knob, name) in enumerate(pairs):
        progress(done, len(pairs))
        if name == start.formats[knob]:
            found[knob, name] = 0.0
            continue
        alone = error(replace(start, formats={**start.formats, knob: name}))
        found[knob, name] = float(np.sqrt(max(0.0, alone**2 - floor**2)))
    progress(len(pairs), len(pairs))
    return found
