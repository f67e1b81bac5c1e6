"""Soft errors: what parity and SECDED catch of flipped bits in a running core, and what they cost.

    python bench/soft_errors.py --json soft_errors.json
    python bench/soft_errors.py --runs 0 --synth demo,tiny --json costs.json

The built-in digits program runs on the simulated core of preset ``demo``, without check bits, with parity and with
SECDED. In each run one bit, or two of one granule, of a random word that the program fills (of the activations: of any
word) flips at a random moment between the first word that the host writes and the last one that it reads. The driver
runs again where the core finds it. Every answer is compared with the golden model's.

Costs are those of `narrows synth` (Yosys), by target and preset.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from flip_batch import flip_runs
from narrows.hw.spec.config import PRESETS, PROTECTIONS, AcceleratorConfig
from narrows.hw.spec.protection import PROTECTED
from narrows.hw.spec.registers import Region
from narrows.hw.verilog import TECHMAPS, to_verilog
from narrows.sw.compile import compile_graph
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.results import write_json
from narrows.sw.runtime import prepare_input
from narrows.sw.toolchain.synthesis import synthesise

_CONFIG = PRESETS["demo"]


def _caught(protection: str, runs: int, seed: int) -> dict[str, dict[str, dict[str, int]]]:
    """Verdicts by number of flips and memory, of the digits program on a core."""
    config, data = dataclasses.replace(_CONFIG, protection=protection), digits()
    with digits_model() as model:
        graph = quantise(load_model(model), data.calib_x[:64], QuantSettings(), config)
    program, levels = compile_graph(graph, config), prepare_input(graph, data.test_x[:1])
    filled = {region: len(words) for region, words in program.memories.items()} | {Region.ACTIVATIONS: 1}
    regions = tuple(region for region in PROTECTED if filled[region])
    return {
        name: flip_runs(program, levels, count=runs, flips=flips, seed=seed, regions=regions)
        for name, flips in (("single", 1), ("double", 2))
    }


def _costs(preset: str, target: str) -> dict[str, dict[str, Any]]:
    """Cells by protection of a preset's core on a target."""
    found = {}
    for protection in PROTECTIONS:
        config = dataclasses.replace(PRESETS[preset], fabric=target, protection=protection)
        found[protection] = _cells(config, target)
    return found


def _cells(config: AcceleratorConfig, target: str) -> dict[str, Any]:
    return dataclasses.asdict(synthesise(to_verilog(config), target, techmap=TECHMAPS[target]).total)


def main() -> int:
    """Run the campaign; 1 if parity or SECDED let a single flip become a wrong answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100, help="runs for each memory and number of flips")
    parser.add_argument("--seed", type=int, default=1, help="of memories, bits and moments")
    parser.add_argument("--protections", default=",".join(PROTECTIONS), help="which cores to run")
    parser.add_argument("--synth", default="", metavar="PRESETS", help="presets whose costs to find")
    parser.add_argument("--targets", default="ecp5,ice40", help="targets for that")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    options = parser.parse_args()
    caught = {}
    for protection in options.protections.split(",") if options.runs else ():
        caught[protection] = _caught(protection, options.runs, options.seed)
        print(json.dumps({protection: caught[protection]}), flush=True)  # noqa: T201 - a script's result
    costs = {
        f"{preset} on {target}": _costs(preset, target)
        for preset in filter(None, options.synth.split(","))
        for target in options.targets.split(",")
    }
    summary = {"runs": options.runs, "seed": options.seed, "caught": caught, "costs": costs}
    print(json.dumps(summary["costs"]))  # noqa: T201 - a script's result
    write_json(options.json, summary)
    silent = [
        verdicts["silent"]
        for protection, flips in caught.items()
        if protection != "none"
        for verdicts in flips["single"].values()
    ]
    return min(1, sum(silent))


if __name__ == "__main__":
    sys.exit(main())
