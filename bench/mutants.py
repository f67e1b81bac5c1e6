"""Mutants: small faults put into hardware, compiler, importer, quantiser and simulators; do the tests find them?

    python bench/mutants.py --json build/mutants.json                  # one of every module
    python bench/mutants.py --only hw/feed --count 100 --seed 7        # a hundred of a folder
    python bench/mutants.py --only hw/feed/loops.py --count 20 --list  # which ones these would be

Every module has its turn, in an order that the seed gives, and then another one, until there are --count of them;
which of a module's changes is drawn depends on the seed and this module alone. First a kind is drawn, then a place. A
mutant runs, in a scratch copy, against the tests mapped to its module: the mirrored file and what
`bench/campaign/mutants.toml` names. Of these it meets the ones that reach its line, the mirrored file's and cheap ones
first, for --seconds of processor time; --measured keeps what each test takes and reaches, which takes the package
coverage and some minutes. The same file lists mutants that change nothing anybody could ask for, with the reason; they
are not counted. Tests that take twice as long as they should, and 20 seconds more, hang, which kills a mutant, too. In
the end each test that killed one runs once more without a change: where it fails, nothing was killed.

--json keeps what was found after every mutant, and goes on from there: what was killed is not run again unless its
module changed, what survived unless its tests changed or --seconds grew. The exit status is 1 if fewer than 95 % were
killed or a killer fails by itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from campaign.modules import add_worker_options, workers_of
from campaign.mutant_map import Notes, modules, read_notes
from campaign.mutant_tasks import Mutant, Tree, packed, run_mutant, run_unchanged
from campaign.mutant_tests import Costs
from campaign.mutation import Change, changes
from narrows.sw.processes import stoppable
from narrows.sw.results import write_json
from narrows.sw.tasks import Workers, in_order

_ROOT = Path(__file__).resolve().parents[1]
_NOTES = Path(__file__).resolve().parent / "campaign" / "mutants.toml"
_AT_LEAST = 0.95


def main(arguments: Sequence[str] | None = None, root: Path = _ROOT, notes_file: Path = _NOTES) -> int:
    """Run the campaign on the checkout at ``root``; 1 if too few mutants were killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, metavar="N", help="mutants (default: one of every module)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="PATH", help="a module or folder; repeat for more"
    )
    parser.add_argument("--seconds", type=int, default=20, help="processor time of a mutant's tests (default 20)")
    parser.add_argument("--measured", type=Path, metavar="FILE", help="keep what each test takes and reaches")
    parser.add_argument("--list", action="store_true", help="print the mutants and run none")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what happened, and go on from what is there")
    add_worker_options(parser)
    options = parser.parse_args(arguments)
    notes = read_notes(notes_file)
    drawn = draw(root, modules(root, options.only), options.seed, options.count)
    _say(f"seed {options.seed}: {len(drawn)} mutants")
    if options.list:
        for file, change in drawn:
            _say(f"{file} {change}")
        return 0
    mapped = [notes.tests_of(root, file) for file, _ in drawn]
    known = _read(options.json)
    entries = {
        number: _entry(root, *mutant, tests) for number, (mutant, tests) in enumerate(zip(drawn, mapped, strict=True))
    }
    for entry in entries.values():
        _take_over(entry, known, options.seconds)
    with workers_of(options) as workers:
        tree = packed(root)
        costs = Costs(workers, tree, root, options.seconds, options.measured, _say)
        left = [number for number, entry in entries.items() if "by" not in entry]
        tasks = (_mutant(*drawn[number], mapped[number], costs, options.seconds) for number in left)
        for place, outcome in workers.run(run_mutant, tree, tasks):
            entry = entries[left[place]]
            entry |= {"by": outcome.by, "ran": outcome.tests, "seconds": outcome.seconds, "given": options.seconds}
            _say(f"{_verdict(entry, notes):9} {entry['file']} {drawn[left[place]][1]}  [{outcome.seconds:.0f} s]")
            write_json(options.json, _report(options.seed, entries, notes, []))
        doubtful = _doubtful(workers, tree, entries.values(), 20 * options.seconds)
    for entry in doubtful:
        entry["doubtful"] = True  # runs again the next time
    report = _report(options.seed, entries, notes, doubtful)
    write_json(options.json, report)
    _conclude(report)
    judged = report["mutants"] - len(report["equivalent"])
    return int(report["killed"] < _AT_LEAST * judged or bool(doubtful))


def draw(root: Path, names: Sequence[str], seed: int, count: int | None) -> list[tuple[str, Change]]:
    """Changes of these modules, as evenly as they have some; all modules once without a count."""
    order = list(names)
    random.Random(seed).shuffle(order)
    rows = {name: _shuffled(changes((root / name).read_text()), random.Random(f"{seed}:{name}")) for name in order}
    drawn: list[tuple[str, Change]] = []
    while rows and (len(drawn) < count if count is not None else not drawn):
        for name in list(rows):
            change = next(rows[name], None)
            if change is None:
                del rows[name]
            elif count is None or len(drawn) < count:
                drawn.append((name, change))
    return drawn


