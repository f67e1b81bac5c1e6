"""Labels of points lie on nothing."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from narrows.sw.report.label_places import place_labels, together

FRAME = (0.0, 0.0, 300.0, 200.0)
PLACE = st.tuples(st.floats(0, 300), st.floats(0, 200))
SIZE = (18.0, 9.0)


def box(middle: tuple[float, float]) -> tuple[float, float, float, float]:
    (x, y), (width, height) = middle, SIZE
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


@given(st.lists(PLACE, max_size=40))
def test_no_label_lies_on_another_or_on_a_point_or_outside(points: list[tuple[float, float]]) -> None:
    found = place_labels(points, [SIZE] * len(points), FRAME)
    assert len(found) == len(points)
    boxes = [box(middle) for middle in found if middle is not None]
    for one, other in itertools.combinations(boxes, 2):
        assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
    for left, bottom, right, top in boxes:
        assert left >= 0 and bottom >= 0 and right <= 300 and top <= 200
        assert not any(left < x < right and bottom < y < top for x, y in points)


def test_a_label_stays_off_a_line() -> None:
    line = [(0.0, 100.0), (300.0, 100.0)]
    ((x, y),) = [middle for middle in place_labels([(150.0, 100.0)], [SIZE], FRAME, line) if middle]
    assert abs(y - 100) >= SIZE[1] / 2
    assert abs(x - 150) < 20 and abs(y - 100) < 20, "near its point all the same"


def test_where_there_is_no_room_there_is_no_label() -> None:
    assert place_labels([(5.0, 5.0)], [(50.0, 9.0)], (0.0, 0.0, 10.0, 10.0)) == [None]


def test_points_on_one_another_are_one_group() -> None:
    assert together([(0, 0), (50, 0), (1, 1), (52, 0), (99, 9)], 5.0) == [[0, 2], [1, 3], [4]]
    assert together([], 5.0) == []
