"""Fronts hold what nothing beats; bounds choose from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.sw.errors import InputError
from narrows.sw.search.front import Bound, front
from narrows.sw.search.measure import Cost, Measured, Worth
from narrows.sw.search.space import Point


def measured(accuracy, speedup, error=0.1):
    point = Point(formats={}, acc_bits=16, rescale_bits=4, base="dybit4", shape=(4, 4, 16))
    cost = Cost(cycles=100, array_luts=10.0, luts=20.0, speedup=speedup)
    return Measured(point=point, cost=cost, worth=Worth(accuracy=accuracy, error=error))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=30))
def test_front_holds_each_unbeaten_item_once(items):
    kept = front(items, lambda item: item)

    def beaten(item):
        return any(other != item and all(a >= b for a, b in zip(other, item, strict=True)) for other in items)

    assert sorted(kept) == sorted({item for item in items if not beaten(item)})


POINTS = [measured(0.90, 1.0, 0.1), measured(0.87, 3.0, 0.2), measured(0.86, 2.0, 0.3), measured(0.80, 4.0, 0.4)]


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (Bound(loss=0.01), 0),
        (Bound(loss=0.04), 1),
        (Bound(loss=0.5), 3),
        (Bound(speedup=2.0), 1),
        (Bound(speedup=3.5), 3),
        (Bound(error=0.3), 1),
        (Bound(error=0.1), 0),
    ],
)
def test_bounds(bound, expected):
    assert bound.choose(POINTS, 0.90) is POINTS[expected]


def test_nothing_keeps_to_the_bound():
    assert Bound(speedup=5.0).choose(POINTS, 0.9) is None


@pytest.mark.parametrize("values", [{}, {"loss": 0.1, "error": 0.1}])
def test_exactly_one_bound(values):
    with pytest.raises(InputError, match=r"^choose one bound"):
        Bound(**values)
