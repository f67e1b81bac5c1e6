"""HandoutGate: when an instruction may go on, and who keeps it waiting."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..cells.records import record_layout
from ..control.handout import STALLS, Handout
from ..spec.config import AcceleratorConfig
from ..spec.isa import LOAD, Opcode
from ..spec.registers import core_faults
from ..spec.transfer import MEMORIES
from .tokens import TOKEN_SIDE
from .transfer_queue import job_layout
from .transfer_unit import TransferState

__all__ = ["HandoutGate"]


class HandoutGate(wiring.Component):
    """Answers the sequencer: gives LOADs and STOREs to the units of these, takes the tokens of a COMPUTE, waits for all
    at an END. Each cycle in which the sequencer waits is put down to one of `STALLS`, the loader first. Combinational.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        jobs = stream.Signature(job_layout(config))
        super().__init__(
            {
                "handout": In(Handout(config)),
                "tokens": Out(TOKEN_SIDE),
                "loads": Out(jobs),
                "stores": Out(jobs),
                "loader": In(TransferState(config)),
                "storer": In(TransferState(config)),
                "stalls": Out(STALLS),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """By opcode."""
        m = Module()
        handout, fields, tokens = self.handout, self.handout.fields, self.tokens
        loader, storer = self.loader, self.storer
        transfer = data.View(record_layout(LOAD), fields.as_value())
        for opcode, jobs in ((Opcode.LOAD, self.loads), (Opcode.STORE, self.stores)):
            job = jobs.payload
            m.d.comb += [
                jobs.valid.eq((fields.opcode == opcode) & handout.accept),
                job.index.eq(handout.index),
                job.wait.eq(Cat(transfer.wait_prev, transfer.wait_next)),
                job.post.eq(Cat(transfer.post_prev, transfer.post_next)),
                *(job[name].eq(transfer[name]) for name, _ in job.shape() if name not in ("index", "wait", "post")),
            ]

        missing = Signal(tokens.has.shape())
        wanted = Cat(fields.wait_prev, fields.wait_next)
        m.d.comb += missing.eq(wanted & ~tokens.has.as_value())
        with m.If((fields.opcode == Opcode.COMPUTE) & handout.accept):
            m.d.comb += tokens.take.eq(wanted)
        with m.If(handout.done):
            m.d.comb += tokens.post.eq(Cat(handout.done_fields.post_prev, handout.done_fields.post_next))

        for_loader, for_storer = Signal(), Signal()
        with m.Switch(fields.opcode):
            with m.Case(Opcode.LOAD):
                m.d.comb += for_loader.eq(~self.loads.ready)
            with m.Case(Opcode.STORE):
                m.d.comb += for_storer.eq(~self.stores.ready)
            with m.Case(Opcode.COMPUTE):
                m.d.comb += [for_loader.eq(missing.prev), for_storer.eq(missing.next)]
            with m.Default():
                m.d.comb += [for_loader.eq(~loader.idle), for_storer.eq(~storer.idle)]
        none = core_faults(self._config).NONE
        moves = Mux(for_loader, loader.moving, storer.moving)
        known = Cat(
            (fields.opcode == opcode) & (transfer.memory == region)
            for opcode, regions in MEMORIES.items()
            for region in regions
        )
        m.d.comb += [
            handout.ready.eq(~for_loader & ~for_storer),
            handout.legal.eq(known.any() & (transfer.count != 0) & (transfer.lines != 0)),
            handout.fault.eq(Mux(loader.fault != none, loader.fault, storer.fault)),
            handout.fault_index.eq(Mux(loader.fault != none, loader.fault_index, storer.fault_index)),
            self.stalls.stall_load.eq(handout.waiting & for_loader & moves),
            self.stalls.stall_store.eq(handout.waiting & ~for_loader & for_storer & moves),
            self.stalls.stall_token.eq(handout.waiting & (for_loader | for_storer) & ~moves),
            self.idle.eq(loader.idle & storer.idle),
        ]
        return m
