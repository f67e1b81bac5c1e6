"""What a board's SDRAM is worth: MobileNetV1 (visual wake words) from it against weights on the chip, in simulation at
its pins.

    python bench/sdram.py --json sdram.json              # cycles, bytes, mismatches
    python bench/sdram.py --programs 200 --json s.json   # and random programs of transfers, each against the ISA model
    python bench/sdram.py --lut --json s.json            # and cells of the whole board, by Yosys: minutes

The core's Verilog is that of the board ``ulx3s-sdram`` with a bus for its host; behind it are the generated controller
and the chip's model, which watches times, banks and refresh. Bytes are those that LOAD and STORE move. Milliseconds are
at the clocks stated.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from models import CASES, SHARED
from narrows.boards.board import Board
from narrows.boards.catalogue import BOARDS
from narrows.boards.flow import run_step
from narrows.boards.plan import NAME, plan_board
from narrows.boards.sdram import sdram_verilog
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import Opcode, decode_instruction
from narrows.hw.spec.transfer import line_bytes
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sim.sdram import STATISTICS, memory_verilog
from narrows.sim.store_size import store_bytes
from narrows.sw.compile import compile_graph
from narrows.sw.costs.timeline import timeline
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.results import write_json
from narrows.sw.runtime import Transport, prepare_input
from narrows.sw.runtime.driver import Driver
from numpy.typing import NDArray
from utilisation import float_weights

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from random_transfers import transfer_config
from transfer_batch import run_transfers

_BOARD, _ON_CHIP = "ulx3s-sdram", "ulx3s"
_MODEL = "mobilenetv1_vww_float.onnx"
_COUNTED = ("refreshes", "longest_gap", "reads", "writes", "activates")


def main() -> int:
    """Measure; 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=SHARED / "models", help="folder of the model")
    parser.add_argument("--data", type=Path, default=SHARED / "data", help="folder of the calibration samples")
    parser.add_argument("--samples", type=int, default=1, help="samples simulated")
    parser.add_argument("--programs", type=int, default=0, help="random programs of transfers")
    parser.add_argument("--lut", action="store_true", help="synthesise the board")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    options = parser.parse_args()
    board = BOARDS[_BOARD]
    found: dict[str, Any] = {"board": board.name, "clock_mhz": board.clock_mhz}
    found |= visual_wake_words(board, options.models / _MODEL, options.data, options.samples)
    if options.programs:
        found["transfers"] = random_transfers(board, options.programs)
    if options.lut:
        found["cells"] = cells(board)
    print(json.dumps(found, indent=1))  # noqa: T201 - a script's result
    write_json(options.json, found)
    return int(bool(found["mismatches"] or found.get("transfers", {}).get("mismatches")))


def visual_wake_words(board: Board, model: Path, data: Path, samples: int) -> dict[str, Any]:
    """The network on the board's core in simulation, and on the core without memory by the cycle model."""
    case = next(case for case in CASES if case.model == "mobilenetv1")
    inputs = case.samples(data)
    graph = float_weights(lower(load_model(model)))
    programs = {}
    for name in (_BOARD, _ON_CHIP):
        config = dataclasses.replace(BOARDS[name].config, host="axi")  # the port changes no cycle
        quantised = quantise(graph, inputs.calibration, QuantSettings(weights="dybit4", acts="dybit4"), config)
        programs[name] = compile_graph(quantised, config)
    program = programs[_BOARD]
    levels = prepare_input(program.graph, inputs.x[:samples])
    run = simulate(
        CoreVerilog(program.config),
        lambda transport: infer(transport, program, levels),
        store_bytes=store_bytes(program.window_bytes),
        memory=_memory(board, program.config),
    ).result
    golden = GoldenModel(program.graph, program.config).run(levels)
    wrong = sum(int((outputs != golden[name]).sum()) for name, outputs in run.outputs.items())
    cycles, counted = run.cycles, run.counted
    moved, words = moved_bytes(program), (counted["reads"] + counted["writes"]) // samples
    assert board.sdram is not None
    a_cycle = board.sdram.width // 8
    on_chip = timeline(programs[_ON_CHIP]).cycles
    return {
        "model": model.stem,
        "samples": samples,
        "mismatches": wrong,
        "cycles": cycles,
        "model_cycles": timeline(program).cycles,
        "compute_ms": cycles / board.clock_mhz / 1e3,
        "on_chip_cycles": on_chip,
        "on_chip_ms": on_chip / BOARDS[_ON_CHIP].clock_mhz / 1e3,
        "bytes_moved": moved,
        "bytes_a_second": moved * board.clock_mhz * 1e6 / cycles,
        "share_of_peak": moved / (a_cycle * cycles),
        "bytes_at_pins": a_cycle * words,
        "stall_load": run.stall_load,
        "chip": counted,
    }


