"""Drain: shadow accumulators, R rescalers and encoders; finished sums leave as granules of codes."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Member, Out

from ..array.array import flag_copies
from ..cells.delay_line import delayed
from ..cells.records import record_layout
from ..spec.config import AcceleratorConfig
from ..spec.cycles import hold_cycles
from ..spec.isa import COMPUTE
from ..spec.pipeline import pipeline
from ..spec.registers import Region, region_depth
from .encoder import Encoder
from .rescaler import Rescaler

__all__ = ["Drain", "table_ports", "write_flags_layout"]


def write_flags_layout() -> data.StructLayout:
    """Where a written word stands in its tile."""
    return data.StructLayout(
        {
            "valid": 1,
            "pair": 1,  # the next row's word is written beside it
            "pixel_planes": 1,  # the last plane of its granule
            "row": 1,  # the last write of its pixel
            "tile": 1,  # the last write of its tile
        }
    )


def table_ports(config: AcceleratorConfig) -> dict[str, Member]:
    """Ports through which each rescaler looks levels up: entries come `Pipeline.table_read` after their addresses."""
    address_bits = (region_depth(config, Region.TABLES) - 1).bit_length()
    return {
        "table_addresses": Out(data.ArrayLayout(address_bits, config.drain_rows * config.rescalers)),
        "table_entries": In(data.ArrayLayout(config.level_bits, config.drain_rows * config.rescalers)),
    }


class Drain(wiring.Component):
    """Rescales and encodes the sums of a tile: one granule of one digit plane of ``drain_rows`` rows a cycle.

    ``sums``, inverted where ``inverted`` is high, are captured in the cycle in which ``done`` is high, with ``count``,
    the pixels to drain. A tile then takes ``ceil(count / drain_rows) * tile_granules * planes`` cycles; ``done`` must
    not come again before its last one. ``granule`` is valid while ``flags.valid`` is high, its upper half, the next
    row's, while ``flags.pair`` is, too; the first comes `Pipeline.drain` after ``done``. Starts over when ``run``
    falls. With single-port memories ``ahead`` is high in the cycle before the one in which a step has to wait because
    it would read when a granule is written.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "run": In(1),
                "fields": In(record_layout(COMPUTE)),
                "sums": In(data.ArrayLayout(data.ArrayLayout(config.acc_bits, config.columns), config.rows)),
                "inverted": In(data.ArrayLayout(data.ArrayLayout(1, config.columns), config.rows)),
                "done": In(flag_copies(config)),
                "count": In(config.rows.bit_length()),
                "param_address": Out(max(1, (config.param_words - 1).bit_length())),
                "param_word": In(config.param_word_bits),
                "granule": Out(config.drain_rows * config.rescalers * config.code_bits),
                "flags": Out(write_flags_layout()),
                **({"ahead": Out(1)} if config.memories == "single" else {}),
                **(table_ports(config) if config.tables else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Sequence the granules of a tile, then rescale and encode them."""
        m = Module()
        config, plan, fields = self._config, pipeline(self._config), self.fields
        side_by_side = config.drain_rows
        rescalers = side_by_side * config.rescalers
        granule_bits = rescalers * config.acc_bits

        shadow = Signal(config.rows * config.columns * config.acc_bits, reset_less=True)
        busy = Signal()
        rows_left = Signal(config.rows.bit_length())
        granule_index = Signal(range(max(config.tile_granules, 2)))
        plane = Signal(range(config.planes))
        tiles_left = Signal.like(fields.column_groups)
        params, tile_params = Signal.like(self.param_address), Signal.like(self.param_address)
        # of the tile behind: known ahead, since tiles may follow each other at once
        behind_params, next_params = Signal.like(self.param_address), Signal.like(self.param_address)
        one_tile = Signal()
        m.d.sync += one_tile.eq(fields.column_groups == 1)
        started = Signal()
        done = self.done[0]

        # known a cycle ahead, since the whole shadow waits for it, and kept twice: from different starts, or synthesis
        # would make one register of both
        plane_end = Signal()
        moves = Signal(init=1)
        row_end, tile_end = Signal(), Signal()
        last_plane = Signal.like(plane)
        m.d.sync += last_plane.eq(fields.planes - 1)
        m.d.comb += [
            row_end.eq(plane_end & (granule_index == config.tile_granules - 1)),
            tile_end.eq(row_end & (rows_left < side_by_side)),
            self.param_address.eq(params),
            next_params.eq(Mux(tile_end & busy, behind_params, tile_params)),
        ]
        with m.If(~self.run):
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
                        params.eq(params + 1),
                    ]
                with m.If(row_end):
                    m.d.sync += [
                        granule_index.eq(0),
                        params.eq(tile_params),
                        rows_left.eq(rows_left - side_by_side),
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
                    granule_index.eq(0),
                    params.eq(next_params),
                    plane.eq(0),
                ]
        with m.If(done | busy):
            ends = Mux(done | plane_end, 0, plane + 1) == last_plane
            m.d.sync += [plane_end.eq(ends), moves.eq(ends)]

        # whatever the state, so that little stands between a register and all of these
        finished = [
            sum_ ^ inverted.replicate(config.acc_bits)
            for sums, inversions in zip(self.sums, self.inverted, strict=True)
            for sum_, inverted in zip(sums, inversions, strict=True)
        ]
        for copy, captures in enumerate(self.done):
            first, end = (part * len(finished) // len(self.done) for part in (copy, copy + 1))
            here = slice(first * config.acc_bits, end * config.acc_bits)
            with m.If(captures):
                m.d.sync += shadow[here].eq(Cat(finished[first:end]))
            with m.Elif(moves):
                m.d.sync += shadow[here].eq((shadow >> granule_bits)[here])
        accs = delayed(m, shadow[:granule_bits], plan.param_read, "accs")
        flags = Signal(write_flags_layout())
        m.d.comb += [
            flags.valid.eq(busy),
            flags.pair.eq((rows_left != 0) if side_by_side == 2 else 0),
            flags.pixel_planes.eq(plane_end),
            flags.row.eq(row_end),
            flags.tile.eq(tile_end),
        ]
        delayed_plane = delayed(m, plane, plan.param_read + plan.rescaler, "plane")
        for stage in range(plan.drain - plan.capture):
            late = Signal(write_flags_layout(), name=f"flags{stage}")
            m.d.sync += late.eq(flags)
            flags = late
            if config.memories == "single" and stage + 2 == hold_cycles(config):
                m.d.comb += self.ahead.eq(flags.valid)
        m.d.comb += self.flags.eq(flags)

        table, look_up = Signal(4), Signal()
        if config.tables:
            m.d.sync += [table.eq(fields.table - 1), look_up.eq(fields.table != 0)]
        for index in range(rescalers):
            m.submodules[f"rescaler{index}"] = rescaler = Rescaler(config)
            m.submodules[f"encoder{index}"] = encoder = Encoder(config)
            param = self.param_word.word_select(index % config.rescalers, config.param_bits)
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
                self.granule.word_select(index, config.code_bits).eq(encoder.code),
            ]
            if config.tables:
                m.d.comb += [
                    self.table_addresses[index].eq(Cat(encoder.index, table)),
                    encoder.look_up.eq(look_up),
                    encoder.entry.eq(self.table_entries[index]),
                ]
        return m
