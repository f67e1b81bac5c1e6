"""register_map: the document that a core's users need, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...hw.spec.answer import ANSWER, AnswerKind
from ...hw.spec.boot import BootState
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.feed import FEED_SHAPE, FEED_STEP
from ...hw.spec.isa import BLOCK, COMPUTE, END, LOAD, TAP, Opcode, Record
from ...hw.spec.registers import (
    ADDRESS_BITS,
    MAGIC,
    REGION_BITS,
    STORE_REGION,
    VERSION,
    Access,
    Control,
    Interrupt,
    Region,
    Status,
    Stream,
    core_faults,
    core_registers,
    region_address,
    region_beats,
    region_depth,
    region_stride,
)
from .ports import Port

__all__ = ["register_map"]

_PORTS = {
    "axi": "AXI4-Lite slave, 32-bit beats; an access that is refused is answered with SLVERR.",
    "wishbone": "Wishbone B4 classic slave, 32-bit data, `adr` in words; an access that is refused ends with ERR.",
    "uart": "Serial link, 8N1.",
    "spi": "Serial link over SPI, mode 0.",
    "usb": "Serial link as a serial port on USB, full speed; `usb_clk_48` and `usb_clk_12` are 48 and 12 MHz, "
    "with edges that coincide.",
    "bare": "Requests by `host_valid` and `host_ready`, `host_adr` in words; each is answered by a cycle of "
    "`host_done`, with `host_dat_r` behind a read and `host_refused` where it was refused.",
}
_IRQ = {
    True: "`irq` is high while a run is done or faulted.",
    False: "`irq` is high while a bit of `IRQ_STATUS` stands that `IRQ_ENABLE` has: after a reset, while a run is done "
    "or faulted and nobody has acknowledged that.",
}
_FRAMES = (
    " A sample may also be bytes: write CODES and FEED once, the bytes to FRAME, and FEED with START to CONTROL, which "
    "lays them out and runs; from then on FRAME is another place, for the next sample."
)
_DAMAGE = (
    " A damaged word, one whose check bits do not fit it and that nothing corrects, stops the run with MEMORY_ERROR "
    "when it is used. Read by the host it raises that fault, too: look at `STATUS` once more behind the output "
    "tensor. Then write all memories, the activations with zeros, and the sample, and run it again; `DAMAGE` says "
    "which memories they were, until START or CLEAR."
)
_STREAMS = (
    " Without a host for each sample: write CODES, FEED and ANSWER once, then ENABLE to STREAM. Each frame that comes "
    "on `s_axis` is then run, and answered on `m_axis`; the host starts no run and writes no FRAME meanwhile. Write 0 "
    "to STREAM and wait until STATUS is no longer BUSY to end that."
)
_STREAM_PINS = (
    " Frames come on the AXI4-Stream `s_axis`, a byte a beat with TLAST on the last, and answers leave on `m_axis`; a "
    "beat with TUSER is the answer to a frame that gave none."
)
_BOOT = (
    " After a reset the core reads its flash at `flash_cs_n`, `flash_sck`, `flash_copi` and `flash_cipo` and is BUSY "
    "until it has loaded the program that it finds there; BOOT then says LOADED."
)
_READ_ONLY = (Region.CHECKSUMS,)
_READABLE = (Region.REGISTERS, Region.ACTIVATIONS, Region.CHECKSUMS)


def register_map(config: AcceleratorConfig, ports: Sequence[Port]) -> str:
    """Ports, registers, memory windows and records of a core; what they mean when it runs is in the project's docs."""
    parts = [
        "# A narrows core",
        f"{config.rows} x {config.columns} x {config.lanes} multiply-accumulate units on {config.formats} codes, "
        f"{config.acc_bits}-bit accumulators, {config.rescale_bits}-bit rescalers. Configuration "
        f"`0x{config.hash32:08x}`. Generated; do not edit.",
        "## Ports",
        f"One clock `clk`; `rst` is synchronous and active high; {_IRQ[config.is_serial]} {_PORTS[config.host]}"
        + (_STREAM_PINS if config.streams else ""),
        _table(("port", "direction", "bits"), ((f"`{port.name}`", port.direction, port.width) for port in ports)),
        "## Addresses",
        f"Byte addresses of {ADDRESS_BITS} bits, aligned 32-bit accesses only. A word of a memory takes several "
        "accesses, its low bits first; from one word to the next it is so many bytes. A memory takes accesses only "
        "while the core is idle: any other one is refused, and a write then stops the run with fault HOST_ACCESS."
        + (" FRAME alone takes writes in a run, too." if config.frame_bytes else ""),
        _table(("from", "what", "words", "accesses a word", "bytes a word", "access"), _memories(config)),
        "## Registers",
        f"MAGIC reads `0x{MAGIC:08X}`, VERSION {VERSION}.",
        _table(
            ("address", "register", "access", "content"),
            (
                (f"`0x{one.offset:02X}`", one.name, "read, write" if one.access is Access.WRITE else "read", one.doc)
                for one in core_registers(config)
            ),
        ),
        _table(("CONTROL", "bit"), ((bit.name, int(bit)) for bit in Control)),
        _table(("STATUS", "bit"), ((bit.name, int(bit)) for bit in Status)),
        *([_table(("STREAM", "bit"), ((bit.name, f"`0x{int(bit):X}`") for bit in Stream))] if config.streams else []),
        *(
            []
            if config.is_serial
            else [_table(("IRQ_ENABLE, IRQ_STATUS", "bit"), ((one.name, int(one)) for one in Interrupt))]
        ),
        _table(("fault (STATUS, bits 15:8)", "value"), ((fault.name, int(fault)) for fault in core_faults(config))),
        *(
            [_table(("BOOT, bits 7:0", "value"), ((state.name, int(state)) for state in BootState))]
            if config.boot
            else []
        ),
        "## A run",
        "Write the program's memories, `PROGRAM_CONFIG` and `WATCHDOG` once. For each sample write its tensor into the "
        "activations, write START to `CONTROL`, wait for `irq` or until `STATUS` is no longer BUSY, and read the "
        "output tensor. After a fault write CLEAR; that also gives up a run that does not end. A START while BUSY or "
        "in a fault is refused; STATUS says so with REFUSED, as for every access that was."
        + (_FRAMES if config.frame_bytes else "")
        + (_STREAMS if config.streams else "")
        + (_DAMAGE if config.is_protected else "")
        + (_BOOT if config.boot else ""),
        "## Records",
        "What the compiler writes into instructions, blocks and taps. "
        + "Opcodes: "
        + ", ".join(f"{opcode.name} {int(opcode)}" for opcode in Opcode)
        + "."
        + (f" AnswerKind: {', '.join(f'{kind.name} {int(kind)}' for kind in AnswerKind)}." if config.streams else ""),
        *(
            part
            for record in (
                *(END, COMPUTE, *((LOAD,) if config.has_backing else ()), BLOCK, TAP),
                *((FEED_STEP, FEED_SHAPE) if config.frame_bytes else ()),
                *((ANSWER,) if config.streams else ()),
            )
            for part in _record(record, dynamic=bool(config.dynamic))
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _memories(config: AcceleratorConfig) -> Iterable[tuple[object, ...]]:
    for region in Region:
        words = region_depth(config, region)
        if not words:
            continue
        access = "read" if region in _READ_ONLY else "read, write" if region in _READABLE else "write"
        yield (
            f"`0x{region_address(config, region):07X}`",
            region.name,
            words,
            region_beats(config, region),
            region_stride(config, region),
            access,
        )
    if config.shows_store:
        yield f"`0x{STORE_REGION << REGION_BITS:07X}`", "backing store", 1 << (REGION_BITS - 2), 1, 4, "read, write"


def _record(record: Record, *, dynamic: bool) -> Iterable[str]:
    name = "LOAD and STORE" if record is LOAD else record.name
    yield f"### {name}: {record.words} words"
    yield _table(
        ("word", "bits", "field", "content"),
        (
            (
                field.word,
                f"{field.lsb + field.width - 1}:{field.lsb}",
                field.name,
                field.doc + ", signed" * field.signed,
            )
            for field in record.of_cores(dynamic=dynamic)
        ),
    )


def _table(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
