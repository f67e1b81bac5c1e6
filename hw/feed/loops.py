"""FeedLoops: which byte of a frame comes next, and where the words of its pixel lie."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..cells.interfaces import HOST_WRITE
from ..memory.scratchpad import Scratchpad
from ..spec.config import AcceleratorConfig
from ..spec.feed import FEED_ENTRIES, FEED_LOOPS, FEED_START, feed_planes, frame_place_bits
from .entries import FeedEntries, feed_step

__all__ = ["FeedLoops", "Kind", "frame_byte", "paced"]


_NEXT_LOOP = 1
"""The loop around the innermost one."""

_COPIED = 2
"""Round of "count" in which entry 0 is there, whose address "idle" gave."""


class Kind(enum.Enum, shape=unsigned(2)):
    """What a value of a pixel is."""

    BYTE = 0
    FILL = 1
    """A place outside the frame."""
    NONE = 2
    """A lane behind the last value, which stays 0."""


def frame_byte(config: AcceleratorConfig) -> data.StructLayout:
    """A value of a pixel: the byte's place in the frame, and what it is."""
    return data.StructLayout({"place": (config.frame_bytes - 1).bit_length(), "kind": Kind})


class FeedLoops(wiring.Component):
    """Values of a frame's pixels, one behind the other, each pixel filled up to whole words (`spec.feed`).

    ``go`` begins a frame, in any cycle but one with ``busy``; ``clear`` gives it up. ``values`` gives at most one value
    a cycle and does not wait for ``ready``: who takes them is as fast, given as many cycles for each granule as it has
    planes. ``word`` is the address of a pixel's first word, from before its first value until ``rest`` says that
    everything of it is written, which ends a pixel. ``between`` is high where no pixel is under way but for what
    ``rest`` waits for. ``ended`` is high in the last cycle of ``busy``, unless that is ``clear``'s doing, which waits
    for ``rest``, too.

    A round of the innermost loop takes a cycle, that of the loop n places outside 2 n + 1 more: whether a loop has
    ended is known a cycle before it is acted upon. A pixel's end waits for ``rest``.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._place_bits = frame_place_bits(config)
        super().__init__(
            {
                "host": In(HOST_WRITE),
                "columns": In(self._place_bits),
                "lines": In(self._place_bits),
                "go": In(1),
                "clear": In(1),
                "busy": Out(1),
                "ended": Out(1),
                "values": Out(stream.Signature(frame_byte(config), always_ready=True)),
                "word": Out(config.act_address_bits),
                "rest": In(1),
                "between": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One adder for each thing that moves, whichever loop moves it; rounds are counted in a memory.

        The innermost loop's entry is copied at a frame's begin, so that the memory of entries is read for the others
        alone, by an address that comes from a register."""
        m = Module()
        config = self._config
        address = Signal(range(FEED_ENTRIES))  # of the entry that is there in the next cycle
        m.submodules.entries = entries = FeedEntries(config)
        connect(m, flipped(self.host), entries.host)
        outer, inner = entries.step, Signal(feed_step(config), reset_less=True)
        m.submodules.rounds = rounds = Scratchpad(
            depth=1 << len(address), width=self._place_bits, granule=self._place_bits
        )
        m.d.comb += [
            entries.address.eq(address),
            rounds.read_address.eq(address),
        ]

        level = Signal(range(FEED_LOOPS))
        run, following = Signal(self._place_bits), Signal(self._place_bits, init=1)  # a round, and the next one
        begun, final, over = Signal(), Signal(), Signal()
        place = Signal((config.frame_bytes - 1).bit_length())
        column, line = Signal(self._place_bits), Signal(self._place_bits)
        lane, padded = Signal(range(config.lanes)), Signal()
        moves, emits, last = Signal(), Signal(), Signal()  # last: this is the innermost loop's last round
        step, goes_round = Signal(feed_step(config)), Signal()
        inside = (column < self.columns) & (line < self.lines)
        m.d.comb += [
            last.eq(Mux(begun, final, inner.single)),
            step.eq(Mux(goes_round, inner, outer)),
            rounds.write_address.eq(level),
            self.values.valid.eq(emits),
            self.values.payload.place.eq(place),
        ]
        with m.If(moves):
            m.d.sync += [
                self.word.eq(self.word + step.word),
                place.eq(place + step.byte),
                column.eq(column + step.column),
                line.eq(line + step.line),
            ]
        may = paced(m, config, emits, lane)
        with m.If(emits):
            m.d.sync += lane.eq(lane + 1)

        def or_give_up() -> None:
            with m.If(self.clear):
                m.next = "flush"

        with m.FSM() as states:
            with m.State("idle"):
                m.d.sync += [level.eq(0), run.eq(0), following.eq(1), begun.eq(0), padded.eq(0), lane.eq(0)]
                m.d.sync += [address.eq(0), self.word.eq(0), place.eq(0), column.eq(0), line.eq(0)]
                with m.If(self.go):
                    m.next = "count"
            with m.State("count"):  # what a frame that was given up may have left
                m.d.comb += rounds.write_enable.eq(1)
                m.d.sync += level.eq(level + 1)
                with m.If(level == _COPIED):
                    m.d.sync += [inner.eq(outer), address.eq(FEED_START)]
                with m.If(level == FEED_LOOPS - 1):
                    m.d.sync += level.eq(_NEXT_LOOP)
                    m.next = "begin"
                or_give_up()
            with m.State("begin"):
                m.d.comb += moves.eq(1)
                m.d.sync += address.eq(_NEXT_LOOP)
                m.next = "run"
                or_give_up()
            with m.State("run"):
                m.d.comb += [
                    self.values.payload.kind.eq(Mux(inside, Kind.BYTE, Kind.FILL)),
                    emits.eq(may),
                    moves.eq(may),
                    goes_round.eq(1),
                ]
                m.d.sync += [begun.eq(1), final.eq(Mux(may, following, run) == inner.count)]
                with m.If(may):
                    m.d.sync += [run.eq(run + 1), following.eq(following + 1)]
                    with m.If(last):
                        m.d.sync += [run.eq(0), following.eq(1), begun.eq(0)]
                        m.next = "judge"
                or_give_up()
            with m.State("judge"):
                m.d.sync += [over.eq(rounds.read_data == outer.count), address.eq(level + 1)]
                m.next = "carry"
                or_give_up()
            with m.State("carry"):
                with m.If((outer.pixel | outer.end) & ~padded):
                    m.d.sync += address.eq(level)
                    m.next = "pad"
                with m.Elif(outer.end):
                    m.d.comb += self.ended.eq(~self.clear)
                    m.next = "idle"
                with m.Else():
                    m.d.comb += rounds.write_enable.eq(1)
                    with m.If(over):
                        m.d.sync += level.eq(level + 1)
                        m.next = "judge"
                    with m.Else():
                        m.d.comb += [rounds.write_data.eq(rounds.read_data + 1), moves.eq(1)]
                        m.d.sync += [level.eq(_NEXT_LOOP), address.eq(_NEXT_LOOP), padded.eq(0)]
                        m.next = "run"
                or_give_up()
            with m.State("pad"):
                m.d.comb += self.values.payload.kind.eq(Kind.NONE)
                with m.If(lane == 0):
                    m.next = "rest"
                with m.Else():
                    m.d.comb += emits.eq(may)
                or_give_up()
            with m.State("rest"):
                with m.If(self.rest):
                    m.d.sync += [padded.eq(1), address.eq(level + 1)]
                    m.next = "carry"
                or_give_up()
            with m.State("flush"), m.If(self.rest):
                m.next = "idle"
        m.d.comb += [
            self.busy.eq(~states.ongoing("idle")),
            self.between.eq(
                states.ongoing("idle") | states.ongoing("count") | states.ongoing("begin") | states.ongoing("rest")
            ),
        ]
        return m


def paced(m: Module, config: AcceleratorConfig, emits: Signal, lane: Signal) -> Signal:
    """High where a value may leave: a granule's planes are written one a cycle. ``emits`` says that one leaves,
    ``lane`` which of a word."""
    may, pause = Signal(), feed_planes(config) - config.rescalers
    if pause <= 0:
        m.d.comb += may.eq(1)
        return may
    left = Signal(range(pause + 1))
    rescalers_log2 = (config.rescalers - 1).bit_length()
    m.d.comb += may.eq(left == 0)
    ends = lane[:rescalers_log2].all() if rescalers_log2 else 1
    with m.If(emits & ends):
        m.d.sync += left.eq(pause)
    with m.Elif(left != 0):
        m.d.sync += left.eq(left - 1)
    return may
