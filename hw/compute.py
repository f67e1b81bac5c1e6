"""ComputeUnit: what works on one COMPUTE, from pixel walker to output writer; it wires and decides nothing."""

from __future__ import annotations

from amaranth.hdl import Cat, Fragment, Module, Mux
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .array.array import MacArray
from .cells.checks import CHECK
from .cells.interfaces import hand_on, members_of
from .cells.without_reset import without_reset
from .control.operands import OperandFetch
from .control.stages import UNIT, InstructionStages
from .control.stepper import Stepper
from .control.walker import PixelWalker, image_layout
from .drain.drain import Drain
from .drain.max_pool import MaxPool
from .drain.pace import DrainPace
from .drain.writer import OutputWriter
from .spec.config import AcceleratorConfig

__all__ = ["COMPUTE_CHECKS", "ComputeUnit"]

COMPUTE_CHECKS = data.StructLayout(
    dict.fromkeys(("blocks", "taps", "weights", "activations", "params", "tables"), CHECK)
)
"""By memory, what check bits say of the words that are used."""


class ComputeUnit(wiring.Component):
    """Executes one COMPUTE after the other, the front of each behind the steps of the one before (`InstructionStages`).
    While ``enable`` is low everything that is under way is given up.

    Each memory has a port of its name, with the latencies of `ProgramMemory` and `ActivationMemory`; activations are
    written through ``writes``. ``events`` say what each cycle was. In a protected core ``checks`` say what was found
    wrong with words, and ``damaged`` is high when the instruction at work has used a damaged one.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._stepper, self._operands = Stepper(config), OperandFetch(config)
        self._drain, self._writer = Drain(config), OutputWriter(config)
        # whose ports the unit has, too
        self._doors = (
            (self._stepper, ("blocks", "events")),
            (self._operands, ("taps", "activations", "weights")),
            (self._drain, ("params", "tables") if config.tables else ("params",)),
            (self._writer, ("writes",)),
        )
        doors = [members_of(part, *names) for part, names in self._doors]
        doors.append({"checks": Out(COMPUTE_CHECKS), "damaged": Out(1)} if config.is_protected else {})
        inside = {name: door[name] for door in doors for name in door}
        images = stream.Signature(image_layout(config))
        super().__init__({"enable": In(1), "unit": In(UNIT), "images": In(images), **inside})

    def elaborate(self, platform: object) -> Fragment:
        """Connect the units in the order in which a COMPUTE passes them."""
        m = Module()
        config = self._config
        m.submodules.stages = stages = InstructionStages(config)
        m.submodules.walker = walker = PixelWalker(config)
        m.submodules.stepper = stepper = self._stepper
        m.submodules.pace = pace = DrainPace(config)
        m.submodules.operands = operands = self._operands
        m.submodules.array = array = MacArray(config)
        m.submodules.drain = drain = self._drain
        m.submodules.writer = writer = self._writer
        for part, names in self._doors:
            hand_on(m, self, part, *names)
        connect(m, flipped(self.unit), stages.unit)
        connect(m, flipped(self.images), walker.images)
        connect(m, stages.front, stepper.instruction, pace.instruction)
        connect(m, stages.back, operands.back, drain.instruction, writer.instruction)
        connect(m, stages.stepping, stepper.stepping)
        connect(m, walker.groups, stepper.groups)
        connect(m, operands.operands, array.operands)
        connect(m, array.results, drain.results)
        connect(m, drain.granules, writer.granules)
        m.d.comb += [
            stages.enable.eq(self.enable),
            walker.enable.eq(self.enable),
            operands.enable.eq(self.enable),
            writer.enable.eq(self.enable),
            stepper.drain_cycles.eq(pace.cycles),
            operands.step.eq(stepper.step),
            operands.group.eq(walker.groups.payload),
            drain.count.eq(operands.count),
            stages.tile_begins.eq(stepper.step.flags.valid & stepper.step.flags.last),
            stages.tile_ends.eq(writer.tile_ends),
            stages.checksum.eq(writer.checksum),
        ]
        if config.max_pool:
            m.submodules.max_pool = max_pool = MaxPool(config)
            connect(m, stages.back, max_pool.instruction)
            connect(m, operands.windows, max_pool.windows)
            connect(m, max_pool.words, writer.words)
        if config.memories == "single":
            m.d.comb += stepper.hold.eq(drain.ahead | max_pool.ahead if config.max_pool else drain.ahead)
        if config.is_protected:
            found = {"blocks": stepper.check, **_named(operands.checks), **_named(drain.checks)}
            m.d.comb += [self.checks[name].eq(Mux(self.enable, check.as_value(), 0)) for name, check in found.items()]
            now = Cat(check.damaged for name, check in found.items() if name != "blocks").any()
            m.d.comb += [
                # fetched ahead: it concerns the instruction that is at work when the block is wanted
                stages.block_damaged.eq(stepper.check.damaged),
                self.damaged.eq(stages.damaged | now),
            ]
        return without_reset(m, platform)


def _named(checks: data.View) -> dict[str, data.View]:
    return {name: checks[name] for name, _ in checks.shape()}
