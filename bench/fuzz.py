"""Campaign: what reads files and what talks over links, for so much processor time each, without crash, hang or growth.

    python bench/fuzz.py --minutes 24 --json build/fuzz.json                      # 24 CPU minutes of each
    python bench/fuzz.py --minutes 2 --targets onnx host-uart --seed 7
    python bench/fuzz.py --targets onnx --first 4711 --cases 1                    # look at one again

Targets are the readers of files (`campaign/fuzz_files.py`), the host's ends of links against noise and cores that lie
(`campaign/fuzz_links.py`), and the cores' ends in simulation against noise and hosts that send anything
(`campaign/fuzz_boards.py`, of which each takes a simulator that is built first). Case N of a target is made with
(target, seed, N), so that it can be made again alone. Each target has a process of its own, whose memory may grow by
1 GiB altogether; one that has died or does not answer within --limit processor seconds is begun anew. Targets take
turns. The JSON file adds up over runs, and the same command goes on where it was stopped. Verdicts:

    answer      it was read, or the link gave what was written
    refused     an error that says why
    FAULT       anything else that was raised, and words that are not those that were written
    MEMORY      more than 1 GiB
    HANG        longer than --limit
    DIED        the process was killed by a signal
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import multiprocessing.connection
import sys
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from campaign.fuzz_boards import BOARDS
from campaign.fuzz_files import FILES
from campaign.fuzz_links import LINKS
from campaign.guarded import BAD, GuardedWorker, Judgement
from narrows.sw.processes import stoppable
from narrows.sw.results import write_json

Trial = Callable[[np.random.Generator], str]

TARGETS: dict[str, Callable[[], Trial]] = FILES | LINKS | BOARDS
"""What makes the trial of a target, in this process: what it takes is then there in all that come from it."""

_PATIENCE = 20
"""Times the limit that a case may take by the clock."""

_TURN, _TURN_CLOCK = 5.0, 60.0
"""Processor seconds after which it is another target's turn, and seconds by the clock."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign; 1 if a case ended badly, now or before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS), metavar="NAME", help="(all)")
    parser.add_argument("--minutes", type=float, default=1.0, help="processor time of each, in all (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (default 1)")
    parser.add_argument("--first", type=int, help="number of the first case (default: behind the last one of the file)")
    parser.add_argument("--cases", type=int, help="of each target, whatever the time")
    parser.add_argument("--limit", type=float, default=60, help="processor seconds of one case (default 60)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what happened, and go on from what is there")
    options = parser.parse_args(arguments)
    report: dict[str, Any] = {"targets": {}}
    if options.json is not None and options.json.exists():
        report = json.loads(options.json.read_text(encoding="utf-8"))
    found = report["targets"]
    _say(f"seed {options.seed}: {', '.join(options.targets)}")
    turns = {name: _turns(name, found.setdefault(name, _blank()), options) for name in options.targets}
    try:
        while turns:
            for name in list(turns):
                if next(turns[name], None) is None:
                    del turns[name]
                    _say(f"{name}: {_told(found[name])}")
                report["totals"] = _totals(found)
                write_json(options.json, report)
    finally:  # what was tried until it was stopped counts
        report["totals"] = _totals(found)
        write_json(options.json, report)
    _say(f"{len(found)} targets: {_told(_totals(found))}")
    return int(any(entry["findings"] for entry in found.values()))


def _blank() -> dict[str, Any]:
    return {"cases": 0, "minutes": 0.0, "verdicts": {}, "seeds": {}, "findings": []}


def _turns(name: str, entry: dict[str, Any], options: argparse.Namespace) -> Iterator[bool]:
    """Try a target's cases, a turn after the other, until it has had its time; ``entry`` keeps what happens."""
    seed = str(options.seed)
    number = entry["seeds"].get(seed, 0) if options.first is None else options.first
    last = None if options.cases is None else number + options.cases
    judge = functools.partial(_judge, TARGETS[name](), name, options.seed)
    worker, used = _worker(judge), 0.0
    since, began = entry["minutes"], time.monotonic()
    try:
        while number < last if last is not None else entry["minutes"] < options.minutes:
            worker.give(number)
            verdict, said = worker.result() if _in_time(worker, options.limit) else worker.hung()
            seconds = worker.seconds - used if worker.lives else 0.0
            used = worker.seconds
            entry["cases"] += 1
            entry["minutes"] = round(entry["minutes"] + seconds / 60, 6)
            entry["verdicts"][verdict] = entry["verdicts"].get(verdict, 0) + 1
            if verdict in BAD:
                entry["findings"].append({"seed": options.seed, "number": number, "verdict": verdict, "said": said})
                _say(f"{verdict} {name}, seed {seed}, case {number}: {said}")
            number += 1
            entry["seeds"][seed] = max(number, entry["seeds"].get(seed, 0))
            if not worker.lives:
                worker, used = _worker(judge), 0.0
            if entry["minutes"] - since >= _TURN / 60 or time.monotonic() - began >= _TURN_CLOCK:
                yield True
                since, began = entry["minutes"], time.monotonic()
    finally:
        worker.end()


def _worker(judge: Callable[[int], Judgement]) -> GuardedWorker:
    return GuardedWorker(multiprocessing.get_context("fork"), judge)


def _in_time(worker: GuardedWorker, limit: float) -> bool:
    """Whether a worker has an answer before it has had so much processor time; on a loaded machine that takes a while,
    and one that only sleeps has no more than some times as long."""
    end = worker.spent() + limit
    for _ in range(_PATIENCE):
        if multiprocessing.connection.wait([worker.answers], timeout=limit):
            return True
        if worker.spent() > end:
            break
    return False


def _judge(trial: Trial, name: str, seed: int, number: int) -> Judgement:
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed, number])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return trial(rng), ""
    except MemoryError as error:
        return "MEMORY", _where(error)
    except Exception as error:
        return "FAULT", _where(error)


def _where(error: BaseException) -> str:
    """An error, and the line of ours that it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{type(error).__name__}: {str(error)[:200]} ({Path(ours[-1].filename).name}:{ours[-1].lineno})"


def _totals(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    verdicts: dict[str, int] = {}
    for entry in found.values():
        for verdict, count in entry["verdicts"].items():
            verdicts[verdict] = verdicts.get(verdict, 0) + count
    return {
        "cases": sum(entry["cases"] for entry in found.values()),
        "minutes": round(sum(entry["minutes"] for entry in found.values()), 2),
        "verdicts": verdicts,
    }


def _told(entry: dict[str, Any]) -> str:
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(entry["verdicts"].items()))
    return f"{entry['cases']:,} cases in {entry['minutes']:.2f} minutes of processor time: {counts or 'nothing'}"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a script's result


if __name__ == "__main__":
    with stoppable():
        sys.exit(main())
