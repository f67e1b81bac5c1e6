"""HostWords: the host as a client of the activation memory."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.checks import CHECK
from ..cells.delay_line import delayed
from ..cells.interfaces import HOST_WRITE
from ..spec.config import AcceleratorConfig
from ..spec.pipeline import pipeline
from ..spec.registers import REGION_BITS, Region, region_beats
from .activation_memory import words_read, words_write

__all__ = ["HostWords"]


class HostWords(wiring.Component):
    """Beats of 32 bits of the host's window as words and granules of the activation memory.

    ``beat`` is that of ``offset``, `Pipeline.activation_read` later, if the host is not kept out by ``busy`` when it
    asks. Then nobody else is there; a host that comes during a run would have to wait for ``read.ready`` and
    ``write.ready``. In a protected core ``check`` is that of a word which the host is ``reading``, two cycles behind
    it.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "busy": In(1),
                "host": In(HOST_WRITE),
                "offset": In(REGION_BITS - 2),
                "beat": Out(32),
                "read": Out(words_read(config)),
                "write": Out(words_write(config)),
                **({"reading": In(1), "check": Out(CHECK)} if config.is_protected else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The low bits of an offset choose granules of a word."""
        m = Module()
        config, read, write = self._config, self.read, self.write
        beats = region_beats(config, Region.ACTIVATIONS)
        beats_log2 = (beats - 1).bit_length()
        granules_per_beat = min(config.granules, 32 // (config.rescalers * config.code_bits))
        m.d.comb += [
            read.valid.eq(~self.busy),
            read.address.eq(self.offset >> beats_log2),
            write.valid.eq(self.host.enable),
            write.address.eq(self.host.offset >> beats_log2),
            write.data.eq(self.host.data.replicate(beats)),
            *(
                write.enable[granule].eq(
                    self.host.enable & (self.host.offset[:beats_log2] == granule // granules_per_beat)
                )
                for granule in range(config.granules)
            ),
        ]
        late = delayed(m, self.offset[:beats_log2], pipeline(config).activation_read, "beat", reset_less=False)
        pieces = [read.data[0][32 * beat : 32 * (beat + 1)] for beat in range(beats)]
        m.d.comb += self.beat.eq(Array(pieces)[late] if beats > 1 else pieces[0])
        if config.is_protected:
            asks = read.valid & read.ready & self.reading
            judged = delayed(m, asks, pipeline(config).activation_read + 1, "judged", reset_less=False)
            m.d.sync += self.check.eq(Mux(judged, read.checks[0].as_value(), 0))
        return m
