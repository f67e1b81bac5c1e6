"""The built-in model, compiled for a core that holds everything and for one that streams from a backing store."""

from __future__ import annotations

import dataclasses

import pytest
from narrows.hw.spec.config import PRESETS
from narrows.sw.compile import compile_graph
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.quantize import QuantSettings, quantise

CONFIG = PRESETS["demo"]
STREAMED = dataclasses.replace(
    CONFIG, backing="axi4", weight_words=256, act_words=256, param_words=64, instructions=1024
)


@pytest.fixture(scope="session")
def graph() -> Graph:
    with digits_model() as path:
        return lower(load_model(path))


@pytest.fixture(scope="session")
def quantised(graph: Graph) -> QuantisedGraph:
    return quantise(graph, digits().calib_x[:64], QuantSettings(), CONFIG)


@pytest.fixture(scope="session")
def program(quantised: QuantisedGraph) -> Program:
    return compile_graph(quantised, CONFIG)


@pytest.fixture(scope="session")
def streamed(quantised: QuantisedGraph) -> Program:
    return compile_graph(quantised, STREAMED)
