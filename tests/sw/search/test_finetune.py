"""Points of a search, trained: which ones, what is kept of them, and that training makes none worse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from narrows.hw.spec.config import PRESETS
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import CapacityError
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.program import Program
from narrows.sw.runtime import prepare_input, restore_outputs
from narrows.sw.search.finetune import FineTuning, worth_training
from narrows.sw.search.front import Bound
from narrows.sw.search.measure import Cost, Measured, Measurer, Worth
from narrows.sw.search.space import Point, Space
from narrows.sw.search.trials import Trials
from narrows.sw.tasks import HERE

DATA = digits()
CORE = {"acc_bits": 16, "rescale_bits": 4, "base": "dybit2", "shape": (2, 4, 4)}


def measured(speedup: float, accuracy: float) -> Measured:
    point = Point(formats={}, acc_bits=16, rescale_bits=4, base="dybit4", shape=(4, 4, 16))
    cost = Cost(cycles=round(1e6 / speedup), array_luts=1000.0, luts=2000.0, speedup=speedup)
    return Measured(point=point, cost=cost, worth=Worth(accuracy=accuracy, error=1 - accuracy))


FRONT = [measured(1.0, 0.95), measured(2.0, 0.9), measured(3.0, 0.8), measured(4.0, 0.6), measured(5.0, 0.5)]


@pytest.mark.parametrize(
    ("bound", "chosen", "speeds"),
    [
        (Bound(loss=0.1), FRONT[1], [3.0, 4.0]),
        (Bound(error=0.1), FRONT[3], [5.0]),
        (Bound(loss=0.01), None, [1.0, 2.0]),
        (Bound(loss=0.9), FRONT[4], []),
        (Bound(speedup=2.5), FRONT[2], [3.0, 4.0]),
    ],
)
def test_trained_are_those_that_could_take_the_chosen_ones_place(
    bound: Bound, chosen: Measured | None, speeds: list[float]
) -> None:
    assert [one.cost.speedup for one in worth_training(FRONT, bound, chosen, 2)] == speeds


def golden(quantised, config, x):
    tensors = GoldenModel(quantised, config).run(prepare_input(quantised, x))
    return restore_outputs(quantised, tensors, raw=True)[quantised.outputs[0].name]


@pytest.fixture(scope="module")
def tuning() -> FineTuning:
    training = pytest.importorskip("narrows.sw.quantize.train")
    with digits_model() as path:
        measurer = Measurer(load_model(path), PRESETS["tiny"], DATA.calib_x[:48], golden)
    x, labels = DATA.test_x[:60], DATA.test_y[:60]
    return FineTuning(
        measurer=measurer,
        x=DATA.test_x[60:220],
        y=DATA.test_y[60:220],
        judged=Trials(measurer=measurer, x=x, labels=labels, scores=measurer.float_scores(x)),
        settings=training.TrainSettings(epochs=1, batch=16, rate=1e-2),
        most=1,
    )


@pytest.fixture(scope="module")
def point(tuning: FineTuning) -> Point:
    names = {"acc_bits": (16,), "rescale_bits": (4,), "bases": ("dybit2",), "shapes": ((2, 4, 4),)}
    space = Space.of(tuning.measurer.lowered, weights=("dybit2",), acts=("dybit2",), **names)
    return space.uniform("dybit2", "dybit2", **CORE)


def test_a_point_is_trained_once_and_gets_no_worse(tuning: FineTuning, point: Point, tmp_path: Path) -> None:
    tuning, steps = replace(tuning, folder=tmp_path / "trained"), []
    found = tuning.run([point], lambda done, total: steps.append((done, total)), HERE)
    assert list(found) == [point] and steps == [(0, 1), (1, 1)]
    program, judged = found[point], tuning.judged
    before = tuning.measurer.measure(point, judged.x, judged.labels, judged.scores)
    after = tuning.measurer.measure_program(point, program, judged.x, judged.labels, judged.scores, epochs=1)
    assert before is not None and after.epochs == 1 and after.cost == before.cost
    assert after.worth.accuracy >= before.worth.accuracy
    [kept] = (tmp_path / "trained").iterdir()
    assert Program.load(kept).to_bytes() == program.to_bytes()

    class Nobody:
        serial = True

        def run(self, function, shared, tasks):
            assert not list(tasks), "what was trained is there"
            return iter(())

    again = tuning.run([point], lambda done, total: None, Nobody())
    assert again[point].to_bytes() == program.to_bytes()
    other = replace(tuning, settings=replace(tuning.settings, epochs=2))
    with pytest.raises(AssertionError, match="what was trained"):
        other.run([point], lambda done, total: None, Nobody())


def test_points_without_room_are_left_out(
    tuning: FineTuning, point: Point, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Program:
        raise CapacityError("no core holds it")

    monkeypatch.setattr(Measurer, "program", full)
    tuning = replace(tuning, folder=tmp_path)
    assert tuning.run([point], lambda done, total: None, HERE) == {} and not list(tmp_path.iterdir())
