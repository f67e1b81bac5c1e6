"""run_demo: the whole path on the built-in example, and everything the demo shows of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ...hw.core_verilog import CoreVerilog
from ...hw.spec.config import PRESETS
from ...hw.verilog import TECHMAPS, to_verilog
from ...sim.cosim.core_source import GivenVerilog
from ..compile import compile_graph
from ..costs.work import layer_work, useful_macs, utilisation
from ..engines import EngineName, find_engine
from ..examples import digits, digits_model
from ..frontend import load_model
from ..listener import Listener
from ..passes import lower
from ..program import Program
from ..quantised import QuantisedGraph
from ..quantize import QuantSettings, quantise
from ..report import figures
from ..runtime import accuracy, prepare_input, restore_outputs
from ..toolchain.synthesis import synthesise
from ..verify import compare_predicted

__all__ = ["DemoOutcome", "run_demo"]

_CONFIG, _SETTINGS, _TARGET = PRESETS["demo"], QuantSettings(weights="dybit4", acts="dybit4"), "ecp5"
_DUMPED = 10
"""First images whose every tensor is read back; the others are compared by the checksum of every layer."""
_SHOWN = 36


@dataclass(frozen=True, kw_only=True)
class DemoOutcome:
    """``results`` is the content of report.json, ``figures`` holds SVG by name."""

    results: dict[str, Any]
    program: Program
    verilog: str
    figures: dict[str, str]


def run_demo(*, images: int, engine: EngineName, simulator: str, synthesis: bool, listener: Listener) -> DemoOutcome:
    """Quantise, compile, run and verify the digits model; ``images`` of the held-out ones, at most all.

    Raises
    ------
    ToolMissing, SimulationError, SynthesisError
        If the simulator or Yosys is missing or fails.
    """
    data = digits()
    x, y = data.test_x[:images], data.test_y[:images]
    with digits_model() as path:
        graph = lower(load_model(path))
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        scores = np.asarray(session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})[0])
    verilog = to_verilog(_CONFIG)
    core = GivenVerilog(_CONFIG, verilog, known_by=CoreVerilog(_CONFIG).key)  # the one that `narrows run` looks for
    with ThreadPoolExecutor(max_workers=1) as pool:  # Yosys works while the simulator does
        counting = pool.submit(synthesise, verilog, _TARGET, techmap=TECHMAPS[_TARGET]) if synthesis else None
        with listener.progress("quantising") as progress:
            quantised = quantise(graph, data.calib_x, _SETTINGS, _CONFIG, lambda _, done, total: progress(done, total))
        program = compile_graph(quantised, _CONFIG)
        levels = prepare_input(quantised, x)
        with listener.progress("running (golden)") as progress:
            golden = find_engine(EngineName.GOLDEN).run(program, levels, progress=progress, keep_tensors=True)
        with listener.progress(f"running ({engine}): {images} images") as progress:
            machine = find_engine(engine, simulator=simulator, verilog=core).run(
                program, levels, progress=progress, dump_layers=_DUMPED
            )
        mismatches = compare_predicted(program, engine, golden, machine, inputs=levels)
        with listener.progress(f"synthesising for {_TARGET}"):
            resources = None if counting is None else counting.result()
    answers = quantised.outputs[0].answers
    machine_scores = restore_outputs(quantised, machine.outputs)[quantised.outputs[0].name]
    machine_accuracy = accuracy(quantised, machine.outputs, y)
    cycles, macs = float(machine.cycles.mean()), useful_macs(graph)
    results = {
        "images": len(x),
        "engine": engine.value,
        "weights": _SETTINGS.weights,
        "acts": _SETTINGS.acts,
        "float_accuracy": float((answers(scores) == y).mean()),
        "golden_accuracy": accuracy(quantised, golden.outputs, y),
        "machine_accuracy": machine_accuracy,
        "rtl_accuracy": machine_accuracy if engine is EngineName.RTL else None,
        "mismatches": len(mismatches),
        "differences": [str(mismatch) for mismatch in mismatches],
        "cycles_per_image": cycles,
        "macs": _CONFIG.macs,
        "macs_per_image": macs,
        "utilisation": utilisation(macs, cycles, _CONFIG.macs),
        "acc_bits": _CONFIG.acc_bits,
        "cert_bits": {layer.name: layer.cert_bits for layer in quantised.layers if layer.cert_bits},
        "rescale_bits": _CONFIG.rescale_bits,
        "config": _CONFIG.to_dict(),
        "resources": None if resources is None else resources.to_dict(),
        "sim_cycles_per_second": machine.sim_cycles / machine.wall_seconds if machine.wall_seconds else None,
    }
    work = layer_work(program)
    drawn = {
        "answers": figures.answers(x[:_SHOWN, 0], y[:_SHOWN], answers(machine_scores[:_SHOWN])),
        "cycles": figures.cycles_by_layer(work),
        "certificates": figures.certificates(work, _CONFIG.acc_bits),
        "weights": figures.weight_levels(_trained_levels(quantised), f"weight level ({_SETTINGS.weights})"),
    }
    if resources is not None:
        luts = {name: used.lut_total for name, used in resources.modules.items()}
        drawn["luts"] = figures.luts_by_module(luts, f"{resources.lut_name} on an {_TARGET.upper()}")
    return DemoOutcome(results=results, program=program, verilog=verilog, figures=drawn)


def _trained_levels(graph: QuantisedGraph) -> NDArray[np.int64]:
    """Weight levels of all convolutions and dense layers."""
    segments = [segment for layer in graph.layers for segment in layer.segments]
    return np.concatenate([segment.weights.reshape(-1) for segment in segments if not segment.depthwise])
