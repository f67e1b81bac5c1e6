"""The fits of cells and clock: they find the factors of cores that are exactly linear, and keep to their priors."""

from __future__ import annotations

import pytest
from estimates import FITTED, HELD, clock_errors, errors, fit, fit_clock
from narrows.sw.costs.cells import cell_terms
from narrows.sw.costs.clocks import clock_terms

FACTORS = {
    "constant": 3000.0,
    "unit": 29.0,
    "operand": 12.0,
    "accumulator": 30.0,
    "rescaler": 380.0,
    "bank": 6.0,
    "serial": 640.0,
    "backing": 2450.0,
}

PERIOD = {
    "constant": 6.5,
    "wires": 1.5,
    "levels": 0.7,
    "multiplicand": 0.4,
    "network": 0.3,
    "accumulator": 0.2,
    "port": 1.1,
}


def row(name, config):
    luts = sum(FACTORS[term] * count for term, count in cell_terms(config).items())
    period = sum(PERIOD[term] * count for term, count in clock_terms(config, luts).items())
    return {"name": name, "lut": luts, "fmax_mhz_by_seed": {"1": 1000 / period}, "config": config.to_dict()}


def rows(cores):
    return [row(name, config) for name, config in cores]


def test_linear_cores_are_found_again() -> None:
    factors = fit(rows(FITTED))
    assert max(map(abs, errors(rows(HELD), factors))) < 0.01
    assert factors["serial"] == pytest.approx(640, abs=30)


def test_linear_periods_are_found_again() -> None:
    factors = fit_clock(rows(FITTED), FACTORS)
    assert max(map(abs, clock_errors(rows(HELD), factors, FACTORS))) < 0.03
    assert factors["levels"] == pytest.approx(0.7, abs=0.1)


def test_cores_to_check_on_are_not_among_those_fitted() -> None:
    fitted = [config for _, config in FITTED]
    assert len(HELD) >= 12
    assert not [name for name, config in HELD if config in fitted]


def test_errors_are_shares_of_what_was_measured() -> None:
    one = row(*FITTED[0])
    assert errors([one | {"lut": one["lut"] * 2}], FACTORS) == pytest.approx([-0.5])


def test_errors_of_clocks_are_shares_of_the_median_seed() -> None:
    one = row(*FITTED[0])
    clock = one["fmax_mhz_by_seed"]["1"]
    slower = one | {"fmax_mhz_by_seed": {"1": 3 * clock, "2": clock / 2, "3": clock / 4}}
    assert clock_errors([slower], PERIOD, FACTORS) == pytest.approx([1.0])
