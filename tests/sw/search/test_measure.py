"""What points cost and are worth, on the built-in model."""

from dataclasses import replace

import numpy as np
import pytest
from narrows.hw.spec.config import PRESETS
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.costs.estimate import estimate
from narrows.sw.costs.timeline import timeline
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.runtime import prepare_input, restore_outputs
from narrows.sw.search.cycles import CycleTable
from narrows.sw.search.measure import Measurer
from narrows.sw.search.space import Point, Space

DATA = digits()
CORE = {"rescale_bits": 4, "base": "dybit4", "shape": (2, 4, 4)}


def golden(quantised, config, x):
    name = quantised.outputs[0].name
    return restore_outputs(quantised, GoldenModel(quantised, config).run(prepare_input(quantised, x)))[name]


@pytest.fixture(scope="module")
def measurer():
    with digits_model() as path:
        return Measurer(load_model(path), PRESETS["tiny"], DATA.calib_x[:48], golden)


@pytest.fixture(scope="module")
def space(measurer):
    return Space.of(
        measurer.lowered,
        weights=("dybit4", "int6"),
        acts=("dybit4", "int6"),
        acc_bits=(20,),
        rescale_bits=(4,),
        bases=("dybit4",),
        shapes=((2, 4, 4),),
    )


def with_memories(point, core):
    names = ("act_words", "weight_words", "param_words", "taps", "blocks", "instructions")
    return replace(point.config(core), **{name: getattr(core, name) for name in names})


def test_cycles_are_those_of_the_program(measurer, space):
    point = space.uniform("dybit4", "int6", acc_bits=20, **CORE)
    x = DATA.test_x[:20]
    program = compile_graph(measurer.quantised(point), with_memories(point, measurer.config))
    measured = measurer.measure(point, x, DATA.test_y[:20], measurer.float_scores(x))
    assert measured is not None and measured.cost.cycles == timeline(program).cycles
    assert measured.cost.cycles == pytest.approx(measurer.cost(point).cycles, rel=0.05)
    assert measured.worth == measurer.worth(point, x, DATA.test_y[:20], measurer.float_scores(x))


def test_layers_seen_before_give_the_same_cycles_as_a_program_of_their_own(measurer, space):
    rng = np.random.default_rng(4)
    points = [
        Point(formats={knob: str(rng.choice(space.options(knob))) for knob in space.knobs}, acc_bits=20, **CORE)
        for _ in range(12)
    ]
    table = CycleTable(measurer.lowered, measurer.config)
    for point in points:
        alone = CycleTable(measurer.lowered, measurer.config).cycles(point)
        assert table.cycles(point) == pytest.approx(alone, rel=0.005), point


@pytest.mark.parametrize("words", [1024, 64])
def test_cycles_are_counted_on_the_core_that_is_made(space, words):
    """With the memories that were asked for, or where 64 words of weights do not do with those that are needed."""
    start = replace(PRESETS["tiny"], weight_words=words, act_words=2048)
    point = space.uniform("dybit4", "int6", acc_bits=20, **CORE)
    x, labels = DATA.test_x[:10], DATA.test_y[:10]
    with digits_model() as path:
        searched = Measurer(load_model(path), start, DATA.calib_x[:48], golden)
    program = searched.program(point, searched.quantised(point))
    found = program.config.weight_words
    assert found == 1024 if words == 1024 else len(program.weights) < found < 1024
    made = estimate(searched.lowered, program.config, point.settings, only=True).program
    largest = estimate(searched.lowered, point.config(start), point.settings, only=True).program
    cycles = searched.cost(point).cycles
    assert cycles == timeline(made).cycles < timeline(largest).cycles
    measured = searched.measure(point, x, labels, searched.float_scores(x))
    assert measured.cost.cycles == timeline(program).cycles == pytest.approx(cycles, rel=0.05)


def test_speedup_is_against_busy_integers_in_as_many_luts(measurer, space):
    cost = measurer.cost(space.uniform("dybit4", "dybit4", acc_bits=20, **CORE))
    integer_units = cost.array_luts / measurer.costs.integer_unit
    assert cost.speedup == pytest.approx(measurer.macs / integer_units / cost.cycles)
    assert measurer.macs > 100_000


def test_digits_are_priced(measurer, space):
    narrow, wide = (measurer.cost(space.uniform(name, name, acc_bits=20, **CORE)) for name in ("dybit4", "int6"))
    assert 2.5 < wide.cycles / narrow.cycles < 4
    assert wide.array_luts == narrow.array_luts


def test_worth(measurer, space):
    x, labels = DATA.test_x[:150], DATA.test_y[:150]
    scores = measurer.float_scores(x)
    narrow, wide = (
        measurer.worth(space.uniform(name, name, acc_bits=20, **CORE), x, labels, scores) for name in ("dybit4", "int6")
    )
    assert narrow is not None and wide is not None
    assert narrow.accuracy > 0.95 and wide.accuracy > 0.95
    assert 0 < wide.error < narrow.error < 0.5
    assert np.mean(scores.argmax(axis=1) == labels) > 0.97


def test_what_no_core_writes_is_worth_nothing(measurer, space):
    point = space.uniform("dybit4", "dybit8", acc_bits=20, **CORE)  # five planes, the core writes three
    arguments = DATA.test_x[:10], DATA.test_y[:10], measurer.float_scores(DATA.test_x[:10])
    assert measurer.worth(point, *arguments) is None
    assert measurer.measure(point, *arguments) is None
