"""OutputWriter: gives every drained word its address, and sums up what was written."""

from __future__ import annotations

import functools
import operator

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.delay_line import delayed, kept
from ..cells.records import record_layout
from ..spec.checksum import CHECKSUM_BITS
from ..spec.config import AcceleratorConfig
from ..spec.isa import COMPUTE
from ..spec.pipeline import pipeline
from .drain import write_flags_layout

__all__ = ["OutputWriter"]


def _pair_ports(config: AcceleratorConfig) -> dict[str, wiring.Member]:
    return {
        "pair_address": Out(config.act_address_bits),
        "pair_data": Out(config.act_word_bits),
        "pair_enable": Out(config.granules),
    }


class OutputWriter(wiring.Component):
    """Address counters of the output tensor: planes within granules within pixels within tiles.

    Takes a granule (``whole_words`` low) or a word each cycle in which ``flags.valid`` is high; the write leaves
    `Pipeline.writer` later. ``tile_done`` is high with a tile's last write. ``checksum`` is that of all writes since
    ``run`` rose (`spec.checksum`), `Pipeline.checksum` behind them. ``fields`` must be stable while ``run`` is high.

    With two ``drain_rows`` the next row's granule is taken along where ``flags.pair`` is high, and leaves on the ports
    ``pair_*``; for the checksum it comes behind.

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
                "whole_words": In(1),
                "granule": In(config.drain_rows * config.rescalers * config.code_bits),
                "word": In(config.act_word_bits),
                "flags": In(write_flags_layout()),
                "address": Out(config.act_address_bits),
                "data": Out(config.act_word_bits),
                "enable": Out(config.granules),
                "tile_done": Out(1),
                "checksum": Out(2 * CHECKSUM_BITS),
                **(_pair_ports(config) if config.drain_rows == 2 else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Counters that only add, two stages of address sum, and the Fletcher sums behind them."""
        m = Module()
        config, plan, fields = self._config, pipeline(self._config), self.fields
        flags, granule, word = (
            delayed(m, value, plan.receive, name, reset_less=name != "flags")
            for value, name in ((self.flags, "flags"), (self.granule, "granule"), (self.word, "word"))
        )
        address_bits = config.act_address_bits
        slot_bits = max(1, (config.granules - 1).bit_length())

        pixel, home_pixel = Signal(address_bits), Signal(address_bits)
        x_left, home_x_left = Signal(address_bits + 1), Signal(address_bits + 1)
        x_odd, home_x_odd = Signal(), Signal()
        y_odd, home_y_odd = Signal(), Signal()
        plane_offset = Signal(address_bits)
        group_offset, home_group_offset = Signal(address_bits), Signal(address_bits)
        slot, home_slot = Signal(slot_bits), Signal(slot_bits)
        tiles_left = Signal.like(fields.column_groups)
        # whether these are at 0, known a cycle ahead
        x_last, home_x_last, tiles_last = Signal(), Signal(), Signal()
        one_wide, one_tile = Signal(), Signal()
        m.d.sync += [one_wide.eq(fields.out_width == 1), one_tile.eq(fields.column_groups == 1)]
        started = Signal()

        def behind(cursor: tuple[Signal, ...], name: str) -> tuple[Signal, ...]:
            """The pixel after one, as address offset, pixels left in its line, parities of x and y."""
            pixel, x_left, x_last, x_odd, y_odd = cursor
            following = tuple(Signal.like(part, name=f"{name}{index}") for index, part in enumerate(cursor))
            with m.If(x_last):
                step = Mux(y_odd, fields.out_dy_odd, fields.out_dy_even)
                values = (pixel + step, fields.out_width - 1, one_wide, 0, ~y_odd)
                m.d.comb += [part.eq(value) for part, value in zip(following, values, strict=True)]
            with m.Else():
                step = Mux(x_odd, fields.out_dx_odd, fields.out_dx_even)
                values = (pixel + step, x_left - 1, x_left == 1, ~x_odd, y_odd)
                m.d.comb += [part.eq(value) for part, value in zip(following, values, strict=True)]
            return following

        next_slot = Signal.like(slot)
        next_group_offset = Signal.like(group_offset)
        with m.If(self.whole_words | (slot == config.granules - 1)):
            m.d.comb += [next_slot.eq(0), next_group_offset.eq(group_offset + fields.out_group_pitch)]
        with m.Else():
            m.d.comb += [next_slot.eq(slot + 1), next_group_offset.eq(group_offset)]

        def move(source: tuple[Signal, ...], *targets: tuple[Signal, ...]) -> None:
            for target in targets:
                m.d.sync += [to.eq(value) for to, value in zip(target, source, strict=True)]

        cursor = (pixel, x_left, x_last, x_odd, y_odd)
        home_cursor = (home_pixel, home_x_left, home_x_last, home_x_odd, home_y_odd)
        next_cursor = pair_cursor = behind(cursor, "next")
        if config.drain_rows == 2:
            next_cursor = tuple(Signal.like(part) for part in cursor)
            for part, one, two in zip(next_cursor, pair_cursor, behind(pair_cursor, "second"), strict=True):
                m.d.comb += part.eq(Mux(flags.pair, two, one))
        channel, home_channel = (slot, group_offset), (home_slot, home_group_offset)
        with m.If(~self.run):
            m.d.sync += started.eq(0)
        with m.Elif(~started):
            m.d.sync += [
                started.eq(1),
                plane_offset.eq(0),
                tiles_left.eq(fields.column_groups - 1),
                tiles_last.eq(fields.column_groups == 1),
                pixel.eq(0),
                x_left.eq(fields.out_width - 1),
                x_last.eq(fields.out_width == 1),
                home_x_last.eq(fields.out_width == 1),
                x_odd.eq(0),
                y_odd.eq(0),
                home_pixel.eq(0),
                home_x_left.eq(fields.out_width - 1),
                home_x_odd.eq(0),
                home_y_odd.eq(0),
                slot.eq(fields.out_granule),
                home_slot.eq(fields.out_granule),
                group_offset.eq(0),
                home_group_offset.eq(0),
            ]
        with m.Elif(flags.valid):
            m.d.sync += plane_offset.eq(plane_offset + fields.out_plane_pitch)
            with m.If(flags.pixel_planes):
                m.d.sync += plane_offset.eq(0)
                move((next_slot, next_group_offset), channel)
            with m.If(flags.row):
                move(home_channel, channel)
                move(next_cursor, cursor)
            with m.If(flags.tile):
                with m.If(tiles_last):  # on to the next pixel group
                    m.d.sync += [
                        tiles_left.eq(fields.column_groups - 1),
                        tiles_last.eq(one_tile),
                        slot.eq(fields.out_granule),
                        home_slot.eq(fields.out_granule),
                        group_offset.eq(0),
                        home_group_offset.eq(0),
                    ]
                    move(next_cursor, home_cursor)
                with m.Else():  # the same pixels, the next channels
                    m.d.sync += [tiles_left.eq(tiles_left - 1), tiles_last.eq(tiles_left == 1)]
                    move((next_slot, next_group_offset), channel, home_channel)
                    move(home_cursor, cursor)

        pixel_part, plane_part = Signal(address_bits), Signal(address_bits)
        granule_bits = config.rescalers * config.code_bits
        granule_1, word_1 = Signal(granule_bits, reset_less=True), Signal.like(self.word, reset_less=True)
        slot_1 = Signal.like(slot)
        valid_1, tile_1 = Signal(), Signal()
        m.d.sync += [
            pixel_part.eq(pixel + group_offset),
            plane_part.eq(fields.out_base + plane_offset),
            granule_1.eq(granule),
            word_1.eq(word),
            slot_1.eq(slot),
            valid_1.eq(flags.valid),
            tile_1.eq(flags.valid & flags.tile),
        ]
        m.d.sync += [
            self.address.eq(pixel_part + plane_part),
            self.data.eq(Mux(self.whole_words, word_1, granule_1.replicate(config.granules))),
            self.tile_done.eq(tile_1),
        ]
        for index in range(config.granules):
            m.d.sync += self.enable[index].eq(valid_1 & (self.whole_words | (slot_1 == index)))

        def folded(written: Value, name: str) -> Signal:
            result = Signal(CHECKSUM_BITS, name=name)
            pieces = [written[low : low + CHECKSUM_BITS] for low in range(0, len(written), CHECKSUM_BITS)]
            m.d.comb += result.eq(functools.reduce(operator.xor, pieces))
            return result

        # the second sum takes the first one in a cycle later
        sum_a, sum_b = self.checksum[:CHECKSUM_BITS], self.checksum[CHECKSUM_BITS:]
        first = folded(Mux(self.whole_words, word, granule[:granule_bits]), "folded")
        [one] = kept(m, "one", first)
        both, added = one, Value.cast(sum_a)
        if config.drain_rows == 2:
            pair_pixel, pair_granule, pair_1 = Signal(address_bits), Signal(granule_bits), Signal()
            m.d.sync += [
                pair_pixel.eq(pair_cursor[0] + group_offset),
                pair_granule.eq(granule[granule_bits:]),
                pair_1.eq(flags.valid & flags.pair & ~self.whole_words),
                self.pair_address.eq(pair_pixel + plane_part),
                self.pair_data.eq(pair_granule.replicate(config.granules)),
            ]
            for index in range(config.granules):
                m.d.sync += self.pair_enable[index].eq(pair_1 & (slot_1 == index))
            pair = flags.pair & ~self.whole_words
            two = Mux(pair, folded(granule[granule_bits:], "pair_folded"), 0)
            both = Signal(CHECKSUM_BITS, reset_less=True)
            m.d.sync += both.eq(first + two)
            # a pair adds the sum between the two as well
            between, pair_2 = Signal(CHECKSUM_BITS, reset_less=True), Signal()
            m.d.sync += [between.eq(sum_a + one), pair_2.eq(pair_1)]
            added = sum_a + Mux(pair_2, between, 0)
        valid_2 = Signal()
        m.d.sync += valid_2.eq(valid_1)
        with m.If(~self.run | ~started):
            m.d.sync += self.checksum.eq(0)
        with m.Else():
            with m.If(valid_1):
                m.d.sync += sum_a.eq(sum_a + both)
            with m.If(valid_2):
                m.d.sync += sum_b.eq(sum_b + added)
        return m
