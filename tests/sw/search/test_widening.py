"""`sw/search/widening.py`: 8 bits go where they gain most for a cycle, and no further than is asked for."""

from __future__ import annotations

import pytest
from narrows.sw.errors import CapacityError
from narrows.sw.quantize import LayerFormats, QuantSettings
from narrows.sw.search.space import Knob
from narrows.sw.search.widening import Answered, Widened, widen

KNOBS = tuple(Knob(layer, kind) for layer in "abc" for kind in ("weights", "acts"))
NOISE = dict(zip(KNOBS, (0.01, 0.04, 0.02, 0.03, 0.0, 0.06), strict=True))
CYCLES = {"a": 100, "b": 100, "c": 1000}
START = QuantSettings(layers={"a": LayerFormats(weights="int4")})


class Machine:
    """Noise of places that are not widened adds up, and agreement falls with it."""

    def __init__(self, refused: frozenset[frozenset[Knob]] = frozenset()) -> None:
        self.refused, self.seen = refused, list[QuantSettings]()

    def __call__(self, settings: QuantSettings) -> Answered | None:
        self.seen.append(settings)
        wide = {knob for knob in KNOBS if getattr(settings.layers.get(knob.layer), knob.kind, None) == "int8"}
        if any(each <= wide for each in self.refused):
            return None
        power = sum(noise for knob, noise in NOISE.items() if knob not in wide)
        cycles = 1000 + sum(CYCLES[knob.layer] for knob in wide)
        return Answered(agreement=1 - power, error=power**0.5, cycles=cycles)


def widened(least: float, machine: Machine) -> Widened:
    return widen(KNOBS, START, least, answered=machine, progress=lambda done, total: None)


def test_nothing_is_widened_that_need_not_be():
    machine = Machine()
    found = widened(0.84, machine)
    assert found.settings == START
    assert found.knobs == ()
    assert machine.seen == [START]


def test_the_most_error_for_a_cycle_goes_first_and_formats_of_its_own_stay():
    found = widened(0.91, Machine())
    assert found.knobs == (Knob("a", "acts"), Knob("b", "acts"))
    assert found.settings.layers == {"a": LayerFormats(weights="int4", acts="int8"), "b": LayerFormats(acts="int8")}
    assert found.start.agreement == pytest.approx(0.84)
    assert found.answered == Answered(agreement=pytest.approx(0.91), error=pytest.approx(0.3), cycles=1200)


def test_what_cannot_be_certified_is_left_out():
    alone, together = frozenset({Knob("b", "acts")}), frozenset({Knob("a", "acts"), Knob("b", "weights")})
    found = widened(0.95, Machine(frozenset({alone, together})))
    assert found.knobs == (Knob("a", "acts"), Knob("a", "weights"), Knob("c", "acts"))


def test_more_than_the_core_allows_is_refused_with_what_it_reaches():
    best, last = Knob("a", "acts"), Knob("c", "acts")
    refused = frozenset(frozenset({knob}) for knob in KNOBS if knob not in (best, last))
    with pytest.raises(CapacityError, match=r"8 bits in 1 of 6 places agree .* on 88.00% .* not within 0.5 points"):
        widened(0.995, Machine(refused | {frozenset({best, last})}))


def test_a_start_without_a_program_is_refused():
    with pytest.raises(CapacityError, match="compile without --within"):
        widened(0.9, Machine(frozenset({frozenset()})))
