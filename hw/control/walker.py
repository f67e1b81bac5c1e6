"""PixelWalker: visits output pixels in line order, hands them out in groups with their distances from the borders."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..spec.config import AcceleratorConfig
from ..spec.isa import BORDER_MAX

__all__ = ["BORDERS", "PixelWalker", "image_layout", "pixel_group_layout"]

_BORDER_BITS = BORDER_MAX.bit_length()


BORDERS = data.StructLayout({"top": _BORDER_BITS, "bottom": _BORDER_BITS, "left": _BORDER_BITS, "right": _BORDER_BITS})
"""Distances of an output pixel from the four borders."""


def image_layout(config: AcceleratorConfig) -> data.StructLayout:
    """The output pixels of a COMPUTE, as its fields of these names tell them."""
    extent_bits = config.act_address_bits + 1
    return data.StructLayout(
        {"out_height": extent_bits, "out_width": extent_bits, "rows": config.rows.bit_length(), "wrap": 1}
    )


def pixel_group_layout(config: AcceleratorConfig) -> data.StructLayout:
    """A group of up to ``rows`` pixels: how many, where each lies, and what comes after it."""
    return data.StructLayout(
        {
            "count": (config.rows).bit_length(),
            "borders": data.ArrayLayout(BORDERS, config.rows),
            "line_end": 1,  # the next group starts a new line, and groups do not run on
            "last": 1,  # no group follows
        }
    )


class PixelWalker(wiring.Component):
    """Stream of pixel groups, image after image.

    Walks one pixel a cycle, ahead of its consumer: one group is offered on ``groups`` while the next is being
    collected, so a consumer that takes at most one group every ``rows + 1`` cycles never waits. The next of ``images``
    is taken as soon as the last pixel of the one before is walked; without ``prefetch`` its payload stays until all its
    pixels are. While ``enable`` is low everything is given up.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "enable": In(1),
                "images": In(stream.Signature(image_layout(config))),
                "groups": Out(stream.Signature(pixel_group_layout(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count pixels, collect a group, pass it on."""
        m = Module()
        config, image = self._config, self.images.payload
        # the image under way: its instruction stays where it is unless the next one is fetched meanwhile
        kept = Signal(image_layout(config), reset_less=True) if config.prefetch else image
        top, left = Signal(_BORDER_BITS), Signal(_BORDER_BITS)
        x, y = Signal.like(image.out_width), Signal.like(image.out_height)  # pixels and lines still to come
        row = Signal(range(config.rows)) if config.rows > 1 else Signal(1)
        # one is collected while the other is offered, so that whether it is taken moves a single bit
        groups = [Signal(pixel_group_layout(config), name=f"group{side}", reset_less=True) for side in range(2)]
        side = Signal()
        collected = Signal()
        walking = Signal()

        def saturated(distance: Signal, far: Signal) -> Mux:
            return Mux(far, BORDER_MAX, distance[:_BORDER_BITS])

        # whether x and y are 0, or beyond `BORDER_MAX`, is known a cycle ahead
        line_done, last_line = Signal(), Signal()
        far_x, far_y = Signal(), Signal()
        one_wide, far_wide = Signal(), Signal()
        wrap, image_done = kept.wrap, line_done & last_line
        m.d.comb += self.images.ready.eq(~walking)
        with m.If(~walking):
            m.d.sync += [
                walking.eq(self.images.valid),
                *([kept.eq(image)] if config.prefetch else []),
                top.eq(0),
                left.eq(0),
                row.eq(0),
                x.eq(image.out_width - 1),
                y.eq(image.out_height - 1),
                *(flag.eq(image.out_width == 1) for flag in (line_done, one_wide)),
                *(flag.eq(image.out_width > BORDER_MAX + 1) for flag in (far_x, far_wide)),
                last_line.eq(image.out_height == 1),
                far_y.eq(image.out_height > BORDER_MAX + 1),
            ]
        with m.Elif(~collected):
            m.d.sync += row.eq(row + 1)
            with m.If((row + 1 == kept.rows) | image_done | (line_done & ~wrap)):
                m.d.sync += [row.eq(0), collected.eq(1), walking.eq(~image_done)]
            with m.If(line_done):
                m.d.sync += [x.eq(kept.out_width - 1), y.eq(y - 1), left.eq(0)]
                m.d.sync += [line_done.eq(one_wide), last_line.eq(y == 1)]
                m.d.sync += [far_x.eq(far_wide), far_y.eq(far_y & (y != BORDER_MAX + 1))]
                with m.If(top != BORDER_MAX):
                    m.d.sync += top.eq(top + 1)
            with m.Else():
                m.d.sync += [x.eq(x - 1), line_done.eq(x == 1), far_x.eq(far_x & (x != BORDER_MAX + 1))]
                with m.If(left != BORDER_MAX):
                    m.d.sync += left.eq(left + 1)
        with m.If(self.groups.valid & self.groups.ready):
            m.d.sync += self.groups.valid.eq(0)
        with m.If(collected & (~self.groups.valid | self.groups.ready)):
            m.d.sync += [side.eq(~side), self.groups.valid.eq(1), collected.eq(0)]
        with m.If(~self.enable):
            m.d.sync += [walking.eq(0), collected.eq(0), self.groups.valid.eq(0)]
        # what is written here between two images is never offered
        with m.If(~collected):
            for number, group in enumerate(groups):
                for index in range(config.rows):
                    with m.If((side == number) & (row == index)):
                        m.d.sync += [
                            group.borders[index].top.eq(top),
                            group.borders[index].bottom.eq(saturated(y, far_y)),
                            group.borders[index].left.eq(left),
                            group.borders[index].right.eq(saturated(x, far_x)),
                            group.count.eq(index + 1),
                            group.last.eq(image_done),
                            group.line_end.eq(line_done & ~wrap),
                        ]
        m.d.comb += self.groups.payload.eq(Mux(side, *groups))
        return m
