"""Campaign: damaged files of every format through the command line; each ends in an answer or one line, within bounds.

    python bench/damaged_files.py --files 20000 --json damaged.json
    python bench/damaged_files.py --formats program --first 4711 --files 1 --keep /tmp/damaged   # look at one again

File number N of a format is made from the built-in example with the seed (format, N), so it can be made again alone.
Commands run in worker processes whose memory may grow by 1 GiB, each file within --seconds. Verdicts:

    answer      exit status 0 or 1: the damage did no harm, or engines differ (a program's numbers were changed)
    refused     exit status 2 and one line
    FAULT       a traceback, caught or not, more than one line, or another exit status
    MEMORY      more than 1 GiB
    HANG        longer than --seconds
    DIED        the process was killed by a signal
    LEFT        a file was left half-written
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import multiprocessing.connection
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from narrows.sw.cli import run
from narrows.sw.examples import digits, digits_model
from rich.console import Console
from rich.progress import Progress

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from campaign.damaged_tasks import judge_files
from campaign.guarded import BAD, GuardedWorker, Judgement, native_errors
from campaign.modules import MODULES
from damage import damaged, with_other_value, with_right_checksum
from hostile_onnx import hostile
from narrows.sw.results import write_json
from narrows.sw.tasks import open_workers
from random_tflite import random_tflite

_PART = 20  # files of a task for a cluster
_TFLITE_MODELS = 50  # whole ones, of which each damaged file is made
_CONFIG = 'preset = "tiny"\ncolumns = 8\nacc_bits = 20\nbase = "dybit4"\nfabric = "ecp5"\nhost = "axi"\n'
_FORMATS = 'weights = "dybit4"\nacts = "uint4"\nequalise = false\n\n[layers."stem.0"]\nweights = "int8"\n'


@dataclass(frozen=True)
class Kind:
    """A format: the whole file, and commands that read it; ``{file}`` is the damaged one, ``{out}`` a new name."""

    whole: str
    commands: tuple[str, ...]


KINDS = {
    "samples": Kind(
        "test.npz",
        (
            "run {ok}/model.nrw --input {file} --engine golden --limit 3 -o {out}.npz",
            "compile {ok}/model.onnx --preset tiny --calib {file} -o {out}.nrw",
        ),
    ),
    "program": Kind(
        "model.nrw",
        (
            "run {file} --input {ok}/test.npz --engine golden --limit 2 -o {out}.npz",
            "run {file} --input {ok}/test.npz --engine isa --limit 1 -o {out}.npz",
            "disasm {file} -o {out}.txt",
            "trace {file} -o {out}.json",
            "report {file} -o {out}.html",
        ),
    ),
    "onnx": Kind("model.onnx", ("doctor {file}", "compile {file} --preset tiny --calib {ok}/few.npz -o {out}.nrw")),
    "tflite": Kind("model.tflite", ("doctor {file}", "compile {file} --calib {ok}/few.npz -o {out}.nrw")),
    "config": Kind(
        "config.toml",
        (
            "synth --config {file} --target ecp5 --estimate --json {out}.json",
            "doctor {ok}/model.onnx --config {file} --json {out}.json",
        ),
    ),
    "formats": Kind(
        "formats.toml",
        ("compile {ok}/model.onnx --preset tiny --formats {file} --calib {ok}/few.npz -o {out}.nrw",),
    ),
}

_CRAFTED = {
    "program": with_right_checksum,
    "onnx": hostile,
    "config": with_other_value,
    "formats": with_other_value,
}
"""What is done to seven of ten files of a format, so that damage gets behind the parser."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign; 1 if a file ended otherwise than in an answer or one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000, help="how many in all (default 1000)")
    parser.add_argument("--formats", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--first", type=int, default=0, help="number of each format's first file (default 0)")
    parser.add_argument("--seconds", type=int, default=60, help="for one file (default 60)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cluster", metavar="tcp://HOST:PORT", help="instead: on the workers of this Dask scheduler")
    parser.add_argument("--keep", type=Path, help="folder that the damaged files are kept in")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    share = -(-options.files // len(options.formats))
    tasks = [(kind, options.first + n) for n in range(share) for kind in options.formats][: options.files]
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in options.formats}
    findings = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="narrows-damaged-") as scratch:
        whole = Path(scratch)
        make_whole(whole)
        progress = Progress(console=Console(stderr=True))
        with progress, contextlib.suppress(KeyboardInterrupt):  # what was found until then is said all the same
            bar = progress.add_task("damaged files", total=len(tasks))
            for kind, number, verdict, said in (
                _spread(tasks, whole, options) if options.cluster else judged(tasks, whole, options)
            ):
                counts[kind][verdict] += 1
                progress.advance(bar)
                if verdict in BAD:
                    findings.append({"format": kind, "number": number, "verdict": verdict, "said": said})
                    progress.console.print(f"{verdict} {kind} {number}: {said}", markup=False, highlight=False)
    seconds = time.monotonic() - began
    for kind, verdicts in counts.items():
        shown = ", ".join(f"{verdicts[name]:,} {name}" for name in ("answer", "refused", *BAD))
        Console().print(f"{kind:8} {shown}", highlight=False)
    done = sum(sum(verdicts.values()) for verdicts in counts.values())
    Console().print(f"{done:,} files in {seconds:,.0f} s, {len(findings)} ended badly", highlight=False)
    if options.json is not None:
        report = {"files": done, "seconds": seconds, "verdicts": counts, "findings": findings}
        write_json(options.json, report)
    return 1 if findings else 0


