"""A whole search on arithmetic answers."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("optuna")

from narrows.sw.search.explore import Samples, explore
from narrows.sw.search.front import Bound
from narrows.sw.search.measure import Measured, Worth
from narrows.sw.search.picture import front_picture
from narrows.sw.search.space import Knob
from narrows.sw.search.study import Study
from narrows.sw.search.summary import search_summary
from narrows.sw.tasks import HERE
from shuffled_workers import ShuffledWorkers

SAMPLES = Samples(x=np.zeros((4, 2)), labels=np.ones(4, dtype=int))


@pytest.fixture
def search(space, measurer):
    def run(bound, trials, workers=HERE, tuning=None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # Optuna's marks of what is experimental
            study = Study(
                "s",
                storage=None,
                sampler="nsga2",
                seed=0,
                space=space,
                measurer=measurer,
                x=SAMPLES.x,
                labels=SAMPLES.labels,
            )
            return explore(
                space,
                measurer,
                study,
                samples=SAMPLES,
                final=SAMPLES,
                bound=bound,
                trials=trials,
                progress=lambda stage, done, total: None,
                tuning=tuning,
                workers=workers,
            )

    return run


def test_front_beats_uniform_formats(search):
    outcome = search(Bound(loss=0.15), 60)
    assert outcome.float_accuracy == 1.0
    assert len(outcome.searched) >= 40
    for one in outcome.uniform:
        assert any(
            other.cost.speedup >= one.cost.speedup and other.worth.accuracy >= one.worth.accuracy
            for other in outcome.final
        )
    assert outcome.chosen is not None and not outcome.chosen.point.is_uniform
    assert outcome.chosen.worth.accuracy >= 0.85
    assert outcome.chosen.point.formats[Knob("a", "acts")] != "dybit4"


@pytest.mark.parametrize("bound", [Bound(speedup=3.0), Bound(error=0.25)])
def test_greedy_strategies_alone_end_at_their_bound(search, bound):
    outcome = search(bound, 0)
    assert len(outcome.searched) == 2  # one end for each accumulator width
    assert outcome.chosen is not None
    if bound.speedup:
        assert outcome.chosen.cost.speedup >= 3.0
    else:
        assert outcome.chosen.worth.error <= 0.25


def test_summary_and_picture(search):
    outcome = search(Bound(loss=0.15), 30)
    summary = search_summary("model", outcome, images=4, final_images=4, integer_unit=200.0)
    assert [row["speedup"] for row in summary["front"]] == sorted(row["speedup"] for row in summary["front"])
    assert len(summary["points"]) == len(outcome.searched)
    first = summary["uniform"][0]
    assert first["short"].startswith("2 x ") and first["shape"] == "4x4x16"
    assert front_picture(outcome).startswith("<svg")


def test_what_is_found_does_not_depend_on_workers(search):
    first, second = (search(Bound(loss=0.15), 30, workers) for workers in (HERE, ShuffledWorkers()))
    assert first == second


class Lifted:
    """Training that takes nine tenths of every loss away."""

    def __init__(self, measurer):
        self.measurer, self.most, self.settings = measurer, 3, SimpleNamespace(epochs=2)
        measurer.measure_program = lambda point, program, x, labels, scores, epochs: Measured(
            point=point, cost=measurer.cost(point), worth=program, epochs=epochs
        )

    def run(self, points, progress, workers):
        found = {point: self.measurer.worth(point, *[np.zeros(0)] * 3) for point in points}
        return {
            point: Worth(accuracy=1 - (1 - worth.accuracy) / 10, error=worth.error / 10)
            for point, worth in found.items()
            if worth is not None
        }


def test_a_trained_point_takes_the_place_of_a_slower_one(search, measurer):
    plain, tuned = search(Bound(loss=0.15), 30), search(Bound(loss=0.15), 30, tuning=Lifted(measurer))
    assert plain.chosen is not None and tuned.chosen is not None
    assert plain.chosen.epochs == 0 and tuned.chosen.epochs == 2
    assert tuned.chosen.cost.speedup > plain.chosen.cost.speedup
    assert tuned.searched == plain.searched and tuned.uniform == plain.uniform
    assert len(tuned.trained) <= 3 and tuned.chosen.point in tuned.trained
    assert all(point.key in {one.point.key for one in plain.searched} for point in tuned.trained)
    summary = search_summary("model", tuned, images=4, final_images=4, integer_unit=200.0)
    assert summary["chosen"]["epochs"] == 2 and summary["uniform"][0]["epochs"] == 0
    assert "trained" in front_picture(tuned) and "trained" not in front_picture(plain)
