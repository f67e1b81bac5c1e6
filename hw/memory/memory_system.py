"""MemorySystem: loader, storer, their queues and the tokens between all units, and who keeps whom waiting."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..cells.records import record_layout
from ..spec.config import AcceleratorConfig
from ..spec.isa import COMPUTE, LOAD, Opcode, Unit
from ..spec.registers import Fault
from ..spec.transfer import MEMORIES
from .axi4 import Axi4
from .loader import Loader
from .storer import Storer
from .tokens import SIDES, Tokens
from .transfer_queue import TransferQueue

__all__ = ["MemorySystem"]


class MemorySystem(wiring.Component):
    """Everything between the sequencer and the bus.

    The sequencer shows an instruction as ``fields`` and ``index``. ``ready`` is high when the instruction may go on: a
    LOAD or STORE has room in its queue, a COMPUTE has its tokens, at END all is done. It goes on in a cycle in which
    ``accept`` is high too. ``compute_done`` gives the tokens of the COMPUTE that ``done_fields`` shows. ``waiting``
    says that the sequencer waits for ``ready``; the stalls say whom that cycle counts for.

    While ``active`` is low everything under way is thrown away, as far as the bus allows; ``idle`` is high when nothing
    is left. ``fault`` other than NONE says that the transfer at ``fault_index`` cannot go on.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self.loader, self.storer = Loader(config), Storer(config)
        index = max(1, (config.instructions - 1).bit_length())
        super().__init__(
            {
                "active": In(1),
                "clear": In(1),
                "fields": In(record_layout(COMPUTE)),
                "index": In(index),
                "legal": Out(1),
                "waiting": In(1),
                "ready": Out(1),
                "accept": In(1),
                "compute_done": In(1),
                "done_fields": In(record_layout(COMPUTE)),
                "idle": Out(1),
                "fault": Out(Fault),
                "fault_index": Out(index),
                "stall_load": Out(1),
                "stall_store": Out(1),
                "stall_token": Out(1),
                "base": In(32),
                "limit": In(32),
                "bus": Out(Axi4(data_width=config.bus_bits)),
                "write_weight": Out(1),
                "write_param": Out(1),
                "write_act": Out(1),
                "act_ready": In(1),
                "load_word": Out(16),
                "load_piece": Out(self.loader.piece.shape()),
                "load_data": Out(config.bus_bits),
                "store_word": Out(config.act_address_bits),
                "store_ready": In(1),
                "store_data": In(config.act_word_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the units."""
        m = Module()
        config = self._config
        m.submodules.tokens = tokens = Tokens(config)
        m.d.comb += tokens.clear.eq(self.clear)
        transfer = data.View(record_layout(LOAD), self.fields.as_value())
        opcode = self.fields.opcode
        is_load, is_store = Signal(), Signal()
        m.d.comb += [is_load.eq(opcode == Opcode.LOAD), is_store.eq(opcode == Opcode.STORE)]

        queues: dict[Unit, TransferQueue] = {}
        for unit, engine, mine in ((Unit.LOADER, self.loader, is_load), (Unit.STORER, self.storer, is_store)):
            name = unit.name.lower()
            m.submodules[name] = engine
            m.submodules[f"{name}_queue"] = queues[unit] = queue = TransferQueue(config)
            job = queue.jobs.payload
            m.d.comb += [
                queue.jobs.valid.eq(mine & self.accept),
                queue.cancel.eq(~self.active),
                queue.has.eq(tokens.has[unit]),
                tokens.take[unit].eq(queue.take),
                tokens.post[unit].eq(queue.post),
                queue.finished.eq(engine.finished),
                job.index.eq(self.index),
                job.wait.prev.eq(transfer.wait_prev),
                job.wait.next.eq(transfer.wait_next),
                job.post.prev.eq(transfer.post_prev),
                job.post.next.eq(transfer.post_next),
                engine.run.eq(queue.run),
                engine.job.eq(queue.job),
                engine.base.eq(self.base),
                engine.limit.eq(self.limit),
            ]
            for field in ("memory", "address", "pitch", "external", "count", "lines", "external_pitch"):
                m.d.comb += job[field].eq(transfer[field])

        loader, storer = self.loader, self.storer
        for engine in (loader, storer):
            for name, member in engine.bus.signature.members.items():
                outer, inner = getattr(self.bus, name), getattr(engine.bus, name)
                m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
        m.d.comb += [
            self.write_weight.eq(loader.write_weight),
            self.write_param.eq(loader.write_param),
            self.write_act.eq(loader.write_act),
            loader.act_ready.eq(self.act_ready),
            self.load_word.eq(loader.word),
            self.load_piece.eq(loader.piece),
            self.load_data.eq(loader.data),
            self.store_word.eq(storer.word),
            storer.ready.eq(self.store_ready),
            storer.read_data.eq(self.store_data),
        ]

        wanted, given = Signal(SIDES), Signal(SIDES)
        missing = Signal(SIDES)
        load_idle, store_idle = Signal(), Signal()
        m.d.comb += [
            wanted.prev.eq(self.fields.wait_prev),
            wanted.next.eq(self.fields.wait_next),
            given.prev.eq(self.done_fields.post_prev),
            given.next.eq(self.done_fields.post_next),
            missing.eq(wanted.as_value() & ~tokens.has[Unit.COMPUTE].as_value()),
            load_idle.eq(queues[Unit.LOADER].empty & loader.settled),
            store_idle.eq(queues[Unit.STORER].empty & storer.settled),
            self.idle.eq(load_idle & store_idle),
        ]
        with m.If((opcode == Opcode.COMPUTE) & self.accept):
            m.d.comb += tokens.take[Unit.COMPUTE].eq(wanted)
        with m.If(self.compute_done):
            m.d.comb += tokens.post[Unit.COMPUTE].eq(given)

        for_loader, for_storer = Signal(), Signal()
        with m.Switch(opcode):
            with m.Case(Opcode.LOAD):
                m.d.comb += for_loader.eq(~queues[Unit.LOADER].jobs.ready)
            with m.Case(Opcode.STORE):
                m.d.comb += for_storer.eq(~queues[Unit.STORER].jobs.ready)
            with m.Case(Opcode.COMPUTE):
                m.d.comb += [for_loader.eq(missing.prev), for_storer.eq(missing.next)]
            with m.Default():
                m.d.comb += [for_loader.eq(~load_idle), for_storer.eq(~store_idle)]
        moves = Mux(for_loader, queues[Unit.LOADER].run, queues[Unit.STORER].run)
        m.d.comb += [
            self.ready.eq(~for_loader & ~for_storer),
            self.stall_load.eq(self.waiting & for_loader & moves),
            self.stall_store.eq(self.waiting & ~for_loader & for_storer & moves),
            self.stall_token.eq(self.waiting & (for_loader | for_storer) & ~moves),
        ]

        known = [(transfer.memory == region) & is_load for region in MEMORIES[Opcode.LOAD]]
        known += [(transfer.memory == region) & is_store for region in MEMORIES[Opcode.STORE]]
        legal = known[0]
        for one in known[1:]:
            legal = legal | one
        m.d.comb += self.legal.eq(legal & (transfer.count != 0) & (transfer.lines != 0))

        for engine in (storer, loader):
            with m.If(engine.outside | engine.bus_error):
                m.d.comb += [
                    self.fault.eq(Mux(engine.bus_error, Fault.BUS, Fault.WINDOW)),
                    self.fault_index.eq(engine.job.index),
                ]
        return m
