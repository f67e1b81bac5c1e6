"""ComputeUnit: everything that works on one COMPUTE, from pixel walker to output writer."""

from __future__ import annotations

from amaranth.hdl import Fragment, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect

from .array.array import MacArray
from .array.operand import code_of
from .cells.delay_line import delayed, kept
from .cells.records import record_layout
from .cells.without_reset import without_reset
from .control.operands import OperandFetch
from .control.stepper import Stepper
from .control.walker import PixelWalker
from .drain.drain import Drain, table_ports
from .drain.max_pool import MaxPool
from .drain.writer import OutputWriter
from .spec.checksum import CHECKSUM_BITS
from .spec.config import AcceleratorConfig
from .spec.isa import BLOCK, COMPUTE, TAP, Mode
from .spec.pipeline import pipeline

__all__ = ["ComputeUnit"]


def _pair_ports(config: AcceleratorConfig) -> dict[str, wiring.Member]:
    return {
        "act_pair_address": Out(config.act_address_bits),
        "act_pair_data": Out(config.act_word_bits),
        "act_pair_enable": Out(config.granules),
    }


class ComputeUnit(wiring.Component):
    """Executes one COMPUTE after the other, the front of each behind the steps of the one before.

    ``run`` rises with new ``fields``; ``issued`` rises when their last step is out, then ``run`` may fall for a cycle
    and rise with the next ones. Walker and first blocks get ready while the instruction before still drains, but no
    step is issued before that has written its last word: ``retired`` then is high for a cycle, with its ``checksum``.
    While ``enable`` is low everything that is under way is given up. A block that cannot be executed raises
    ``illegal``, once everything before its instruction is retired.

    The memory ports have the latencies of `ProgramMemory` and `ActivationMemory`. ``step`` pulses for each step fed to
    the array or the max-pool unit, the stalls for each cycle lost to their cause.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self.stepper = Stepper(config)
        self.operands = OperandFetch(config)
        self.drain = Drain(config)
        super().__init__(
            {
                "enable": In(1),
                "run": In(1),
                "fields": In(record_layout(COMPUTE)),
                "issued": Out(1),
                "retired": Out(1),
                "illegal": Out(1),
                "checksum": Out(2 * CHECKSUM_BITS),
                "step": Out(1),
                "stall_drain": Out(1),
                "stall_walk": Out(1),
                "block_address": Out(self.stepper.block_address.shape()),
                "block": In(record_layout(BLOCK)),
                "tap_address": Out(self.operands.tap_address.shape()),
                "tap": In(record_layout(TAP)),
                "weight_address": Out(self.operands.weight_address.shape()),
                "weight_word": In(config.weight_word_bits),
                "param_address": Out(self.drain.param_address.shape()),
                "param_word": In(config.param_word_bits),
                **(table_ports(config) if config.tables else {}),
                "act_address": Out(config.act_address_bits),
                "act_words": In(data.ArrayLayout(config.act_word_bits, config.rows)),
                "act_write_address": Out(config.act_address_bits),
                "act_write_data": Out(config.act_word_bits),
                "act_write_enable": Out(config.granules),
                **(_pair_ports(config) if config.drain_rows == 2 else {}),
            }
        )

    def elaborate(self, platform: object) -> Fragment:
        """Connect the units; know which instruction the front and the back are at."""
        m = Module()
        config, plan, fields = self._config, pipeline(self._config), self.fields
        m.submodules.walker = walker = PixelWalker(config)
        m.submodules.stepper = stepper = self.stepper
        m.submodules.operands = operands = self.operands
        m.submodules.array = array = MacArray(config)
        m.submodules.drain = drain = self.drain
        m.submodules.writer = writer = OutputWriter(config)
        # an instruction passes from its front, walker and stepper, to its back, which is whatever follows the array
        back = Signal.like(fields, reset_less=True) if config.prefetch else fields
        released, back_run, back_issued, refused = Signal(), Signal(), Signal(), Signal()
        release = Signal()
        tiles_open, tiles_next = Signal(8), Signal(8)
        one_open = Signal()  # known a cycle ahead
        opened = delayed(m, stepper.step.flags.valid & stepper.step.flags.last, 1, "opened", reset_less=False)
        m.d.comb += [
            self.issued.eq(released & stepper.finished),
            # its last step is out long before its last word is written
            self.retired.eq(back_run & back_issued & one_open & writer.tile_done),
            tiles_next.eq(tiles_open + opened - writer.tile_done),
            release.eq(self.run & ~released & (~back_run | self.retired)),
            stepper.go.eq(released),
            self.illegal.eq(released & refused),
        ]
        m.d.sync += refused.eq(self.run & (refused | stepper.illegal))
        if config.prefetch:
            with m.If(delayed(m, release, plan.release, "released", reset_less=False)):
                m.d.sync += back.eq(fields)
        with m.If(~self.enable):
            m.d.sync += [released.eq(0), back_run.eq(0), back_issued.eq(0), tiles_open.eq(0), one_open.eq(0)]
        with m.Else():
            m.d.sync += [
                released.eq(self.run & (released | release)),
                back_run.eq(release | (back_run & ~self.retired)),
                back_issued.eq((back_issued | self.issued) & ~self.retired),
                tiles_open.eq(tiles_next),
                one_open.eq(tiles_next == 1),
            ]
        back_unit_run = Signal()  # falls for a cycle after an instruction, before anything of the next one comes
        m.d.sync += back_unit_run.eq(back_run & ~self.retired)
        is_max, back_is_max = Signal(), Signal()
        if config.max_pool:
            m.d.comb += is_max.eq(fields.mode == Mode.MAX)
            m.d.sync += back_is_max.eq(back.mode == Mode.MAX)  # known long before the first step

        connect(m, walker.groups, stepper.groups)
        drain_cycles = Signal.like(stepper.drain_cycles)
        rows = fields.rows[: config.rows.bit_length()]
        planes = fields.planes[: config.planes.bit_length()]
        # sums of shifts, where a product would cost a hard multiplier, and registers: there is time before a tile ends
        [drains] = kept(m, "drains", (rows + config.drain_rows - 1) >> (config.drain_rows - 1))
        [granules] = kept(m, "granules", sum((Mux(planes[bit], drains, 0) << bit) for bit in range(len(planes))))
        tile_cycles = sum(
            granules << bit for bit in range(config.tile_granules.bit_length()) if config.tile_granules >> bit & 1
        )
        m.d.sync += drain_cycles.eq(Mux(is_max, planes, tile_cycles))
        m.d.comb += [
            walker.run.eq(self.run),
            walker.height.eq(fields.out_height),
            walker.width.eq(fields.out_width),
            walker.rows.eq(rows),
            walker.wrap.eq(fields.wrap),
            stepper.run.eq(self.run),
            stepper.fields.eq(fields),
            stepper.drain_cycles.eq(drain_cycles),
            self.block_address.eq(stepper.block_address),
            stepper.block.eq(self.block),
            operands.step.eq(stepper.step),
            operands.group.eq(walker.groups.payload),
            self.tap_address.eq(operands.tap_address),
            operands.tap.eq(self.tap),
            self.act_address.eq(operands.act_address),
            operands.act_words.eq(self.act_words),
            self.weight_address.eq(operands.weight_address),
            operands.weight_word.eq(self.weight_word),
            array.x.eq(operands.x),
            array.w.eq(operands.w),
        ]

        # the pixel count travels with the flags as far as the drain
        count = delayed(m, operands.count, plan.array, "count")
        m.d.comb += [
            array.flags.eq(operands.flags),
            array.flags.valid.eq(operands.flags.valid & ~back_is_max),
            drain.run.eq(back_unit_run),
            drain.fields.eq(back),
            drain.sums.eq(array.sums),
            drain.inverted.eq(array.inverted),
            drain.done.eq(array.done),
            drain.count.eq(count),
            self.param_address.eq(drain.param_address),
            drain.param_word.eq(self.param_word),
            *(
                [self.table_addresses.eq(drain.table_addresses), drain.table_entries.eq(self.table_entries)]
                if config.tables
                else []
            ),
            writer.run.eq(back_unit_run),
            writer.fields.eq(back),
            writer.whole_words.eq(back_is_max),
            writer.granule.eq(drain.granule),
            writer.flags.eq(drain.flags),
            self.act_write_address.eq(writer.address),
            self.act_write_data.eq(writer.data),
            self.act_write_enable.eq(writer.enable),
            self.checksum.eq(writer.checksum),
            self.step.eq(stepper.step.flags.valid),
            self.stall_drain.eq(stepper.stall_drain),
            self.stall_walk.eq(stepper.stall_walk),
        ]
        if config.max_pool:
            m.submodules.max_pool = max_pool = MaxPool(config)
            m.d.comb += [
                max_pool.run.eq(back_unit_run),
                max_pool.planes.eq(back.planes),
                *(
                    max_pool.word.word_select(lane, config.code_bits).eq(code_of(operand))
                    for lane, operand in enumerate(operands.x[0])
                ),
                max_pool.word_valid.eq(operands.row0_valid),
                max_pool.flags.eq(operands.flags),
                max_pool.flags.valid.eq(operands.flags.valid & back_is_max),
                writer.word.eq(max_pool.result),
            ]
            with m.If(back_is_max):
                m.d.comb += writer.flags.eq(max_pool.result_flags)
        if config.memories == "single":
            m.d.comb += stepper.hold.eq(drain.ahead)
        if config.drain_rows == 2:
            m.d.comb += [
                self.act_pair_address.eq(writer.pair_address),
                self.act_pair_data.eq(writer.pair_data),
                self.act_pair_enable.eq(writer.pair_enable),
            ]
        return without_reset(m, platform)