def make_whole(folder: Path) -> None:
    """The undamaged files, from the built-in example."""
    data = digits()
    with digits_model() as path:
        (folder / "model.onnx").write_bytes(path.read_bytes())
    np.savez(folder / "calib.npz", x=data.calib_x[:32])
    np.savez(folder / "few.npz", x=data.calib_x[:4])
    np.savez_compressed(folder / "test.npz", x=data.test_x[:6], y=data.test_y[:6])
    (folder / "model.tflite").write_bytes(random_tflite(0)[0])
    (folder / "config.toml").write_text(_CONFIG)
    (folder / "formats.toml").write_text(_FORMATS)
    command = f"compile {folder}/model.onnx --calib {folder}/calib.npz --preset tiny -o {folder}/model.nrw"
    with contextlib.redirect_stdout(io.StringIO()):
        assert run(command.split()) == 0


def _spread(
    tasks: Sequence[tuple[str, int]], whole: Path, options: argparse.Namespace
) -> Iterator[tuple[str, int, str, str]]:
    """What `judged` gives, from the workers of a cluster; damaged files that are kept are made again here."""
    files = {path.name: path.read_bytes() for path in whole.iterdir()}
    chunks = [tasks[first : first + _PART] for first in range(0, len(tasks), _PART)]
    with open_workers(options.cluster, modules=MODULES) as workers:
        for _, found in workers.run(judge_files, (files, options.seconds), chunks):
            for kind, number, verdict, said in found:
                if options.keep is not None:
                    name = f"{kind}-{number}{Path(KINDS[kind].whole).suffix}"
                    (options.keep / name).write_bytes(make_damaged(whole, kind, number)[0])
                yield kind, number, verdict, said


def make_damaged(whole: Path, kind: str, number: int) -> tuple[bytes, str]:
    """Damaged file ``number`` of a format, and the command that reads it."""
    rng = np.random.default_rng([zlib.crc32(kind.encode()), number])
    content = (whole / KINDS[kind].whole).read_bytes()
    if kind == "tflite":
        content = random_tflite(number % _TFLITE_MODELS)[0]
    crafted = _CRAFTED.get(kind)
    whole_content = content
    while content == whole_content:  # a value may be replaced by itself
        craft = crafted if crafted is not None and rng.random() < 0.7 else damaged
        content = craft(whole_content, rng)
    commands = KINDS[kind].commands
    return content, commands[int(rng.integers(len(commands)))]


def judged(
    tasks: Sequence[tuple[str, int]], whole: Path, options: argparse.Namespace
) -> Iterator[tuple[str, int, str, str]]:
    """(format, number, verdict, what was said) of every task, from workers that are replaced when they die or hang."""
    context = multiprocessing.get_context("fork")
    waiting = list(reversed(tasks))
    workers: list[GuardedWorker] = []
    judge = partial(_judge, whole, options.keep)
    try:
        while waiting or workers:
            while waiting and len(workers) < options.workers:
                workers.append(GuardedWorker(context, judge))
            for worker in list(workers):
                if worker.task is None and waiting:
                    worker.give(waiting.pop())
                elif worker.task is None:
                    worker.end()
                    workers.remove(worker)
            ready = multiprocessing.connection.wait([worker.answers for worker in workers], timeout=0.5)
            for worker in list(workers):
                task = worker.task
                found = worker.result() if worker.answers in ready else worker.overdue(options.seconds)
                if found is not None:
                    yield (*task, *found)
                    if not worker.lives:
                        workers.remove(worker)
    finally:
        for worker in workers:
            worker.end()


def _judge(whole: Path, keep: Path | None, task: tuple[str, int]) -> Judgement:
    with tempfile.TemporaryDirectory(prefix="narrows-damaged-") as scratch:
        return _judge_file(*task, whole, Path(scratch), keep)


def _judge_file(kind: str, number: int, whole: Path, scratch: Path, keep: Path | None) -> Judgement:
    content, command = make_damaged(whole, kind, number)
    file = scratch / f"file{Path(KINDS[kind].whole).suffix}"
    file.write_bytes(content)
    out = scratch / "out"
    out.mkdir()
    arguments = command.format(ok=whole, file=file, out=out / "new").split()
    said, shown, native = io.StringIO(), io.StringIO(), scratch / "native"
    try:
        with native_errors(native), contextlib.redirect_stderr(said), contextlib.redirect_stdout(shown):
            status = run(arguments)
    except BaseException as error:
        status = f"{type(error).__name__}: {error}"[:200]
    lines = [*native.read_text(errors="replace").splitlines(), *said.getvalue().strip().splitlines()]
    verdict, line = _verdict(status, lines), " | ".join([command.split()[0], str(status), *lines[-2:]])[:400]
    if verdict == "refused" and any(out.iterdir()):
        verdict, line = "LEFT", f"{line}: {', '.join(path.name for path in out.iterdir())}"
    if keep is not None:
        (keep / f"{kind}-{number}{file.suffix}").write_bytes(content)
    return verdict, line


def _verdict(status: int | str, lines: Sequence[str]) -> str:
    if any("not enough memory" in line for line in lines):
        return "MEMORY"
    if status in (0, 1):
        return "answer"
    clear = status == 2 and len(lines) == 1 and lines[0].startswith("narrows: error: ")
    return "refused" if clear and "should not happen" not in lines[0] else "FAULT"


if __name__ == "__main__":
    sys.exit(main())
