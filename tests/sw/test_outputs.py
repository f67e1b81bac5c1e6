"""Outputs: which elements of a tensor they show, what the host makes of them, and the class that they name."""

import numpy as np
import pytest
from narrows.sw.curves import Function, X
from narrows.sw.heads import HostFunction
from narrows.sw.outputs import Output, given_outputs, output_tensors

SIGMOID = HostFunction(
    kind="curve", attributes={"function": Function("sigmoid", (X,)).to_plain()}, operator="Sigmoid", node="last"
)
VALUES = np.arange(24).reshape(2, 3, 2, 2)


def test_elements_are_picked_in_the_outputs_order_for_each_sample() -> None:
    order = np.array([11, 0, 4, 4])
    shown = Output(name="y", tensor="t", shape=(2, 2), order=order)
    np.testing.assert_array_equal(shown.elements(VALUES), [[[11, 0], [4, 4]], [[23, 12], [16, 16]]])
    whole = Output.whole("t", (6, 2))
    np.testing.assert_array_equal(whole.elements(VALUES), VALUES.reshape(2, 6, 2))
    assert (whole.name, whole.tensor, whole.given_shape) == ("t", "t", (6, 2))


def test_outputs_of_one_tensor_are_given_by_their_own_names() -> None:
    first = Output(name="first", tensor="t", shape=(1,), order=np.array([0]))
    last = Output(name="last", tensor="t", shape=(1,), order=np.array([11]))
    other = Output(name="other", tensor="u", shape=(1,))
    assert output_tensors((first, other, last)) == ("t", "u")
    found = given_outputs((first, other, last), {"t": VALUES, "u": np.array([[[[5]]], [[[6]]]])})
    assert {name: values.tolist() for name, values in found.items()} == {
        "first": [[0], [12]],
        "other": [[5], [6]],
        "last": [[11], [23]],
    }
    assert all(values.dtype == np.float64 for values in found.values())


def test_the_head_is_applied_in_its_order() -> None:
    first = HostFunction(kind="reduce", attributes={"operator": "sum", "axes": [2], "keep": False})
    then = HostFunction(kind="arg", attributes={"extreme": "max", "axis": 1, "keep": True, "last": False})
    output = Output(name="y", tensor="t", shape=(3, 4), head=(first, then))
    values = np.array([[[0, 0, 0, 9], [5, 5, 0, 0], [4, 4, 0, 0]]]).reshape(1, 3, 2, 2)
    found = output.given(values)
    np.testing.assert_array_equal(found, [[1]])
    assert found.dtype == np.int64 and output.given_shape == (1,)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([[0.1, 0.7, 0.7], [3, 1, 2]], [1, 0]),  # of equal ones the first
        ([[0.0], [1e-9], [-1.0]], [0, 1, 0]),  # a score: from the middle on
    ],
)
def test_the_class_of_scores(values: list[list[float]], wanted: list[int]) -> None:
    output = Output(name="y", tensor="t", shape=(len(values[0]),))
    np.testing.assert_array_equal(output.answers(np.array(values)), wanted)


def test_an_index_is_the_class_itself() -> None:
    output = Output(name="y", tensor="t", shape=(1,))
    np.testing.assert_array_equal(output.answers(np.array([[7], [0]])), [7, 0])
    np.testing.assert_array_equal(output.answers(np.array([[True], [False]])), [1, 0])


def test_a_probability_is_class_1_from_one_half_on_but_raw_from_0_on() -> None:
    output = Output(name="y", tensor="t", shape=(1,), head=(SIGMOID,))
    raw = np.array([[-0.2], [0.2]])
    np.testing.assert_array_equal(output.answers(output.given(raw[..., np.newaxis, np.newaxis])), [0, 1])
    np.testing.assert_array_equal(output.answers(np.array([[0.2], [0.6]])), [0, 1])
    np.testing.assert_array_equal(output.answers(raw, raw=True), [0, 1])
