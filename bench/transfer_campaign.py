"""Campaign: random programs of LOAD, STORE and COMPUTE on a simulated core, over a bus that stalls at random.

    python bench/transfer_campaign.py --bits 64 --seeds 0:1000 --stall 100 --json transfers.json

Each program's memories, window, checksums and status are compared with those of the ISA model.
Tasks for --jobs or --cluster are a hundred seeds each, on a bus whose stalls are drawn by the first of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from campaign.modules import add_worker_options, parts, workers_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from narrows.sw.results import write_json
from narrows.sw.tasks import in_order
from random_transfers import transfer_config
from transfer_batch import run_part

_PART = 100


def main() -> int:
    """Run the campaign; 1 if programs differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bits", type=int, default=64, choices=(32, 64, 128), help="data width of the bus")
    parser.add_argument("--seeds", default="0:1000", metavar="FIRST:END", help="seeds of the programs")
    parser.add_argument("--latency", type=int, default=9, help="cycles from an address to its first beat")
    parser.add_argument("--pace", type=int, default=1, help="cycles from one beat to the next")
    parser.add_argument("--stall", type=int, default=100, help="of 256 handshakes that are put off by a cycle")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what happened")
    add_worker_options(parser)
    options = parser.parse_args()
    seeds = range(*(int(part) for part in options.seeds.split(":")))
    bus = {"latency": options.latency, "pace": options.pace, "stall": options.stall}
    started = time.perf_counter()
    with workers_of(options) as workers:
        found = in_order(workers, run_part, (transfer_config(options.bits), bus), parts(seeds, _PART))
    reports = [report for some in found for report in some]
    different = {seed: found["differences"] for seed, found in zip(seeds, reports, strict=True) if found["differences"]}
    summary = {
        "bits": options.bits,
        "bus": bus,
        "programs": len(reports),
        "cycles": sum(report["core"]["CYCLES"] for report in reports),
        "different": different,
        "seconds": round(time.perf_counter() - started, 1),
    }
    print(json.dumps(summary))  # noqa: T201 - a script's result
    write_json(options.json, summary)
    return min(1, len(different))


if __name__ == "__main__":
    sys.exit(main())
