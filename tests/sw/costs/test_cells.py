"""The estimate of a core's cells holds on cores that it was not fitted to, and grows with what takes room."""

from __future__ import annotations

from dataclasses import replace

import pytest
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.sw.costs.cells import cell_terms, cores_measured, estimate_cells

BASE = PRESETS["small"]


@pytest.mark.parametrize("row", cores_measured()["held"], ids=lambda row: row["name"])
def test_the_stated_error_holds_on_cores_that_were_not_fitted(row: dict) -> None:
    estimate = estimate_cells(AcceleratorConfig.from_dict(row["config"]))
    assert estimate.luts == pytest.approx(row["lut"], rel=estimate.error)


def test_it_was_checked_on_other_cores_and_states_at_most_a_tenth() -> None:
    known = cores_measured()
    fitted = [row["config"] for row in known["fitted"]]
    assert len(known["held"]) >= 12
    assert all(row["config"] not in fitted for row in known["held"])
    assert known["error"] <= 0.1
    assert set(known["factors"]) == set(cell_terms(BASE))


@pytest.mark.parametrize(
    "more",
    [
        {"rows": 8},
        {"columns": 8},
        {"lanes": 8},
        {"acc_bits": 20},
        {"rescale_bits": 8},
        {"rescalers": 4},
        {"bias_bits": 24},
        {"host": "uart"},
        {"backing": "axi4"},
        {"dynamic": 1},
    ],
)
def test_what_takes_room_raises_it(more: dict) -> None:
    assert estimate_cells(replace(BASE, **more)).luts > estimate_cells(BASE).luts


def test_narrower_bases_take_less() -> None:
    luts = [estimate_cells(replace(BASE, base=base, planes=0)).luts for base in ("dybit4", "int4", "int3", "dybit2")]
    assert luts == sorted(luts, reverse=True)
