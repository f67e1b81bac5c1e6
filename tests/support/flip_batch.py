"""Bits flipped in the memories of a simulated core while it runs: what became of each run."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline
from narrows.hw.spec.protection import check_code, granule_bits, region_code, used_bits
from narrows.hw.spec.registers import Region, Register
from narrows.sim.cosim.core_source import GivenVerilog
from narrows.sim.cosim.job import Job, Progress
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import ProgramError
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, Transport, TransportError
from numpy.typing import NDArray

__all__ = ["VERDICTS", "findings", "findings_in_core", "flip_runs", "flips_in_runs", "verilog_with_public_memories"]

VERDICTS = ("detected", "corrected", "harmless", "stopped", "silent")
"""The run was done again; a word was corrected; nobody read the bit, or it told nothing; the core stopped for another
reason, or did not end; a wrong answer."""

_ARRAY = re.compile(r"^(\s*(?:\(\*.*\*\) )?reg \[[^\]]+\] \S+\s*\[[^\]]+\]);", re.MULTILINE)


def verilog_with_public_memories(config: AcceleratorConfig) -> GivenVerilog:
    """A core whose memories a simulator shows to cocotb; nothing else about it differs."""
    own = CoreVerilog(config)
    text = _ARRAY.sub(r"\1 /*verilator public_flat_rw*/;", own.text())
    return GivenVerilog(config, text, known_by=f"memories {own.key}")


def flip_runs(
    program: Program, levels: NDArray[np.int64], *, count: int, flips: int, seed: int, regions: tuple[Region, ...]
) -> dict[str, dict[str, int]]:
    """Run a sample (1, C, H, W) on its program's core ``count`` times for each memory, each time with ``flips`` bits of
    one granule of a random word flipped at a random moment.

    Returns
    -------
    dict of dict
        By memory, how often each of `VERDICTS` came; ``bits``, the stored bits of the memory.
    """
    values = {"count": count, "flips": flips, "seed": seed, "regions": [region.name for region in regions]}
    result = simulate(
        verilog_with_public_memories(program.config),
        f"{__name__}:flips_in_runs",
        arrays={"levels": levels},
        values=values,
        files=lambda folder: program.save(folder / "program.nrw"),
    )
    return result.values["memories"]


@dataclass(frozen=True)
class _Word:
    """A word of an array of the simulation, and the bits of a granule that are used."""

    array: Any
    index: int
    bits: tuple[int, ...]

    def flip(self, bits: NDArray[np.int64]) -> tuple[int, int]:
        """Flip some of its bits; the word before and now."""
        from cocotb.handle import Immediate

        before = int(self.array[self.index].value)
        now = before
        for bit in bits:
            now ^= 1 << int(bit)
        self.array[self.index].set(Immediate(now))
        return before, now

    def restore(self, before: int, now: int) -> None:
        """Undo it, unless the word was written since."""
        from cocotb.handle import Immediate

        if int(self.array[self.index].value) == now:
            self.array[self.index].set(Immediate(before))


def _arrays(config: AcceleratorConfig, region: Region, core: Any) -> list[Any]:
    """The arrays that hold a region's words, each whole words of it."""
    if region is Region.ACTIVATIONS:
        units = [getattr(core.activations.memory, f"bank{bank}") for bank in range(config.banks)]
    elif region is Region.TABLES:
        units = [getattr(core.tables, f"copy{copy}") for copy in range(config.drain_rows * config.rescalers)]
    else:
        units = [getattr(core, region.name.lower())]
    scratchpads = [unit.memory.memory if config.is_protected else unit.memory for unit in units]
    names = ("memory", "low", "high")
    parts = (getattr(pad, name, None) for pad in scratchpads for name in names)
    return [part.words for part in parts if part is not None]


def _draw(program: Program, region: Region, arrays: list[Any], rng: np.random.Generator) -> _Word:
    """A word that the program fills, or any one of the activations, and a granule of it."""
    config, sizes = program.config, np.array([len(array) for array in arrays])
    if region is Region.TABLES:
        arrays, sizes = [arrays[rng.integers(len(arrays))]], sizes[:1]
    place = int(rng.integers(sizes.sum() if region is Region.ACTIVATIONS else len(program.memories[region])))
    which = int(np.searchsorted(np.cumsum(sizes), place, side="right"))
    used, granule = used_bits(config, region), granule_bits(config, region)
    if not config.is_protected:
        return _Word(arrays[which], place - int(sizes[:which].sum()), tuple(range(sum(used))))
    code = config.protection if region in (Region.WEIGHTS, Region.ACTIVATIONS) else "parity"
    codes = [check_code(code, bits) for bits in used]
    stored = granule + max(code.bits for code in codes)
    chosen = int(rng.choice(len(used), p=np.array(used) / sum(used)))
    bits = range(chosen * stored, chosen * stored + used[chosen] + codes[chosen].bits)
    return _Word(arrays[which], place - int(sizes[:which].sum()), tuple(bits))


