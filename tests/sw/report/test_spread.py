"""Spreads of tensors: counts are all values, and clipped is what lies beyond the range before it is rounded."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.semantics import accumulate
from narrows.sim.golden import GoldenModel
from narrows.sw.examples import digits
from narrows.sw.program import Program
from narrows.sw.quantised import MacLayer, MaxLayer
from narrows.sw.report.spark import spark
from narrows.sw.report.spread import Spread, spreads
from narrows.sw.runtime import prepare_input
from narrows.sw.runtime.tensors import on_scale

X = digits().test_x[:20]


@pytest.fixture(scope="module")
def levels(program: Program) -> Mapping[str, np.ndarray]:
    return GoldenModel(program.graph, PRESETS["demo"]).run(prepare_input(program.graph, X))


@pytest.fixture(scope="module")
def found(program: Program, levels: Mapping[str, np.ndarray]) -> list[Spread]:
    return spreads(program.graph, levels, on_scale(program.graph, X))


def test_every_value_is_counted_at_its_level(
    program: Program, levels: Mapping[str, np.ndarray], found: list[Spread]
) -> None:
    graph = program.graph
    assert [each.name for each in found] == [graph.input.tensor, *(layer.output for layer in graph.layers)]
    assert [each.layer for each in found] == list(range(len(graph.layers) + 1))
    for each in found:
        assert each.counts.sum() == levels[each.name].size
        assert all((levels[each.name] == level).sum() == n for level, n in zip(each.levels, each.counts, strict=True))
        assert each.zero == pytest.approx((levels[each.name] == each.tensor.zero).mean())
        assert each.reach[0] == each.tensor.scale * (each.tensor.low - each.tensor.zero)


def test_clipped_is_what_the_integers_say(
    program: Program, levels: Mapping[str, np.ndarray], found: list[Spread]
) -> None:
    tensors = program.graph.tensors
    for layer, each in zip(program.graph.layers, found[1:], strict=True):
        if isinstance(layer, MaxLayer):
            assert each.below is each.above is None
            continue
        assert isinstance(layer, MacLayer)
        given = [(levels[s.source], tensors[s.source].zero) for s in layer.segments]
        sums = sum(accumulate(x, z, s) for s, (x, z) in zip(layer.segments, given, strict=True))
        scaled = (sums + layer.bias[:, None, None]) * layer.multiplicand[:, None, None]
        top = (tensors[layer.output].high - tensors[layer.output].zero) << layer.shift[:, None, None]
        assert each.above == pytest.approx((scaled > top).mean())


def test_a_narrower_range_clips_more(program: Program, levels: Mapping[str, np.ndarray], found: list[Spread]) -> None:
    graph = program.graph
    last = graph.layers[-1].output
    top = int(found[-1].levels[found[-1].counts > 0][-2])
    narrow = dataclasses.replace(graph.tensors[last], high=top, low=-top)
    clipped = dict(levels) | {last: np.clip(levels[last], -top, top)}
    less = spreads(dataclasses.replace(graph, tensors=graph.tensors | {last: narrow}), clipped, on_scale(graph, X))[-1]
    assert less.above is not None and less.above > 0
    assert "c2410c" in spark(less), "orange at the end that is clipped"


def test_samples_beyond_the_input_are_seen(program: Program, levels: Mapping[str, np.ndarray]) -> None:
    graph = program.graph
    loud = spreads(graph, levels, on_scale(graph, 100 * X))[0]
    assert loud.above == pytest.approx((on_scale(graph, 100 * X) > graph.tensors[graph.input.tensor].high).mean())


def test_a_wide_tensor_has_few_bars(found: list[Spread]) -> None:
    wide = found[-1]
    assert len(wide.levels) > 200
    assert 8 < spark(wide).count("<rect") <= 32
    narrow = found[1]
    assert spark(narrow).count("<rect") == (narrow.counts > 0).sum()
