"""Host-visible address map: registers, and one window on each on-chip memory."""

from __future__ import annotations

import enum
import functools

from .answer import ANSWER
from .config import AcceleratorConfig
from .feed import BYTES, CODE_BITS, FEED_ENTRIES, FEED_STEP, FRAME_WORD_BYTES
from .isa import BLOCK, INSTRUCTION_WORDS, TAP
from .memories import WINDOW_BITS, stride_bytes
from .tables import TABLE_ENTRIES

__all__ = [
    "ADDRESS_BITS",
    "MAGIC",
    "REGION_BITS",
    "STORE_REGION",
    "VERSION",
    "Access",
    "Control",
    "Fault",
    "Interrupt",
    "Region",
    "Register",
    "Status",
    "Stream",
    "core_faults",
    "core_registers",
    "region_address",
    "region_beats",
    "region_depth",
    "region_stride",
    "region_word_bits",
]

REGION_BITS = WINDOW_BITS
"""A byte address is a region above this many bits of offset."""

ADDRESS_BITS = REGION_BITS + 4
"""Width of a host byte address; all accesses are aligned 32-bit words."""

MAGIC = 0x6E727773
"""Content of `Register.MAGIC`: "nrws"."""

STORE_REGION = 15
"""Not a memory of the core: behind a serial link, the first 4 MiB of the window on its backing store (from
`Register.WINDOW_BASE` on), where `AcceleratorConfig.shows_store`."""

VERSION = 2
"""Version of the contract (address map, records, semantics)."""


class Region(enum.IntEnum):
    """What the upper address bits select. All memories take host accesses only while the core is idle, but for FRAME,
    which takes writes in a run, too; the program's (instructions, blocks, taps, parameters, weights, tables), the
    feeder's (frame, codes, feed) and the streams' (answer) are write-only and read as 0."""

    REGISTERS = 0
    INSTRUCTIONS = 1
    BLOCKS = 2
    TAPS = 3
    PARAMS = 4
    WEIGHTS = 5
    ACTIVATIONS = 6
    CHECKSUMS = 7
    TABLES = 8
    FRAME = 9
    CODES = 10
    FEED = 11
    ANSWER = 12


class Access(enum.Enum):
    """Who may write a register."""

    READ = "ro"
    WRITE = "rw"


class Register(enum.Enum):
    """A 32-bit register: byte offset in `Region.REGISTERS`, access, meaning."""

    MAGIC = (0x00, Access.READ, "constant MAGIC")
    VERSION = (0x04, Access.READ, "version of the contract")
    CONFIG = (0x08, Access.READ, "first 32 bits of the digest of the core's configuration")
    PROGRAM_CONFIG = (0x0C, Access.WRITE, "the same of the configuration a program was compiled for; must equal CONFIG")
    CONTROL = (0x10, Access.WRITE, "Control bits; they act once and read as 0")
    STATUS = (0x14, Access.READ, "Status bits; bits 15:8 are the Fault")
    FAULT_INDEX = (0x18, Access.READ, "index of the instruction at which the fault arose")
    WATCHDOG = (0x1C, Access.WRITE, "cycles after which a run is stopped with Fault.WATCHDOG; 0: never")
    CYCLES = (0x20, Access.READ, "cycles from start to done of the last run")
    BUSY = (0x24, Access.READ, "cycles in which the array or the max-pool unit was fed a step")
    STALL_DRAIN = (
        0x28,
        Access.READ,
        "cycles in which a step waited for the drain: a tile's last one, or with single ports any",
    )
    STALL_WALK = (0x2C, Access.READ, "cycles in which a pixel group waited for the pixel walker")
    STALL_LOAD = (0x30, Access.READ, "cycles in which the sequencer waited for the loader, which moved data")
    STALL_STORE = (0x34, Access.READ, "cycles in which the sequencer waited for the storer, which moved data")
    STALL_TOKEN = (0x38, Access.READ, "cycles in which the sequencer waited for a unit that itself waited for a token")
    WINDOW_BASE = (0x3C, Access.WRITE, "address of the window on the bus, a multiple of 4096; stays while a run lasts")
    WINDOW_LIMIT = (0x40, Access.WRITE, "bytes of the window, a multiple of 4096; stays while a run lasts")
    IRQ_ENABLE = (0x44, Access.WRITE, "Interrupt bits that raise irq; DONE and FAULT after a reset")
    IRQ_STATUS = (0x48, Access.WRITE, "Interrupt bits that stand; writing 1 acknowledges one")
    FRAME_BYTES = (0x4C, Access.READ, "bytes of a frame that the core can lay out; 0 without a frame memory")
    STREAM = (0x50, Access.WRITE, "Stream bits; writing them forgets what went wrong")
    BOOT = (0x54, Access.READ, "bits 7:0 are the BootState; bits 31:8 those of the CRC-32 of the image that was loaded")
    ENTRY = (
        0x58,
        Access.WRITE,
        "index of the instruction at which runs begin; 0 after a reset; stays while a run lasts",
    )
    DAMAGE = (
        0x5C,
        Access.READ,
        "bit n: a damaged word of Region n was read; bit 16 + n: one was corrected; since the last start or CLEAR",
    )

    def __init__(self, offset: int, access: Access, doc: str) -> None:
        self.offset = offset
        self.access = access
        self.doc = doc


_BACKING = (
    Register.STALL_LOAD,
    Register.STALL_STORE,
    Register.STALL_TOKEN,
    Register.WINDOW_BASE,
    Register.WINDOW_LIMIT,
)
"""Of loader and storer."""

_CAUSES = tuple(register for register in Register if register.name == "BUSY" or register.name.startswith("STALL_"))
"""Counters that say what cycles were used for."""

