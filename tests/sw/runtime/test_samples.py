"""run_samples: many samples through one driver, with dumps of the first ones."""

from __future__ import annotations

import numpy as np
from narrows.hw.spec.config import PRESETS
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.runtime import prepare_input, run_sync
from narrows.sw.runtime.samples import run_samples

CONFIG = PRESETS["tiny"]


def test_outputs_dumps_and_counters_of_every_sample() -> None:
    with digits_model() as path:
        graph = quantise(load_model(path), digits().calib_x[:64], QuantSettings(), CONFIG)
    program = compile_graph(graph, CONFIG)
    levels = prepare_input(graph, digits().test_x[:4])
    golden = GoldenModel(graph, CONFIG).run(levels)
    seen: list[tuple[int, int]] = []
    transport = IsaTransport(CONFIG)
    record = run_sync(run_samples(transport, program, levels, dump_layers=2, progress=lambda *at: seen.append(at)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for name in graph.output_tensors:
        np.testing.assert_array_equal(record.outputs[name], golden[name])
    assert set(record.dumps) == {layer.output for layer in graph.layers}
    for name, tensor in record.dumps.items():
        np.testing.assert_array_equal(tensor, golden[name][:2])
    assert record.checksums.shape == (4, len(program.instructions) - 1)
    assert record.cycles.shape == (4,)
    assert (record.busy <= record.cycles).all()
    assert record.layer_cycles.shape == (2, len(graph.layers))
    assert (np.diff(record.layer_cycles, axis=1) > 0).all()
    np.testing.assert_array_equal(record.layer_cycles[:, -1], record.cycles[:2])
