"""RouterWatch: a router that gets on is left alone, one that circles is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from narrows.boards.router_watch import PATIENCE, RouterCircles, RouterWatch


def _round(number: int, overused: int, slow: int) -> str:
    return f"Info:     iter={number} wires=424096 overused={overused} overuse={overused} tmgfail={slow} archfail=NA\n"


def _look(watch: RouterWatch) -> None:
    for _ in range(100):
        watch()


def test_a_router_that_gets_on_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "log.tim"
    watch = RouterWatch(log)
    _look(watch)
    with log.open("w", encoding="utf-8") as out:
        for number in range(4 * PATIENCE):
            out.write("Info: something else, overused=7\n" + _round(number, 0, 4 - number // (PATIENCE - 1)))
            out.flush()
            _look(watch)


@pytest.mark.parametrize("overused", [0, 3])
def test_a_router_that_circles_is_stopped(overused: int, tmp_path: Path) -> None:
    log = tmp_path / "log.tim"
    watch = RouterWatch(log)
    text = "".join(_round(number, overused, 6 + number % 2) for number in range(PATIENCE))
    log.write_text(text[:-20], encoding="utf-8")
    _look(watch)
    log.write_text(text, encoding="utf-8")
    _look(watch)
    log.write_text(text + _round(PATIENCE, overused, 6), encoding="utf-8")
    with pytest.raises(RouterCircles, match=f"^{6 + overused} wires stay used twice or too slow$"):
        _look(watch)


def test_a_router_that_frees_no_slow_wires_tells_of_none(tmp_path: Path) -> None:
    log = tmp_path / "log.tim"
    lines = [f"Info:     iter={number} wires=64088 overused=31 overuse=31 archfail=NA\n" for number in range(9)]
    log.write_text("".join(lines[:8]), encoding="utf-8")
    watch = RouterWatch(log, patience=8)
    _look(watch)
    log.write_text("".join(lines), encoding="utf-8")
    with pytest.raises(RouterCircles, match=r"^31 wires stay used twice or too slow$"):
        _look(watch)
