"""Tensors of a program that are written to a core's memories and read again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from narrows.hw.spec.registers import Region
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.runtime import run_sync
from narrows.sw.runtime.program_tensors import ProgramTensors


@pytest.fixture
def transport(tiny_program: Any) -> IsaTransport:
    return IsaTransport(tiny_program.config)


def drawn(program: Any, name: str) -> np.ndarray:
    tensor = program.graph.tensors[name]
    return tensor.format.quantise(np.random.default_rng(5).uniform(tensor.low, tensor.high, tensor.shape))


def test_what_is_written_is_read_again_and_nothing_else_changes(transport: IsaTransport, tiny_program: Any) -> None:
    tensors = ProgramTensors(transport, tiny_program.config, tiny_program)
    kept = {name: drawn(tiny_program, name) for name in ("image", "pooled")}
    for name, levels in kept.items():
        run_sync(tensors.write(name, levels))
    for name, levels in kept.items():
        np.testing.assert_array_equal(run_sync(tensors.read(name)), levels)


def test_levels_beyond_the_planes_are_refused_and_nothing_is_written(
    transport: IsaTransport, tiny_program: Any
) -> None:
    tensors = ProgramTensors(transport, tiny_program.config, tiny_program)
    layout = tiny_program.layouts["image"]
    before = transport.machine.read_words(Region.ACTIVATIONS, layout.base, layout.size)
    with pytest.raises(ValueError, match="is not a level"):
        run_sync(tensors.write("image", np.full_like(drawn(tiny_program, "image"), 1 << 20)))
    np.testing.assert_array_equal(transport.machine.read_words(Region.ACTIVATIONS, layout.base, layout.size), before)
