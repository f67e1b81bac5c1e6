"""Pictures of the host's ports: what happens at their pins, cycle by cycle."""

from __future__ import annotations

import port_traces as traces
from drawing import BLUE, Drawing
from waves import HEIGHT, waves

__all__ = ["axi_lite", "bare", "spi", "uart", "wishbone"]


def _bus(title: str, trace: traces.Trace, notes: dict[int, str]) -> Drawing:
    """A port's signals, and notes above the cycles where something begins."""
    left, below = 90, HEIGHT * (len(trace) + 1)
    cycle = min(24, 800 / max(len(values) for _, values in trace.values()))
    drawing = Drawing(72 + below, title)
    for at, note in notes.items():
        drawing.text(left + at * cycle, 46, note, size=11)
        drawing.path([(left + at * cycle, 54), (left + at * cycle, 62 + below)], dashed=True)
    waves(drawing, trace, left=left, top=60, cycle=cycle)
    return drawing


def axi_lite() -> Drawing:
    """AXI4-Lite at the pins."""
    trace = traces.axi()
    reads = _rises(trace["arvalid"][1])
    return _bus(
        "AXI4-Lite: a write, a read, and a read of a memory while a run is on (SLVERR)",
        trace,
        {_rises(trace["awvalid"][1])[0]: "write", reads[0]: "read", reads[1]: "refused read"},
    )


def wishbone() -> Drawing:
    """Wishbone at the pins."""
    trace = traces.wishbone()
    write, read, refused = _rises(trace["stb"][1])
    title = "Wishbone: a write, a read, and a read of a memory while a run is on (ERR)"
    return _bus(title, trace, {write: "write", read: "read", refused: "refused read"})


def bare() -> Drawing:
    """The bare port at its pins."""
    trace = traces.bare()
    first, last = _rises(trace["valid"][1])
    title = "Bare port: two writes, a read, and a read of a memory while a run is on"
    return _bus(title, trace, {first: "writes", first + 2: "read", last: "refused read"})


def _rises(values: list[int]) -> list[int]:
    """Cycles in which a signal becomes 1."""
    return [at for at, value in enumerate(values) if value and not (at and values[at - 1])]


_SENT = {1: "start", 2: "sequence", 3: "READ", 4: "count", 8: "address", 12: "CRC-32"}
_ANSWERED = {1: "start", 2: "sequence", 3: "count", 7: "word", 8: "status", 12: "CRC-32"}


def _fields(drawing: Drawing, y: float, name: str, found: list[tuple[int, int]], fields: dict[int, str]) -> None:
    """Bytes in boxes below the names of what they are."""
    drawing.text(90, y + 14, name, anchor="end")
    size, begin = 58, 0
    for number, (_, value) in enumerate(found[: max(fields)]):
        drawing.labelled(98 + number * size, y, size, 28, f"{value:02X}", fill=BLUE)
    for end, title in fields.items():
        drawing.text(98 + (begin + end) / 2 * size, y - 10, title, anchor="middle", size=11)
        begin = end


def uart() -> Drawing:
    """The serial link over a UART."""
    trace = traces.uart()
    divisor = traces.UART_DIVISOR
    drawing = Drawing(
        290,
        "Serial link over a UART: first byte, request, reply",
        "UART: the request's first byte at the pin, then all bytes of request and reply",
    )
    line, answer = trace["rx"][1], trace["tx"][1]
    sent, answered = traces.uart_bytes(line), traces.uart_bytes(answer)
    begin, pixels = sent[0][0] - divisor, 16
    end = begin + 12 * divisor
    waves(drawing, {"rx": (1, line[begin:end])}, left=98, top=62, cycle=pixels, clock=False)
    for bit, name in enumerate(("start", *(f"bit {bit}" for bit in range(8)), "stop")):
        drawing.text(98 + (bit + 1.5) * divisor * pixels, 52, name, anchor="middle", size=11)
        drawing.path([(98 + (bit + 1) * divisor * pixels, y) for y in (46, 92)], dashed=True)
    drawing.text(98 + 11.5 * divisor * pixels, 52, "next", anchor="middle", size=11)
    _fields(drawing, 140, "rx", sent, _SENT)
    _fields(drawing, 206, "tx", answered, _ANSWERED)
    gap = answered[0][0] - sent[-1][0] - 10 * divisor
    drawing.text(98, 262, f"The reply begins {gap / divisor:g} bit times behind the request's last stop bit.", size=11)
    return drawing


def spi() -> Drawing:
    """The serial link over SPI."""
    trace = traces.spi()
    drawing = Drawing(
        340,
        "Serial link over SPI: first byte, request, reply",
        "SPI, mode 0: the request's first byte at the pins, then all bytes of one selection",
    )
    shown = {name: (1, values[:76]) for name, (_, values) in trace.items()}
    waves(drawing, shown, left=98, top=40, cycle=10, clock=False)
    sent = traces.spi_bytes(trace, "copi")
    answered = traces.spi_bytes(trace, "cipo")
    first = next(at for at, (_, value) in enumerate(answered) if value)
    _fields(drawing, 192, "copi", sent, _SENT)
    _fields(drawing, 258, "cipo", answered[first:], _ANSWERED)
    zeros = first - len(traces.REQUEST)
    drawing.text(98, 314, f"Bytes of zeros between request and reply: {zeros}.", size=11)
    return drawing
