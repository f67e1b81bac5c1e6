"""Proofs: pixel groups fit the array, and no tile ever meets a drain that is still busy."""

from __future__ import annotations

import dataclasses

import pytest
from claims_flow import drain_claim, early_claim, group_claim, tile_distance_claim
from narrows.hw.spec.config import AcceleratorConfig
from prover import prove_bounded, prove_induction

CONFIG = AcceleratorConfig(rows=4, columns=4, lanes=4, rescalers=2, planes=3)


@pytest.mark.parametrize("rows", [3, 4])
def test_pixel_groups_have_at_most_the_rows_asked_for_and_stand_until_taken(rows: int) -> None:
    config = AcceleratorConfig(rows=rows, columns=4, lanes=4, rescalers=2, act_words=64)
    verdict = prove_bounded(group_claim(config), 16)
    assert verdict.proven, verdict


@pytest.mark.parametrize("dynamic", [0, 1])
def test_tiles_end_no_closer_than_the_drain_needs(dynamic: int) -> None:
    verdict = prove_induction(tile_distance_claim(dataclasses.replace(CONFIG, dynamic=dynamic)))
    assert verdict.proven, verdict


@pytest.mark.parametrize("dynamic", [0, 1])
def test_early_steps_are_as_many_as_the_instruction_says(dynamic: int) -> None:
    verdict = prove_induction(early_claim(dataclasses.replace(CONFIG, dynamic=dynamic)))
    assert verdict.proven, verdict


@pytest.mark.parametrize("columns", [2, 4, 8])
def test_a_tile_never_meets_a_drain_that_is_busy(columns: int) -> None:
    verdict = prove_induction(drain_claim(AcceleratorConfig(rows=4, columns=columns, lanes=4, rescalers=2, planes=3)))
    assert verdict.proven, verdict


@pytest.mark.parametrize(("rows", "columns", "drain_rows"), [(4, 2, 2), (5, 2, 2), (5, 4, 2), (6, 4, 4)])
def test_nor_does_it_where_several_rows_drain_side_by_side(rows: int, columns: int, drain_rows: int) -> None:
    config = AcceleratorConfig(rows=rows, columns=columns, lanes=4, rescalers=2, drain_rows=drain_rows, planes=3)
    verdict = prove_induction(drain_claim(config))
    assert verdict.proven, verdict
