"""Mixed precision: random products of every pair of formats on one simulated core, against the golden model.

    python bench/format_pairs.py --json pairs.json                          # all 72 pairs
    python bench/format_pairs.py --pairs dybit4xint8 int4xuint4 --products 1000000 --dots 10000
    python bench/format_pairs.py --base int4                                # on a core whose base format is INT4

Six weight formats times twelve activation formats, one after the other on the same core: nothing but the program
differs. Dot products have 112 products of random levels. Only those count whose sum the output tells exactly (see
`tests/support/pair_bench.py`); all outputs, in six formats, are compared. The steps are the core's own BUSY counter
relative to the base by itself. All counters must equal the cycle model's, and the cycles beside the steps (where
outputs have one plane, so that no pair waits for the drain) must be as many for every pair: none is lost between
passes.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.digits import Digits, base_digits
from narrows.hw.spec.formats import Format
from narrows.sw.errors import NarrowsError
from narrows.sw.files import write_whole
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from pair_bench import ACTIVATION_FORMATS, OUTPUT_FORMATS, WEIGHT_FORMATS, Batch, Measured, PairBench, pair_passes

CONFIG = AcceleratorConfig(
    rows=2,
    columns=16,
    lanes=16,
    acc_bits=32,
    rescale_bits=8,
    rescalers=8,
    act_words=8192,
    weight_words=8192,
    param_words=128,
    taps=16,
    blocks=256,
    instructions=4,
)
LENGTH, CHANNELS = 112, 1024

_PAIRS = {
    f"{weights}x{activations}": (weights, activations)
    for weights, activations in itertools.product(WEIGHT_FORMATS, ACTIVATION_FORMATS)
}
_BASES = ("dybit4", "int4", "dybit3", "int3", "dybit2", "int2")
_console = Console()


@dataclass(frozen=True, kw_only=True)
class PairResult:
    """What a pair gave: ``steps`` in passes of the base, ``beside`` the cycles of a one-plane run beside its steps."""

    pair: str
    passes: int
    steps: float
    beside: int
    products: int
    dots: int
    outputs: int
    mismatches: int
    counters_differ: int
    seconds: float

    @property
    def right(self) -> bool:
        """No output and no counter differs, and the steps are the passes."""
        return not self.mismatches and not self.counters_differ and self.steps == self.passes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pairs; 1 if anything differs."""
    options = _parser().parse_args(arguments)
    dots = max(options.dots, -(-options.products // LENGTH))
    started = time.perf_counter()
    results: list[PairResult] = []
    try:
        for result in _results(_config(options.base), options.pairs, dots, options.seed):
            results.append(result)
            if options.json:
                _save(options.json, options, results)
    except NarrowsError as error:
        _console.print(f"[red]error:[/red] {error}")
        return 1
    return _report(base_digits(options.base), results, time.perf_counter() - started)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pairs",
        nargs="+",
        metavar="WxA",
        choices=_PAIRS,
        default=list(_PAIRS),
        help="weight and activation format, such as dybit4xint8 (default: all)",
    )
    parser.add_argument("--base", choices=_BASES, default="dybit4", help="base format of the core (default dybit4)")
    parser.add_argument("--products", type=int, default=10_000_000, help="of each pair, at least (default 10,000,000)")
    parser.add_argument("--dots", type=int, default=100_000, help="dot products of each pair (default 100,000)")
    parser.add_argument("--seed", type=int, default=0, help="of all random levels (default 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results, anew after each pair")
    return parser


def _config(base: str) -> AcceleratorConfig:
    """The core with a base format, and as many output planes as DyBit8 takes."""
    planes = base_digits(base).most
    return dataclasses.replace(CONFIG, base=base, planes=planes)


def _results(config: AcceleratorConfig, pairs: Sequence[str], dots: int, seed: int) -> Iterator[PairResult]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("pairs"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rate]}"),
    )
    with Progress(*columns, console=_console) as progress:
        task = progress.add_task("the core's Verilog", total=len(pairs), rate="")
        bench = PairBench(config, length=LENGTH, channels=CHANNELS)
        products, began = 0, list[float]()
        for number, pair in enumerate(pairs):
            progress.update(task, description=pair if began else "the simulator", completed=number)
            batches = _batches(bench, *_PAIRS[pair], dots, np.random.default_rng([seed, *_place(pair)]))

            def advance(done: int, total: int, pair: str = pair, number: int = number) -> None:
                if not began:
                    began.append(time.perf_counter())
                progress.update(task, description=pair, completed=number + done / total)

            before = time.perf_counter()
            measured = bench.run(batches, progress=advance)
            result = _judge(bench, pair, batches, measured, time.perf_counter() - before)
            products += result.products
            rate = products / (time.perf_counter() - began[0])
            progress.update(task, completed=number + 1, rate=f"{rate:,.0f} products/s")
            yield result


