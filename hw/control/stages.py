"""InstructionStages: which COMPUTE the front and the back of the compute unit are at."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from ..cells.delay_line import delayed
from ..cells.interfaces import INSTRUCTION
from ..cells.records import record_layout
from ..spec.checksum import CHECKSUM_BITS
from ..spec.config import AcceleratorConfig
from ..spec.isa import COMPUTE, Mode
from ..spec.pipeline import pipeline

__all__ = ["STEPPING", "UNIT", "InstructionStages"]

UNIT = Signature(
    {
        "run": Out(1),
        "fields": Out(record_layout(COMPUTE)),
        "issued": In(1),
        "retired": In(1),
        "illegal": In(1),
        "checksum": In(2 * CHECKSUM_BITS),
    }
)
"""From the sequencer to the compute unit: ``run`` rises with new ``fields``; ``issued`` rises when their last step is
out, then ``run`` may fall for a cycle and rise with the next ones. ``retired`` is high for a cycle when a COMPUTE has
written its last word, `Pipeline.checksum` before its ``checksum`` is there, ``illegal`` when one has come to a block
that cannot be executed, once everything before it is retired."""

STEPPING = Signature({"go": Out(1), "early": Out(COMPUTE["early"].width), "finished": In(1), "illegal": In(1)})
"""To the stepper: no steps but so many ``early`` ones, and never a tile's last one, come before ``go`` is high, which
stays so until the instruction's ``run`` falls.
``finished`` rises after the last step and stays until then. ``illegal`` is high when a block without groups or taps has
been read."""


class InstructionStages(wiring.Component):
    """Hands COMPUTEs from the front, walker and stepper, to the back, which is whatever follows the array.

    The first blocks of an instruction get ready while the one before still drains. Its steps may begin once that has
    written its last word; where the configuration issues early, `Pipeline.writer` cycles before, since what they read
    comes later than that, and so many as the field ``early`` says while it still drains. ``tile_begins`` is high with a
    tile's last step, ``tile_ends`` `Pipeline.writer` before its last write: from the tiles between the two it is known
    when an instruction is ``retired``. While ``enable`` is low everything
    that is under way is given up. ``damaged`` rises where the front came upon a block that ``block_damaged`` names,
    once everything before that instruction is retired.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "enable": In(1),
                "unit": In(UNIT),
                "front": Out(INSTRUCTION),
                "back": Out(INSTRUCTION),
                "stepping": Out(STEPPING),
                "tile_begins": In(1),
                "tile_ends": In(1),
                "checksum": In(2 * CHECKSUM_BITS),
                **({"block_damaged": In(1), "damaged": Out(1)} if config.is_protected else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Two places for an instruction, and the tiles between a last step and a last write."""
        m = Module()
        config, unit, front, back, stepping = self._config, self.unit, self.front, self.back, self.stepping
        plan = pipeline(config)
        released, back_run, back_issued, refused = Signal(), Signal(), Signal(), Signal()
        release = Signal()
        tiles_open, tiles_next = Signal(8), Signal(8)
        one_open = Signal()  # known a cycle ahead
        opened = delayed(m, self.tile_begins, 1, "opened", reset_less=False)
        ends = Signal()  # its last tile is on its way to the memories
        m.d.comb += ends.eq(back_run & back_issued & one_open & self.tile_ends)
        m.d.comb += [
            front.run.eq(unit.run),
            front.fields.eq(unit.fields),
            unit.issued.eq(released & stepping.finished),
            # its last step is out long before its last word is written
            unit.retired.eq(back_run & delayed(m, ends, plan.writer, "ended", reset_less=False)),
            unit.illegal.eq(released & refused),
            unit.checksum.eq(self.checksum),
            tiles_next.eq(tiles_open + opened - self.tile_ends),
            release.eq(unit.run & ~released & (~back_run | unit.retired)),
        ]
        if config.issues_early:
            ending, go = Signal(), Signal()
            m.d.sync += [
                ending.eq(self.enable & (ends | (ending & ~unit.retired))),
                go.eq(self.enable & unit.run & (go | release | ends | ending)),
            ]
            m.d.comb += [stepping.go.eq(go), stepping.early.eq(unit.fields.early)]
        else:
            m.d.comb += stepping.go.eq(released)
        if config.is_protected:
            spoilt = Signal()
            m.d.sync += spoilt.eq(unit.run & (spoilt | self.block_damaged))
            m.d.comb += self.damaged.eq(released & spoilt)
        m.d.sync += [
            refused.eq(unit.run & (refused | stepping.illegal)),
            back.run.eq(back_run & ~unit.retired),  # falls for a cycle, before anything of the next instruction comes
        ]
        if config.prefetch:
            with m.If(delayed(m, release, plan.release, "released", reset_less=False)):
                m.d.sync += back.fields.eq(unit.fields)
        else:
            m.d.comb += back.fields.eq(unit.fields)
        if config.max_pool:
            m.d.comb += front.is_max.eq(unit.fields.mode == Mode.MAX)
            m.d.sync += back.is_max.eq(back.fields.mode == Mode.MAX)  # known long before the first step
        with m.If(~self.enable):
            m.d.sync += [released.eq(0), back_run.eq(0), back_issued.eq(0), tiles_open.eq(0), one_open.eq(0)]
        with m.Else():
            m.d.sync += [
                released.eq(unit.run & (released | release)),
                back_run.eq(release | (back_run & ~unit.retired)),
                back_issued.eq((back_issued | unit.issued) & ~unit.retired),
                tiles_open.eq(tiles_next),
                one_open.eq(tiles_next == 1),
            ]
        return m
