"""JobQueue: jobs, each a block of a tile, that wait to be unrolled into steps."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ..spec.config import AcceleratorConfig
from ..spec.isa import BLOCK
from ..spec.pipeline import pipeline
from .held_word import HELD_FLAGS

__all__ = ["JobQueue", "job_layout", "lanes_layout"]


def lanes_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Which lanes a column group multiplies: with ``apart``, only those of its ``place`` among the
    `AcceleratorConfig.diagonals` that share a weight word."""
    return data.StructLayout({"apart": 1, "place": (config.diagonals - 1).bit_length()})


def job_layout(config: AcceleratorConfig) -> data.StructLayout:
    """A block of one tile: where its words begin and how many there are, and what comes with its first and last."""
    return data.StructLayout(
        {
            "base": config.act_address_bits,
            "pitch": config.act_address_bits,
            "weight": max(1, (config.weight_words - 1).bit_length()),
            "groups_less": BLOCK["groups"].width,  # less one
            "one_group": 1,
            "first_tap": max(1, (config.taps - 1).bit_length()),
            "taps_less": BLOCK["tap_count"].width,  # less one
            "one_tap": 1,
            "pad_code": config.code_bits,
            "shift": 1,
            "hold": 1,
            "first": 1,
            "last": 1,
            "new_group": 1,
            **({"dynamic": HELD_FLAGS} if config.dynamic else {}),
            **({"lanes": lanes_layout(config)} if config.diagonals > 1 else {}),
        }
    )


class JobQueue(wiring.Component):
    """A queue of `Pipeline.jobs` places without a way to refuse: who fills it counts them.

    ``put`` stores ``job``; ``valid`` and ``head`` show the oldest one from the cycle after, until ``take``. ``run`` low
    empties it.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._jobs = pipeline(config).jobs
        layout = job_layout(config)
        super().__init__(
            {
                "run": In(1),
                "put": In(1),
                "job": In(layout),
                "take": In(1),
                "valid": Out(1),
                "head": Out(layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A memory that is read at once, and a ring of two indices."""
        m = Module()
        m.submodules.places = places = memory.Memory(shape=len(self.job.as_value()), depth=self._jobs, init=[])
        write, read = places.write_port(), places.read_port(domain="comb")
        index_bits = (self._jobs - 1).bit_length()
        first, free, count = Signal(index_bits), Signal(index_bits), Signal(range(self._jobs + 1))
        after = Signal.like(count)
        m.d.comb += [
            write.en.eq(self.put),
            write.addr.eq(free),
            write.data.eq(self.job),
            read.addr.eq(first),
            self.head.eq(read.data),
            after.eq(count + self.put - self.take),
        ]
        with m.If(~self.run):
            m.d.sync += [first.eq(0), free.eq(0), count.eq(0), self.valid.eq(0)]
        with m.Else():
            m.d.sync += [
                first.eq(first + self.take),
                free.eq(free + self.put),
                count.eq(after),
                self.valid.eq(after != 0),
            ]
        return m
