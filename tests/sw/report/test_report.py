"""Figures and numbers of the report."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from narrows.hw.spec.config import PRESETS
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.costs.work import LayerWork, layer_work, useful_macs, utilisation
from narrows.sw.examples import digits
from narrows.sw.graph import Graph
from narrows.sw.program import Program
from narrows.sw.report import figures
from narrows.sw.runtime import prepare_input, run_sync
from narrows.sw.runtime.samples import run_samples

CONFIG = PRESETS["demo"]
LAYERS = [
    LayerWork(name="conv", cycles=120, busy=100, cert_bits=14),
    LayerWork(name="pool", cycles=30, busy=20, cert_bits=0),
]


def test_useful_multiplications_are_those_with_trained_weights(graph: Graph) -> None:
    expected = 0
    for layer in graph.layers:
        for term in getattr(layer, "terms", ()):
            if not term.constant:
                outputs, inputs, height, width = term.weights.shape
                _, lines, pixels = graph.tensors[layer.output]
                expected += lines * pixels * outputs * inputs * height * width
    assert useful_macs(graph) == expected > 100_000
    assert any(term.constant for layer in graph.layers for term in getattr(layer, "terms", ())), "a skip connection"


def test_utilisation_is_the_share_of_slots() -> None:
    assert utilisation(6400, 200, 64) == 0.5


def test_cycles_of_layers_add_up_to_what_the_machine_counts(program: Program) -> None:
    levels = prepare_input(program.graph, digits().test_x[:1])
    record = run_sync(run_samples(IsaTransport(CONFIG), program, levels))
    layers = layer_work(program)
    assert [layer.name for layer in layers] == [layer.name for layer in program.graph.layers]
    assert sum(layer.busy for layer in layers) == record.busy[0]
    assert 0 < record.cycles[0] - sum(layer.cycles for layer in layers) < 50, "start and END"
    assert all(layer.cert_bits <= CONFIG.acc_bits for layer in layers)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.cycles_by_layer(LAYERS),
        lambda: figures.certificates(LAYERS, 16),
        lambda: figures.luts_by_module({"": 10, "array": 300}, "LUT4"),
        lambda: figures.weight_levels(np.array([-1, 0, 0, 16]), "level"),
        lambda: figures.answers(np.zeros((3, 8, 8)), np.array([1, 2, 3]), np.array([1, 2, 4]), columns=2),
    ],
)
def test_figures_are_svg_and_always_the_same(draw) -> None:
    first = draw()
    assert ElementTree.fromstring(first).tag.endswith("svg")
    assert first == draw()


def test_a_wrong_answer_says_what_it_should_be() -> None:
    assert "4 (is 3)" in figures.answers(np.zeros((1, 8, 8)), np.array([3]), np.array([4]), columns=1)
