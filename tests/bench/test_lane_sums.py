"""`bench/quantisation/lane_sums.py`: bits of inner sums, held against every combination of extreme codes."""

from __future__ import annotations

from pathlib import Path

import lane_sums
import numpy as np
import pytest
from narrows.sw.program import Program
from narrows.sw.quantised import MacLayer

ZOO = "resnet8-e2m1-p12-k4.nrw"


@pytest.fixture(scope="module")
def program() -> Program:
    return Program.load(Path(lane_sums.__file__).with_name("zoo") / ZOO)


def test_bits_hold_the_largest_sum_and_no_fewer_do(program: Program) -> None:
    layer = next(each for each in program.graph.layers if isinstance(each, MacLayer) and len(each.segments) == 1)
    [segment], rng = layer.segments, np.random.default_rng(7)
    tensor = program.graph.tensors[segment.source]
    bits = lane_sums.layer_bits(layer, program.graph, program.config)
    if program.config.digits.count(tensor.levels) == 1:
        extremes = (min(tensor.low, tensor.zero), max(tensor.high, tensor.zero))
    else:
        extremes = (program.config.digits.base.bottom, program.config.digits.base.top)
    largest = 0
    for plane in lane_sums._planes(segment, program.config):
        lanes = program.config.lanes
        for first in range(0, plane.shape[1], lanes):
            part = plane[:, first : first + lanes]
            group = np.moveaxis(part, 1, -1).reshape(-1, part.shape[1])
            for least in (False, True):
                codes = np.where((group > 0) ^ least, extremes[1], extremes[0])
                sums = (group * codes).sum(axis=1)
                largest = max(largest, int(np.where(sums < 0, ~sums, sums).max()))
            drawn = rng.integers(extremes[0], extremes[1] + 1, group.shape)
            assert np.abs((group * drawn).sum(axis=1)).max() < 1 << (bits - 1)
    assert largest.bit_length() + 1 == bits


def test_trees_are_wider_than_any_layer_of_the_zoo_needs(program: Program) -> None:
    config = program.config
    tree = config.product_bits + (config.lanes - 1).bit_length() + 1
    layers = [layer for layer in program.graph.layers if isinstance(layer, MacLayer)]
    assert max(lane_sums.layer_bits(layer, program.graph, config) for layer in layers) < tree
