"""ActivationBank: one bank of the activation memory, and who has its ports when."""

from __future__ import annotations

import contextlib

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells.checks import CHECK
from ..cells.delay_line import delayed
from ..cells.interfaces import MemoryRead, MemoryWrite
from ..spec.config import AcceleratorConfig
from ..spec.pipeline import pipeline
from ..spec.protection import used_bits
from ..spec.registers import Region
from .protected_scratchpad import ProtectedScratchpad
from .scratchpad import Scratchpad
from .single_port_memory import SinglePortMemory
from .split_scratchpad import SplitScratchpad

__all__ = ["ActivationBank"]


class ActivationBank(wiring.Component):
    """``word`` is that of ``address``, `Pipeline.bank_read` and `Pipeline.correct` later; with check bits ``check`` is
    its verdict, a cycle behind. Writes are stored at the clock edge; no two of
    ``writes`` may come in one cycle.

    With a backing store the loader has the port that writes in cycles in which nobody else writes, then the storer,
    whose word comes a cycle later.

    With a single-port memory a write takes the port from whoever reads: ``word`` is then undefined. Loader and storer
    have it in cycles in which nothing is written and ``reading``, which goes with ``address``, is low.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        address_bits, width = config.act_address_bits - config.banks_log2, config.act_word_bits
        write = MemoryWrite(address_bits, width, config.granules)
        back = MemoryRead(address_bits, width, int(config.is_protected))
        super().__init__(
            {
                "reading": In(1),
                "address": In(address_bits),
                "word": Out(width),
                "writes": In(write).array(config.drain_rows),
                **({"load": In(write), "store": In(back)} if config.has_backing else {}),
                **({"check": Out(CHECK)} if config.is_protected else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One memory, and a choice in front of the port that writes."""
        m = Module()
        config, plan = self._config, pipeline(self._config)
        single = config.memories == "single"
        width = config.act_word_bits
        shape = {"depth": config.act_words // config.banks, "width": width, "granule": width // config.granules}
        first, *beside = self.writes
        cases = [(write.enable.any(), write.address, write.data, write.enable) for write in reversed(beside)]
        if single:
            m.submodules.memory = memory = SinglePortMemory(**shape)
            port, back = memory.address, memory.read_data
            cases.append((first.enable.any(), first.address, first.data, first.enable))
            rest = self.address, first.data, first.enable
            m.d.comb += self.word.eq(delayed(m, memory.read_data, plan.bank_read - 1, "read"))
        else:
            shape |= {"read_cycles": plan.bank_read, "read_back": config.has_backing}
            near = plan.bank_near
            if config.is_protected:
                used = used_bits(config, Region.ACTIVATIONS)
                memory = ProtectedScratchpad(protection=config.protection, used=used, near=near, **shape)
                m.d.comb += self.check.eq(memory.check)
            else:
                memory = SplitScratchpad(near=near, **shape) if near else Scratchpad(**shape)
            m.submodules.memory = memory
            port, back = memory.write_address, memory.read_back if config.has_backing else None
            rest = first.address, first.data, first.enable
            m.d.comb += [memory.read_address.eq(self.address), self.word.eq(memory.read_data)]
        if config.has_backing:
            load, store, free = self.load, self.store, Signal()
            writing = Cat(write.enable for write in self.writes).any()
            m.d.comb += [
                free.eq(~(writing | self.reading) if single else ~writing),
                load.ready.eq(free),
                store.ready.eq(free & ~load.valid),
                store.data.eq(back),
            ]
            if config.is_protected:
                m.d.comb += store.checks[0].eq(memory.back_check)
            cases = [
                (load.valid & free, load.address, load.data, load.enable),
                (store.valid & store.ready, store.address, first.data, first.enable),
                *cases,
            ]
        ports = port, memory.write_data, memory.write_enable
        for place, (condition, *chosen) in enumerate(cases):
            with m.Elif(condition) if place else m.If(condition):
                m.d.comb += [to.eq(value) for to, value in zip(ports, chosen, strict=True)]
        with m.Else() if cases else contextlib.nullcontext():
            m.d.comb += [to.eq(value) for to, value in zip(ports, rest, strict=True)]
        return m
