"""The fit of the cells: it finds the factors of cores that are exactly linear, and stays sensible with few of them."""

from __future__ import annotations

import pytest
from estimates import FITTED, HELD, errors, fit
from narrows.sw.report.cells import cell_terms

FACTORS = {
    "constant": 3000.0,
    "unit": 29.0,
    "operand": 12.0,
    "accumulator": 30.0,
    "rescaler": 380.0,
    "bank": 6.0,
    "uart": 640.0,
    "backing": 2450.0,
}


def rows(cores):
    return [
        {
            "name": name,
            "lut": sum(FACTORS[term] * count for term, count in cell_terms(config).items()),
            "config": config.to_dict(),
        }
        for name, config in cores
    ]


def test_linear_cores_are_found_again() -> None:
    factors = fit(rows(FITTED))
    assert max(map(abs, errors(rows(HELD), factors))) < 0.01
    assert factors["uart"] == pytest.approx(640, abs=30)


def test_cores_to_check_on_are_not_among_those_fitted() -> None:
    fitted = [config for _, config in FITTED]
    assert len(HELD) >= 12
    assert not [name for name, config in HELD if config in fitted]


def test_errors_are_shares_of_what_was_measured() -> None:
    row = rows(FITTED[:1])[0]
    assert errors([row | {"lut": row["lut"] * 2}], FACTORS) == pytest.approx([-0.5])