def moved_bytes(program: Program) -> int:
    """Bytes that a run of a program loads and stores."""
    total = 0
    for words in program.instructions:
        opcode, fields = decode_instruction(words.tolist())
        if opcode in (Opcode.LOAD, Opcode.STORE):
            total += line_bytes(program.config, fields) * fields["lines"]
    return total


def random_transfers(board: Board, count: int) -> dict[str, Any]:
    """Programs of LOAD, STORE and COMPUTE on a small core, half of them while the core's side of the bus stalls at
    random."""
    config, different = transfer_config(board.config.bus_bits), {}
    memory, cycles = _memory(board, config), 0
    for stall, seeds in ((0, range(count // 2)), (100, range(count // 2, count))):
        reports = run_transfers(config, seeds, latency=1, pace=1, stall=stall, memory=memory)
        cycles += sum(report["core"]["CYCLES"] for report in reports)
        pairs = zip(seeds, reports, strict=True)
        different |= {seed: report["differences"] for seed, report in pairs if report["differences"]}
    return {"programs": count, "cycles": cycles, "mismatches": len(different), "different": different}


def _memory(board: Board, config: AcceleratorConfig) -> str:
    assert board.sdram is not None
    controller = sdram_verilog(board.sdram, device=board.device, clock_mhz=board.clock_mhz, bus_bits=config.bus_bits)
    return memory_verilog(board.sdram, controller, clock_mhz=board.clock_mhz)


class Inferred(NamedTuple):
    """Outputs of all samples, counters of the last run, and what the chip counted in all of them."""

    outputs: dict[str, NDArray[np.int64]]
    cycles: int
    stall_load: int
    counted: dict[str, int]


async def infer(transport: Transport, program: Program, levels: NDArray[np.int64]) -> Inferred:
    """Run samples."""
    driver = Driver(transport, program.config)
    await driver.load(program)
    before = await transport.read_backing(STATISTICS, len(_COUNTED))
    results = [await driver.infer(sample) for sample in levels]
    after = await transport.read_backing(STATISTICS, len(_COUNTED))
    counted = dict(zip(_COUNTED, (after - before).tolist(), strict=True)) | {"longest_gap": int(after[1])}
    outputs = {name: np.stack([result.outputs[name] for result in results]) for name in results[0].outputs}
    return Inferred(outputs, results[-1].cycles, results[-1].stall_load, counted)


def cells(board: Board) -> dict[str, int]:
    """Cells of the whole board behind Yosys, by kind."""
    plan = plan_board(board)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        plan.extract(folder)
        run_step(plan.commands[0], folder)
        report = (folder / f"{NAME}.rpt").read_text(encoding="utf-8")
    last = (
        report[report.rindex("Number of cells:") :]
        if "Number of cells:" in report
        else report[report.rindex("cells") :]
    )
    kinds = ("LUT4", "CCU2C", "TRELLIS_FF", "TRELLIS_DPR16X4", "DP16KD", "MULT18X18D")
    found = {kind: re.search(rf"(?:{kind}\s+(\d+)|(\d+)\s+{kind})\b", last) for kind in kinds}
    return {kind: int(match[1] or match[2]) for kind, match in found.items() if match}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main())
