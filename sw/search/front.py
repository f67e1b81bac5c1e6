"""front: which measured points no other one beats in everything, and which of them a bound chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..errors import InputError
from .measure import Measured

__all__ = ["Bound", "front", "goals"]

_Item = TypeVar("_Item")


def front(items: Iterable[_Item], goals: Callable[[_Item], Sequence[float]]) -> list[_Item]:
    """Items that no other one beats: as large in all goals and larger in one; of equals the first.

    Parameters
    ----------
    items : iterable
    goals : callable
        Numbers of an item, the larger the better.
    """
    kept: list[tuple[_Item, tuple[float, ...]]] = []
    for item in items:
        own = tuple(goals(item))
        if any(_covers(other, own) for _, other in kept):
            continue
        kept = [(one, other) for one, other in kept if not _covers(own, other)]
        kept.append((item, own))
    return [item for item, _ in kept]


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What a choice must keep to; exactly one is given.

    Parameters
    ----------
    loss : float or None
        Accuracy at most so much below the float model's; of those the fastest is chosen.
    speedup : float or None
        At least so much (`Cost.speedup`); of those the most accurate is chosen.
    error : float or None
        At most so much error of the output (`Worth.error`); of those the fastest is chosen.

    Raises
    ------
    InputError
        If not exactly one is given.
    """

    loss: float | None = None
    speedup: float | None = None
    error: float | None = None

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.loss, self.speedup, self.error)) != 1:
            raise InputError("choose one bound: on the loss, on the speed-up or on the error")

    def choose(self, points: Iterable[Measured], float_accuracy: float) -> Measured | None:
        """The best point that keeps to it; None if none does."""

        def allows(one: Measured) -> bool:
            if self.loss is not None:
                return one.worth.accuracy >= float_accuracy - self.loss
            if self.error is not None:
                return one.worth.error <= self.error
            return one.cost.speedup >= (self.speedup or 0)

        def rank(one: Measured) -> tuple[float, float]:
            speedup, accuracy = one.cost.speedup, one.worth.accuracy
            return (speedup, accuracy) if self.speedup is None else (accuracy, speedup)

        return max(filter(allows, points), key=rank, default=None)


def goals(one: Measured) -> tuple[float, float]:
    """What a front is about: accuracy, and speed in as many look-up tables."""
    return one.worth.accuracy, one.cost.speedup


def _covers(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a >= b for a, b in zip(one, other, strict=True))
