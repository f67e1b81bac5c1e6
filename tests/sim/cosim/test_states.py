"""Streams on the simulated core: every tensor, checksum and counter of every frame is what the models say."""

from __future__ import annotations

import dataclasses

import numpy as np
from narrows.sw.compile import compile_graph
from narrows.sw.engines import EngineName
from narrows.sw.listener import Quiet
from narrows.sw.verify import compare_engines
from random_graphs import CONFIGS, GraphBuilder, random_levels, random_stream

PROGRAMS, FRAMES = 3, 3


def test_states_are_kept_on_the_simulated_core() -> None:
    config = dataclasses.replace(CONFIGS["two rows drained"], act_words=1024, weight_words=2048)
    for seed in range(PROGRAMS):
        rng = np.random.default_rng(seed)
        program = compile_graph(random_stream(GraphBuilder(config, rng)), config)
        frames = np.stack([random_levels(program.graph, rng) for _ in range(FRAMES)])
        found = compare_engines(program, frames, [EngineName.ISA, EngineName.RTL], bar=Quiet().progress)
        assert found.mismatches == [], seed
        cycles = [found.runs[name].cycles.tolist() for name in (EngineName.ISA, EngineName.RTL)]
        assert cycles[0] == cycles[1], seed
