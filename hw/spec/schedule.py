"""Schedule: when loader, compute and storer begin and finish instructions, and who keeps the sequencer waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .errors import NarrowsError
from .isa import Opcode, Unit
from .transfer import QUEUE_DEPTH

__all__ = ["DeadlockError", "Schedule", "TOKEN_FLAGS"]

TOKEN_FLAGS = ("wait_prev", "wait_next", "post_prev", "post_next")
"""Fields of every instruction that take and give tokens."""

_UNITS = {Opcode.LOAD: Unit.LOADER, Opcode.STORE: Unit.STORER}
_QUEUE_CYCLES = 2  # from the cycle in which a queue takes an instruction to the first in which it can be taken out
_TOKEN_CYCLES = 1  # from the cycle in which a token is given to the first in which it can be taken


class DeadlockError(NarrowsError, RuntimeError):
    """Instructions that wait for tokens which never come; ``index`` is the first that cannot start."""

    def __init__(self, index: int) -> None:
        super().__init__(f"instruction {index} waits for a token that never comes")
        self.index = index


@dataclass
class _Transfer:
    index: int
    fields: Mapping[str, int]
    cycles: int
    entered: int


@dataclass
class _Engine:
    """Loader or storer."""

    waiting: deque[_Transfer] = field(default_factory=deque)
    begun: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    handed: int = 0

    def moving(self, start: int, end: int) -> int:
        """Cycles from ``start`` to before ``end`` in which it works on a transfer."""
        total = 0
        for begun, done in zip(reversed(self.begun), reversed(self.done), strict=True):
            if done < start:
                break
            total += max(0, min(end, done + 1) - max(start, begun + 1))
        return total


class Schedule:
    """The three units in time, fed in program order; all moments are cycles since the start of the run.

    A unit's next instruction begins when the one before is done and its tokens are there. Where that depends on
    instructions not yet fed, it stays open; the methods return what is known by then.

    Parameters
    ----------
    on_begin : callable, optional
        Called with opcode, index and fields of each LOAD and STORE in an order that its tokens allow.

    Attributes
    ----------
    begins, finishes : dict of int
        First and last cycle of every instruction so far, by index.
    stall_load, stall_store, stall_token : int
        Cycles the sequencer waited, as the counters of `registers.Register` count them.
    """

    def __init__(self, on_begin: Callable[[Opcode, int, Mapping[str, int]], None] | None = None) -> None:
        self._on_begin = on_begin
        self.begins: dict[int, int] = {}
        self.finishes: dict[int, int] = {}
        self.stall_load = self.stall_store = self.stall_token = 0
        self._engines = {Unit.LOADER: _Engine(), Unit.STORER: _Engine()}
        self._tokens: dict[tuple[int, int], deque[int]] = {
            (unit, (unit + step) % len(Unit)): deque() for unit in Unit for step in (1, 2)
        }

    def transfer(
        self, opcode: Opcode, index: int, fields: Mapping[str, int], cycles: int, moment: int, idle: int = 0
    ) -> int:
        """Hand a LOAD or STORE out in cycle ``moment`` at the earliest; the cycle in which that happens.

        Parameters
        ----------
        cycles : int
            From the cycle in which its tokens are taken to the one in which it gives its own.
        idle : int
            First cycle in which no COMPUTE runs: waiting before that counts for nothing.

        Raises
        ------
        DeadlockError
            If its queue stays full for ever.
        """
        unit = _UNITS[opcode]
        engine = self._engines[unit]
        entered = moment
        # the entry in front of which there are QUEUE_DEPTH others must have left the queue
        leaver = engine.handed - QUEUE_DEPTH
        if leaver >= 0:
            if leaver >= len(engine.begun):
                raise DeadlockError(engine.waiting[0].index)
            entered = max(moment, engine.begun[leaver] + 1)
        self._wait(unit, max(moment, idle), entered)
        engine.handed += 1
        engine.waiting.append(_Transfer(index, fields, cycles, entered))
        self._settle()
        return entered

    def compute(self, index: int, fields: Mapping[str, int], moment: int) -> int:
        """Start a COMPUTE in cycle ``moment`` at the earliest; the cycle in which it starts. `computed` says when it
        ends.

        Raises
        ------
        DeadlockError
            If its tokens never come.
        """
        begin = moment
        for side, unit in (("wait_prev", Unit.LOADER), ("wait_next", Unit.STORER)):
            if fields[side]:
                there = self._tokens[unit, Unit.COMPUTE]
                if not there:
                    raise DeadlockError(index)
                self._wait(unit, begin, arrival := max(begin, there.popleft()))
                begin = arrival
        self.begins[index] = begin
        return begin

    def computed(self, index: int, fields: Mapping[str, int], moment: int) -> None:
        """Let a COMPUTE that has started end in a cycle."""
        self.finishes[index] = moment
        self._post(Unit.COMPUTE, fields, moment)
        self._settle()

    def end(self, moment: int) -> int:
        """Cycle in which an END reached in cycle ``moment`` ends the run.

        Raises
        ------
        DeadlockError
            If an instruction is left whose tokens never come.
        """
        for unit, engine in self._engines.items():
            if engine.waiting:
                raise DeadlockError(engine.waiting[0].index)
            if engine.done:
                idle = max(moment, engine.done[-1] + 1)
                self._wait(unit, moment, idle)
                moment = idle
        return moment

    def _wait(self, unit: Unit, start: int, end: int) -> None:
        if end <= start:
            return
        moving = self._engines[unit].moving(start, end)
        if unit is Unit.LOADER:
            self.stall_load += moving
        else:
            self.stall_store += moving
        self.stall_token += end - start - moving

    def _post(self, unit: Unit, fields: Mapping[str, int], moment: int) -> None:
        for flag, step in (("post_prev", -1), ("post_next", 1)):
            if fields[flag]:
                self._tokens[unit, (unit + step) % len(Unit)].append(moment + _TOKEN_CYCLES)

    def _settle(self) -> None:
        """Begin every transfer whose tokens are known to come."""
        progress = True
        while progress:
            progress = False
            for unit, engine in self._engines.items():
                while engine.waiting and self._begin(unit, engine):
                    progress = True

    def _begin(self, unit: Unit, engine: _Engine) -> bool:
        job = engine.waiting[0]
        wanted = [
            self._tokens[(unit + step) % len(Unit), unit]
            for flag, step in (("wait_prev", -1), ("wait_next", 1))
            if job.fields[flag]
        ]
        if not all(wanted):
            return False
        begin = max(job.entered + _QUEUE_CYCLES, engine.done[-1] + 1 if engine.done else 0)
        begin = max([begin, *(tokens.popleft() for tokens in wanted)])
        engine.waiting.popleft()
        engine.begun.append(begin)
        engine.done.append(begin + job.cycles)
        self.begins[job.index], self.finishes[job.index] = begin, begin + job.cycles
        if self._on_begin is not None:
            self._on_begin(Opcode.LOAD if unit is Unit.LOADER else Opcode.STORE, job.index, job.fields)
        self._post(unit, job.fields, begin + job.cycles)
        return True
