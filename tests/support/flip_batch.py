"""Bits flipped in the memories of a simulated core while it runs: what became of each run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.pipeline import pipeline
from narrows.hw.spec.protection import check_code, granule_bits, region_code, used_bits
from narrows.hw.spec.registers import Region, Register
from narrows.sim.cosim.core_source import GivenVerilog
from narrows.sim.cosim.player import CosimTransport
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import ProgramError
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, Transport, TransportError
from numpy.typing import NDArray

__all__ = ["VERDICTS", "StruckCore", "findings", "flip_runs", "what_comes"]

VERDICTS = ("detected", "corrected", "harmless", "stopped", "silent")
"""The run was done again; a word was corrected; nobody read the bit, or it told nothing; the core stopped for another
reason, or did not end; a wrong answer."""

_MODULE = re.compile(r"^module \\?narrows_core\.?(\S*?) ?\((?:.*?)^endmodule", re.MULTILINE | re.DOTALL)
_BLOCK_RAM = re.compile(r"narrows_block_ram #\((.*?)\) \\?(\S+) \(", re.DOTALL)
_DEPTH = re.compile(r"DEPTH\(32'd(\d+)\)")
_WORDS = re.compile(r"^\s*(?:\(\*.*\*\) )?reg \[[^\]]+\] words\s*\[(\d+):0\];", re.MULTILINE)


@dataclass(frozen=True)
class Memory:
    """An array of words in the Verilog: its number for `CosimTransport.strike`, its name within the core, its words."""

    number: int
    name: str
    depth: int


class StruckCore:
    """A core whose memories' bits the bench can flip; nothing else about it differs.

    Attributes
    ----------
    verilog : GivenVerilog
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        own = CoreVerilog(config)
        self._config, text = config, own.text()
        found: list[tuple[str, int]] = []
        for module in _MODULE.finditer(text):
            found += [(f"{module[1]}.words", int(last) + 1) for last in _WORDS.findall(module[0])]
            for parameters, name in _BLOCK_RAM.findall(module[0]):
                depth = _DEPTH.search(parameters)
                assert depth is not None
                found.append((f"{module[1]}.{name}.words", int(depth[1])))
        self._memories = [Memory(number, *place) for number, place in enumerate(found)]
        flips = "".join(
            f"{each.number}: {each.name}[word][place] <= !{each.name}[word][place];\n" for each in self._memories
        )
        strike = f"task strike(input [31:0] array, word, place); case (array)\n{flips}endcase endtask\n"
        core = re.compile(r"^module narrows_core ?\(.*?(?=^endmodule)", re.MULTILINE | re.DOTALL)
        text, changed = core.subn(lambda module: module[0] + strike, text, count=1)
        assert changed == 1
        self.verilog = GivenVerilog(config, text, known_by=f"struck {strike} {own.key}")

    def memories(self, region: Region) -> list[Memory]:
        """The arrays that hold a region's words, each whole words of it, in the order of addresses; of activations by
        banks, of tables by copies."""
        if region is Region.ACTIVATIONS:
            units = [f"activations.memory.bank{bank}" for bank in range(self._config.banks)]
        elif region is Region.TABLES:
            units = [f"tables.copy{copy}" for copy in range(self._config.drain_rows * self._config.rescalers)]
        else:
            units = [region.name.lower()]
        found = [[memory for memory in self._memories if memory.name.startswith(f"{unit}.")] for unit in units]
        assert all(len(parts) == 1 for parts in found), "no memory is made of parts"
        return [parts[0] for parts in found]


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
    core = StruckCore(program.config)
    golden = GoldenModel(program.graph, program.config).run(levels)

    async def strike(transport: CosimTransport) -> dict[str, dict[str, int]]:
        host, rng = _Host(transport, program, levels[0], golden), np.random.default_rng(seed)
        span = await host.span()
        found = {}
        for region in regions:
            verdicts = found[region.name] = dict.fromkeys(VERDICTS, 0)
            for _ in range(count):
                word = _draw(program, region, core.memories(region), rng)
                bits = rng.choice(word.bits, size=flips, replace=False)
                strikes = [(word.memory.number, word.index, int(bit)) for bit in bits]
                verdicts[await host.verdict(strikes, int(rng.integers(1, span)))] += 1
        return found

    return simulate(core.verilog, strike, strikes=True).result


