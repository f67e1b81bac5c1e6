"""Campaign: random graphs compiled and run on simulated cores of many shapes, compared with golden and ISA model.

    python bench/random_programs.py --config square --config random:7 --seeds 0:100 --json campaign.json

A configuration is a name of `tests/support/random_graphs.py` or ``random:N``. One simulator is built for each.
Tasks for --jobs or --cluster are fifty seeds each.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from campaign.modules import add_worker_options, parts, workers_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from narrows.sw.results import write_json
from narrows.sw.tasks import Workers, in_order
from program_batch import check_seeds
from random_graphs import CONFIGS, random_config

_PART = 50


def main() -> int:
    """Run the campaign; the number of programs that differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", action="append", metavar="NAME", help="repeat for more; all named ones without it")
    parser.add_argument("--seeds", default="0:50", metavar="FIRST:END", help="seeds of the graphs (default 0:50)")
    parser.add_argument("--layers", type=int, default=4, help="layers of a graph (default 4)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what happened")
    add_worker_options(parser)
    options = parser.parse_args()
    seeds = range(*(int(part) for part in options.seeds.split(":")))
    with workers_of(options) as workers:
        reports = [_campaign(name, seeds, options.layers, workers) for name in options.config or CONFIGS]
    write_json(options.json, reports)
    return min(1, sum(len(report["different"]) for report in reports))


def _campaign(name: str, seeds: range, layers: int, workers: Workers) -> dict[str, Any]:
    config = random_config(int(name.partition(":")[2])) if name.startswith("random:") else CONFIGS[name]
    started = time.perf_counter()
    checked: dict[int, dict[str, Any]] = {}
    refused = 0
    for some, others in in_order(workers, check_seeds, (config, layers), parts(seeds, _PART)):
        checked |= some
        refused += others
    different = {seed: report["differences"] for seed, report in checked.items() if report["differences"]}
    report = {
        "config": name,
        "parameters": config.to_dict(),
        "programs": len(checked),
        "refused": refused,
        "instructions": sum(report["instructions"] for report in checked.values()),
        "cycles": sum(sum(report["cycles"]) for report in checked.values()),
        "different": different,
        "seconds": round(time.perf_counter() - started, 1),
    }
    _say(
        f"{name}: {report['programs']} programs ({refused} do not fit), {report['instructions']} instructions, "
        f"{report['cycles']} cycles, {len(different)} differ, {report['seconds']} s"
    )
    for seed, differences in different.items():
        _say(f"  seed {seed}: {differences[0]}")
    return report


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a script's result


if __name__ == "__main__":
    sys.exit(main())
