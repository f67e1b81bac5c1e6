"""MaxPool: the largest level over a window, lane by lane, on codes in digit planes."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from ..array.array import STEP_FLAGS
from ..cells.copies import copy_of
from ..cells.delay_line import delayed, kept
from ..cells.interfaces import INSTRUCTION
from ..spec.config import AcceleratorConfig
from ..spec.cycles import word_hold_cycles
from ..spec.formats import Format
from ..spec.pipeline import pipeline
from .written import Written

__all__ = ["MaxPool", "WindowWords"]


def _key(code: Value, base: Format) -> Value:
    """An unsigned number that grows with the level of a code of sign and magnitude; of a code whose minus zero is the
    lowest level that of two's complement."""
    magnitude = code[:-1]
    below = (~magnitude + 1 if base.whole else ~magnitude)[: len(magnitude)]
    return Cat(Mux(code[-1], below, magnitude), ~code[-1])


def _code(key: Value, base: Format) -> Value:
    """The code of a key."""
    return Cat(_key(Cat(key[:-1], ~key[-1]), base)[:-1], ~key[-1])


class WindowWords(Signature):
    """To the max-pool unit: the ``word`` of a step with its ``flags``, and whether it lies ``inside``, not in padding.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__({"word": Out(config.act_word_bits), "inside": Out(1), "flags": Out(STEP_FLAGS)})


class MaxPool(wiring.Component):
    """Keeps each lane's largest level of a window; planes arrive most significant first, ``planes`` steps a position.

    Levels compare like their digits from the most significant down. After the step flagged ``last`` the winner's planes
    leave on ``words``, plane 0 first, one a cycle, starting `Pipeline.max_pool` later; the next window may follow at
    once. The instruction must be there in the cycle before the first step. With single-port memories ``ahead`` is high
    in the cycle before the one in which a step has to wait because it would read when a word is written.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "instruction": In(INSTRUCTION),
                "windows": In(WindowWords(config)),
                "words": Out(Written(config.act_word_bits)),
                **({"ahead": Out(1)} if config.memories == "single" else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count planes down, compare, keep, and play the result out."""
        m = Module()
        config, windows = self._config, self.windows
        wanted = self.instruction.fields.planes[: config.planes.bit_length()]
        base = config.digits.base
        planes, lanes, bits = config.planes, config.lanes, base.bits
        keys_layout = data.ArrayLayout(bits, lanes)
        best = Array(Signal(keys_layout, name=f"best{i}", reset_less=True) for i in range(planes))
        seen = Array(Signal(keys_layout, name=f"seen{i}", reset_less=True) for i in range(planes))
        winner = Array(Signal(keys_layout, name=f"winner{i}", reset_less=True) for i in range(planes))
        greater, less = Signal(lanes), Signal(lanes)
        plane = Signal(range(planes)) if planes > 1 else Signal(1)

        top, single = Signal.like(plane, name="top"), Signal()
        m.d.sync += [top.eq(wanted - 1), single.eq(wanted == 1)]
        now = Signal.like(plane)
        m.d.comb += now.eq(Mux(windows.flags.first, top, plane))
        with m.If(windows.flags.valid):
            m.d.sync += plane.eq(Mux(now == 0, top, now - 1))
        coming_flags = delayed(m, windows.flags, 1, "flags", reset_less=False)
        codes = (windows.word.word_select(lane, config.code_bits)[:bits] for lane in range(lanes))
        coming = kept(m, "coming", Cat(_key(code, base) for code in codes), windows.inside, now == top, now == 0)
        coming_keys, coming_inside, coming_top, coming_end = coming
        [keys] = kept(m, "step", coming_keys)
        keys = data.View(keys_layout, keys)
        held = Signal(keys_layout, reset_less=True)  # the largest so far in the step's plane

        # what a step does to all lanes is known before it, and kept twice, for a half of them each
        halves = range(2) if lanes > 1 else range(1)
        next_plane = [copy_of(m, now, half, f"next_plane{half}") for half in halves]
        judges = coming_flags.valid & coming_end & coming_inside  # a valid position's last plane
        valid, judged = Signal(), Signal()
        empty, still_empty = Signal(), Signal()  # no valid position yet
        m.d.comb += still_empty.eq(empty & ~judged)
        m.d.sync += [
            valid.eq(coming_flags.valid),
            judged.eq(judges),
            empty.eq(still_empty | (coming_flags.valid & coming_flags.first)),
        ]
        judge, alone, top_plane, finish = (
            [copy_of(m, value, half, f"{name}{half}") for half in halves]
            for name, value in (
                ("judge", judges),
                ("alone", still_empty | coming_flags.first),
                ("top_plane", coming_top),
                ("finish", delayed(m, coming_flags.valid & coming_flags.last, 1, "last", reset_less=False)),
            )
        )
        stores = Signal(planes)
        m.d.sync += stores.eq(Cat(coming_flags.valid & (next_plane[0] == index) for index in range(planes)))
        for index in range(planes):
            with m.If(stores[index]):
                m.d.sync += seen[index].eq(keys)
        for lane in range(lanes):
            key, half = keys[lane], lane * len(halves) // lanes
            undecided = top_plane[half] | ~(greater[lane] | less[lane])
            now_greater = Mux(undecided, key > held[lane], greater[lane])
            now_less = Mux(undecided, key < held[lane], less[lane])
            with m.If(valid):
                m.d.sync += [greater[lane].eq(now_greater), less[lane].eq(now_less)]
            largest = [key, *(seen[i][lane] for i in range(1, planes))]
            m.d.sync += held[lane].eq(Array(best[i][lane] for i in range(planes))[next_plane[half]])
            with m.If(judge[half] & (alone[half] | now_greater)):
                m.d.sync += [best[i][lane].eq(largest[i]) for i in range(planes)]
                m.d.sync += held[lane].eq(Array(largest)[next_plane[half]])
            with m.If(finish[half]):
                m.d.sync += [winner[i][lane].eq(best[i][lane]) for i in range(planes)]

        if config.memories == "single":
            self._look_ahead(m, top)

        playing, last_plane = Signal(), Signal()
        play_plane = Signal.like(plane)
        with m.If(~self.instruction.run):
            m.d.sync += playing.eq(0)
        with m.Else():
            with m.If(playing):
                m.d.sync += [play_plane.eq(play_plane + 1), last_plane.eq(play_plane + 1 == top)]
                with m.If(last_plane):
                    m.d.sync += playing.eq(0)
            with m.If(finish[0]):
                m.d.sync += [playing.eq(1), play_plane.eq(0), last_plane.eq(single)]
        late = pipeline(config).play - 1
        following = Signal.like(play_plane)
        m.d.comb += following.eq(Mux(finish[0], 0, play_plane + 1))
        chosen = [copy_of(m, following, half, f"chosen{half}") for half in halves] if late else [play_plane]
        shown = []
        for lane in range(lanes):
            word = Array(each[lane] for each in winner)[chosen[lane * len(chosen) // lanes]]
            shown.append(delayed(m, word, late, f"shown{lane}_"))
        flags = delayed(m, Cat(playing, last_plane), late, "play_flags", reset_less=False)
        m.d.comb += [
            *(
                self.words.codes.word_select(lane, config.code_bits).eq(_code(Value.cast(shown[lane]), base))
                for lane in range(lanes)
            ),
            self.words.flags.valid.eq(flags[0]),
            self.words.flags.pixel_planes.eq(flags[1]),
            self.words.flags.row.eq(flags[1]),
            self.words.flags.tile.eq(flags[1]),
        ]
        return m

    def _look_ahead(self, m: Module, top: Signal) -> None:
        """As many cycles as a winner has planes, from the one in which its first word's hold has to be known."""
        early = pipeline(self._config).max_pool - word_hold_cycles(self._config)
        ends = self.windows.flags.valid & self.windows.flags.last
        begins = delayed(m, ends, early, "begins", reset_less=False)
        left = Signal.like(top, name="held_left")
        m.d.comb += self.ahead.eq(begins | (left != 0))
        with m.If(~self.instruction.run):
            m.d.sync += left.eq(0)
        with m.Elif(begins):
            m.d.sync += left.eq(top)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
