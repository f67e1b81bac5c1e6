"""check: whether a core with some parameters can be built, and what each parameter may be."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from .digits import base_digits
from .errors import NarrowsError
from .memories import SINGLE_ENABLE, SINGLE_WIDTH, SINGLE_WORDS, WINDOW_BITS, words_in_window
from .tables import TABLE_TOP

if TYPE_CHECKING:
    from .config import AcceleratorConfig

__all__ = [
    "FABRICS",
    "HOSTS",
    "MOST_INSTRUCTIONS",
    "MOST_TABLES",
    "MOST_NEAR",
    "PROTECTIONS",
    "ConfigError",
    "check",
    "check_kinds",
]

FABRICS = ("ecp5", "ice40", "xilinx")
"""FPGA families that the array has a form for."""

HOSTS = ("axi", "wishbone", "uart", "spi", "usb", "bare")
"""Ports that a core may have for its host."""

PROTECTIONS = ("none", "parity", "secded")
"""Check bits that the on-chip memories may have."""

MOST_NEAR = 256
"""Multiply-accumulate units that signals can reach from one register: beyond, an ECP5 runs out of wires."""

MOST_INSTRUCTIONS = 1024
"""Most instructions that a core can hold."""

MOST_BLOCKS = 4096
"""Most blocks that a core can hold."""

MOST_TABLES = 15
"""Most tables of levels that a core can have."""

_TEXTS = ("base", "weight_base", "act_base", "rounds_to", "memories", "fabric", "backing", "host", "protection")


class ConfigError(NarrowsError, ValueError):
    """A configuration that cannot be built; the message names the parameter and says what it may be."""


def check_kinds(config: AcceleratorConfig) -> None:
    """See that every parameter is a string or an integer, as its default is, and that bases are bases.

    Raises
    ------
    ConfigError
        If one is not.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        kind = str if field.name in _TEXTS else int
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigError(f"{field.name} must be {'a string' if kind is str else 'an integer'}, not {value!r}")
    for name, known in (
        ("base", lambda: base_digits(config.base)),
        ("weight_base", lambda: config.weight_digits),
        ("act_base", lambda: config.digits),
    ):
        try:
            known()
        except ValueError as error:
            raise ConfigError(f"{name}: {error}") from error


def check(config: AcceleratorConfig) -> None:
    """See that every parameter is in its range and goes with the others.

    Raises
    ------
    ConfigError
        If one is not.
    """
    _check_array(config)
    _check_drain(config)
    _check_memories(config)
    _check_options(config)
    _check_boot(config)
    _check_protection(config)


def _need(config: AcceleratorConfig, name: str, holds: bool, what: str) -> None:
    if not holds:
        raise ConfigError(f"{name} must be {what}, not {getattr(config, name)!r}")


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


def _check_array(config: AcceleratorConfig) -> None:
    _need(config, "rows", 1 <= config.rows <= 32, "1 to 32")
    most = 32 // config.code_bits
    _need(
        config,
        "rescalers",
        config.rescalers in (1, 2, 4, 8) and config.rescalers <= most,
        "1, 2, 4 or 8" if most >= 8 else f"1, 2 or {most} with codes of {config.code_bits} bits",
    )
    _need(
        config,
        "columns",
        1 <= config.columns <= 64 and config.columns % config.rescalers == 0,
        f"1 to 64 and a multiple of rescalers ({config.rescalers})",
    )
    _need(
        config,
        "lanes",
        2 <= config.lanes <= 64 and _is_power_of_two(config.lanes) and config.lanes % config.rescalers == 0,
        f"a power of two from 2 to 64 and a multiple of rescalers ({config.rescalers})",
    )
    _need(config, "tree_stage", 1 <= config.tree_stage <= 6, "1 to 6")
    _need(config, "product_stage", config.product_stage in (0, 1), "0 or 1")
    _need(config, "dsp_lanes", 0 <= config.dsp_lanes <= config.lanes, f"0 to lanes ({config.lanes})")


def _check_drain(config: AcceleratorConfig) -> None:
    _need(
        config,
        "drain_rows",
        config.drain_rows in (1, 2, 4) and config.drain_rows <= config.rows,
        f"1, 2 or 4 and at most rows ({config.rows})",
    )
    _need(config, "acc_bits", 12 <= config.acc_bits <= 32, "12 to 32")
    _need(config, "rescale_bits", 2 <= config.rescale_bits <= 16 or config.rescale_bits == 32, "2 to 16, or 32")
    _need(config, "bias_bits", config.bias_bits == 0 or 8 <= config.bias_bits <= 32, "8 to 32, or 0 for acc_bits")
    if config.value_bits > 63:
        raise ConfigError(
            f"acc_bits, bias_bits and rescale_bits give a product of {config.value_bits} bits: at most 63"
        )
    _need(config, "planes", 1 <= config.planes <= config.digits.most, f"1 to {config.digits.most}, or 0")
    try:
        config.roundings  # noqa: B018 - names what is wrong
    except ValueError as error:
        raise ConfigError(f"rounds_to: {error}") from error
    _need(config, "tables", 0 <= config.tables <= MOST_TABLES, f"0 to {MOST_TABLES}")
    if config.tables and config.level_max < TABLE_TOP:
        raise ConfigError(f"tables are for integers to {TABLE_TOP}, which needs more planes than {config.planes}")


