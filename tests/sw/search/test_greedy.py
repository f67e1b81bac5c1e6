"""The greedy strategies take precision where it gains most."""

import itertools

import pytest
from narrows.sw.search.greedy import first_of_speed, last_within_error, narrowing
from narrows.sw.search.sensitivity import sensitivities
from narrows.sw.search.space import Knob


@pytest.fixture
def path(space, measurer):
    start = space.uniform("int8", "int8", acc_bits=16, rescale_bits=4, base="dybit4", shape=(4, 4, 16))
    errors = sensitivities(space, start, measurer, [0] * 10, lambda done, total: None)
    return narrowing(space, start, errors, lambda point: measurer.cost(point).cycles)


def test_errors_are_those_of_one_knob_alone(space, measurer):
    start = space.uniform("int8", "int8", acc_bits=16, rescale_bits=4, base="dybit4", shape=(4, 4, 16))
    errors = sensitivities(space, start, measurer, [0] * 10, lambda done, total: None)
    assert errors[Knob("a", "acts"), "dybit4"] == pytest.approx(0.12**0.5)
    assert errors[Knob("b", "weights"), "int6"] == pytest.approx(0.01**0.5)
    assert errors[Knob("b", "weights"), "int8"] == 0


def test_path_goes_from_the_widest_to_the_narrowest(path):
    assert set(path[0].point.formats.values()) == {"int8"}
    assert set(path[-1].point.formats.values()) == {"dybit4"}
    cycles = [step.cycles for step in path]
    assert cycles[0] == 3600 and cycles[-1] == 400
    assert cycles == sorted(cycles, reverse=True)
    for before, after in itertools.pairwise(path):
        changed = [knob for knob in before.point.formats if before.point.formats[knob] != after.point.formats[knob]]
        assert len(changed) == 1


def test_touchy_activations_of_the_small_layer_go_last(path):
    assert path[-2].point.formats[Knob("a", "acts")] != "dybit4"
    assert list(path[-2].point.formats.values()).count("dybit4") == 3


def test_predicted_errors_add_up_in_squares(path):
    assert path[-1].error == pytest.approx((0.12 + 0.04 * 3) ** 0.5)


def test_strategies_end_at_their_bounds(path):
    step = first_of_speed(path, 1200)
    assert step is not None and step.cycles <= 1200 < path[path.index(step) - 1].cycles
    assert first_of_speed(path, 399) is None
    step = last_within_error(path, 0.3)
    assert step.error <= 0.3 < path[path.index(step) + 1].error
    assert last_within_error(path, 10.0) is path[-1]
