"""Small models after public bug reports, run as a user would and judged against right values that are not ours.

    python bench/public_cases.py --json cases.json            # all cases of $NARROWS_DATA/cases
    python bench/public_cases.py --only qdq_pad_on_codes      # one, with everything that the commands said

A case is a folder with `model.onnx` or `model.tflite`, `calib.npz`, `test.npz` and, where an answer is known,
`expected.npz` (real values by output name). It goes through doctor, compile, run on the golden model and verify against
the ISA model, by the program's own command line: float models in 8 and in 4 bits, models that come quantised with their
own integers. Verdicts:

    right      names, shapes and values agree within the limits (root mean square error over that of the right values)
    refused    exit status 2 and one line
    WRONG      an answer beyond the limits; without expected.npz onnxruntime on the untouched file says what is right
    CRASH      anything else, a fault that the last net caught among it
    timeout    longer than --timeout seconds
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import numpy as np
import onnx
import tflite
import typer
from narrows.sw.onnx_sessions import exact_session
from narrows.sw.results import write_json
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

SHARED = Path(os.environ.get("NARROWS_DATA", "../shared"))

_MEMORIES = """
act_words = 65536
weight_words = 65536
param_words = 4096
taps = 1024
blocks = 1024
instructions = 256
tables = 8
"""


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a case is compiled: core, formats, and the largest relative error that is still quantisation."""

    core: str
    formats: tuple[str, ...]
    limit: float


WAYS = {
    "W8A8": Way(core="acc_bits = 28\nrescale_bits = 8", formats=("int8", "int8"), limit=0.06),
    "W4A4": Way(core="acc_bits = 16\nrescale_bits = 4", formats=("dybit4", "dybit4"), limit=0.45),
    "trained": Way(core="acc_bits = 28\nrescale_bits = 16\nplanes = 5", formats=(), limit=0.03),
}

WORST = ("CRASH", "WRONG", "timeout", "refused", "right")
"""Verdicts, the worst first."""

_QUANTISERS = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "Quant", "BipolarQuant", "QLinearConv", "QLinearMatMul"}
    | {"ConvInteger", "MatMulInteger"}
)


_FAULT = "this should not happen"
"""How the program's last net begins."""


class _Late(BaseException):
    """A case that takes too long; no error that a program would catch."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a case in one way; ``doctor`` says where that command saw it otherwise."""

    case: str
    way: str
    verdict: str
    said: str = ""
    error: float | None = None
    doctor: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command's exit status with what it wrote; None: it raised."""

    status: int | None
    out: str
    err: str

    @property
    def complaint(self) -> str | None:
        """The one line of an error of the user's; None if it is anything else."""
        lines = self.err.strip().splitlines()
        if self.status != 2 or len(lines) != 1 or _FAULT in lines[0]:
            return None
        return lines[0].removeprefix("narrows: error: ")

    @property
    def crashed(self) -> bool:
        """Whether a fault of the program's own came to light."""
        return self.status not in (0, 1) and self.complaint is None


def command(*arguments: str | Path) -> Step:
    """A command line of the program, in this process."""
    from narrows.sw.cli.app import run

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = run([str(argument) for argument in arguments])
        except Exception:
            status = None
            traceback.print_exc()
    return Step(status=status, out=out.getvalue(), err=err.getvalue())


def ways_of(folder: Path, model: Path) -> tuple[str, ...]:
    """How a case is compiled: a model that comes quantised with its own integers, others in two formats."""
    case = folder / "case.json"
    tried = json.loads(case.read_text(encoding="utf-8")).get("errors", {}) if case.exists() else {}
    if tried:
        return ("trained",) if "cmpq" in tried else ("W8A8", "W4A4")
    try:
        trained = _has_codes(model.read_bytes()) if model.suffix == ".tflite" else _has_quantisers(model)
    except Exception:  # no model at all: its refusal is what the case is about
        trained = False
    return ("trained",) if trained else ("W8A8", "W4A4")


def _has_quantisers(model: Path) -> bool:
    return any(node.op_type in _QUANTISERS for node in onnx.load(model, load_external_data=False).graph.node)


def _has_codes(content: bytes) -> bool:
    found: Any = tflite.Model.GetRootAsModel(content, 0)
    graph = found.Subgraphs(0)
    kinds = {graph.Tensors(i).Type() for op in range(graph.OperatorsLength()) for i in _outputs(graph.Operators(op))}
    return bool(kinds & {tflite.TensorType.INT8, tflite.TensorType.UINT8})


def _outputs(operator: Any) -> list[int]:
    return [operator.Outputs(i) for i in range(operator.OutputsLength())]


def right_values(folder: Path, model: Path) -> dict[str, NDArray[Any]] | None:
    """Right values by output name; None where nothing but a refusal is right."""
    if (folder / "expected.npz").exists():
        with np.load(folder / "expected.npz") as archive:
            return dict(archive)
    try:
        session = exact_session(model)
        (value,) = session.get_inputs()
        with np.load(folder / "test.npz") as archive:
            samples = archive["x"].astype(np.float32)
        rows: list[Any] = [session.run(None, {value.name: sample[np.newaxis]}) for sample in samples]
    except Exception:  # whatever is wrong with it: there is no right value
        return None
    names = [output.name for output in session.get_outputs()]
    return {name: np.concatenate([row[i] for row in rows]) for i, name in enumerate(names)}


