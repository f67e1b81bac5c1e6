"""Products of two tensors: golden model and ISA model agree, and certificates hold for whatever the tensors are."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.expected import expected_checksums
from narrows.sim.golden import GoldenModel, WidthError
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.errors import CapacityError, CertificateError
from narrows.sw.program import Program
from narrows.sw.runtime.samples import run_samples
from random_graphs import GraphBuilder, random_levels
from random_products import PRODUCT_CONFIGS, held_segment, random_products


def same_on_both(program: Program, levels) -> None:
    golden = GoldenModel(program.graph, program.config).run(levels)
    run = asyncio.run(run_samples(IsaTransport(program.config), program, levels, dump_layers=len(levels)))
    for name, tensor in run.dumps.items():
        np.testing.assert_array_equal(tensor, golden[name], err_msg=name)
    for sample, checksums in enumerate(run.checksums):
        expected = expected_checksums(program, {name: tensor[sample] for name, tensor in golden.items()})
        assert [got for got, want in zip(checksums, expected, strict=False) if want is not None] == [
            want for want in expected if want is not None
        ]


@pytest.mark.parametrize("name", PRODUCT_CONFIGS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1 << 20))
def test_golden_and_isa_model_agree(name: str, seed: int) -> None:
    note(f"seed {seed}")
    config, rng = PRODUCT_CONFIGS[name], np.random.default_rng(seed)
    try:
        program = compile_graph(random_products(GraphBuilder(config, rng), 2), config)
    except (CapacityError, CertificateError):
        return
    levels = np.stack([random_levels(program.graph, rng) for _ in range(2)])
    same_on_both(Program.from_bytes(program.to_bytes()), levels)
