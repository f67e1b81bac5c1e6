"""Campaign: random graphs compiled and run on simulated cores of many shapes, compared with golden and ISA model.

    python bench/random_programs.py --config square --config random:7 --seeds 0:100 --json build/programs.json
    python bench/random_programs.py --config random:0-39 --seeds 0:100 --layers 3 --json build/programs.json
    python bench/random_programs.py --models --config random:0-399 --seeds 0:250 --layers 3 --json build/models.json

A configuration is a name of `tests/support/random_graphs.py`, ``random:N``, a core with any of all options
(`tests/support/random_cores.py`), or ``random:FIRST-LAST``, several of these. One simulator is built for each; with
``--models`` none: then golden model and ISA model are compared, in much less time. The JSON file has totals and a row
for each configuration; the same command goes on where it was stopped. Tasks for --jobs or --cluster are fifty seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from campaign.modules import add_worker_options, parts, workers_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from narrows.sw.results import write_json
from narrows.sw.tasks import Workers
from program_batch import Trials, check_seeds
from random_cores import random_core, random_graph
from random_graphs import CONFIGS

_PART = 50
_SUMMED = ("programs", "refused", "instructions", "cycles", "seconds")


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; 1 if programs differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", action="append", metavar="NAME", help="repeat for more; all named ones without it")
    parser.add_argument("--seeds", default="0:50", metavar="FIRST:END", help="seeds of the graphs (default 0:50)")
    parser.add_argument("--layers", type=int, default=4, help="layers of a graph (default 4)")
    parser.add_argument("--models", action="store_true", help="simulate no core: golden model and ISA model alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what happened, and go on from what is there")
    add_worker_options(parser)
    options = parser.parse_args(arguments)
    seeds = range(*(int(part) for part in options.seeds.split(":")))
    reports = _earlier(options.json)
    with workers_of(options) as workers:
        for name in options.config or CONFIGS:
            for each in _names(name):
                trials = _trials(each, options.layers, simulates=not options.models)
                key = f"{each}, {options.layers} layers" + (", models" if options.models else "")
                report = reports.setdefault(key, _blank(trials))
                for _ in _campaign(trials, report, seeds, workers):
                    write_json(options.json, {"totals": _totals(reports), "configurations": reports})
                _say(f"{key}: {_told(report)}")
    totals = _totals(reports)
    write_json(options.json, {"totals": totals, "configurations": reports})
    _say(f"{totals['configurations']} configurations: {_told(totals)}")
    return min(1, totals["different"])


def _names(name: str) -> Iterator[str]:
    """A name, or the names that ``random:FIRST-LAST`` stands for."""
    kind, _, numbers = name.partition(":")
    first, _, last = numbers.partition("-")
    if not last:
        yield name
        return
    for number in range(int(first), int(last) + 1):
        yield f"{kind}:{number}"


def _trials(name: str, layers: int, *, simulates: bool) -> Trials:
    kind, _, number = name.partition(":")
    if kind != "random":
        return Trials(config=CONFIGS[name], layers=layers, simulates=simulates)
    config, rng = random_core(int(number)), np.random.default_rng((int(number), 2))
    latency, pace, stall = (int(rng.choice(values)) for values in ((1, 5, 30), (1, 1, 4), (0, 0, 100)))
    bus = {"latency": latency, "pace": pace, "stall": stall} if config.has_backing else None
    return Trials(config=config, layers=layers, draw=random_graph, bus=bus, simulates=simulates)


def _earlier(path: Path | None) -> dict[str, dict[str, Any]]:
    """Reports of an earlier run, by configuration."""
    return json.loads(path.read_text(encoding="utf-8"))["configurations"] if path and path.exists() else {}


def _blank(trials: Trials) -> dict[str, Any]:
    counts: dict[str, Any] = dict.fromkeys(_SUMMED, 0)
    return {"parameters": trials.config.to_dict(), "bus": trials.bus, **counts, "different": {}, "done": []}


def _campaign(trials: Trials, report: dict[str, Any], seeds: range, workers: Workers) -> Iterator[None]:
    """Add to a report what the seeds give that are not in it, part by part."""
    left = [part for part in parts(seeds, _PART) if _span(part) not in report["done"]]
    last = time.perf_counter()
    for number, (checked, refused) in workers.run(check_seeds, trials, left):
        now = time.perf_counter()
        found = {
            "programs": len(checked),
            "refused": refused,
            "instructions": sum(each["instructions"] for each in checked.values()),
            "cycles": sum(sum(each["cycles"]) for each in checked.values()),
            "seconds": now - last,
        }
        for name, count in found.items():
            report[name] = round(report[name] + count, 1)
        report["different"] |= {str(seed): each["differences"] for seed, each in checked.items() if each["differences"]}
        report["done"].append(_span(left[number]))
        last = now
        yield


def _span(part: range) -> str:
    return f"{part.start}:{part.stop}"


def _totals(reports: dict[str, dict[str, Any]]) -> dict[str, Any]:
    counts = {name: round(sum(report[name] for report in reports.values()), 1) for name in _SUMMED}
    different = sum(len(report["different"]) for report in reports.values())
    return {"configurations": len(reports), **counts, "different": different}


def _told(counts: dict[str, Any]) -> str:
    different = counts["different"]
    told = (
        f"{counts['programs']} programs ({counts['refused']} do not fit), {counts['instructions']} instructions, "
        f"{counts['cycles']} cycles, {counts['seconds']} s"
    )
    if isinstance(different, int):
        return f"{told}, {different} differ"
    return "\n".join([f"{told}, {len(different)} differ", *(f"  seed {s}: {d[0]}" for s, d in different.items())])


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a script's result


if __name__ == "__main__":
    sys.exit(main())
