"""Functions of one variable: evaluated, composed, and told apart."""

import numpy as np
import pytest
from narrows.sw.curves import OPERATORS, Function, X

SWISH = Function("mul", (X, Function("sigmoid", (X,))))


def test_operators_are_applied_to_functions_and_numbers():
    values = np.array([-800.0, -1.0, 0.0, 2.0, 800.0])
    np.testing.assert_allclose(SWISH(values), values / (1 + np.exp(-values.clip(-700))), atol=1e-12)
    np.testing.assert_array_equal(X(values), values)


def test_the_inner_function_takes_the_place_of_every_variable():
    shifted = SWISH.of(Function("add", (X, 3.0)))
    assert str(shifted) == "mul(add(x, 3.0), sigmoid(add(x, 3.0)))"
    np.testing.assert_array_equal(shifted([-3.0, 1.0]), SWISH([0.0, 4.0]))
    assert X.of(SWISH) == SWISH == SWISH.of(X)


@pytest.mark.parametrize(
    ("function", "core", "gain", "offset"),
    [
        (SWISH, SWISH, 1.0, 0.0),
        (Function("add", (Function("mul", (0.5, SWISH)), 3.0)), SWISH, 0.5, 3.0),
        (Function("div", (Function("sub", (SWISH, 3.0)), 4.0)), SWISH, 0.25, -0.75),
        (Function("sub", (3.0, Function("mul", (SWISH, -2.0)))), SWISH, 2.0, 3.0),
        (Function("sub", (3.0, SWISH)), Function("mul", (SWISH, -1.0)), 1.0, 3.0),
        (Function("mul", (SWISH, 0.0)), Function("mul", (SWISH, 0.0)), 1.0, 0.0),
    ],
)
def test_factors_and_summands_around_a_function_come_off(function, core, gain, offset):
    assert function.without_affine == (core, gain, offset)
    values = np.linspace(-4, 4, 33)
    np.testing.assert_allclose(function(values), gain * core(values) + offset, atol=1e-12)


def test_far_out_values_are_infinite_at_most():
    for name in OPERATORS:
        numbers = {"add": 1.0, "sub": 1.0, "mul": 2.0, "div": 2.0, "pow": 3.0, "elu": 1.0, "thresholdedrelu": 1.0}
        one = (numbers[name],) if name in numbers else ()
        extra = {"clip": (-1.0, 1.0), "quantise": (0.5, 0.0, -8.0, 7.0)}.get(name, one)
        assert not np.isnan(Function(name, (X, *extra))([-1e6, 1e6])).any(), name


@pytest.mark.parametrize(
    ("function", "increasing"),
    [
        (Function("tanh", (X,)), True),
        (Function("sigmoid", (X,)), True),
        (SWISH, False),
        (Function("tanh", (Function("mul", (X, -1.0)),)), False),
        (Function("abs", (X,)), False),
    ],
)
def test_only_what_certainly_never_falls_is_increasing(function, increasing):
    assert function.is_increasing is increasing


def test_unknown_operators_are_refused():
    with pytest.raises(ValueError, match="unknown operator 'sine': the operators are add, sub, mul"):
        Function("sine", (X,))
