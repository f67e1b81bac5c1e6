"""Jobs for the stand-in core, run inside the simulator."""

from __future__ import annotations

from narrows.sw.errors import InputError


async def echo(transport, job, progress):
    """Write an array, wait, read it back; in chunks so that reads follow writes and writes follow reads."""
    data = job.arrays["data"]
    chunk = job.values["chunk"]
    back = []
    for at in range(0, len(data), chunk):
        await transport.write(0x100 + 4 * at, data[at : at + chunk])
        back += list(await transport.read(0x100 + 4 * at, len(data[at : at + chunk])))
        progress(at, len(data))
    before = transport.cycles
    await transport.write(0x10, [job.values["delay"]])
    await transport.wait(job.values["timeout"])
    return {"back": back}, {"waited": transport.cycles - before}


async def refused(transport, job, progress):
    """Touch an address that answers with an error."""
    await transport.write(0x20, [1, 2])
    await transport.write(1 << 24 | 0x40, [7])
    await transport.read(0x20, 1)


async def complains(transport, job, progress):
    """Raise an error meant for the user."""
    raise InputError("the input is no good")


async def broken(transport, job, progress):
    """Raise an error of ours."""
    raise RuntimeError("boom")


async def sleeps(transport, job, progress):
    """Let one of cocotb's timers run out between two edges of the clock, and tell when it did."""
    from cocotb.triggers import Timer
    from cocotb.utils import get_sim_time

    await transport.write(0x100, [1])
    await transport.read(0x100, 1)
    before, began = transport.cycles, get_sim_time("ns")
    await Timer(1_003, "ns")
    slept = get_sim_time("ns") - began
    await transport.read(0x100, 1)
    return {}, {"slept": slept, "cycles": transport.cycles - before}
