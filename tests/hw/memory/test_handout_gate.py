"""HandoutGate: what an instruction waits for, whom its cycles are put down to, and which transfers are legal."""

from __future__ import annotations

from itertools import product
from typing import Any

from amaranth_bench import pack, simulate
from narrows.hw.memory.handout_gate import HandoutGate
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import COMPUTE, LOAD, Opcode
from narrows.hw.spec.registers import Fault, Region
from narrows.hw.spec.transfer import MEMORIES

CONFIG = AcceleratorConfig(backing="axi4")


def test_each_opcode_waits_for_what_the_contract_says() -> None:
    dut: Any = HandoutGate(CONFIG)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.handout.waiting, 1)
        for opcode, *states in product((Opcode.LOAD, Opcode.STORE, Opcode.COMPUTE, Opcode.END), *[(0, 1)] * 6):
            free_load, free_store, moves_load, moves_store, prev, following = states
            fields = {"opcode": opcode, "wait_prev": 1, "wait_next": 1}
            ctx.set(dut.handout.fields.as_value(), pack(COMPUTE.encode(fields), 32))
            # room in a queue, all done, or a token, whatever the opcode asks for
            ctx.set(dut.loads.ready, free_load)
            ctx.set(dut.stores.ready, free_store)
            ctx.set(dut.loader.idle, free_load)
            ctx.set(dut.storer.idle, free_store)
            ctx.set(dut.loader.moving, moves_load)
            ctx.set(dut.storer.moving, moves_store)
            ctx.set(dut.tokens.has, {"prev": prev, "next": following})
            for_loader, for_storer = {
                Opcode.LOAD: (not free_load, False),
                Opcode.STORE: (False, not free_store),
                Opcode.COMPUTE: (not prev, not following),
                Opcode.END: (not free_load, not free_store),
            }[opcode]
            assert ctx.get(dut.handout.ready) == int(not for_loader and not for_storer)
            cause = None
            if for_loader or for_storer:
                moves = moves_load if for_loader else moves_store
                cause = ("stall_load" if for_loader else "stall_store") if moves else "stall_token"
            for name in ("stall_load", "stall_store", "stall_token"):
                assert ctx.get(getattr(dut.stalls, name)) == int(name == cause), (opcode, states)
            assert ctx.get(dut.idle) == (free_load & free_store)

    simulate(dut, bench)


def test_jobs_and_tokens_go_where_they_belong() -> None:
    dut: Any = HandoutGate(CONFIG)
    job = {"memory": Region.PARAMS, "address": 5, "pitch": 6, "external": 64, "count": 7, "lines": 2}
    tokens = {"wait_prev": 1, "post_next": 1}

    async def bench(ctx: Any) -> None:
        ctx.set(dut.handout.accept, 1)
        ctx.set(dut.handout.index, 3)
        for opcode, jobs, other in ((Opcode.LOAD, dut.loads, dut.stores), (Opcode.STORE, dut.stores, dut.loads)):
            ctx.set(dut.handout.fields.as_value(), pack(LOAD.encode({"opcode": opcode, **job, **tokens}), 32))
            assert (ctx.get(jobs.valid), ctx.get(other.valid)) == (1, 0)
            assert {name: ctx.get(jobs.payload[name]) for name in job} == job
            assert ctx.get(jobs.payload.index) == 3
            assert (ctx.get(jobs.payload.wait.as_value()), ctx.get(jobs.payload.post.as_value())) == (0b01, 0b10)
            assert ctx.get(dut.tokens.take.as_value()) == 0
        ctx.set(dut.handout.fields.as_value(), pack(COMPUTE.encode({"opcode": Opcode.COMPUTE, **tokens}), 32))
        ctx.set(dut.handout.done_fields.as_value(), pack(COMPUTE.encode({"post_prev": 1}), 32))
        assert (ctx.get(dut.tokens.take.as_value()), ctx.get(dut.tokens.post.as_value())) == (0b01, 0)
        ctx.set(dut.handout.accept, 0)
        ctx.set(dut.handout.done, 1)
        assert (ctx.get(dut.tokens.take.as_value()), ctx.get(dut.tokens.post.as_value())) == (0, 0b01)

    simulate(dut, bench)


def test_transfers_of_unknown_memories_or_of_nothing_are_not_legal() -> None:
    dut: Any = HandoutGate(CONFIG)

    async def bench(ctx: Any) -> None:
        for opcode, region, count, lines in product(MEMORIES, range(8), (0, 3), (0, 2)):
            fields = {"opcode": opcode, "memory": region, "count": count, "lines": lines}
            ctx.set(dut.handout.fields.as_value(), pack(LOAD.encode(fields), 32))
            legal = region in MEMORIES[opcode] and count and lines
            assert ctx.get(dut.handout.legal) == int(bool(legal)), fields

    simulate(dut, bench)


def test_the_loaders_fault_comes_first() -> None:
    dut: Any = HandoutGate(CONFIG)

    async def bench(ctx: Any) -> None:
        for loader, storer in product((Fault.NONE, Fault.WINDOW, Fault.BUS), repeat=2):
            for unit, fault, index in ((dut.loader, loader, 4), (dut.storer, storer, 9)):
                ctx.set(unit.fault, fault)
                ctx.set(unit.fault_index, index)
            found = Fault(ctx.get(dut.handout.fault)), ctx.get(dut.handout.fault_index)
            assert found[0] == (loader or storer)
            assert found[0] == Fault.NONE or found[1] == (4 if loader else 9)

    simulate(dut, bench)
