"""run_program: what it asks of a simulation, played by the ISA model."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import PRESETS
from narrows.sim.cosim import inference
from narrows.sim.cosim.inference import run_program
from narrows.sim.cosim.session import Simulated
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.runtime import run_sync
from program_batch import random_program

CONFIG = PRESETS["tiny"]


def test_layers_are_read_only_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def simulate(verilog: CoreVerilog, job: Callable[[Any], Coroutine[Any, Any, Any]], **_: Any) -> Simulated[Any]:
        return Simulated(result=run_sync(job(IsaTransport(verilog.config))), cycles=1, seconds=0.0)

    monkeypatch.setattr(inference, "simulate", simulate)
    program, levels = random_program(CONFIG, 3, 2)
    plain = run_program(program, levels, verilog=CoreVerilog(CONFIG)).record
    assert plain.dumps == {}
    assert plain.layer_cycles.shape == (0, len(program.graph.layers))
    dumped = run_program(program, levels, verilog=CoreVerilog(CONFIG), dump_layers=1).record
    assert set(dumped.dumps) == {layer.output for layer in program.graph.layers}
