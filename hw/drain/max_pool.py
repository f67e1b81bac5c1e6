"""MaxPool: the largest level over a window, lane by lane, on codes in digit planes."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..array.array import STEP_FLAGS
from ..spec.config import AcceleratorConfig
from .drain import write_flags_layout

__all__ = ["MaxPool"]


def _greater(a: Value, b: Value) -> Value:
    """Whether code ``a`` stands for a larger level than code ``b``; magnitudes are monotonic, codes are not."""
    sign_a, sign_b = a[-1], b[-1]
    magnitude_a, magnitude_b = a[:-1], b[:-1]
    same_sign = Mux(sign_a, magnitude_a < magnitude_b, magnitude_a > magnitude_b)
    return Mux(sign_a == sign_b, same_sign, sign_b)


class MaxPool(wiring.Component):
    """Keeps each lane's largest level of a window; planes arrive most significant first, ``planes`` steps a position.

    Levels compare like their digits from the most significant down. ``word`` and ``word_valid`` (outside padding)
    belong to the step of ``flags``. After the step flagged ``last`` the winner's planes leave on ``result``, plane 0
    first, one a cycle, starting `LATENCY` cycles later; the next window may follow at once. ``planes`` must be stable
    from the cycle before the first step on.

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
                "planes": In(range(config.planes + 1)),
                "word": In(config.act_word_bits),
                "word_valid": In(1),
                "flags": In(STEP_FLAGS),
                "result": Out(config.act_word_bits),
                "result_flags": Out(write_flags_layout()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count planes down, compare, keep, and play the result out."""
        m = Module()
        config = self._config
        planes, lanes, bits = config.planes, config.lanes, config.digits.base.bits
        word_layout = data.ArrayLayout(config.code_bits, lanes)
        word = data.View(word_layout, self.word)
        best = Array(Signal(word_layout, name=f"best{i}", reset_less=True) for i in range(planes))
        seen = Array(Signal(word_layout, name=f"seen{i}", reset_less=True) for i in range(planes))
        winner = Array(Signal(word_layout, name=f"winner{i}", reset_less=True) for i in range(planes))
        greater, less = Signal(lanes), Signal(lanes)
        plane = Signal(range(planes)) if planes > 1 else Signal(1)
        empty = Signal()  # no valid position yet
        finish = Signal()

        top, single = Signal.like(plane), Signal()
        m.d.sync += [top.eq(self.planes - 1), single.eq(self.planes == 1)]
        top_plane = Signal()
        is_empty = Signal()
        step_plane = Signal.like(plane)
        m.d.comb += [
            is_empty.eq(self.flags.first | empty),
            step_plane.eq(Mux(self.flags.first, top, plane)),
            top_plane.eq(step_plane == top),
        ]
        m.d.sync += finish.eq(self.flags.valid & self.flags.last)
        with m.If(self.flags.valid):
            m.d.sync += [seen[step_plane].eq(word), plane.eq(Mux(step_plane == 0, top, step_plane - 1))]
            with m.If(self.flags.first):
                m.d.sync += empty.eq(1)
            with m.If((step_plane == 0) & self.word_valid):
                m.d.sync += empty.eq(0)
            for lane in range(lanes):
                code = Value.cast(word[lane])[:bits]
                kept = Value.cast(Array(best[i][lane] for i in range(planes))[step_plane])[:bits]
                undecided = top_plane | ~(greater[lane] | less[lane])
                now_greater = Mux(undecided, _greater(code, kept), greater[lane])
                now_less = Mux(undecided, _greater(kept, code), less[lane])
                m.d.sync += [greater[lane].eq(now_greater), less[lane].eq(now_less)]
                with m.If((step_plane == 0) & self.word_valid & (is_empty | now_greater)):
                    m.d.sync += best[0][lane].eq(word[lane])
                    for i in range(1, planes):
                        m.d.sync += best[i][lane].eq(seen[i][lane])

        playing, last_plane = Signal(), Signal()
        play_plane = Signal.like(plane)
        with m.If(~self.run):
            m.d.sync += playing.eq(0)
        with m.Else():
            with m.If(playing):
                m.d.sync += [play_plane.eq(play_plane + 1), last_plane.eq(play_plane + 1 == top)]
                with m.If(last_plane):
                    m.d.sync += playing.eq(0)
            with m.If(finish):
                m.d.sync += [playing.eq(1), play_plane.eq(0), last_plane.eq(single)]
                m.d.sync += [winner[i].eq(best[i]) for i in range(planes)]
        m.d.comb += [
            self.result.eq(winner[play_plane]),
            self.result_flags.valid.eq(playing),
            self.result_flags.pixel_planes.eq(last_plane),
            self.result_flags.row.eq(last_plane),
            self.result_flags.tile.eq(last_plane),
        ]
        return m
