"""OutputWriter: gives every drained word its address, and sums up what was written."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..cells.delay_line import delayed, kept
from ..cells.interfaces import INSTRUCTION, MemoryWrite
from ..spec.checksum import CHECKSUM_BITS
from ..spec.config import AcceleratorConfig
from ..spec.pipeline import pipeline
from .write_checksum import WriteChecksum
from .written import WRITE_FLAGS, Written

__all__ = ["OutputWriter"]


class OutputWriter(wiring.Component):
    """Address counters of the output tensor: planes within granules within pixels within tiles.

    Takes the ``granules`` of a MAC or the ``words`` of a MAX, one a cycle; the write leaves on the first of ``writes``
    `Pipeline.writer` later, and is never refused. ``tile_ends`` is high as long before a tile's last write.
    ``checksum`` is that of all writes since the instruction's ``run`` rose (`spec.checksum`), `Pipeline.checksum`
    behind them. Nothing is written in the cycles behind those in which ``enable`` is low.

    With several ``drain_rows`` the granules of the next rows are taken along where ``flags.beside`` says so, each on a
    port of ``writes`` of its own; for the checksum they come behind.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "enable": In(1),
                "instruction": In(INSTRUCTION),
                "granules": In(Written(config.drain_rows * config.rescalers * config.code_bits)),
                **({"words": In(Written(config.act_word_bits))} if config.max_pool else {}),
                "writes": Out(MemoryWrite(config.act_address_bits, config.act_word_bits, config.granules)).array(
                    config.drain_rows
                ),
                "tile_ends": Out(1),
                "checksum": Out(2 * CHECKSUM_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Counters that only add, two stages of address sum, and the Fletcher sums behind them."""
        m = Module()
        config, plan, fields = self._config, pipeline(self._config), self.instruction.fields
        whole_words = self.instruction.is_max
        given = self.granules.flags
        if config.max_pool:
            given = data.View(WRITE_FLAGS, Mux(whole_words, self.words.flags, given))
            word = delayed(m, self.words.codes, plan.receive, "word")
        flags = delayed(m, given, plan.receive, "flags", reset_less=False)
        ends = given.valid.replicate(3) & Cat(given.pixel_planes, given.row, given.tile)
        pixel_ends, row_ends, tile_ends = delayed(m, ends, plan.receive, "ends", reset_less=False)
        granule = delayed(m, self.granules.codes, plan.receive, "granule")
        others = config.drain_rows - 1
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
        with m.If(whole_words | (slot == config.granules - 1)):
            m.d.comb += [next_slot.eq(0), next_group_offset.eq(group_offset + fields.out_group_pitch)]
        with m.Else():
            m.d.comb += [next_slot.eq(slot + 1), next_group_offset.eq(group_offset)]

        def move(source: tuple[Signal, ...], *targets: tuple[Signal, ...]) -> None:
            for target in targets:
                m.d.sync += [to.eq(value) for to, value in zip(target, source, strict=True)]

        cursor = (pixel, x_left, x_last, x_odd, y_odd)
        home_cursor = (home_pixel, home_x_left, home_x_last, home_x_odd, home_y_odd)
        next_cursor = behind(cursor, "next")
        pixels = [pixel]  # those of the rows drained side by side
        for row in range(1, config.drain_rows):
            pixels.append(next_cursor[0])
            further = behind(next_cursor, f"behind{row}")
            chosen = tuple(Signal.like(part, name=f"next{row}_{index}") for index, part in enumerate(cursor))
            for part, near, far in zip(chosen, next_cursor, further, strict=True):
                m.d.comb += part.eq(Mux(flags.beside[row - 1], far, near))
            next_cursor = chosen
        channel, home_channel = (slot, group_offset), (home_slot, home_group_offset)
        m.d.sync += started.eq(self.instruction.run)
        with m.If(~started):
            m.d.sync += [
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
        with m.Else():
            with m.If(flags.valid):
                m.d.sync += plane_offset.eq(plane_offset + fields.out_plane_pitch)
            with m.If(pixel_ends):
                m.d.sync += plane_offset.eq(0)
                move((next_slot, next_group_offset), channel)
            with m.If(row_ends):
                move(home_channel, channel)
                move(next_cursor, cursor)
            with m.If(tile_ends):
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

        # one row's write, or those of several side by side
        live = delayed(m, Cat(flags.valid, flags.beside & flags.valid.replicate(others)), 1, "live", reset_less=False)
        slot_1, plane_part = Signal.like(slot), Signal(address_bits)
        m.d.sync += [slot_1.eq(slot), plane_part.eq(fields.out_base + plane_offset)]
        granules = [granule.word_select(row, len(granule) // config.drain_rows) for row in range(config.drain_rows)]
        for row, write in enumerate(self.writes):
            pixel_part = Signal(address_bits, name=f"pixel_part{row}")
            [granule_1] = kept(m, f"granule{row}_", granules[row])
            whole, written = Const(0), granule_1.replicate(config.granules)
            if config.max_pool and row == 0:
                [word_1] = kept(m, "word", word)
                whole, written = whole_words, Mux(whole_words, word_1, written)
            m.d.sync += [
                pixel_part.eq(pixels[row] + group_offset),
                write.address.eq(pixel_part + plane_part),
                write.data.eq(written),
                write.valid.eq(live[row] & self.enable),
            ]
            for index in range(config.granules):
                m.d.sync += write.enable[index].eq(live[row] & self.enable & (whole | (slot_1 == index)))
        m.submodules.checksum = checksum = WriteChecksum(config)
        m.d.comb += [
            self.tile_ends.eq(given.valid & given.tile),
            checksum.run.eq(self.instruction.run & started),
            checksum.valid.eq(flags.valid),
            checksum.beside.eq(flags.beside & flags.valid.replicate(others)),
            checksum.word.eq(Mux(whole_words, word, granules[0]) if config.max_pool else granules[0]),
            checksum.granules.eq(Cat(granules[1:])),
            self.checksum.eq(checksum.checksum),
        ]
        return m
