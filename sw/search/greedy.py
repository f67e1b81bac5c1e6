"""The two greedy strategies: precision goes where it gains most cycles for its error, to a speed or to an error.

They follow the hardware-aware search of the DyBit paper (arXiv 2302.12510), which narrows layer by layer from the
widest formats, either until a required speed-up is reached or as long as a bounded error ratio allows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .space import Knob, Point, Space

__all__ = ["Step", "first_of_speed", "last_within_error", "narrowing"]

Errors = dict[tuple[Knob, str], float]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A point on the way, its cycles, and the error ratio predicted for it."""

    point: Point
    cycles: int
    error: float


def narrowing(space: Space, start: Point, errors: Errors, cycles: Callable[[Point], int]) -> list[Step]:
    """Points from ``start`` to where no narrower format saves cycles any more.

    Each step changes the one knob with the most cycles saved per squared error added. Squared errors of single knobs
    add up: errors of different roundings are nearly independent.

    Parameters
    ----------
    space : Space
    start : Point
        The widest formats.
    errors : mapping
        Error ratio of the output if one knob alone has a format and all others are as in ``start``.
    cycles : callable
        Of a point.
    """

    def squared(knob: Knob, name: str) -> float:
        return errors[knob, name] ** 2

    path = [Step(point=start, cycles=cycles(start), error=0.0)]
    while True:
        here = path[-1]
        best: tuple[float, Point, int] | None = None
        for knob in space.knobs:
            now = here.point.formats[knob]
            for name in space.options(knob):
                if name == now:
                    continue
                moved = replace(here.point, formats={**here.point.formats, knob: name})
                saved = here.cycles - (after := cycles(moved))
                added = squared(knob, name) - squared(knob, now)
                if saved <= 0:
                    continue
                gain = np.inf if added <= 0 else saved / added
                if best is None or (gain, saved) > (best[0], here.cycles - best[2]):
                    best = gain, moved, after
        if best is None:
            return path
        _, point, after = best
        total = sum(squared(knob, name) for knob, name in point.formats.items())
        path.append(Step(point=point, cycles=after, error=float(np.sqrt(total))))


def first_of_speed(path: Sequence[Step], cycles: float) -> Step | None:
    """Best accuracy for a required speed: the first step of at most so many cycles; None if there is none."""
    return next((step for step in path if step.cycles <= cycles), None)


def last_within_error(path: Sequence[Step], error: float) -> Step:
    """Best speed for a bounded error ratio: the last step before one that goes beyond it."""
    beyond = next((number for number, step in enumerate(path) if step.error > error), len(path))
    return path[max(0, beyond - 1)]
