"""Port traces: the pins of each of the host's ports, cycle by cycle, as Amaranth's simulator has them."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from narrows.hw.ports.axi_lite import AxiLitePort
from narrows.hw.ports.bare_port import BarePort
from narrows.hw.ports.spi_port import SpiPort
from narrows.hw.ports.uart_port import UartPort
from narrows.hw.ports.wishbone import WishbonePort
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.link import Command
from narrows.hw.spec.registers import REGION_BITS, Region
from narrows.sw.runtime.serial_frames import asked_bytes, encode_request

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
from pin_line import PinLine
from pin_spi import PinSpiBus
from port_harness import Words, run_with_port

__all__ = ["ADDRESS", "REQUEST", "UART_DIVISOR", "VALUE", "Trace", "axi", "bare", "spi", "uart", "wishbone"]

Trace = dict[str, tuple[int, list[int]]]
"""Width in bits, and the value in each cycle, of signals by name."""

ADDRESS = Region.ACTIVATIONS << REGION_BITS | 0xC
VALUE = 0x2A7
UART_DIVISOR = 4
REQUEST = encode_request(Command.READ, sequence=1, address=ADDRESS, count=1)
"""What is sent over the serial ports: one word is to be read."""


@dataclass(frozen=True)
class _Ticks:
    recording: _Recording

    def __await__(self) -> Generator[Any, Any, None]:
        return self.repeat(1).__await__()

    async def repeat(self, count: int) -> None:
        for _ in range(count):
            await self.recording.step()


class _Recording:
    """An Amaranth context that notes the pins before each clock edge."""

    def __init__(self, ctx: Any, pins: Mapping[str, Any]) -> None:
        self._ctx, self._pins = ctx, pins
        self.trace: Trace = {name: (len(pin), []) for name, pin in pins.items()}

    def set(self, signal: Any, value: Any) -> None:
        self._ctx.set(signal, value)

    def get(self, signal: Any) -> Any:
        return self._ctx.get(signal)

    def tick(self) -> _Ticks:
        return _Ticks(self)

    async def step(self) -> None:
        for name, pin in self._pins.items():
            self.trace[name][1].append(self._ctx.get(pin))
        await self._ctx.tick()


def _traced(port: Any, names: str, body: Callable[[_Recording, Any], Awaitable[None]]) -> Trace:
    """Pins of a port while a host plays; behind it is a memory whose word at `ADDRESS` is `VALUE`."""
    recordings = []

    async def bench(ctx: Any, words: Words) -> None:
        words[Region.ACTIVATIONS, 3] = VALUE
        await ctx.tick()
        recording = _Recording(ctx, {name: getattr(port.pins, name) for name in names.split()})
        recordings.append(recording)
        await recording.tick()
        await body(recording, port)

    run_with_port(port, bench)
    return recordings[0].trace


def axi() -> Trace:
    """A write, a read, and a read that is refused because a run is on."""
    names = "awaddr awvalid awready wdata wvalid wready bresp bvalid bready "
    names += "araddr arvalid arready rdata rresp rvalid rready"

    async def body(ctx: _Recording, port: Any) -> None:
        def show(**values: int) -> None:
            for name, value in values.items():
                ctx.set(getattr(port.pins, name), value)

        async def until(*valids: str, answer: str) -> None:
            while not ctx.get(getattr(port.pins, answer)):
                taken = [name for name in valids if ctx.get(getattr(port.pins, name.replace("valid", "ready")))]
                await ctx.tick()
                show(**dict.fromkeys(taken, 0))
            await ctx.tick()

        show(awaddr=ADDRESS, awvalid=1, wdata=VALUE + 1, wvalid=1, wstrb=15, bready=1)
        await until("awvalid", "wvalid", answer="bvalid")
        show(bready=0)
        for busy in (0, 1):
            ctx.set(port.bus.busy, busy)
            show(araddr=ADDRESS, arvalid=1, rready=1)
            await until("arvalid", answer="rvalid")
            show(rready=0)
        await ctx.tick()

    return _traced(AxiLitePort(), names, body)


def wishbone() -> Trace:
    """A write, a read, and a read that is refused because a run is on."""

    async def body(ctx: _Recording, port: Any) -> None:
        for busy, write in ((0, 1), (0, 0), (1, 0)):
            ctx.set(port.bus.busy, busy)
            for name, value in (("adr", ADDRESS >> 2), ("we", write), ("sel", 15), ("dat_w", write * (VALUE + 1))):
                ctx.set(getattr(port.pins, name), value)
            ctx.set(port.pins.cyc, 1)
            ctx.set(port.pins.stb, 1)
            while not (ctx.get(port.pins.ack) or ctx.get(port.pins.err)):
                await ctx.tick()
            await ctx.tick()
            ctx.set(port.pins.stb, 0)
            ctx.set(port.pins.cyc, 0)
            await ctx.tick()

    return _traced(WishbonePort(), "cyc stb we adr sel dat_w ack err dat_r", body)


def bare() -> Trace:
    """Two writes in a row, a read, and a read that is refused because a run is on."""

    async def body(ctx: _Recording, port: Any) -> None:
        for busy, write, word in ((0, 1, 3), (0, 1, 4), (0, 0, 3), (1, 0, 3)):
            ctx.set(port.bus.busy, busy)
            ctx.set(port.pins.adr, Region.ACTIVATIONS << REGION_BITS - 2 | word)
            ctx.set(port.pins.we, write)
            ctx.set(port.pins.dat_w, write * (VALUE + word))
            ctx.set(port.pins.valid, 1)
            while not ctx.get(port.pins.ready):
                await ctx.tick()
            await ctx.tick()
            ctx.set(port.pins.valid, 0)
            while not write and not ctx.get(port.pins.done):
                await ctx.tick()
        await ctx.tick().repeat(2)

    return _traced(BarePort(), "valid ready we adr dat_w done refused dat_r", body)


def uart() -> Trace:
    """A session begins, and `REQUEST` is answered; from the first bit of the latter on."""
    port: Any = UartPort(AcceleratorConfig(host="uart", uart_divisor=UART_DIVISOR))
    began = []

    async def body(ctx: _Recording, port: Any) -> None:
        line = PinLine(ctx, port.pins.rx, port.pins.tx, divisor=UART_DIVISOR)
        for request in (encode_request(Command.HELLO, sequence=0, count=1), REQUEST):
            began.append(len(ctx.trace["rx"][1]))
            await line.write(request)
            await line.read(asked_bytes(request), timeout_bits=99)
            await ctx.tick().repeat(UART_DIVISOR)

    trace = _traced(port, "rx tx", body)
    return {name: (width, values[began[1] :]) for name, (width, values) in trace.items()}


def spi() -> Trace:
    """A session begins, and `REQUEST` is answered within one selection; from that on."""
    port: Any = SpiPort(AcceleratorConfig(host="spi"))
    began = []

    async def body(ctx: _Recording, port: Any) -> None:
        bus = PinSpiBus(ctx, port.pins, half=lambda: 4)
        for request in (encode_request(Command.HELLO, sequence=0, count=1), REQUEST):
            began.append(len(ctx.trace["sck"][1]))
            await bus.exchange(request, 16 + asked_bytes(request))

    trace = _traced(port, "cs_n sck copi cipo cipo_oe", body)
    return {name: (width, values[began[1] - 4 :]) for name, (width, values) in trace.items()}


def uart_bytes(line: list[int]) -> list[tuple[int, int]]:
    """First cycle and value of every byte on a line, from its start bits on."""
    found, at = [], 0
    while at < len(line):
        if line[at]:
            at += 1
            continue
        middle = at + UART_DIVISOR // 2
        byte = sum(line[middle + UART_DIVISOR * (bit + 1)] << bit for bit in range(8))
        found.append((at, byte))
        at = middle + 9 * UART_DIVISOR
    return found


def spi_bytes(trace: Trace, name: str) -> list[tuple[int, int]]:
    """First cycle and value of every byte of a line, taken where ``sck`` rises."""
    clock, line = trace["sck"][1], trace[name][1]
    rising = [at for at in range(1, len(clock)) if clock[at] and not clock[at - 1]]
    eights = np.array(rising[: len(rising) // 8 * 8]).reshape(-1, 8)
    return [(int(places[0]), sum(line[at] << 7 - bit for bit, at in enumerate(places))) for places in eights]