def _check_memories(config: AcceleratorConfig) -> None:
    _need(
        config,
        "act_words",
        _is_power_of_two(config.act_words) and 64 <= config.act_words <= 65536,
        "a power of two from 64 to 65536",
    )
    _need(config, "weight_words", 16 <= config.weight_words <= 65536, "16 to 65536")
    _need(config, "param_words", 4 <= config.param_words <= 65536, "4 to 65536")
    for name, bits in (
        ("act_words", config.act_word_bits),
        ("weight_words", config.weight_word_bits),
        ("param_words", config.param_word_bits),
    ):
        most = words_in_window(bits)
        what = f"at most {most}: words of {bits} bits in a host's window of {1 << (WINDOW_BITS - 20)} MiB"
        _need(config, name, getattr(config, name) <= most, what)
    _need(config, "taps", 16 <= config.taps <= 1024, "16 to 1024")
    _need(config, "blocks", 8 <= config.blocks <= MOST_BLOCKS, f"8 to {MOST_BLOCKS}")
    _need(config, "instructions", 4 <= config.instructions <= MOST_INSTRUCTIONS, f"4 to {MOST_INSTRUCTIONS}")
    _need(config, "memories", config.memories in ("dual", "single"), "'dual' or 'single'")
    if config.memories == "single":
        rest = (config.act_word_bits | config.weight_word_bits) % SINGLE_WIDTH
        rest |= config.rescalers * config.code_bits % SINGLE_ENABLE
        _need(config, "memories", config.drain_rows == 1, "'dual' with several drain rows")
        _need(config, "memories", not config.spread, f"'dual' beyond {MOST_NEAR} multiply-accumulate units")
        _need(config, "memories", rest == 0, "'dual' unless words take whole 16 bits and granules whole 4")
        _need(config, "act_words", config.act_words // config.banks <= SINGLE_WORDS, f"at most {SINGLE_WORDS} a bank")
        _need(config, "weight_words", config.weight_words <= SINGLE_WORDS, f"at most {SINGLE_WORDS}")
    _need(config, "backing", config.backing in ("none", "axi4"), "'none' or 'axi4'")
    _need(
        config,
        "frame_bytes",
        config.frame_bytes == 0 or (_is_power_of_two(config.frame_bytes) and 64 <= config.frame_bytes <= 32768),
        "a power of two from 64 to 32768, or 0",
    )
    _need(config, "bus_bits", config.bus_bits in (32, 64, 128), "32, 64 or 128")


def _check_options(config: AcceleratorConfig) -> None:
    for name in ("prefetch", "max_pool", "dynamic", "counters", "entry", "streams", "gated"):
        _need(config, name, getattr(config, name) in (0, 1), "0 or 1")
    if config.dynamic and config.weight_format != config.act_format:
        raise ConfigError(
            f"dynamic weights are activations: they need one base for both, not {config.weight_format} for weights and "
            f"{config.act_format} for activations"
        )
    if config.streams and not config.frame_bytes:
        raise ConfigError("streams bring frames: they need a frame memory, so set frame_bytes")
    _need(config, "fabric", config.fabric in FABRICS, f"one of {', '.join(FABRICS)}")
    _need(config, "host", config.host in HOSTS, f"one of {', '.join(HOSTS)}")
    _need(config, "uart_divisor", 4 <= config.uart_divisor <= 65535, "4 to 65535")


def _check_boot(config: AcceleratorConfig) -> None:
    _need(config, "boot", config.boot in (0, 1), "0 or 1")
    _need(config, "boot", not (config.boot and config.has_backing), "0 in a core with a backing store")
    fits = config.flash_offset % 256 == 0 and 0 <= config.flash_offset < 1 << 24
    _need(config, "flash_offset", fits, "a multiple of 256 from 0 to 16776960")
    _need(config, "flash_offset", config.boot == 1 or config.flash_offset == 0, "0 without boot")
    least = config.boot
    most = 16 * config.boot
    what = "1 to 16" if config.boot else "0 without boot"
    _need(config, "flash_divisor", least <= config.flash_divisor <= most, what)


def _check_protection(config: AcceleratorConfig) -> None:
    _need(config, "protection", config.protection in PROTECTIONS, f"one of {', '.join(PROTECTIONS)}")
    if not config.is_protected:
        return
    what = "'none' with memories = 'single': their words have no bits to spare, and are undefined at power-up"
    _need(config, "protection", config.memories == "dual", what)
    what = "'none' with streams: a word of an answer may be found damaged when others of it are gone"
    _need(config, "protection", not config.streams, what)
    what = "'none' with entry: what another program's run finds damaged, the driver would not fill anew"
    _need(config, "protection", not config.entry, what)