@dataclass(frozen=True)
class _Word:
    """A word of a memory, and the bits of a granule that are used."""

    memory: Memory
    index: int
    bits: tuple[int, ...]


def _draw(program: Program, region: Region, arrays: list[Memory], rng: np.random.Generator) -> _Word:
    """A word that the program fills, or any one of the activations, and a granule of it."""
    config, sizes = program.config, np.array([array.depth for array in arrays])
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


class _Host:
    """Runs a sample (C, H, W) of a program on a core, again and again; ``golden`` are its tensors (1, C, H, W)."""

    def __init__(
        self,
        transport: CosimTransport,
        program: Program,
        sample: NDArray[np.int64],
        golden: Mapping[str, NDArray[np.int64]],
    ) -> None:
        assert pipeline(program.config).weight_near == 0, "a word of weights lies in one array"
        self._transport, self._program, self._sample, self._golden = transport, program, sample, golden
        self._driver = Driver(transport, program.config)

    async def _load(self) -> None:
        await self._driver.load(self._program)
        await self._transport.read(Register.STATUS.offset, 1)  # what was written has arrived

    async def span(self) -> int:
        """Cycles from the first word that the host writes for a run to the last one that it reads."""
        await self._load()
        began = self._transport.cycles
        await self._driver.infer(self._sample)
        return self._transport.cycles - began

    async def verdict(self, strikes: Sequence[tuple[int, int, int]], moment: int) -> str:
        """What becomes of a run when bits flip after so many cycles."""
        await self._load()
        before = self._driver.reruns
        await self._transport.strike(strikes, cycles=moment)
        try:
            outputs = (await self._driver.infer(self._sample)).outputs
        except (ProgramError, TransportError):
            return "stopped"
        if not all(np.array_equal(levels, self._golden[name][0]) for name, levels in outputs.items()):
            return "silent"
        if self._driver.reruns > before:
            return "detected"
        protected = self._program.config.is_protected
        [damage] = await self._transport.read(Register.DAMAGE.offset, 1) if protected else [0]
        return "corrected" if damage >> 16 else "harmless"


Flip = tuple[str, int, int, int]
"""Name of a region, word, granule, place in it (`protection.StoredBit`)."""


def findings(program: Program, levels: NDArray[np.int64], flips: Sequence[Flip]) -> list[str]:
    """What comes of a run of a sample (1, C, H, W) on the simulated core, with one bit flipped before it: for each flip
    `what_comes`."""
    config, core = program.config, StruckCore(program.config)

    async def strike(transport: CosimTransport) -> list[str]:
        driver, found = Driver(transport, config), []
        for name, word, granule, place in flips:
            await driver.load(program)
            await transport.read(Register.STATUS.offset, 1)  # what was written has arrived
            region = Region[name]
            arrays, index = core.memories(region), word  # of tables the copies, which the model has one of
            if region is Region.ACTIVATIONS:
                arrays, index = [arrays[word % config.banks]], word // config.banks
            used = used_bits(config, region)
            checks = max(region_code(config, region, number).bits for number in range(len(used)))
            bit = granule * (granule_bits(config, region) + checks) + place
            for array in arrays:
                await transport.strike([(array.number, index, bit)])
                await transport.read(Register.STATUS.offset, 1)
            found.append(await what_comes(driver, transport, levels[0]))
        return found

    return simulate(core.verilog, strike, strikes=True).result


async def what_comes(driver: Driver, transport: Transport, sample: NDArray[np.int64]) -> str:
    """Why a run stopped, or its checksums and what was corrected."""
    try:
        checksums = (await driver._infer(sample, False, None)).checksums
    except ProgramError as error:
        return str(error)
    [damage] = await transport.read(Register.DAMAGE.offset, 1)
    return f"{checksums}, DAMAGE {damage:x}"