_INTERRUPTS = (Register.IRQ_ENABLE, Register.IRQ_STATUS)
"""Of cores on a bus: behind a serial link nobody waits for an interrupt."""


class Control(enum.IntFlag):
    """Bits of `Register.CONTROL`."""

    START = 1
    CLEAR = 2  # give a run up, forget a fault; acts before START
    FEED = 4  # lay the frame out, before the run if START is there, too; of cores with a frame memory


class Status(enum.IntFlag):
    """Low bits of `Register.STATUS`."""

    BUSY = 1
    DONE = 2  # sticky until the next start
    FAULT = 4  # sticky until cleared
    REFUSED = 8  # an access, a START or a write of the window or of ENTRY was; sticky until cleared or the next run


class Stream(enum.IntFlag):
    """Bits of `Register.STREAM`."""

    ENABLE = 1  # serve frames from the stream; the host starts no run and writes no frame meanwhile
    COUNTED = 2  # a frame ends after its bytes, TLAST is not looked at
    SHORT = 1 << 8  # a frame ended early and was not run; sticky, as those below
    LONG = 1 << 9  # a frame went on too long, likewise
    FAILED = 1 << 10  # a run stopped with a fault, or the host gave it up
    PRESENT = 1 << 31  # always, in a core with streams


class Interrupt(enum.IntFlag):
    """Bits of `Register.IRQ_ENABLE` and `Register.IRQ_STATUS`: causes that stand as long as that bit of
    `Register.STATUS`, or until they are acknowledged; FAULT once BUSY is 0, too."""

    DONE = 1
    FAULT = 2
    REFUSED = 4


class Fault(enum.IntEnum):
    """Why the core stopped."""

    NONE = 0
    ILLEGAL_INSTRUCTION = 1
    CERTIFICATE = 2
    CONFIG_MISMATCH = 3
    WATCHDOG = 4
    HOST_ACCESS = 5
    WINDOW = 6
    BUS = 7
    MEMORY_ERROR = 8


@functools.cache
def _faults(is_protected: bool) -> type[Fault]:
    known = {fault.name: fault.value for fault in Fault if is_protected or fault is not Fault.MEMORY_ERROR}
    return enum.IntEnum("Fault", known)  # type: ignore[return-value]


def core_faults(config: AcceleratorConfig) -> type[Fault]:
    """Faults that a core can have, under the names and numbers of `Fault`; hardware is no wider than these."""
    return _faults(config.is_protected)


_EVERY_CORES = Register.FRAME_BYTES.offset // 4 + 1
"""Words of the registers' window in every core; longer where there are registers behind."""


@functools.cache
def core_registers(config: AcceleratorConfig) -> tuple[Register, ...]:
    """Registers that a core has, in the order of their offsets; the others read as 0."""
    missing = {
        *(() if config.has_backing else _BACKING),
        *(() if config.counters else _CAUSES),
        *(_INTERRUPTS if config.is_serial else ()),
        *(() if config.frame_bytes else (Register.FRAME_BYTES,)),
        *(() if config.streams else (Register.STREAM,)),
        *(() if config.boot else (Register.BOOT,)),
        *(() if config.entry else (Register.ENTRY,)),
        *(() if config.is_protected else (Register.DAMAGE,)),
    }
    return tuple(register for register in Register if register not in missing)


@functools.cache
def region_word_bits(config: AcceleratorConfig, region: Region) -> int:
    """Width of one word of a region's memory, in bits."""
    return {
        Region.REGISTERS: 32,
        Region.INSTRUCTIONS: 32,
        Region.BLOCKS: BLOCK.words * 32,
        Region.TAPS: TAP.words * 32,
        Region.PARAMS: config.param_word_bits,
        Region.WEIGHTS: config.weight_word_bits,
        Region.ACTIVATIONS: config.act_word_bits,
        Region.CHECKSUMS: 32,
        Region.TABLES: config.level_bits,
        Region.FRAME: 8 * FRAME_WORD_BYTES,
        Region.CODES: CODE_BITS,
        Region.FEED: FEED_STEP.words * 32,
        Region.ANSWER: ANSWER.words * 32,
    }[region]


def region_depth(config: AcceleratorConfig, region: Region) -> int:
    """Words of a region's memory."""
    return {
        Region.REGISTERS: max(_EVERY_CORES, core_registers(config)[-1].offset // 4 + 1),
        Region.INSTRUCTIONS: config.instructions * INSTRUCTION_WORDS,
        Region.BLOCKS: config.blocks,
        Region.TAPS: config.taps,
        Region.PARAMS: config.param_words,
        Region.WEIGHTS: config.weight_words,
        Region.ACTIVATIONS: config.act_words,
        Region.CHECKSUMS: config.instructions,
        Region.TABLES: config.tables * TABLE_ENTRIES,
        Region.FRAME: config.frame_bytes // FRAME_WORD_BYTES,
        Region.CODES: BYTES if config.frame_bytes else 0,
        Region.FEED: FEED_ENTRIES if config.frame_bytes else 0,
        Region.ANSWER: 1 if config.streams else 0,
    }[region]


def region_beats(config: AcceleratorConfig, region: Region) -> int:
    """32-bit beats that one word takes, low beat first."""
    return -(-region_word_bits(config, region) // 32)


def region_stride(config: AcceleratorConfig, region: Region) -> int:
    """Bytes from one word to the next: the beats rounded up to a power of two."""
    return stride_bytes(region_word_bits(config, region))


def region_address(config: AcceleratorConfig, region: Region, word: int = 0, beat: int = 0) -> int:
    """Byte address of a beat of a word."""
    return (region << REGION_BITS) + word * region_stride(config, region) + 4 * beat
