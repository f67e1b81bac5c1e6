"""Tables share equal runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from narrows.sw.compile.tables import Blank, Table


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), min_size=1, max_size=20))
def test_every_run_lies_where_it_was_placed(runs):
    table: Table[int] = Table("rows", "taps")
    places = [(table.place(run), run) for run in runs]
    for index, run in places:
        assert table.rows[index : index + len(run)] == run


def test_runs_within_earlier_rows_take_no_room():
    table: Table[int] = Table("rows", "taps")
    assert [table.place(run) for run in ([1, 2, 3, 1], [2, 3], [1, 2], [3, 1, 2])] == [0, 1, 0, 4]
    assert len(table) == 7


def test_rows_know_their_layer():
    table: Table[int] = Table("rows", "taps")
    for layer, run in (("a", [1, 2]), ("b", [1]), ("c", [3])):
        table.place(run)
        table.mark(layer)
    assert [table.layer_of(index) for index in range(3)] == ["a", "a", "c"]


def test_blank_runs_of_one_key_lie_in_one_place():
    table: Table[int] = Table("rows", "taps")
    places = [table.place(Blank(key, count)) for key, count in (("a", 3), ("b", 2), ("a", 3), ("c", 1))]
    assert places == [0, 3, 0, 5]
    assert len(table) == 6
