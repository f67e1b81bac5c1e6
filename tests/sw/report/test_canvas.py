"""Labels have room, and names that differ look different."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.sw.report.canvas import labels, text_width

LONG = "/model/features/features." + "x" * 40


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["a", "b", "a"], ["a", "b", "a"]),
        ([LONG], [f"{LONG[:47]}\u2026"]),
        ([f"{LONG}/1", f"{LONG}/2"], [f"\u2026{f'{LONG}/1'[-47:]}", f"\u2026{f'{LONG}/2'[-47:]}"]),
    ],
)
def test_what_is_too_long_is_cut_where_it_says_least(names: list[str], shown: list[str]) -> None:
    assert labels(names) == shown


def test_names_that_differ_in_the_middle_alone_are_numbered() -> None:
    names = [f"{LONG}{number}{LONG}" for number in "12"]
    first, second = labels([*names, LONG])[:2]
    assert first != second and first.startswith("1. ") and second.startswith("2. ")


@given(st.lists(st.text(max_size=80), unique=True, max_size=6))
def test_no_two_look_the_same(names: list[str]) -> None:
    shown = labels(names, 26)
    assert len(set(shown)) == len(names)
    assert all(len(each) <= 26 for each in shown)


def test_letters_take_room() -> None:
    assert text_width("wide", 8) == pytest.approx(4 * text_width("w", 8))
    assert text_width("\u5bbd", 8) == text_width("wi", 8), "twice as wide"
