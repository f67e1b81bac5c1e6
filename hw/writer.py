"""OutputWriter: gives every drained word its address, and sums up what was written."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .drain import write_flags_layout
from .records import record_layout
from .spec.checksum import CHECKSUM_BITS
from .spec.config import AcceleratorConfig
from .spec.isa import COMPUTE

__all__ = ["OutputWriter"]


class OutputWriter(wiring.Component):
    """Address counters of the output tensor: planes within granules within pixels within tiles.

    Takes a granule (``whole_words`` low) or a word each cycle in which ``flags.valid`` is high; the write leaves
    `LATENCY` cycles later. ``checksum`` is that of all writes since ``run`` rose (`spec.checksum`). ``tile_done`` is
    high with a tile's last write. ``fields`` must be stable while ``run`` is high.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    LATENCY = 2

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "run": In(1),
                "fields": In(record_layout(COMPUTE)),
                "whole_words": In(1),
                "granule": In(config.rescalers * config.code_bits),
                "word": In(config.act_word_bits),
                "flags": In(write_flags_layout()),
                "address": Out(config.act_address_bits),
                "data": Out(config.act_word_bits),
                "enable": Out(config.granules),
                "tile_done": Out(1),
                "checksum": Out(2 * CHECKSUM_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Counters that only add, two stages of address sum, and the Fletcher sums behind them."""
        m = Module()
        config, fields, flags = self._config, self.fields, self.flags
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
        started = Signal()

        next_pixel = Signal.like(pixel)
        next_x_left = Signal.like(x_left)
        next_x_odd, next_y_odd = Signal(), Signal()
        with m.If(x_left == 0):
            m.d.comb += [
                next_pixel.eq(pixel + Mux(y_odd, fields.out_dy_odd, fields.out_dy_even)),
                next_x_left.eq(fields.out_width - 1),
                next_x_odd.eq(0),
                next_y_odd.eq(~y_odd),
            ]
        with m.Else():
            m.d.comb += [
                next_pixel.eq(pixel + Mux(x_odd, fields.out_dx_odd, fields.out_dx_even)),
                next_x_left.eq(x_left - 1),
                next_x_odd.eq(~x_odd),
                next_y_odd.eq(y_odd),
            ]
        next_slot = Signal.like(slot)
        next_group_offset = Signal.like(group_offset)
        with m.If(self.whole_words | (slot == config.granules - 1)):
            m.d.comb += [next_slot.eq(0), next_group_offset.eq(group_offset + fields.out_group_pitch)]
        with m.Else():
            m.d.comb += [next_slot.eq(slot + 1), next_group_offset.eq(group_offset)]

        def move(source: tuple[Signal, ...], *targets: tuple[Signal, ...]) -> None:
            for target in targets:
                m.d.sync += [to.eq(value) for to, value in zip(target, source, strict=True)]

        cursor, home_cursor = (pixel, x_left, x_odd, y_odd), (home_pixel, home_x_left, home_x_odd, home_y_odd)
        next_cursor = (next_pixel, next_x_left, next_x_odd, next_y_odd)
        channel, home_channel = (slot, group_offset), (home_slot, home_group_offset)
        with m.If(~self.run):
            m.d.sync += started.eq(0)
        with m.Elif(~started):
            m.d.sync += [
                started.eq(1),
                plane_offset.eq(0),
                tiles_left.eq(fields.column_groups - 1),
                pixel.eq(0),
                x_left.eq(fields.out_width - 1),
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
                with m.If(tiles_left == 0):  # on to the next pixel group
                    m.d.sync += [
                        tiles_left.eq(fields.column_groups - 1),
                        slot.eq(fields.out_granule),
                        home_slot.eq(fields.out_granule),
                        group_offset.eq(0),
                        home_group_offset.eq(0),
                    ]
                    move(next_cursor, home_cursor)
                with m.Else():  # the same pixels, the next channels
                    m.d.sync += tiles_left.eq(tiles_left - 1)
                    move((next_slot, next_group_offset), channel, home_channel)
                    move(home_cursor, cursor)

        pixel_part, plane_part = Signal(address_bits), Signal(address_bits)
        granule_1, word_1 = Signal.like(self.granule), Signal.like(self.word)
        slot_1 = Signal.like(slot)
        valid_1, tile_1 = Signal(), Signal()
        m.d.sync += [
            pixel_part.eq(pixel + group_offset),
            plane_part.eq(fields.out_base + plane_offset),
            granule_1.eq(self.granule),
            word_1.eq(self.word),
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

        folded = Signal(CHECKSUM_BITS)
        written = Mux(self.whole_words, word_1, granule_1)
        pieces = [written[low : low + CHECKSUM_BITS] for low in range(0, len(written), CHECKSUM_BITS)]
        for piece in pieces[1:]:
            pieces[0] = pieces[0] ^ piece
        m.d.comb += folded.eq(pieces[0])
        sum_a, sum_b = self.checksum[:CHECKSUM_BITS], self.checksum[CHECKSUM_BITS:]
        new_a = Signal(CHECKSUM_BITS)
        m.d.comb += new_a.eq(sum_a + folded)
        with m.If(~self.run | ~started):
            m.d.sync += self.checksum.eq(0)
        with m.Elif(valid_1):
            m.d.sync += [sum_a.eq(new_a), sum_b.eq(sum_b + new_a)]
        return m
