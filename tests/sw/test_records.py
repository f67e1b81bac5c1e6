"""Dataclasses from JSON values: what is read, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from narrows.sw.records import read_record


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    count: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    scale: float
    pair: tuple[int, int]
    shape: tuple[int, ...] = ()
    flag: bool = False
    inner: Inner | None = None
    array: object = None


_VALUES: dict[str, Any] = {
    "name": "n",
    "scale": 2,
    "pair": [3, 4],
    "shape": [1, 2, 3],
    "flag": True,
    "inner": {"count": 5},
}


def test_values_come_back() -> None:
    made = read_record(Outer, json.loads(json.dumps(_VALUES)), array="given")
    assert made == Outer(
        name="n", scale=2.0, pair=(3, 4), shape=(1, 2, 3), flag=True, inner=Inner(count=5), array="given"
    )
    assert isinstance(made.scale, float)


def test_defaults_may_be_missing() -> None:
    assert read_record(Outer, {"name": "n", "scale": 0.5, "pair": (1, 2), "inner": None}) == Outer(
        name="n", scale=0.5, pair=(1, 2)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 1}, "Outer.name is 1, not of the kind str"),
        ({"scale": "x" * 90}, r"Outer.scale is 'x{39}\.\.\., not of the kind float"),
        ({"scale": float("nan")}, "Outer.scale is nan"),
        ({"scale": True}, "Outer.scale is True, not of the kind float"),
        ({"pair": [1, 2, 3]}, "Outer.pair has 3 entries, not 2"),
        ({"pair": 1}, "Outer.pair is 1, not a list"),
        ({"pair": [1, 2.0]}, "Outer.pair is 2.0, not of the kind int"),
        ({"shape": [True]}, "Outer.shape is True, not of the kind int"),
        ({"flag": 1}, "Outer.flag is 1, not of the kind bool"),
        ({"inner": [1]}, r"Inner is \[1\], not a table"),
        ({"inner": {"counts": 1}}, "Inner has no 'counts'"),
        ({"array": 1}, "Outer has no 'array'"),
    ],
)
def test_other_kinds_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_record(Outer, _VALUES | changes, array=None)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ValueError, match="Outer lacks 'scale'"):
        read_record(Outer, {"name": "n", "pair": [1, 2]})


@pytest.mark.parametrize("values", [None, 3, [1], "x"])
def test_what_is_no_table_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match=r"Inner is .*, not a table"):
        read_record(Inner, values)
