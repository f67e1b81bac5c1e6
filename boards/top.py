"""BoardTop: clock, reset, pins and LEDs around a core."""

from __future__ import annotations

from typing import Any

from amaranth.build import Platform, ResourceError, Subsignal
from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, Elaboratable, Instance, Module, ResetSignal, Signal
from amaranth.lib import io

from ..hw.serve.uart_streams import UartStreams
from ..hw.spec.registers import ADDRESS_BITS
from ..hw.verilog import TOP
from .board import Board
from .lock_wait import lock_wait
from .pll import Pll
from .sdram import BoardSdram
from .steady_clocks import SteadyClocks
from .usb_clocks import USB_MHZ, UsbClocks

__all__ = ["BoardTop"]

_ANSWER_LEDS = 6
_NO_HOST = {"valid": 1, "we": 1, "adr": ADDRESS_BITS - 2, "dat_w": 32}  # a bare port's inputs, by their widths


class BoardTop(Elaboratable):
    """A core, which stands for itself as an instance of `hw.verilog.TOP`, on a board's pins.

    Nothing runs until the clock generator is locked and `lock_wait` is over: an ECP5's clock stands still for so long,
    other families are held in reset. From then on LED 0 is on; LED 1 is while a run is done or faulted. Boards without
    LEDs have none, nor is one where its pin belongs to the link. Where the board serves, the LEDs behind these show the
    low bits of the last answer's first byte. A gated core rests on an ECP5; elsewhere its second clock is the first.

    Parameters
    ----------
    board : Board
    uart_divisor : int, optional
        Clock cycles of a bit, where not the board's own.
    """

    def __init__(self, board: Board, *, uart_divisor: int | None = None) -> None:
        self._board = board
        self._divisor = uart_divisor or board.config.uart_divisor
        self._idle, self._awaited = Signal(), Signal()

    def elaborate(self, platform: Platform) -> Module:
        """Clock, reset, pins."""
        m = Module()
        board = self._board
        m.domains.sync = ClockDomain()
        running = Signal()
        clocks = self._clock(m, platform, running)
        irq, answer = Signal(), Signal(_ANSWER_LEDS)
        if board.config.gated:
            clocks |= {"o_idle": self._idle}
        link = self._serving(m, platform, answer) if board.serves else self._link(m, platform)
        m.submodules.core = Instance(
            TOP,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            **clocks,
            **link,
            **self._memory(m),
            **self._flash(m, platform),
            o_irq=irq,
        )
        for index, state in enumerate((running, irq, *(answer if board.serves else ()))):
            try:
                pin = platform.request("led", index, dir="-")
            except ResourceError:  # there is none, or its pin belongs to the link
                continue
            m.submodules[f"led{index}"] = led = io.Buffer("o", pin)
            m.d.comb += led.o.eq(state)
        for name, level in board.ties:
            m.submodules[name] = tie = io.Buffer("o", platform.request(name, 0, dir="-"))
            m.d.comb += tie.o.eq(level)
        return m

    def _memory(self, m: Module) -> dict[str, Any]:
        """The board's memory, where the core has a bus to it, and the core's ports that belong to that."""
        if not self._board.config.has_backing:
            return {}
        m.submodules.sdram = sdram = BoardSdram(self._board)
        return sdram.core_ports()

    def _flash(self, m: Module, platform: Any) -> dict[str, Any]:
        """The flash behind the FPGA, where the core loads its program from there, and the core's ports to it."""
        flash = self._board.boot_flash
        if flash is None or not self._board.alone:
            return {}
        pins, wires = _requested(platform, flash.resource)
        cs_n, sck, copi = Signal(), Signal(), Signal()
        levels = {"cs": ~cs_n, "copi": copi, "wp": 0, "hold": 0}
        if flash.clock_cell:
            m.submodules.flash_clock = Instance("USRMCLK", i_USRMCLKI=sck, i_USRMCLKTS=0)
        else:
            levels["clk"] = sck
        for name in (name for name in wires if name in levels):
            m.submodules[f"flash_{name}"] = pin = io.Buffer("o", getattr(pins, name))
            m.d.comb += pin.o.eq(levels[name])
        m.submodules.flash_cipo = cipo = io.Buffer("i", pins.cipo)
        return {"o_flash_cs_n": cs_n, "o_flash_sck": sck, "o_flash_copi": copi, "i_flash_cipo": cipo.i}

    def _link(self, m: Module, platform: Any) -> dict[str, Any]:
        """Pins of the link to the host, and the core's ports that they belong to."""
        link = self._board.link
        pins, _ = _requested(platform, link)
        if link == "uart":
            m.submodules.rx = rx = io.Buffer("i", pins.rx)
            m.submodules.tx = tx = io.Buffer("o", pins.tx)
            return {"i_uart_rx": rx.i, "o_uart_tx": tx.o}
        if link == "usb":
            oe, ports = Signal(), {}
            for name in ("d_p", "d_n"):
                m.submodules[name] = pin = io.Buffer("io", getattr(pins, name))
                m.d.comb += pin.oe.eq(oe)
                ports |= {f"i_usb_{name}_i": pin.i, f"o_usb_{name}_o": pin.o}
            m.submodules.pullup = pullup = io.Buffer("o", pins.pullup)
            return ports | {"o_usb_oe": oe, "o_usb_pullup": pullup.o}
        ports = {}
        for name in ("cs_n", "sck", "copi"):
            m.submodules[name] = pin = io.Buffer("i", getattr(pins, name))
            ports[f"i_spi_{name}"] = pin.i
        m.submodules.cipo = cipo = io.Buffer("o", pins.cipo)
        return ports | {"o_spi_cipo": cipo.o, "o_spi_cipo_oe": cipo.oe}

    def _serving(self, m: Module, platform: Any, answer: Signal) -> dict[str, Any]:
        """A UART that brings frames and takes answers, and the core's ports to it; nobody is at that for the host."""
        pins, _ = _requested(platform, "uart")
        m.submodules.rx = rx = io.Buffer("i", pins.rx)
        m.submodules.tx = tx = io.Buffer("o", pins.tx)
        m.submodules.streams = streams = UartStreams(divisor=self._divisor)
        frames, answers, first = streams.frames, streams.answers, Signal(init=1)
        m.d.comb += [streams.rx.eq(rx.i), tx.o.eq(streams.tx), self._awaited.eq(streams.active)]
        with m.If(answers.valid & answers.ready):
            m.d.sync += first.eq(answers.payload.last)
            with m.If(first & ~answers.payload.error):
                m.d.sync += answer.eq(answers.payload.byte)
        return {
            **{
                f"i_host_{name}": Const(0, width)
                for name, width in (("valid", 1), ("we", 1), ("adr", 24), ("dat_w", 32))
            },
            "i_s_axis_tvalid": frames.valid,
            "i_s_axis_tdata": frames.payload.byte,
            "i_s_axis_tlast": frames.payload.last,
            "i_s_axis_tuser": frames.payload.error,
            "o_s_axis_tready": frames.ready,
            "o_m_axis_tvalid": answers.valid,
            "o_m_axis_tdata": answers.payload.byte,
            "o_m_axis_tlast": answers.payload.last,
            "o_m_axis_tuser": answers.payload.error,
            "i_m_axis_tready": answers.ready,
        }

    def _clock(self, m: Module, platform: Any, running: Signal) -> dict[str, Any]:
        """The core's clock, and its reset where it needs one; ``running`` is high once both are over. Ports of the core
        for clocks of its link, which then are steady, too."""
        board = self._board
        pin = platform.request(board.input, dir="-")
        clock_mhz = platform.lookup(board.input).clock.frequency / 1e6
        pll = Pll(
            family=board.family,
            input_mhz=clock_mhz,
            mhz=board.clock_mhz,
            pad=pin.io if board.pll_pin else None,
            device=getattr(platform, "family", "") if board.family == "gowin" else "",
        )
        m.submodules.pll = pll
        if not board.pll_pin:
            m.submodules.clock = buffer = io.Buffer("i", pin)
            m.d.comb += pll.clock.eq(buffer.i)
        else:
            m.d.comb += pll.clock.eq(Const(0))
        platform.add_clock_constraint(pll.out, board.clock_mhz * 1e6)
        clocks, locked = {"clk": pll.out}, pll.locked
        if board.link == "usb":
            m.submodules.usb_clocks = usb = UsbClocks(input_mhz=clock_mhz)
            m.d.comb += usb.clock.eq(pll.clock)
            locked = pll.locked & usb.locked
            for mhz, clock in zip(USB_MHZ, (usb.clk_48, usb.clk_12), strict=True):
                platform.add_clock_constraint(clock, mhz * 1e6)
                clocks[f"usb_clk_{mhz}"] = clock
        if board.family == "ecp5":
            m.submodules.steady_clocks = steady = SteadyClocks(len(clocks), gated=bool(board.config.gated))
            m.d.comb += [
                steady.input.eq(pll.clock),
                steady.locked.eq(locked),
                steady.clocks.eq(Cat(clocks.values())),
                running.eq(steady.running),
                ResetSignal().eq(Const(0)),
            ]
            clocks = dict(zip(clocks, steady.steady, strict=True))
            if board.config.gated:
                m.d.comb += steady.rests.eq(self._idle & ~self._awaited)
                clocks["work_clk"] = steady.work
        else:
            self._reset(m, pll.out, locked)
            m.d.comb += running.eq(~ResetSignal())
            clocks |= {"work_clk": pll.out} if board.config.gated else {}
        m.d.comb += ClockSignal().eq(clocks["clk"])
        return {f"i_{name}": clock for name, clock in clocks.items() if name != "clk"}

    def _reset(self, m: Module, clock: Signal, locked: Signal) -> None:
        """Until the clock is steady, and some cycles more."""
        m.domains.por = ClockDomain(reset_less=True, local=True)
        m.d.comb += ClockSignal("por").eq(clock)
        # a register that may lie in the middle of what it resets, while the one before lies at the clock generator
        far = Signal(init=1)
        m.d.por += far.eq(~lock_wait(m, "por", locked))
        m.d.comb += ResetSignal().eq(far)


def _requested(platform: Any, name: str) -> tuple[Any, list[str]]:
    """Pins of a board's resource, number 0, and the names of its wires."""
    wires = [part.name for part in platform.lookup(name, 0).ios if isinstance(part, Subsignal)]
    return platform.request(name, 0, dir=dict.fromkeys(wires, "-")), wires
