"""Workers of a cluster: what two of them gain over one, and that a killed one loses nothing.

    python bench/cluster.py --json cluster.json

A scheduler and its workers, each a process with one thread, are started on this machine. Each kind of work is done by
one worker and by two: placements of a small design on an iCE40 with ten seeds, ten trials of a search on the built-in
digits, and tasks that only sleep, which show what handing tasks out costs where processors are not to be had. ``busy``
is the sum of the tasks' own seconds over those of the run: how many workers were at work on the average. Where other
programs keep the processors busy, ``gain``, one worker's seconds over two's, says little of the first two kinds;
``busy`` still does.

Then the same tasks are given to two workers of which one is killed (SIGKILL) once the first task has ended, and
replaced. All results are compared with those of one worker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from campaign.modules import MODULES
from campaign.timed_tasks import Timed, golden_outputs, sleep, timed
from narrows.hw.spec.config import PRESETS
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.results import write_json
from narrows.sw.search.measure import Measurer
from narrows.sw.search.space import Point, Space
from narrows.sw.search.trials import Trials, measure
from narrows.sw.tasks import Workers, open_workers
from narrows.sw.toolchain.place_and_route import place, synthesised
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(MODULES[1]))

from dask_processes import Scheduler, killed, scheduler

DESIGN = """
module narrows_core (input clk, input d, output reg q);
    reg [15:0] sums [0:23];
    integer i;
    always @(posedge clk) begin
        sums[0] <= {sums[0][14:0], d};
        for (i = 1; i < 24; i = i + 1) sums[i] <= sums[i - 1] + {sums[i - 1][3:0], sums[i - 1][15:4]};
        q <= ^sums[23];
    end
endmodule
"""
"""What is placed: a chain of adders, some hundred cells of an iCE40."""

SLEEP_SECONDS = 1.0
_IMAGES = 300


@dataclass(frozen=True, kw_only=True)
class Work:
    """Tasks of one kind; ``plain`` takes from a result what must not differ."""

    name: str
    function: Callable[[Any, Any], Any]
    shared: Any
    tasks: Sequence[Any]
    plain: Callable[[Any], Any] = lambda result: result


@dataclass(frozen=True, kw_only=True)
class Row:
    """A run: its seconds, those of all its tasks, those of processors; whether its results are those of one worker."""

    what: str
    workers: int
    tasks: int
    seconds: float
    task_seconds: float
    cpu_seconds: float
    busy: float
    gain: float
    same: bool


@dataclass(frozen=True, kw_only=True)
class Run:
    """Seconds of a run, and what its tasks gave, in their order."""

    seconds: float
    found: list[Timed]


def main(
    tasks: Annotated[int, typer.Option(min=2, metavar="N", help="Tasks of each kind.")] = 10,
    only: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="placements, trials or sleeps; repeat.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the rows.")] = None,
) -> None:
    """Measure; exit status 1 if a result differs."""
    kinds = {"sleeps": sleeps, "trials": trials, "placements": placements}
    rows = []
    for make in (make for name, make in kinds.items() if not only or name in only):
        rows += measured(make(tasks))
        if json_file:  # after every kind: the last one takes long
            write_json(json_file, {"rows": [asdict(row) for row in rows]})
    _show(rows)
    if not all(row.same for row in rows):
        raise typer.Exit(1)


def measured(work: Work) -> list[Row]:
    """Rows of a kind of work: one worker, two, and two of which one is killed."""
    with _cluster(1) as (_, workers):
        alone = _run(work, workers)
    right = [work.plain(each.result) for each in alone.found]

    def row(what: str, count: int, run: Run) -> Row:
        spent = sum(each.seconds for each in run.found)
        found = Row(
            what=what,
            workers=count,
            tasks=len(work.tasks),
            seconds=round(run.seconds, 1),
            task_seconds=round(spent, 1),
            cpu_seconds=round(sum(each.cpu_seconds for each in run.found), 1),
            busy=round(spent / run.seconds, 2),
            gain=round(alone.seconds / run.seconds, 2),
            same=[work.plain(each.result) for each in run.found] == right,
        )
        _say(f"{found}")
        return found

    rows = [row(work.name, 1, alone)]
    with _cluster(2) as (_, workers):
        rows.append(row(work.name, 2, _run(work, workers)))
    with _cluster(2) as (cluster, workers):
        rows.append(row(f"{work.name}, one worker killed", 2, _run(work, workers, lambda: _replace(cluster))))
    return rows


@contextlib.contextmanager
def _cluster(count: int) -> Iterator[tuple[Scheduler, Workers]]:
    """A cluster of so many workers, each of which has run something."""
    with scheduler(workers=count) as cluster, open_workers(cluster.address, modules=MODULES) as workers:
        dict(workers.run(sleep, 0.5, range(2 * count)))
        yield cluster, workers


def _run(work: Work, workers: Workers, after_first: Callable[[], None] = lambda: None) -> Run:
    """Do the work; something else once the first task has ended."""
    began, found = time.perf_counter(), {}
    for number, result in workers.run(timed, (work.function, work.shared), work.tasks):
        if not found:
            after_first()
        found[number] = result
    return Run(seconds=time.perf_counter() - began, found=[found[number] for number in range(len(work.tasks))])


def _replace(cluster: Scheduler) -> None:
    """Kill a worker, and start another one."""
    killed(cluster.workers[0])
    cluster.worker()


def sleeps(count: int) -> Work:
    """Tasks that sleep."""
    return Work(name="sleeps", function=sleep, shared=SLEEP_SECONDS, tasks=range(count))


def trials(count: int) -> Work:
    """Points of a search on the digits, in random formats."""
    core, data = dataclasses.replace(PRESETS["tiny"], acc_bits=20), digits()
    with digits_model() as path:
        measurer = Measurer(load_model(path), core, data.calib_x, golden_outputs)
    space = Space.of(
        measurer.lowered,
        weights=("dybit4", "int6", "int8"),
        acts=("dybit4", "int6", "int8"),
        acc_bits=(core.acc_bits,),
        rescale_bits=(core.rescale_bits,),
        bases=(core.formats,),
        shapes=((core.rows, core.columns, core.lanes),),
    )
    x, labels = data.test_x[:_IMAGES], data.test_y[:_IMAGES]
    shared = Trials(measurer=measurer, x=x, labels=labels, scores=measurer.float_scores(x))
    points = [_random_point(space, np.random.default_rng(seed)) for seed in range(count)]
    return Work(name="trials", function=measure, shared=shared, tasks=points)


def _random_point(space: Space, rng: np.random.Generator) -> Point:
    some = space.uniform(space.weights[0], space.acts[0], **next(space.cores()))
    formats = {knob: str(rng.choice(space.options(knob))) for knob in space.knobs}
    return dataclasses.replace(some, formats=formats)


def placements(count: int) -> Work:
    """Placements of a small design, with a seed each."""
    _, design = synthesised(DESIGN, "ice40hx8k", mhz=100)
    return Work(
        name="placements",
        function=place,
        shared=design,
        tasks=range(1, count + 1),
        plain=lambda placed: (placed.placement, placed.floorplan),
    )


def _say(line: str) -> None:
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)


def _show(rows: list[Row]) -> None:
    table = Table(title="workers of a cluster")
    for title in ("what", "workers", "tasks", "s", "tasks' s", "CPU s", "busy", "gain", "same"):
        table.add_column(title, justify="left" if title == "what" else "right")
    for row in rows:
        table.add_row(*map(str, asdict(row).values()))
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
