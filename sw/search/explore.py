"""explore: a search from its first point to its outcome, by greedy narrowing alone or with a sampler behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Program
from ..tasks import HERE, Workers, in_order
from .finetune import FineTuning, worth_training
from .front import Bound, front, goals
from .greedy import Step, first_of_speed, last_within_error, narrowing
from .measure import Measured, Measurer, accuracy
from .sensitivity import sensitivities
from .space import Knob, Point, Space
from .study import Study
from .trials import Trials, measure

__all__ = ["Outcome", "Samples", "explore"]

Progress = Callable[[str, int, int], None]

_PROBES = 48
"""Samples that error ratios are measured on."""

_WAYPOINTS = 12
"""Points of a greedy path that a search begins with."""


_FINALISTS = 8
"""Points of the front that are measured again."""


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Samples ``x`` of shape (N, ...), as the model takes them, with ``labels`` of shape (N,)."""

    x: NDArray
    labels: NDArray


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a search found.

    Parameters
    ----------
    searched : list of Measured
        All points, on the search's samples.
    final, uniform : list of Measured
        The front of accuracy and speed-up, and that of the same formats in all layers, on the final samples.
    chosen : Measured or None
        The best of those that keeps to the bound.
    float_accuracy : float
        On the final samples.
    trained : dict of Program
        Of the points that were trained.
    """

    searched: list[Measured]
    final: list[Measured]
    uniform: list[Measured]
    chosen: Measured | None
    float_accuracy: float
    trained: dict[Point, Program] = field(default_factory=dict, compare=False)


def explore(
    space: Space,
    measurer: Measurer,
    study: Study,
    *,
    samples: Samples,
    final: Samples,
    bound: Bound,
    trials: int,
    progress: Progress,
    tuning: FineTuning | None = None,
    workers: Workers = HERE,
) -> Outcome:
    """Search, and measure the best again; then train those that could become better than these.

    Parameters
    ----------
    space : Space
    measurer : Measurer
    study : Study
        On ``samples``.
    samples, final : Samples
        Those that points are compared on, and those of the final figures.
    bound : Bound
    trials : int
        Points that the study shall have in all. It begins with uniform formats and the greedy path; 0: with the greedy
        strategy alone, and a bound on speed or error leaves only the point that it ends at.
    progress : callable
        Called with (what is done, steps done, steps in all).
    tuning : FineTuning, optional
        How points are trained; without, none is.
    workers : Workers
        What measures and trains. What is found does not depend on them.
    """
    greedy = _greedy_points(space, measurer, study, samples.x, None if trials else bound, progress, workers)
    proposed = [*_uniform_points(space), *greedy] if trials else greedy
    study.propose(proposed)
    study.run(trials or len(proposed), lambda done, total: progress("searching", done, total), workers)
    searched = study.measured
    unbeaten = sorted(front(searched, goals), key=lambda one: one.cost.speedup)
    best = _spread(unbeaten, _FINALISTS)
    plain = front([one for one in searched if one.point.is_uniform], goals)
    scores = measurer.float_scores(final.x)
    judged = Trials(measurer=measurer, x=final.x, labels=final.labels, scores=scores)
    wanted = {one.point.key: one.point for one in (*best, *plain)}
    again = _remeasured(wanted, judged, progress, workers)
    reference = accuracy(scores, final.labels)
    found, trained = list(again.values()), {}
    if tuning is not None:
        wanting = worth_training(unbeaten, bound, bound.choose(found, reference), tuning.most)
        trained = tuning.run([one.point for one in wanting], lambda *steps: progress("training", *steps), workers)
        found += [
            measurer.measure_program(point, program, final.x, final.labels, scores, epochs=tuning.settings.epochs)
            for point, program in trained.items()
        ]
    return Outcome(
        searched=searched,
        final=front(found, goals),
        uniform=[again[one.point.key] for one in plain if one.point.key in again],
        chosen=bound.choose(found, reference),
        float_accuracy=reference,
        trained=trained,
    )


def _uniform_points(space: Space) -> list[Point]:
    return [
        space.uniform(weights, acts, **core)
        for core in space.cores()
        for weights in space.weights
        for acts in space.acts
    ]


def _greedy_points(
    space: Space,
    measurer: Measurer,
    study: Study,
    x: NDArray,
    bound: Bound | None,
    progress: Progress,
    workers: Workers,
) -> list[Point]:
    """Points on the greedy path of every core.

    Error ratios are measured once, on the core with the widest accumulator, and kept with the study.
    """
    cores = list(space.cores())
    widest = max(cores, key=lambda core: (core["acc_bits"], core["rescale_bits"]))
    errors = _errors(space, measurer, study, x, widest, progress, workers)
    points: list[Point] = []
    for core in cores:
        path = narrowing(space, _start(space, measurer, core), errors, lambda point: measurer.cost(point).cycles)
        points += _picked(path, measurer, bound)
    return points


def _remeasured(
    points: Mapping[Any, Point], trials: Trials, progress: Progress, workers: Workers
) -> dict[Any, Measured]:
    found = in_order(
        workers,
        measure,
        trials,
        list(points.values()),
        lambda done, total: progress("measuring the best again", done, total),
    )
    return {key: one for key, one in zip(points, found, strict=True) if one is not None}


def _start(space: Space, measurer: Measurer, core: dict[str, Any]) -> Point:
    some = space.uniform(space.weights[0], space.acts[0], **core)
    return space.uniform(*space.finest(some.config(measurer.config)), **core)


def _errors(
    space: Space,
    measurer: Measurer,
    study: Study,
    x: NDArray,
    core: dict[str, Any],
    progress: Progress,
    workers: Workers,
) -> dict[tuple[Knob, str], float]:
    def errors() -> list[float]:
        found = sensitivities(
            space,
            _start(space, measurer, core),
            measurer,
            x[:_PROBES],
            lambda done, total: progress("measuring error ratios", done, total),
            workers,
        )
        return [found[pair] for pair in pairs]

    pairs = [(knob, name) for knob in space.knobs for name in space.options(knob)]
    return dict(zip(pairs, study.remembered("errors", errors), strict=True))


def _picked(path: list[Step], measurer: Measurer, bound: Bound | None) -> list[Point]:
    if bound is not None and bound.error is not None:
        return [last_within_error(path, bound.error).point]
    if bound is not None and bound.speedup is not None:
        fastest = measurer.cost(path[0].point)
        step = first_of_speed(path, fastest.cycles * fastest.speedup / bound.speedup)
        return [(step or path[-1]).point]
    return [step.point for step in _spread(path, _WAYPOINTS)]


def _spread(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the items, evenly, the ends among them."""
    if len(items) <= most:
        return list(items)
    places = np.unique(np.linspace(0, len(items) - 1, most).round().astype(int))
    return [items[place] for place in places]
