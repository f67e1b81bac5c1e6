"""WriteChecksum: the checksum of what an instruction writes."""

from __future__ import annotations

import functools
import operator

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..cells.delay_line import delayed, kept
from ..spec.checksum import CHECKSUM_BITS
from ..spec.config import AcceleratorConfig

__all__ = ["WriteChecksum"]


class WriteChecksum(wiring.Component):
    """Adds up what is written (`spec.checksum`): ``word`` in each cycle in which ``valid`` is high, then the next rows'
    ``granules`` as far as ``beside`` is high. ``checksum`` counts a write 3 cycles later. ``run`` low sets it to 0.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._others = config.drain_rows - 1
        super().__init__(
            {
                "run": In(1),
                "valid": In(1),
                "word": In(config.act_word_bits),
                "beside": In(self._others),
                "granules": In(data.ArrayLayout(config.rescalers * config.code_bits, self._others)),
                "checksum": Out(2 * CHECKSUM_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Two Fletcher sums, the second of which takes the first one in a cycle later."""
        m = Module()
        sum_a, sum_b = self.checksum[:CHECKSUM_BITS], self.checksum[CHECKSUM_BITS:]
        valid_1, valid_2 = Signal(), Signal()
        m.d.sync += [valid_1.eq(self.valid), valid_2.eq(valid_1)]
        # what a cycle has written up to each row
        written = [_folded(m, self.word, "folded0")]
        for row in range(self._others):
            own = Mux(self.beside[row], _folded(m, self.granules[row], f"folded{row + 1}"), 0)
            written.append((written[-1] + own)[:CHECKSUM_BITS])
        upto = kept(m, "written", *written)
        added: Value = Value.cast(sum_a)
        for row in range(self._others):
            between = Signal(CHECKSUM_BITS, name=f"between{row}", reset_less=True)
            m.d.sync += between.eq(sum_a + upto[row])
            added = added + Mux(delayed(m, self.beside[row], 2, f"beside{row}_"), between, 0)
        with m.If(~self.run):
            m.d.sync += self.checksum.eq(0)
        with m.Else():
            with m.If(valid_1):
                m.d.sync += sum_a.eq(sum_a + upto[-1])
            with m.If(valid_2):
                m.d.sync += sum_b.eq(sum_b + added)
        return m


def _folded(m: Module, written: Value, name: str) -> Signal:
    """A word as `checksum.fold` makes it, by XOR."""
    result = Signal(CHECKSUM_BITS, name=name)
    pieces = [written[low : low + CHECKSUM_BITS] for low in range(0, len(written), CHECKSUM_BITS)]
    m.d.comb += result.eq(functools.reduce(operator.xor, pieces))
    return result
