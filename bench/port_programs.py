"""Campaign: random programs through a host port under random stalls and back-pressure, against golden and ISA model.

    python bench/port_programs.py --port wishbone --programs 1000 --json wishbone.json

Programs are graphs of `tests/support/random_graphs.py`, compiled for its configuration ``--config`` with the port in
question. Batches of them run on one simulator, each batch with stalls drawn anew: up to 7 of 8 tries of every handshake
are put off; on UART and SPI, noise breaks frames instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import HOSTS
from narrows.sw.errors import CapacityError, CertificateError
from narrows.sw.program import Program
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from narrows.sw.results import write_json
from program_batch import check_programs, random_program
from random_graphs import CONFIGS

_BATCH = 50
_MOST_STALL = 224


def main() -> int:
    """Run the campaign; 1 if a program differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", choices=HOSTS, required=True)
    parser.add_argument("--programs", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--config", default="square", choices=list(CONFIGS), help="shape of the core")
    parser.add_argument("--layers", type=int, default=3, help="layers of a graph (default 3)")
    parser.add_argument("--seed", type=int, default=0, help="of the first graph, and of the stalls (default 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what happened")
    options = parser.parse_args()
    config = dataclasses.replace(
        CONFIGS[options.config], host=options.port, uart_divisor=4, act_words=4096, weight_words=4096
    )
    verilog, rng = CoreVerilog(config), np.random.default_rng(options.seed)
    seeds = iter(range(options.seed, 1 << 31))
    started, total = time.perf_counter(), {"programs": 0, "refused": 0, "instructions": 0, "cycles": 0}
    different: dict[int, Any] = {}
    while total["programs"] < options.programs:
        batch: dict[int, tuple[Program, NDArray[np.int64]]] = {}
        while len(batch) < min(_BATCH, options.programs - total["programs"]):
            seed = next(seeds)
            try:
                batch[seed] = random_program(config, seed, options.layers)
            except (CapacityError, CertificateError):
                total["refused"] += 1
        host, trouble = _trouble(options.port, rng)
        reports = check_programs(config, list(batch.values()), verilog=verilog, host=host)
        different |= {
            seed: report["differences"] for seed, report in zip(batch, reports, strict=True) if report["differences"]
        }
        total["programs"] += len(batch)
        total["instructions"] += sum(len(program.instructions) - 1 for program, _ in batch.values())
        total["cycles"] += sum(sum(report["cycles"]) for report in reports)
        _say(
            f"{options.port}: {total['programs']} programs ({total['refused']} do not fit), {total['instructions']} "
            f"instructions, {len(different)} differ, last with {trouble}, {time.perf_counter() - started:.0f} s"
        )
    for seed, differences in different.items():
        _say(f"  seed {seed}: {differences[0]}")
    if options.json:
        report = {"port": options.port, "parameters": config.to_dict(), **total, "different": different}
        report["seconds"] = round(time.perf_counter() - started, 1)
        write_json(options.json, report)
    return min(1, len(different))


def _trouble(port: str, rng: np.random.Generator) -> tuple[dict[str, float], str]:
    """What makes a batch hard for the port, and how to call it."""
    if port in ("uart", "spi"):
        noise = float(rng.choice([0.0, 1.0, 3.0])) * 1e-6
        return {"noise": noise}, f"{noise:.0e} of all cycles turned over"
    stall = int(rng.integers(0, _MOST_STALL + 1))
    return {"stall": stall}, f"stall {stall}/256"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a script's result


if __name__ == "__main__":
    sys.exit(main())
