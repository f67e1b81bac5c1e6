"""core_header: every number of a core that C code needs, as macros."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ...hw.spec.boot import BootState
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import BLOCK, COMPUTE, INSTRUCTION_WORDS, LOAD, TAP, Opcode
from ...hw.spec.link import (
    CRC_BYTES,
    HEADER_BYTES,
    LINK_VERSION,
    MAX_WORDS,
    REPLY_START,
    REQUEST_START,
    SPI_WAIT_BYTES,
    Command,
    LinkStatus,
)
from ...hw.spec.registers import (
    ADDRESS_BITS,
    MAGIC,
    REGION_BITS,
    VERSION,
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
from ..runtime.serial_frames import reply_bytes

__all__ = ["core_header"]

_FAULT_LSB, _FAULT_MASK = 8, 0xFF  # of STATUS
_RECORDS = (COMPUTE, BLOCK, TAP)


def core_header(config: AcceleratorConfig) -> str:
    """``narrows_core.h`` of a configuration."""
    lines = [
        "/* A narrows core as its host sees it. Generated; do not edit.",
        " *",
        f" * {config.rows} x {config.columns} x {config.lanes} multiply-accumulate units on {config.formats} codes. */",
        "#ifndef NARROWS_CORE_H",
        "#define NARROWS_CORE_H",
        *_section("Identity", _identity(config)),
        *_section(
            "Registers: byte addresses", ((f"REG_{one.name}", one.offset, one.doc) for one in core_registers(config))
        ),
        *_section("CONTROL", ((f"CONTROL_{bit.name}", int(bit), "") for bit in Control)),
        *_section("STATUS", _status()),
        *(
            _section("STREAM", ((f"STREAM_{bit.name}", f"0x{int(bit):X}u", "") for bit in Stream))
            if config.streams
            else ()
        ),
        *([] if config.is_serial else _section("Interrupts", ((f"IRQ_{one.name}", int(one), "") for one in Interrupt))),
        *_section("Why a run stopped", ((f"FAULT_{fault.name}", int(fault), "") for fault in core_faults(config))),
        *(_section("What became of a boot: BOOT", _boot()) if config.boot else ()),
        *_section("Memories: windows of words, low beat first", _memories(config)),
        *_section("Codes", _codes(config)),
        *(_section("Serial link", _link()) if config.is_serial else ()),
        *_section("Instructions: word, lowest bit and width of each field", _fields(config)),
        "",
        "#endif",
        "",
    ]
    return "\n".join(lines)


_Macro = tuple[str, int | str, str]


def _identity(config: AcceleratorConfig) -> Iterator[_Macro]:
    yield "MAGIC", f"0x{MAGIC:08X}u", ""
    yield "VERSION", f"{VERSION}u", "of this register map"
    yield "CONFIG", f"0x{config.hash32:08X}u", "of the configuration; programs name the one they are for"
    yield "ADDRESS_BITS", ADDRESS_BITS, "of a byte address"


def _status() -> Iterator[_Macro]:
    for bit in Status:
        yield f"STATUS_{bit.name}", int(bit), ""
    yield "STATUS_FAULT_LSB", _FAULT_LSB, "a NARROWS_FAULT_* from this bit on"
    yield "STATUS_FAULT_MASK", f"0x{_FAULT_MASK:X}u", ""


def _boot() -> Iterator[_Macro]:
    for state in BootState:
        yield f"BOOT_{state.name}", int(state), ""
    yield "BOOT_MASK", "0xFFu", "of BOOT; what is above it tells the image apart"


def _memories(config: AcceleratorConfig) -> Iterator[_Macro]:
    yield "REGISTERS_BYTES", f"0x{1 << REGION_BITS:X}u", "registers lie below, memories from here on"
    for region in Region:
        words = region_depth(config, region)
        if region is Region.REGISTERS or not words:
            continue
        yield f"{region.name}_BASE", f"0x{region_address(config, region):07X}u", "byte address"
        yield f"{region.name}_WORDS", f"{words}u", ""
        yield f"{region.name}_BEATS", region_beats(config, region), "32-bit accesses for a word"
        yield f"{region.name}_STRIDE", f"{region_stride(config, region)}u", "bytes from word to word"


def _codes(config: AcceleratorConfig) -> Iterator[_Macro]:
    base = config.digits.base
    values = [
        int(base.decode(code % (1 << base.bits))) for code in range(1 << config.code_bits)
    ]  # a place may be wider
    yield "LANES", f"{config.lanes}u", "codes of an activation word"
    yield "CODE_BITS", f"{config.code_bits}u", "the first code in the low bits"
    yield "CODE_VALUES", "{" + ", ".join(map(str, values)) + "}", "digit of each code"
    yield "RADIX", 1 << config.digits.shift, "from a digit plane to the next"


def _link() -> Iterator[_Macro]:
    yield "LINK_VERSION", f"{LINK_VERSION}u", ""
    yield "LINK_REQUEST_START", f"0x{REQUEST_START:02X}", ""
    yield "LINK_REPLY_START", f"0x{REPLY_START:02X}", ""
    for command in Command:
        yield f"LINK_{command.name}", int(command), ""
    for status in LinkStatus:
        yield f"LINK_STATUS_{status.name}", int(status), ""
    yield "LINK_CRC_BYTES", CRC_BYTES, "at the end of every frame"
    yield "LINK_REQUEST_BYTES", 1 + HEADER_BYTES + CRC_BYTES, "beside the words of a WRITE"
    yield "LINK_REPLY_BYTES", reply_bytes(0), "beside its words"
    yield "LINK_MAX_WORDS", MAX_WORDS, "of a request"
    yield "LINK_WAIT_BYTES", SPI_WAIT_BYTES, "on SPI, before a reply begins at the latest"


def _fields(config: AcceleratorConfig) -> Iterator[_Macro]:
    yield "INSTRUCTION_WORDS", INSTRUCTION_WORDS, ""
    for opcode in Opcode:
        yield f"INSTRUCTION_OPCODE_{opcode.name}", int(opcode), ""
    for record in (*_RECORDS, *((LOAD,) if config.has_backing else ())):
        for field in record.of_cores(dynamic=bool(config.dynamic)):
            place = f"{field.word}, {field.lsb}, {field.width}"
            yield f"{record.name}_{field.name.upper()}", place, field.doc


def _section(title: str, macros: Iterator[_Macro]) -> list[str]:
    return ["", f"/* {title} */", *(line for macro in macros for line in _define(*macro))]


def _define(name: str, value: int | str, doc: str) -> list[str]:
    define = f"#define NARROWS_{name} {value}"
    if not doc:
        return [define]
    if len(define) + len(doc) < 112:
        return [f"{define} /* {doc} */"]
    return [f"/* {line} */" for line in textwrap.wrap(doc, 112)] + [define]
