"""The estimate of a core's clock holds on cores that it was not fitted to, and falls with what makes paths longer."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.sw.costs.cells import cores_measured
from narrows.sw.costs.clocks import clock_terms, estimate_clock

BASE = PRESETS["small"]


PLACED = [row for row in cores_measured()["held"] if row["fmax_mhz_by_seed"]]


@pytest.mark.parametrize("row", PLACED, ids=lambda row: row["name"])
def test_the_stated_error_holds_on_cores_that_were_not_fitted(row: dict) -> None:
    estimate = estimate_clock(AcceleratorConfig.from_dict(row["config"]))
    assert estimate.mhz == pytest.approx(median(row["fmax_mhz_by_seed"].values()), rel=estimate.error)


def test_it_states_at_most_15_percent() -> None:
    known = cores_measured()["clock"]
    assert known["error"] <= 0.15
    assert len(PLACED) >= 12
    assert set(known["factors"]) == set(clock_terms(BASE, 10_000))


@pytest.mark.parametrize("more", [{"rows": 16, "columns": 16}, {"tree_stage": 6, "lanes": 64}], ids=str)
def test_larger_and_deeper_cores_are_slower(more: dict) -> None:
    assert estimate_clock(replace(BASE, **more)).mhz < estimate_clock(BASE).mhz
