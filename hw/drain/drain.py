"""Drain: shadow accumulators, R rescalers and encoders; finished sums leave as granules of codes."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..array.array import Sums
from ..cells.checks import CHECK, any_check
from ..cells.delay_line import delayed
from ..cells.interfaces import INSTRUCTION, MemoryRead, table_reads
from ..spec.config import AcceleratorConfig
from ..spec.cycles import hold_cycles
from ..spec.pipeline import pipeline
from .encoder import Encoder
from .rescaler import Rescaler
from .written import WRITE_FLAGS, Written

__all__ = ["DRAIN_CHECKS", "Drain"]

DRAIN_CHECKS = data.StructLayout({"params": CHECK, "tables": CHECK})
"""By memory, what check bits say of the words that results are made with."""


def _places(config: AcceleratorConfig) -> list[tuple[int, int]]:
    """Row and column of each sum in the order in which they leave: rows that drain side by side have their granules
    side by side. Beyond the last row it is any other."""
    places = []
    for first in range(0, config.rows, config.drain_rows):
        for granule in range(0, config.columns, config.rescalers):
            for row in range(first, first + config.drain_rows):
                places += [(row, column) for column in range(granule, granule + config.rescalers)]
    while places[-1][0] >= config.rows:
        places.pop()
    return [(min(row, config.rows - 1), column) for row, column in places]


class Drain(wiring.Component):
    """Rescales and encodes the sums of a tile: one granule of one digit plane of ``drain_rows`` rows a cycle.

    ``results`` are captured in the cycle in which their ``done`` is high, with ``count``, the pixels to drain. A tile
    then takes ``ceil(count / drain_rows) * tile_granules * planes`` cycles; ``done`` must not come again before its
    last one. ``granules`` hold the first row's in the low bits, above it those of the next rows as far as
    ``flags.beside`` is high; the first comes `Pipeline.drain` after ``done``. Starts over when the instruction's
    ``run`` falls. With single-port memories ``ahead`` is high in the cycle before the one in which a step has to wait
    because it would read when a granule is written. ``checks`` come two cycles behind the words that they are of, so
    before the results are written.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        checked, param_address = int(config.is_protected), max(1, (config.param_words - 1).bit_length())
        super().__init__(
            {
                "instruction": In(INSTRUCTION),
                "results": In(Sums(config)),
                "count": In(config.rows.bit_length()),
                "params": Out(MemoryRead(param_address, config.param_word_bits, checked)),
                "granules": Out(Written(config.drain_rows * config.rescalers * config.code_bits)),
                **({"ahead": Out(1)} if config.memories == "single" else {}),
                **({"tables": Out(table_reads(config))} if config.tables else {}),
                **({"checks": Out(DRAIN_CHECKS)} if checked else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Sequence the granules of a tile, then rescale and encode them."""
        m = Module()
        config, plan, fields = self._config, pipeline(self._config), self.instruction.fields
        results = self.results
        side_by_side = config.drain_rows
        rescalers = side_by_side * config.rescalers
        granule_bits = rescalers * config.acc_bits

        places = _places(config)
        shadow = Signal(len(places) * config.acc_bits, reset_less=True)
        busy = Signal()
        rows_left = Signal(config.rows.bit_length())
        granule_index = Signal(range(max(config.tile_granules, 2)))
        plane = Signal(range(config.planes))
        tiles_left = Signal.like(fields.column_groups)
        params, tile_params = Signal.like(self.params.address), Signal.like(self.params.address)
        # of the tile behind: known ahead, since tiles may follow each other at once
        behind_params, next_params = Signal.like(self.params.address), Signal.like(self.params.address)
        one_tile = Signal()
        m.d.sync += one_tile.eq(fields.column_groups == 1)
        started = Signal()
        done = results.done[0]

        # known a cycle ahead, since the whole shadow waits for it, and kept twice: from different starts, or synthesis
        # would make one register of both
        plane_end = Signal()
        moves = Signal(init=1)
        last_granule = Signal(init=config.tile_granules == 1)
        last_row = Signal()
        row_end, tile_end = Signal(), Signal()
        last_plane = Signal.like(plane)
        m.d.sync += last_plane.eq(fields.planes - 1)
        m.d.comb += [
            row_end.eq(plane_end & last_granule),
            tile_end.eq(row_end & last_row),
            self.params.address.eq(params),
            next_params.eq(Mux(tile_end & busy, behind_params, tile_params)),
        ]
        with m.If(~self.instruction.run):
            m.d.sync += [busy.eq(0), started.eq(0)]
        with m.Elif(~started):
            m.d.sync += [
                started.eq(1),
                tiles_left.eq(fields.column_groups - 1),
                tile_params.eq(fields.param_base),
                behind_params.eq(fields.param_base + Mux(fields.column_groups == 1, 0, config.tile_granules)),
            ]
        with m.Else():
            m.d.sync += tile_params.eq(next_params)
            with m.If(busy):
                m.d.sync += plane.eq(plane + 1)
                with m.If(plane_end):
                    m.d.sync += [
                        plane.eq(0),
                        granule_index.eq(granule_index + 1),
                        last_granule.eq(granule_index + 2 == config.tile_granules),
                        params.eq(params + 1),
                    ]
                with m.If(row_end):
                    m.d.sync += [
                        granule_index.eq(0),
                        last_granule.eq(config.tile_granules == 1),
                        params.eq(tile_params),
                        rows_left.eq(rows_left - side_by_side),
                        last_row.eq(rows_left < 2 * side_by_side),
                    ]
                with m.If(tile_end):
                    m.d.sync += [
                        busy.eq(0),
                        tiles_left.eq(tiles_left - 1),
                        behind_params.eq(behind_params + config.tile_granules),
                    ]
                    with m.If(tiles_left == 0):
                        m.d.sync += tiles_left.eq(fields.column_groups - 1)
                    with m.If(Mux(tiles_left == 0, one_tile, tiles_left == 1)):
                        m.d.sync += behind_params.eq(fields.param_base)
            with m.If(done):
                m.d.sync += [
                    busy.eq(1),
                    rows_left.eq(self.count - 1),
                    last_row.eq(self.count <= side_by_side),
                    granule_index.eq(0),
                    last_granule.eq(config.tile_granules == 1),
                    params.eq(next_params),
                    plane.eq(0),
                ]
        with m.If(done | busy):
            ends = Mux(done | plane_end, 0, plane + 1) == last_plane
            m.d.sync += [plane_end.eq(ends), moves.eq(ends)]

        # whatever the state, so that little stands between a register and all of these
        moved = shadow >> granule_bits
        for copy, captures in enumerate(results.done):
            near = [
                (slice(place * config.acc_bits, (place + 1) * config.acc_bits), *source)
                for place, source in enumerate(places)
                if (source[0] * config.columns + source[1]) * len(results.done) // (config.rows * config.columns)
                == copy
            ]
            with m.If(captures):
                for here, row, column in near:
                    inverted = results.inverted[row][column].replicate(config.acc_bits)
                    m.d.sync += shadow[here].eq(results.sums[row][column] ^ inverted)
            with m.Elif(moves):
                m.d.sync += [shadow[here].eq(moved[here]) for here, _, _ in near]
        accs = delayed(m, shadow[:granule_bits], plan.param_read, "accs")
        flags = Signal(WRITE_FLAGS)
        m.d.comb += [
            flags.valid.eq(busy),
            *(flags.beside[row - 1].eq(rows_left >= row) for row in range(1, side_by_side)),
            flags.pixel_planes.eq(plane_end),
            flags.row.eq(row_end),
            flags.tile.eq(tile_end),
        ]
        delayed_plane = delayed(m, plane, plan.param_read + plan.rescaler, "plane")
        stages = [flags]
        for stage in range(plan.drain - plan.capture):
            late = Signal(WRITE_FLAGS, name=f"flags{stage}")
            m.d.sync += late.eq(flags)
            flags = late
            stages.append(flags)
            if config.memories == "single" and stage + 2 == hold_cycles(config):
                m.d.comb += self.ahead.eq(flags.valid)
        m.d.comb += self.granules.flags.eq(flags)

        table, look_up = Signal(4), Signal()
        if config.tables:
            m.d.sync += [table.eq(fields.table - 1), look_up.eq(fields.table != 0)]
        for index in range(rescalers):
            m.submodules[f"rescaler{index}"] = rescaler = Rescaler(config)
            m.submodules[f"encoder{index}"] = encoder = Encoder(config)
            param = self.params.data.word_select(index % config.rescalers, config.param_bits)
            m.d.comb += [
                rescaler.acc.eq(accs[index * config.acc_bits : (index + 1) * config.acc_bits]),
                Cat(rescaler.bias, rescaler.multiplicand_low, rescaler.shift).eq(param),
                rescaler.zero.eq(fields.zero),
                rescaler.low.eq(fields.clamp_low),
                rescaler.high.eq(fields.clamp_high),
                encoder.half_units.eq(rescaler.half_units),
                encoder.plane.eq(delayed_plane),
                encoder.uneven.eq(fields.uneven),
                encoder.rounding.eq(fields.rounding),
                encoder.planes.eq(fields.planes),
                self.granules.codes.word_select(index, config.code_bits).eq(encoder.code),
            ]
            if config.tables:
                m.d.comb += [
                    self.tables.address[index].eq(Cat(encoder.index, table)),
                    encoder.look_up.eq(look_up),
                    encoder.entry.eq(self.tables.data[index]),
                ]
        if config.is_protected:
            self._judge(m, [stage.valid for stage in stages], stages[-1].beside, look_up)
        return m

    def _judge(self, m: Module, valid: list[Value], beside: Value, look_up: Value) -> None:
        """Checks of parameters and table entries; ``valid[n]`` says that results are made of what was asked for n
        cycles ago, ``beside`` of those that leave which rows are there."""
        config, plan = self._config, pipeline(self._config)
        found = {"params": (self.params.checks, valid[plan.param_read + 1].replicate(len(self.params.checks)))}
        if config.tables:
            rows = Cat(valid[plan.param_read + plan.rescaler + plan.round + plan.table_read + 1], beside)
            rows = Cat(rows[row].replicate(config.rescalers) for row in range(config.drain_rows))
            found["tables"] = self.tables.checks, Mux(look_up, rows, 0)
        for name, (checks, judged) in found.items():
            m.d.comb += self.checks[name].eq(any_check(m, name, checks, judged))