def _place(pair: str) -> tuple[int, int]:
    weights, activations = _PAIRS[pair]
    return WEIGHT_FORMATS.index(weights), ACTIVATION_FORMATS.index(activations)


def _batches(
    bench: PairBench, weights: Format, activations: Format, dots: int, rng: np.random.Generator
) -> list[Batch]:
    """Batches in all output formats, with at least so many exact dot products together."""
    samples = -(-dots // CHANNELS)
    shares = [len(share) for share in np.array_split(np.arange(samples), len(OUTPUT_FORMATS))]
    return [
        bench.make_batch(weights, activations, output=output, samples=share, rng=rng)
        for output, share in zip(OUTPUT_FORMATS, shares, strict=True)
        if share
    ]


def _judge(
    bench: PairBench, pair: str, batches: Sequence[Batch], measured: Sequence[Measured], seconds: float
) -> PairResult:
    wrong = [run.outputs != batch.golden for batch, run in zip(batches, measured, strict=True)]
    for batch, run, mask in zip(batches, measured, wrong, strict=True):
        if mask.any():
            where = tuple(np.argwhere(mask)[0].tolist())
            _console.print(
                f"{pair} to {batch.program.graph.tensors['out'].format}: output {where} is "
                f"{run.outputs[where]} instead of {batch.golden[where]}"
            )
    dots = sum(int(batch.exact.sum()) for batch in batches)
    counts = measured[0].counts[0]
    busy = {count.busy for run in measured for count in run.counts}
    return PairResult(
        pair=pair,
        passes=pair_passes(*_PAIRS[pair], bench.config.digits),
        steps=max(busy) / bench.pass_steps,
        beside=counts.cycles - counts.busy,
        products=dots * LENGTH,
        dots=dots,
        outputs=sum(mask.size for mask in wrong),
        mismatches=sum(int(mask.sum()) for mask in wrong),
        counters_differ=sum(
            count != batch.counts for batch, run in zip(batches, measured, strict=True) for count in run.counts
        ),
        seconds=round(seconds, 1),
    )


def _save(path: Path, options: argparse.Namespace, results: Sequence[PairResult]) -> None:
    rows = [asdict(result) for result in results]
    content = {"config": _config(options.base).to_dict(), "seed": options.seed, "pairs": rows}
    write_whole(path, json.dumps(content, indent=1).encode())


def _report(base: Digits, results: Sequence[PairResult], seconds: float) -> int:
    table = Table(box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    table.add_column("pair", no_wrap=True)
    for heading in ("passes", "steps", "products", "dots", "outputs", "mismatches"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        weights, activations = _PAIRS[result.pair]
        digits = f"{base.of_format(weights)} x {base.of_format(activations)}"
        numbers = f"{result.products:,}", f"{result.dots:,}", f"{result.outputs:,}", f"{result.mismatches:,}"
        table.add_row(result.pair, f"{digits} = {result.passes}", f"{result.steps:g}", *numbers)
    _console.print(table)
    products, dots, mismatches = (
        sum(getattr(result, name) for result in results) for name in ("products", "dots", "mismatches")
    )
    beside = {result.beside for result in results}
    wrong = [result.pair for result in results if not result.right]
    _console.print(
        f"{len(results)} pairs, {products:,} products in {dots:,} dot products, {mismatches} mismatches; "
        f"{sum(result.counters_differ for result in results)} runs with counters other than the cycle model's; "
        f"cycles beside the steps: {', '.join(map(str, sorted(beside)))}; "
        f"{seconds:,.0f} s, {products / seconds:,.0f} products/s"
    )
    if wrong:
        _console.print(f"[red]wrong:[/red] {', '.join(wrong)}")
    return int(bool(wrong) or len(beside) > 1)


if __name__ == "__main__":
    sys.exit(main())
