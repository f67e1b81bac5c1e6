"""The cocotb side of test_axi4_port.py: random programs over independent AXI4 models, with pauses on every channel."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam, AxiResp
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.runtime import Transport
from numpy.typing import NDArray
from pin_traffic import configured, finish, pause_channels, reset
from random_transfers import random_program
from transfer_batch import run_one

_STORE_BYTES = 1 << 16


class PinTransport(Transport):
    """A core at its pins: host accesses one by one, and a memory at its master port."""

    def __init__(self, top: Any) -> None:
        self._top = top
        self._master = AxiLiteMaster(AxiLiteBus.from_prefix(top, "s_axil"), top.clk, top.rst)
        self.ram = AxiRam(AxiBus.from_prefix(top, "m_axi"), top.clk, top.rst, size=_STORE_BYTES)

    async def write(self, address: int, values: NDArray[np.uint32]) -> None:
        data = np.asarray(values, dtype="<u4").tobytes()
        assert (await self._master.write(address, data)).resp == AxiResp.OKAY

    async def read(self, address: int, count: int) -> NDArray[np.uint32]:
        result = await self._master.read(address, 4 * count)
        assert result.resp == AxiResp.OKAY
        return np.frombuffer(result.data, dtype="<u4").astype(np.uint32)

    async def write_backing(self, address: int, values: NDArray[np.uint32]) -> None:
        self.ram.write(address, np.asarray(values, dtype="<u4").tobytes())

    async def read_backing(self, address: int, count: int) -> NDArray[np.uint32]:
        return np.frombuffer(bytes(self.ram.read(address, 4 * count)), dtype="<u4").astype(np.uint32)

    async def wait(self, timeout_cycles: int) -> None:
        await ClockCycles(self._top.clk, 10)
        while not int(self._top.irq.value):
            await RisingEdge(self._top.clk)


@cocotb.test()
async def transfers(top: Any) -> None:
    """Programs that pause more and more."""
    config, transport = configured(), PinTransport(top)
    await reset(top)
    for seed, share in ((0, 0.0), (1, 0.3), (2, 0.6)):
        pause_channels(transport.ram, share)
        program = random_program(config, seed)
        core, model = await run_one(transport, config, program), await run_one(IsaTransport(config), config, program)
        for name in ("activations", "window", "checksums", "status"):
            assert np.array_equal(core[name], model[name]), (seed, name)
    finish(programs=3)
