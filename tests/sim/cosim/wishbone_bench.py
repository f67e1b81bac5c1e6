"""The cocotb side of test_wishbone.py: random classic cycles, alone and in blocks, with idle cycles between them."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotbext.wishbone.driver import WBOp, WishboneMaster
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import (
    MAGIC,
    Control,
    Fault,
    Region,
    Register,
    Status,
    region_address,
    region_beats,
    region_depth,
)
from pin_traffic import configured, finish, long_run, reset

ACK, ERR = 1, 2
_SIGNALS = {name: name for name in ("cyc", "stb", "we", "adr", "sel", "ack", "err")} | {
    "datwr": "dat_w",
    "datrd": "dat_r",
}


class Traffic:
    """A core with its bus model; an access is (byte address, value to write or None, byte selects)."""

    def __init__(self, top: Any, config: AcceleratorConfig) -> None:
        self.config, self.rng, self.idle, self.count = config, random.Random(1), 0.0, 0
        self.master = WishboneMaster(top, "s_wb", top.clk, timeout=100, signals_dict=_SIGNALS)

    async def block(self, accesses: list[tuple[int, int | None, int]]) -> list[tuple[int, int]]:
        """(ACK or ERR, word read) of accesses within one CYC."""
        self.count += len(accesses)
        pauses = [self.rng.randint(0, 4) if self.rng.random() < self.idle else 0 for _ in accesses]
        operations = [
            WBOp(adr=address // 4, dat=value, sel=sel, idle=pause)
            for (address, value, sel), pause in zip(accesses, pauses, strict=True)
        ]
        results = await self.master.send_cycle(operations)
        assert len(results) == len(operations)
        return [(result.ack, int(result.datrd)) for result in results]

    async def write(self, address: int, value: int, sel: int = 0b1111) -> int:
        return (await self.block([(address, value, sel)]))[0][0]

    async def read(self, address: int) -> tuple[int, int]:
        return (await self.block([(address, None, 0b1111)]))[0]


@cocotb.test()
async def traffic(top: Any) -> None:
    """All scenarios one after the other."""
    host = Traffic(top, configured())
    await reset(top)
    for idle in (0.0, 0.7):
        host.idle = idle
        assert await host.read(Register.MAGIC.offset) == (ACK, MAGIC)
        await windows(host)
        await conflicts(host)
    finish(transactions=host.count)


async def windows(host: Traffic) -> None:
    """Random beats of the activations in blocks of random length against a model, some writes refused among them."""
    config, rng = host.config, host.rng
    depth, beats = region_depth(config, Region.ACTIVATIONS), region_beats(config, Region.ACTIVATIONS)
    places = [(word, beat) for word in range(depth) for beat in range(beats)]
    bits = [min(32, config.act_word_bits - 32 * beat) for beat in range(beats)]
    model: dict[tuple[int, int], int] = {}
    for _ in range(40):
        accesses, expected = [], []
        for place in rng.choices(places, k=rng.randint(1, 12)):
            address, kind = region_address(config, Region.ACTIVATIONS, *place), rng.random()
            if place not in model or kind < 0.4:
                model[place] = rng.getrandbits(bits[place[1]])
                accesses.append((address, model[place], 0b1111))
                expected.append((ACK, None))
            elif kind < 0.6:
                accesses.append((address, rng.getrandbits(32), rng.randrange(0b1111)))
                expected.append((ERR, None))
            else:
                accesses.append((address, None, 0b1111))
                expected.append((ACK, model[place]))
        found = await host.block(accesses)
        assert [
            (end, word if wanted is not None else None)
            for (end, word), (_, wanted) in zip(found, expected, strict=True)
        ] == expected


async def conflicts(host: Traffic) -> None:
    """While a run lasts the memories refuse: a write ends it in a fault, a read leaves it alone."""
    config, rng = host.config, host.rng
    await host.write(Register.PROGRAM_CONFIG.offset, config.hash32)
    program = [(address, word, 0b1111) for address, word in long_run(config)]
    assert {end for end, _ in await host.block(program)} == {ACK}
    for region in rng.sample([Region.INSTRUCTIONS, Region.WEIGHTS, Region.ACTIVATIONS, Region.CHECKSUMS], 4):
        value = rng.getrandbits(32) if rng.random() < 0.5 else None
        accesses = [
            (Register.CONTROL.offset, int(Control.START), 0b1111),
            (Register.STATUS.offset, None, 0b1111),
            (region_address(config, region), value, 0b1111),
            (Register.STATUS.offset, None, 0b1111),
            (Register.CONTROL.offset, int(Control.CLEAR), 0b1111),
        ]
        found = await host.block(accesses)
        assert [end for end, _ in found] == [ACK, ACK, ERR, ACK, ACK]
        assert found[1][1] == Status.BUSY
        fault = 0 if value is None else Status.FAULT | Fault.HOST_ACCESS << 8
        assert found[3][1] | Status.BUSY == fault | Status.REFUSED | Status.BUSY
        for _ in range(20):
            status = (await host.read(Register.STATUS.offset))[1]
            if status == 0:
                break
            assert status == Status.BUSY
        assert status == 0