async def flips_in_runs(transport: Transport, job: Job, progress: Progress) -> tuple[dict[str, Any], dict[str, Any]]:
    """The job inside the simulator."""
    import cocotb
    from cocotb.triggers import Timer
    from cocotb.utils import get_sim_time

    program, levels = Program.load(job.folder / "program.nrw"), job.arrays["levels"]
    config, values = program.config, job.values
    assert pipeline(config).weight_near == 0, "a word of weights lies in one array"
    golden = GoldenModel(program.graph, config).run(levels)
    rng = np.random.default_rng(values["seed"])
    driver = Driver(transport, config)
    await driver.load(program)
    await transport.read(Register.STATUS.offset, 1)  # what was written has arrived
    began = get_sim_time("ns")
    await driver.infer(levels[0])
    span = int(get_sim_time("ns") - began)
    found: dict[str, dict[str, int]] = {}
    for number, name in enumerate(values["regions"]):
        region = Region[name]
        arrays = _arrays(config, region, cocotb.top.core)
        verdicts = found[name] = dict.fromkeys(VERDICTS, 0)
        for trial in range(values["count"]):
            word = _draw(program, region, arrays, rng)
            bits = rng.choice(word.bits, size=values["flips"], replace=False)
            moment, done = int(rng.integers(1, span)), []

            async def strike(word: _Word = word, bits: Any = bits, moment: int = moment, done: list = done) -> None:
                await Timer(moment, "ns")
                done.append(word.flip(bits))

            task, before = cocotb.start_soon(strike()), driver.reruns
            outputs: dict[str, Any] | None = None
            with contextlib.suppress(ProgramError, TransportError):
                outputs = (await driver.infer(levels[0])).outputs
            await task
            [damage] = await transport.read(Register.DAMAGE.offset, 1) if config.is_protected else [0]
            if outputs is None:
                verdict = "stopped"
            elif not all(np.array_equal(outputs[key], golden[key][0]) for key in outputs):
                verdict = "silent"
            else:
                verdict = "detected" if driver.reruns > before else "corrected" if damage >> 16 else "harmless"
            verdicts[verdict] += 1
            word.restore(*done[0])
            if values["flips"] > 1 or not config.is_protected or outputs is None:
                await driver.load(program)  # a word that was written since may look like the one before
                await transport.read(Register.STATUS.offset, 1)  # what was written has arrived
            progress(number * values["count"] + trial + 1, len(values["regions"]) * values["count"])
    return {}, {"memories": found}


Flip = tuple[str, int, int, int]
"""Name of a region, word, granule, place in it (`protection.StoredBit`)."""


def findings(program: Program, levels: NDArray[np.int64], flips: Sequence[Flip]) -> list[str]:
    """What comes of a run of a sample (1, C, H, W) on the simulated core, with one bit flipped before it: for each flip
    `what_comes`."""
    result = simulate(
        verilog_with_public_memories(program.config),
        f"{__name__}:findings_in_core",
        arrays={"levels": levels},
        values={"flips": flips},
        files=lambda folder: program.save(folder / "program.nrw"),
    )
    return result.values["found"]


async def what_comes(driver: Driver, transport: Transport, sample: NDArray[np.int64]) -> str:
    """Why a run stopped, or its checksums and what was corrected."""
    try:
        checksums = (await driver._infer(sample, False, None)).checksums
    except ProgramError as error:
        return str(error)
    [damage] = await transport.read(Register.DAMAGE.offset, 1)
    return f"{checksums}, DAMAGE {damage:x}"


async def findings_in_core(transport: Transport, job: Job, progress: Progress) -> tuple[dict[str, Any], dict[str, Any]]:
    """The job inside the simulator."""
    import cocotb

    program, sample = Program.load(job.folder / "program.nrw"), job.arrays["levels"][0]
    config, driver, found = program.config, Driver(transport, program.config), []
    for name, word, granule, place in job.values["flips"]:
        await driver.load(program)
        await transport.read(Register.STATUS.offset, 1)  # what was written has arrived
        region = Region[name]
        arrays, index = _arrays(config, region, cocotb.top.core), word
        if region is Region.ACTIVATIONS:
            arrays, index = [arrays[word % config.banks]], word // config.banks
        used = used_bits(config, region)
        checks = max(region_code(config, region, number).bits for number in range(len(used)))
        bit = granule * (granule_bits(config, region) + checks) + place
        for array in arrays:  # of tables the copies, which the model has one of
            _Word(array, index, ()).flip(np.array([bit]))
        found.append(await what_comes(driver, transport, sample))
    return {}, {"found": found}
