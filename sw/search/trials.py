"""trials: measurements of points as tasks, each of which any process can do."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

from .measure import Measured, Measurer, Worth
from .space import Point

__all__ = ["Trials", "measure", "worth"]


@dataclass(frozen=True, kw_only=True)
class Trials:
    """What measurements have in common.

    Parameters
    ----------
    measurer : Measurer
    x, labels : array
        Samples of shape (N, ...), labels of shape (N,).
    scores : array, shape (N, classes)
        Of the float model.
    """

    measurer: Measurer
    x: NDArray
    labels: NDArray
    scores: NDArray


def measure(trials: Trials, point: Point) -> Measured | None:
    """`Measurer.measure` as a task."""
    return trials.measurer.measure(point, trials.x, trials.labels, trials.scores)


def worth(trials: Trials, point: Point) -> Worth | None:
    """`Measurer.worth` as a task."""
    return trials.measurer.worth(point, trials.x, trials.labels, trials.scores)
