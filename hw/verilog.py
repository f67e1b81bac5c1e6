"""Verilog of a core, for simulators and synthesis."""

from __future__ import annotations

import re
from collections.abc import Mapping

from amaranth.back import verilog
from amaranth.hdl import Value
from amaranth.lib import wiring

from .array.hard_multiplier import HARD_MULTIPLIER_MAPS, HARD_MULTIPLIER_VERILOG
from .cells.adder import ADD_MAPS, ADD_VERILOG
from .cells.lut import CHOOSE_VERILOG, LUT_MAPS, LUT_VERILOG
from .cells.masked_adder import MASKED_ADDER_ECP5, MASKED_ADDER_VERILOG
from .cells.netlist import NetlistPlatform, SharedModule
from .core import Core
from .memory.block_ram import BLOCK_RAM_ECP5, BLOCK_RAM_VERILOG
from .memory.single_port_memory import SINGLE_PORT_ICE40, SINGLE_PORT_VERILOG
from .ports.usb_device import need_luna
from .spec.config import AcceleratorConfig

__all__ = ["LIBRARY", "TECHMAPS", "TOP", "convert", "to_verilog"]

TOP = "narrows_core"
"""Name of the generated top module."""

LIBRARY = {
    "narrows_add": ADD_VERILOG,
    "narrows_addmasked": MASKED_ADDER_VERILOG,
    "narrows_lut": LUT_VERILOG,
    "narrows_choose": CHOOSE_VERILOG,
    "narrows_block_ram": BLOCK_RAM_VERILOG,
    "narrows_mul": HARD_MULTIPLIER_VERILOG,
    "narrows_ram": SINGLE_PORT_VERILOG,
}
"""Modules that components instantiate, by name."""

TECHMAPS = {
    "ecp5": ADD_MAPS["ecp5"] + LUT_MAPS["ecp5"] + MASKED_ADDER_ECP5 + HARD_MULTIPLIER_MAPS["ecp5"] + BLOCK_RAM_ECP5,
    "ice40": ADD_MAPS["ice40"] + LUT_MAPS["ice40"] + HARD_MULTIPLIER_MAPS["ice40"] + SINGLE_PORT_ICE40,
    "xilinx": ADD_MAPS["xilinx"] + HARD_MULTIPLIER_MAPS["xilinx"],
}
"""Yosys techmaps from these modules to what each FPGA family has for them, by target."""

_HEAD = re.compile(r"\A.*?^(?=module )", re.DOTALL | re.MULTILINE)
_BRACKETED = re.compile(r"\\(\S*\[\S*) ")


def _without_brackets(match: re.Match[str]) -> str:
    return "\\" + match[1].replace("[", "__").replace("]", "") + " "


def to_verilog(config: AcceleratorConfig) -> str:
    """Verilog of the core of a configuration, top module `TOP`, ports ``clk``, ``rst`` and those of `Core`.

    With a UART its first line is ``// uart_divisor = N``: pins do not tell how fast they are.

    Raises
    ------
    ConfigError
        If the host is on USB and LUNA is not installed.
    """
    if config.host == "usb":
        need_luna()
    text = convert(Core(config), TOP)
    return f"// uart_divisor = {config.uart_divisor}\n{text}" if config.host == "uart" else text


def convert(component: wiring.Component, name: str) -> str:
    """Verilog of one component and of all that it instantiates, as top module ``name``; member ``b`` of its interface
    ``a`` is port ``a_b``."""
    ports = {
        "_".join(map(str, path)): (Value.cast(value), None) for path, _, value in component.signature.flatten(component)
    }
    platform = NetlistPlatform()
    text = _written(component, name, platform, ports)
    text += "".join(_shared(name, module) for name, module in platform.shared.items())
    return text + "".join(module for name, module in LIBRARY.items() if f"\n  {name} " in text)


def _written(
    component: wiring.Component, name: str, platform: NetlistPlatform, ports: Mapping[str, tuple[Value, None]]
) -> str:
    text = verilog.convert(component, name=name, platform=platform, ports=dict(ports), emit_src=False)
    # Amaranth names array elements x[0]; ABC9 in Yosys takes such a name for bit 0 of x and fails
    return _BRACKETED.sub(_without_brackets, text)


def _shared(name: str, module: SharedModule) -> str:
    """A module that is written once; to a simulator that compiles tables well, as a table."""
    ports = {port: (Value.cast(getattr(module.component, port)), None) for port in module.ports}
    text = _HEAD.sub("", _written(module.component, name, NetlistPlatform(writes=name), ports))
    table = module.table.verilog(name, module.ports)
    return f"\n// the two are equal\n`ifdef VERILATOR\n{table}`else\n{text}`endif\n"