def _shuffled(found: Sequence[Change], dice: random.Random) -> Iterator[Change]:
    """All changes in an order of chance, a kind for a kind."""
    kinds: dict[str, list[Change]] = {}
    for change in found:
        kinds.setdefault(change.kind, []).append(change)
    while kinds:
        kind = dice.choice(sorted(kinds))
        yield kinds[kind].pop(dice.randrange(len(kinds[kind])))
        if not kinds[kind]:
            del kinds[kind]


def _mutant(file: str, change: Change, mapped: Sequence[str], costs: Costs, seconds: int) -> Mutant:
    tests, takes = costs.chosen(file, change, mapped, seconds)
    return Mutant(file, change, tests, int(2 * takes + 20))


def _entry(root: Path, file: str, change: Change, mapped: Sequence[str]) -> dict[str, Any]:
    """What the JSON says of a mutant before it ran."""
    source = (root / file).read_text()
    tests = b"".join((root / test.partition("::")[0]).read_bytes() for test in mapped)
    return {
        "file": file,
        "line": change.line,
        "kind": change.kind,
        "before": change.before,
        "after": change.after,
        "text": source.splitlines()[change.line - 1].strip(),
        "place": [change.start, change.end],
        "source": hashlib.sha256(source.encode()).hexdigest()[:16],
        "tests": hashlib.sha256(repr(mapped).encode() + tests).hexdigest()[:16],
    }


_SAME = ("file", "place", "before", "after", "source")


def _take_over(entry: dict[str, Any], known: Sequence[dict[str, Any]], seconds: int) -> None:
    """Take the verdict of an earlier run where it still holds."""
    for other in known:
        if all(entry[key] == other[key] for key in _SAME) and "by" in other and not other.get("doubtful"):
            again = other["tests"] != entry["tests"] or other.get("given", 0) < seconds
            if other["by"] or not again:
                entry |= {key: other[key] for key in ("by", "ran", "seconds", "given") if key in other}
            return


def _read(file: Path | None) -> list[dict[str, Any]]:
    return json.loads(file.read_text())["results"] if file is not None and file.exists() else []


def _doubtful(workers: Workers, tree: Tree, entries: Iterable[dict[str, Any]], seconds: int) -> list[dict[str, Any]]:
    """Mutants whose killer fails without them, too; a hang is all the tests that ran."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for entry in entries:
        if entry.get("by"):
            tests = (entry["by"],) if entry["by"].startswith("tests/") else tuple(entry["ran"])
            groups.setdefault(tests, []).append(entry)
    together = tuple({test for tests in groups for test in tests})
    if not together or not in_order(workers, run_unchanged, tree, [(together, seconds)])[0].by:
        return []
    outcomes = in_order(workers, run_unchanged, tree, [(tests, seconds) for tests in groups])
    return [entry for outcome, some in zip(outcomes, groups.values(), strict=True) if outcome.by for entry in some]


def _verdict(entry: dict[str, Any], notes: Notes) -> str:
    return "killed" if entry["by"] else "same" if notes.reason(entry) else "SURVIVED"


def _report(
    seed: int, entries: dict[int, dict[str, Any]], notes: Notes, doubtful: list[dict[str, Any]]
) -> dict[str, Any]:
    done = [entry for entry in entries.values() if "by" in entry]
    alive = [entry for entry in done if not entry["by"]]
    return {
        "seed": seed,
        "mutants": len(done),
        "killed": sum(bool(entry["by"]) for entry in done) - len(doubtful),
        "survivors": [entry for entry in alive if not notes.reason(entry)],
        "equivalent": [entry | {"reason": notes.reason(entry)} for entry in alive if notes.reason(entry)],
        "doubtful": doubtful,
        "seconds": round(sum(entry["seconds"] for entry in done)),
        "results": list(entries.values()),
    }


def _conclude(report: dict[str, Any]) -> None:
    for title in ("survivors", "doubtful"):
        for entry in report[title]:
            _say(f"{title}: {entry['file']}:{entry['line']}: {entry['before']} -> {entry['after']}")
    judged = report["mutants"] - len(report["equivalent"])
    _say(
        f"{report['mutants']} mutants, {len(report['equivalent'])} of them equivalent; {report['killed']} of {judged} "
        f"killed ({100 * report['killed'] / max(1, judged):.1f} %), {len(report['survivors'])} survived; "
        f"{report['seconds']} s"
    )


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a script's result


if __name__ == "__main__":
    with stoppable():  # scratch copies go when it is asked to stop
        sys.exit(main())
