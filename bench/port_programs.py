"""Campaign: random programs through a host port under random stalls and back-pressure, against golden and ISA model.

    python bench/port_programs.py --port wishbone --programs 1000 --json wishbone.json

Programs are graphs of `tests/support/random_graphs.py`, compiled for its configuration ``--config`` with the port in
question. Batches of them run on one simulator, each batch with stalls drawn anew: up to 7 of 8 tries of every handshake
are put off; on UART and SPI, noise breaks frames instead. A batch is a task for --jobs or --cluster.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from campaign.modules import add_worker_options, workers_of
from narrows.hw.spec.config import HOSTS, AcceleratorConfig
from narrows.sw.errors import CapacityError, CertificateError
from narrows.sw.program import Program
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from narrows.sw.results import write_json
from program_batch import Batch, check_batch, random_program
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
    add_worker_options(parser)
    options = parser.parse_args()
    config = dataclasses.replace(
        CONFIGS[options.config], host=options.port, uart_divisor=4, act_words=4096, weight_words=4096
    )
    drawn: list[tuple[Batch, str]] = []
    started, total = time.perf_counter(), {"programs": 0, "refused": 0, "instructions": 0, "cycles": 0}
    different: dict[int, Any] = {}

    def batches() -> Iterator[Batch]:
        for batch, refused, trouble in _batches(config, options):
            drawn.append((batch, trouble))
            total["refused"] += refused
            yield batch

    with workers_of(options) as workers:
        for number, reports in workers.run(check_batch, config, batches()):
            batch, trouble = drawn[number]
            different |= {seed: report["differences"] for seed, report in reports.items() if report["differences"]}
            total["programs"] += len(batch.programs)
            total["instructions"] += sum(len(program.instructions) - 1 for program, _ in batch.programs.values())
            total["cycles"] += sum(sum(report["cycles"]) for report in reports.values())
            _say(
                f"{options.port}: {total['programs']} programs ({total['refused']} do not fit), "
                f"{total['instructions']} instructions, {len(different)} differ, these with {trouble}, "
                f"{time.perf_counter() - started:.0f} s"
            )
    different = dict(sorted(different.items()))
    for seed, differences in different.items():
        _say(f"  seed {seed}: {differences[0]}")
    if options.json:
        report = {"port": options.port, "parameters": config.to_dict(), **total, "different": different}
        report["seconds"] = round(time.perf_counter() - started, 1)
        write_json(options.json, report)
    return min(1, len(different))


def _batches(config: AcceleratorConfig, options: argparse.Namespace) -> Iterator[tuple[Batch, int, str]]:
    """Batches, each with the number of seeds that did not fit, and what makes it hard."""
    rng, seeds, left = np.random.default_rng(options.seed), iter(range(options.seed, 1 << 31)), options.programs
    while left:
        programs: dict[int, tuple[Program, NDArray[np.int64]]] = {}
        refused = 0
        while len(programs) < min(_BATCH, left):
            seed = next(seeds)
            try:
                programs[seed] = random_program(config, seed, options.layers)
            except (CapacityError, CertificateError):
                refused += 1
        host, trouble = _trouble(options.port, rng)
        yield Batch(programs=programs, host=host), refused, trouble
        left -= len(programs)


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
