"""widen: 8 bits where they gain most, until answers agree with the float model's as far as is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..errors import CapacityError
from ..quantize import LayerFormats, QuantSettings
from .space import Knob

__all__ = ["WIDE", "Answered", "Widened", "widen"]

WIDE = "int8"
"""What knobs are widened to."""

_SAME = 1e-9
"""Shares nearer to each other than that are the same: sums of floats beside quotients of counts."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a program answers: share of samples with the float model's answer, error of the output (its RMSE over the
    RMS of the float output), and its cycles for a sample."""

    agreement: float
    error: float
    cycles: int


@dataclass(frozen=True, kw_only=True)
class Widened:
    """Settings that agree well enough, which knobs have 8 bits in them, and answers at the start and with them."""

    settings: QuantSettings
    knobs: tuple[Knob, ...]
    start: Answered
    answered: Answered


def widen(
    knobs: Sequence[Knob],
    start: QuantSettings,
    least: float,
    *,
    answered: Callable[[QuantSettings], Answered | None],
    progress: Progress,
) -> Widened:
    """The settings with 8 bits in as few knobs as make the agreement at least ``least``.

    Each knob is widened alone first. They are then taken in the order of squared error saved for a cycle, and each
    step is measured, so that what is returned has been seen to agree.

    Parameters
    ----------
    knobs : sequence of Knob
    start : QuantSettings
        By the names of the lowered graph's layers.
    least : float
        Agreement that is asked for, 0 to 1.
    answered : callable
        What a program of some settings answers; None if there is none: sums or memories do not suffice.
    progress : callable
        Called with (programs tried, programs to try at most).

    Raises
    ------
    CapacityError
        If not even the widest settings that the core allows agree so well.
    """
    enough = least - _SAME
    most, tried = 2 * len(knobs) + 1, 0

    def measured(settings: QuantSettings) -> Answered | None:
        nonlocal tried
        progress(tried, most)
        tried += 1
        return answered(settings)

    first = measured(start)
    if first is None:
        raise CapacityError("there is no program in the formats that widening starts from: compile without --within")
    best = Widened(settings=start, knobs=(), start=first, answered=first)
    if first.agreement < enough:
        gains: list[tuple[float, Knob]] = []
        for knob in knobs:
            found = measured(_widened(start, knob))
            if found is not None and found.error < first.error:
                gains.append(((first.error**2 - found.error**2) / max(1, found.cycles - first.cycles), knob))
        here = best
        for _, knob in sorted(gains, key=lambda each: -each[0]):
            settings = _widened(here.settings, knob)
            found = measured(settings)
            if found is None:
                continue
            here = replace(here, settings=settings, knobs=(*here.knobs, knob), answered=found)
            best = max(best, here, key=lambda each: each.answered.agreement)
            if found.agreement >= enough:
                break
    progress(most, most)
    if best.answered.agreement < enough:
        raise CapacityError(
            f"8 bits in {len(best.knobs)} of {len(knobs)} places agree with the float model on "
            f"{best.answered.agreement:.2%} of the samples, which is not within {100 * (1 - least):g} points: allow "
            "more, or take a core with a wider accumulator (--acc-bits), more planes or larger memories"
        )
    return best


def _widened(settings: QuantSettings, knob: Knob) -> QuantSettings:
    own = settings.layers.get(knob.layer, LayerFormats())
    return replace(settings, layers={**settings.layers, knob.layer: replace(own, **{knob.kind: WIDE})})
