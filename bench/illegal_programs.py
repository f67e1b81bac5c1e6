"""Campaign: illegal instructions before the decoder, and programs with random changes in the running core.

    python bench/illegal_programs.py --decoder 1000000 --json build/illegal.json
    python bench/illegal_programs.py --core 10000 --json build/illegal.json
    python bench/illegal_programs.py --core 200 --config backed --seed 3

Both are spread evenly over the configurations below. ``--decoder``: random and mutated words before the sequencer of a
core (`campaign/decoder.py`), which has to take each as the ISA model does. ``--core``: compiled random graphs with
bits, fields and whole records of instructions, blocks and taps changed (`campaign/broken_runs.py`), on the simulated
core and on the ISA model: the same fault at the same instruction and the same memories, as far as `docs/machine.md`
promises them, always an end, nothing written outside the window, and after it a run of the program itself that is
exact. The JSON file keeps what earlier commands found, by configuration and seed, and has totals.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from campaign.broken_runs import break_programs
from campaign.decoder_trials import decode_random

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.compile import compile_graph
from narrows.sw.errors import CapacityError, CertificateError
from narrows.sw.program import Program
from narrows.sw.results import write_json
from random_cores import random_graph
from random_graphs import GraphBuilder

_SMALL: dict[str, Any] = {
    "rows": 2, "columns": 4, "lanes": 4, "rescalers": 2, "acc_bits": 26, "rescale_bits": 6, "act_words": 256,
    "weight_words": 512, "param_words": 64, "taps": 128, "blocks": 128, "instructions": 32,
}  # fmt: skip
_BACKED = _SMALL | {"backing": "axi4", "act_words": 128, "weight_words": 64, "param_words": 16, "instructions": 128}
_ONE_PORT: dict[str, Any] = {"memories": "single", "rescalers": 1, "prefetch": 0, "fabric": "ice40"}

CONFIGS = {
    name: AcceleratorConfig(**values)
    for name, values in {
        "plain": _SMALL,
        "backed": _BACKED,
        "one port": _SMALL | _ONE_PORT | {"counters": 0},
        "one port, backed": _BACKED | _ONE_PORT | {"bus_bits": 32},
        "dynamic": _SMALL | {"dynamic": 1, "blocks": 1024, "tables": 2, "planes": 5, "entry": 1},
        "dynamic, backed": _BACKED | {"dynamic": 1, "blocks": 1024, "weight_words": 128, "bus_bits": 128},
        "parity": _SMALL | {"protection": "parity", "rows": 3, "drain_rows": 2, "host": "wishbone"},
        "corrected, backed": _BACKED | {"protection": "secded", "frame_bytes": 256},
        "frames": _SMALL | {"frame_bytes": 256, "streams": 1, "entry": 1, "max_pool": 0, "host": "bare"},
        "bytes": _SMALL | {"weight_base": "int5", "act_base": "int8", "fabric": "xilinx", "dsp_lanes": 2},
    }.items()
}
_PER_PROGRAM = 25
_LAYERS = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decoder", type=int, default=0, metavar="N", help="instructions before decoders, in all")
    parser.add_argument("--core", type=int, default=0, metavar="N", help="changed programs in running cores, in all")
    parser.add_argument("--config", action="append", choices=CONFIGS, help="repeat for more; all without it")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what happened beside what is there")
    options = parser.parse_args(arguments)
    names = options.config or list(CONFIGS)
    kept: dict[str, Any] = {"decoder": {}, "core": {}}
    if options.json and options.json.exists():
        kept |= json.loads(options.json.read_text(encoding="utf-8"))
    for kind, count in (("decoder", options.decoder), ("core", options.core)):
        for name in names if count else ():
            key, started = f"{name}, seed {options.seed}", time.perf_counter()
            share = -(-count // len(names))
            seed = zlib.crc32(key.encode())
            found = (_decoded if kind == "decoder" else _broken)(CONFIGS[name], share, seed)
            kept[kind][key] = found | {"seconds": round(time.perf_counter() - started, 1)}
            kept["totals"] = {each: _total(kept[each]) for each in ("decoder", "core")}
            write_json(options.json, kept)
            _say(f"{kind}, {key}: {json.dumps({k: v for k, v in kept[kind][key].items() if k != 'wrong'})}")
            for wrong in found["wrong"][:5]:
                _say(f"  {json.dumps(wrong)}")
    _say(json.dumps(kept.get("totals", {})))
    return int(any(found["wrong"] for kind in ("decoder", "core") for found in kept[kind].values()))


def _decoded(config: AcceleratorConfig, count: int, seed: int) -> dict[str, Any]:
    report = decode_random(config, count, seed)
    return {"tried": report.instructions, "outcomes": report.outcomes, "wrong": report.different}


def _broken(config: AcceleratorConfig, count: int, seed: int) -> dict[str, Any]:
    programs = fitting_programs(config, -(-count // _PER_PROGRAM), seed)
    report = break_programs(programs, -(-count // len(programs)), seed)
    cycles = {"cycles": report.cycles, "programs": len(programs)}
    return {"tried": report.mutants, "outcomes": report.outcomes, "wrong": report.wrong} | cycles


def fitting_programs(config: AcceleratorConfig, count: int, seed: int) -> list[Program]:
    """Programs of random graphs for a core, as many as asked for."""
    found: list[Program] = []
    for number in range(100 * count):
        build = GraphBuilder(config, np.random.default_rng((seed, number)))
        try:
            found.append(compile_graph(random_graph(build, _LAYERS), config))
        except (CapacityError, CertificateError):
            continue
        if len(found) == count:
            break
    return found


def _total(reports: dict[str, dict[str, Any]]) -> dict[str, Any]:
    outcomes: Counter[str] = Counter()
    for report in reports.values():
        outcomes.update(report["outcomes"])
    tried, wrong = sum(r["tried"] for r in reports.values()), sum(len(r["wrong"]) for r in reports.values())
    return {"reports": len(reports), "tried": tried, "wrong": wrong, "outcomes": outcomes}


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a script's result


if __name__ == "__main__":
    sys.exit(main())
