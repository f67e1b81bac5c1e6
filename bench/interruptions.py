"""Interruptions: what happens to runs of ResNet-8 at random moments, and whether the next run is exact.

    python bench/interruptions.py --points 500 --json build/interruptions.json
    python bench/interruptions.py --points 60 --core chip --seed 7
    python bench/interruptions.py --small --points 500

The trained ResNet-8 of the zoo, or with ``--small`` a network of the same kinds of layers in a ninth of its cycles
(`campaign/small_resnet.py`), runs on a simulated core: one that holds all of it (``chip``), one that loads weights from
a memory behind AXI4 (``backed``), one with a UART and a frame memory (``link``); points are shared among them. By
turns, after a random number of cycles of a run: the host gives it up (CLEAR), everything is reset, the host rings twice
(START in a run); and on the core with a bus: everything fails with SLVERR or DECERR from then on, the memory is dead
and the host gives up, the memory is dead for a while (`campaign/interrupted_runs.py`). The UART is unplugged at any
moment from the frame to the scores, for one cycle up to two million (`campaign/unplugged_runs.py`). A run that goes
on has to be exact, a run that ends has to name a fault of the bus or none, and the next sample has to be exact every
time, without loading the program again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from campaign.interruptions import interrupt_runs

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from campaign.small_resnet import SMALL_CORE, small_resnet
from narrows.sw.compile import compile_graph
from narrows.sw.program import Program
from narrows.sw.results import write_json

_TRAINED = Path(__file__).parent / "quantisation" / "zoo" / "resnet8-dybit4-p16-k4.nrw"
_BACKED: dict[str, Any] = {"backing": "axi4", "weight_words": 256, "param_words": 64, "instructions": 256}
_LINKED: dict[str, Any] = {"host": "uart", "uart_divisor": 4, "frame_bytes": 4096}
_CORES = {"chip": {}, "backed": _BACKED, "link": _LINKED}
_SAMPLES = 3


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=500, help="moments, of all cores together (default 500)")
    parser.add_argument("--core", action="append", choices=_CORES, help="repeat for more; all without it")
    parser.add_argument("--program", type=Path, default=_TRAINED, help="whose graph is compiled for the cores")
    parser.add_argument("--small", action="store_true", help="the small network in the place of a program's")
    parser.add_argument("--seed", type=int, default=1, help="of moments and samples (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what happened")
    options = parser.parse_args(arguments)
    if options.small:
        graph, config = small_resnet(SMALL_CORE, options.seed), SMALL_CORE
    else:
        given = Program.load(options.program)
        graph, config = given.graph, given.config
    found: dict[str, Any] = {}
    names = options.core or list(_CORES)
    for name in names:
        program = compile_graph(graph, dataclasses.replace(config, **_CORES[name]))
        tensor = graph.tensors[graph.input.tensor]
        levels = tensor.format.levels[(tensor.format.levels >= tensor.low) & (tensor.format.levels <= tensor.high)]
        samples = np.random.default_rng(options.seed).choice(levels, (_SAMPLES, *tensor.shape))
        started = time.perf_counter()
        report = interrupt_runs(program, samples, -(-options.points // len(names)), options.seed)
        found[name] = vars(report) | {"seconds": round(time.perf_counter() - started, 1)}
        write_json(options.json, found)
        print(f"{name}: {json.dumps(found[name])}", flush=True)  # noqa: T201 - a script's result
    return int(any(report["wrong"] for report in found.values()))


if __name__ == "__main__":
    sys.exit(main())