def compared(found: dict[str, NDArray[Any]], expected: dict[str, NDArray[Any]], limit: float) -> tuple[str, float]:
    """What is wrong with the outputs ("": nothing), and the largest relative error."""
    worst = 0.0
    for name, right in expected.items():
        if name not in found:
            return f"output {name!r} is missing, there is {', '.join(map(repr, found)) or 'none'}", worst
        if found[name].shape != right.shape:
            return f"output {name!r} has the shape {found[name].shape} instead of {right.shape}", worst
        own, wanted = found[name].astype(np.float64), right.astype(np.float64)
        scale = float(np.sqrt(np.square(wanted).mean()))
        worst = float(np.maximum(worst, np.sqrt(np.square(own - wanted).mean()) / (scale or 1.0)))
    wrong = f"relative error {worst:.4f}, at most {limit} is quantisation" if not worst <= limit else ""
    return wrong, worst


def judge(folder: Path, way: str, scratch: Path) -> Verdict:
    """A case in one way, through all commands."""
    model = folder / "model.tflite" if (folder / "model.tflite").exists() else folder / "model.onnx"
    core, program, answer = scratch / "core.toml", scratch / "m.nrw", scratch / "y.npz"
    for path in (program, answer):
        path.unlink(missing_ok=True)
    core.write_text(f"{WAYS[way].core}\n{_MEMORIES}", encoding="utf-8")
    formats = [part for pair in zip(("--weights", "--acts"), WAYS[way].formats, strict=False) for part in pair]

    def verdict(kind: str, said: str = "", error: float | None = None) -> Verdict:
        ran = kind in ("right", "WRONG")
        doctor = ""
        if examined.crashed:
            kind, said = "CRASH", f"doctor: {_last(examined)}"
        elif ran != (examined.status == 0) and "calib" not in said:
            doctor = "doctor refuses it" if ran else "doctor sees nothing to change"
        return Verdict(case=folder.name, way=way, verdict=kind, said=said, error=error, doctor=doctor)

    examined = command("doctor", model, "--config", core, *formats)
    calib, test = folder / "calib.npz", folder / "test.npz"
    for step in (
        ["compile", model, "--calib", calib, "--config", core, *formats, "-o", program],
        ["run", program, "--input", test, "--engine", "golden", "-o", answer],
        ["verify", program, "--input", test, "--limit", "2", "--engine", "golden", "--engine", "isa"],
    ):
        done = command(*step)
        if done.status != 0:
            if done.complaint is not None:
                return verdict("refused", done.complaint)
            return verdict("CRASH" if done.crashed else "WRONG", f"{step[0]}: {_last(done)}")
    expected = right_values(folder, model)
    if expected is None:
        return verdict("WRONG", "it ran, but a refusal is right")
    with np.load(answer) as archive:
        wrong, error = compared(dict(archive), expected, WAYS[way].limit)
    return verdict("WRONG" if wrong else "right", wrong, error)


def _last(step: Step) -> str:
    lines = step.err.strip().splitlines() or step.out.strip().splitlines() or ["no word"]
    return lines[-1]


def _late(_number: int, _frame: FrameType | None) -> None:
    raise _Late


def judge_case(folder: Path, timeout: int) -> list[Verdict]:
    """A case in all its ways, each within ``timeout`` seconds."""
    model = folder / "model.tflite" if (folder / "model.tflite").exists() else folder / "model.onnx"
    verdicts = []
    signal.signal(signal.SIGALRM, _late)
    with tempfile.TemporaryDirectory() as scratch:
        for way in ways_of(folder, model):
            signal.alarm(timeout)
            try:
                verdicts.append(judge(folder, way, Path(scratch)))
            except _Late:
                verdicts.append(Verdict(case=folder.name, way=way, verdict="timeout", said=f"over {timeout} s"))
            finally:
                signal.alarm(0)
    return verdicts


def judge_all(folders: list[Path], timeout: int, jobs: int) -> Iterator[Verdict]:
    """Verdicts of cases, as they come."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(judge_case, folder, timeout) for folder in folders]):
            yield from done.result()


def main(
    cases: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the cases.")] = SHARED / "cases",
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this case; repeat for more.")] = None,
    timeout: Annotated[int, typer.Option(min=1, metavar="S", help="Seconds for a case in one way.")] = 120,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Cases at once.")] = os.cpu_count() or 1,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the verdicts.")] = None,
) -> None:
    """Judge all cases; exit status 1 if an answer is wrong, a command crashed, or took too long."""
    folders = [path.parent for path in sorted(cases.glob("*/model.*")) if not only or path.parent.name in only]
    if not folders:
        raise SystemExit(f"there are no cases in {cases}")
    verdicts = sorted(
        judge_all(folders, timeout, jobs), key=lambda each: (WORST.index(each.verdict), each.case, each.way)
    )
    table = Table("case", "way", "verdict", "error", "said")
    for each in verdicts:
        said = "; ".join(filter(None, (each.said, each.doctor)))
        error = "" if each.error is None else f"{each.error:.4f}"
        table.add_row(*map(escape, (each.case, each.way, each.verdict, error, said)))
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    cases_of = {each.case: each.verdict for each in reversed(verdicts)}
    summary = {
        "verdicts": dict(Counter(each.verdict for each in verdicts)),
        "cases": dict(Counter(cases_of.values())),
        "doctor_disagrees": sum(bool(each.doctor) for each in verdicts),
    }
    Console().print(json.dumps(summary))
    if json_file:
        rows = [asdict(each) for each in verdicts]
        write_json(json_file, summary | {"rows": rows})
    if any(each.verdict not in ("right", "refused") for each in verdicts):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
