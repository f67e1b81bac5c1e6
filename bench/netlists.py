"""Campaign: the digits and random programs on the synthesised netlist of a small core, against golden and ISA model.

    python bench/netlists.py --targets ice40 ecp5 --json netlists.json

The core is synthesised for each family as `narrows synth` does it. Its netlist of look-up tables, carry cells,
flip-flops and block RAMs, with simulation models of those cells (`hardware/netlist.py`), then takes the place of the
core's Verilog in co-simulation. Takes some minutes a family.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from hardware.netlist import simulated_netlist
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.cosim.core_source import GivenVerilog
from narrows.sw.compile import compile_graph
from narrows.sw.errors import CapacityError, CertificateError
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.runtime import prepare_input
from narrows.sw.toolchain.synthesis import TARGETS
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from narrows.sw.results import write_json
from program_batch import check_programs, random_program

CONFIG = AcceleratorConfig(
    rows=2,
    columns=2,
    lanes=4,
    rescalers=1,
    acc_bits=18,
    act_words=1024,
    weight_words=2048,
    param_words=256,
    taps=128,
    blocks=32,
    instructions=16,
)


def main() -> int:
    """Run the campaign; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", choices=list(TARGETS), default=["ice40", "ecp5"], help="families")
    parser.add_argument("--programs", type=int, default=20, help="random programs for each (default 20)")
    parser.add_argument("--digits", type=int, default=20, help="images of the digits for each (default 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what happened")
    options = parser.parse_args()
    programs = [_digits(options.digits), *_programs(options.programs)]
    reports = [_campaign(target, programs) for target in options.targets]
    write_json(options.json, reports)
    return int(any(report["different"] for report in reports))


def _digits(count: int) -> tuple[Program, NDArray[np.int64]]:
    """The digits' program, with so many test images."""
    data = digits()
    with digits_model() as path:
        graph = lower(load_model(path))
    program = compile_graph(quantise(graph, data.calib_x[:64], QuantSettings(), CONFIG), CONFIG)
    return program, prepare_input(program.graph, data.test_x[:count])


def _programs(count: int) -> list[tuple[Program, NDArray[np.int64]]]:
    """Programs of two random layers that fit the small core, with an input each."""
    found: list[tuple[Program, NDArray[np.int64]]] = []
    seed = 0
    while len(found) < count:
        seed += 1
        try:
            found.append(random_program(CONFIG, seed, 2))
        except (CapacityError, CertificateError):
            continue
    return found


def _campaign(target: str, programs: list[tuple[Program, NDArray[np.int64]]]) -> dict[str, Any]:
    started = time.perf_counter()
    netlist = simulated_netlist(CONFIG, target)
    synthesised = time.perf_counter()
    reports = check_programs(CONFIG, programs, verilog=GivenVerilog(CONFIG, netlist))
    different = [report["differences"][0] for report in reports if report["differences"]]
    result = {
        "target": target,
        "programs": len(programs),
        "cycles": sum(sum(report["cycles"]) for report in reports),
        "different": different,
        "synthesis_seconds": round(synthesised - started, 1),
        "simulation_seconds": round(time.perf_counter() - synthesised, 1),
    }
    _say(
        f"{target}: {result['programs']} programs, {result['cycles']} cycles, {len(different)} differ "
        f"(synthesis {result['synthesis_seconds']} s, simulation {result['simulation_seconds']} s)"
    )
    for difference in different:
        _say(f"  {difference}")
    return result


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a script's result


if __name__ == "__main__":
    sys.exit(main())
