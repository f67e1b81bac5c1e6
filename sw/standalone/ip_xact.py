"""ip_xact: a core as IP-XACT (IEEE 1685-2014) describes it: its buses, memory map, registers, pins and source."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from typing import Any

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.registers import (
    Access,
    Control,
    Fault,
    Interrupt,
    Region,
    Register,
    Status,
    Stream,
    core_faults,
    core_registers,
    region_address,
    region_depth,
    region_stride,
)
from ..version import __version__
from .ports import Port

__all__ = ["ip_xact"]

_NAMESPACE = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"
_MAP, _SPACE, _FILES, _SOURCE = "narrows", "backing_store", "sources", "rtl"

_BUSES = {
    "s_axil_": ("amba.com", "AMBA4", "AXI4-Lite", "r0p0_0"),
    "s_wb_": ("opencores.org", "interface", "wishbone", "b4"),
    "m_axi_": ("amba.com", "AMBA4", "AXI4", "r0p0_0"),
    "s_axis_": ("amba.com", "AMBA4", "AXI4Stream", "r0p0_0"),
    "m_axis_": ("amba.com", "AMBA4", "AXI4Stream", "r0p0_0"),
}
"""Vendor, library, name and version of the bus whose pins begin so. ARM publishes its own; of Wishbone there is no
definition that tools share, so this only names it."""

_CLOCKS = {"s_axil_": "ACLK", "m_axi_": "ACLK", "s_axis_": "ACLK", "m_axis_": "ACLK", "s_wb_": "clk"}
_ACCESS = {
    Region.REGISTERS: "read-write",
    Region.ACTIVATIONS: "read-write",
    Region.CHECKSUMS: "read-only",
}
"""Of the host to a memory; the program's are write-only."""

_BITS: dict[Register, type[Control | Status | Interrupt | Stream]] = {
    Register.CONTROL: Control,
    Register.STATUS: Status,
    Register.STREAM: Stream,
    Register.IRQ_ENABLE: Interrupt,
    Register.IRQ_STATUS: Interrupt,
}
_LASTING = (Register.MAGIC, Register.VERSION, Register.CONFIG)
_FAULT_AT, _FAULT_BITS = 8, 8


def ip_xact(config: AcceleratorConfig, ports: Sequence[Port], source: str) -> str:
    """The component in XML.

    Parameters
    ----------
    config : AcceleratorConfig
    ports : sequence of Port
        Pins of the core.
    source : str
        Name of the Verilog file beside it.
    """
    ElementTree.register_namespace("ipxact", _NAMESPACE)
    buses = [prefix for prefix in _BUSES if any(port.name.startswith(prefix) for port in ports)]
    root = _element(
        "component",
        *(_text(*each) for each in (("vendor", "narrows"), ("library", "ip"), ("name", "narrows_core"))),
        _text("version", __version__),
        _element("busInterfaces", *(_bus(prefix, ports) for prefix in buses)) if buses else None,
        _element("addressSpaces", _space(config)) if "m_axi_" in buses else None,
        _element("memoryMaps", _memory_map(config)),
        _model(ports),
        _element("fileSets", _files(source)),
        _text("description", f"narrows core of {config.macs} units, configuration 0x{config.hash32:08x}. Generated."),
    )
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _bus(prefix: str, ports: Sequence[Port]) -> ElementTree.Element:
    vendor, library, name, version = _BUSES[prefix]
    kind = {"vendor": vendor, "library": library, "version": version}
    lower = prefix == "s_wb_"
    pins = [port.name for port in ports if port.name.startswith(prefix)]
    logical = {pin: pin.removeprefix(prefix) if lower else pin.removeprefix(prefix).upper() for pin in pins}
    maps = [
        _element(
            "portMap",
            _element("logicalPort", _text("name", signal)),
            _element("physicalPort", _text("name", pin)),
        )
        for pin, signal in ({"clk": _CLOCKS[prefix]} | logical).items()
    ]
    abstraction = _element("abstractionRef", **kind, name=f"{name}_rtl")
    modes = {
        "m_axi_": _element("master", _element("addressSpaceRef", addressSpaceRef=_SPACE)),
        "m_axis_": _element("master"),
        "s_axis_": _element("slave"),
    }
    mode = modes.get(prefix, _element("slave", _element("memoryMapRef", memoryMapRef=_MAP)))
    return _element(
        "busInterface",
        _text("name", prefix.rstrip("_")),
        _element("busType", **kind, name=name),
        _element("abstractionTypes", _element("abstractionType", abstraction, _element("portMaps", *maps))),
        mode,
    )


def _space(config: AcceleratorConfig) -> ElementTree.Element:
    return _element(
        "addressSpace",
        _text("name", _SPACE),
        _text("range", "'h100000000"),
        _text("width", config.bus_bits),
        _text("addressUnitBits", 8),
    )


def _memory_map(config: AcceleratorConfig) -> ElementTree.Element:
    regions = [region for region in Region if region_depth(config, region)]
    blocks = [_block(config, region) for region in regions]
    return _element("memoryMap", _text("name", _MAP), *blocks, _text("addressUnitBits", 8))


def _block(config: AcceleratorConfig, region: Region) -> ElementTree.Element:
    registers = region is Region.REGISTERS
    return _element(
        "addressBlock",
        _text("name", region.name),
        _text("baseAddress", f"'h{region_address(config, region):X}"),
        _text("range", region_depth(config, region) * region_stride(config, region)),
        _text("width", 32),
        _text("usage", "register" if registers else "memory"),
        _text("access", _ACCESS.get(region, "write-only")),
        *((_register(config, each) for each in core_registers(config)) if registers else ()),
    )


def _register(config: AcceleratorConfig, register: Register) -> ElementTree.Element:
    access = "read-write" if register.access is Access.WRITE else "read-only"
    fields = [
        _field(str(bit.name), int(bit).bit_length() - 1, 1, access, clears=register is Register.IRQ_STATUS)
        for bit in _BITS.get(register, ())
    ] or [_field("VALUE", 0, 32, access)]
    if register is Register.STATUS:
        fields.append(_field("FAULT_CODE", _FAULT_AT, _FAULT_BITS, access, values=core_faults(config)))
    return _element(
        "register",
        _text("name", register.name),
        _text("description", register.doc),
        _text("addressOffset", f"'h{register.offset:X}"),
        _text("size", 32),
        _text("volatile", str(register.access is Access.READ and register not in _LASTING).lower()),
        _text("access", access),
        *fields,
    )


def _field(
    name: str, offset: int, bits: int, access: str, *, values: Iterable[Fault] = (), clears: bool = False
) -> ElementTree.Element:
    named = [
        _element("enumeratedValue", _text("name", value.name), _text("value", int(value)), usage="read")
        for value in values
    ]
    return _element(
        "field",
        _text("name", name),
        _text("bitOffset", offset),
        _text("bitWidth", bits),
        _text("access", access),
        _element("enumeratedValues", *named) if named else None,
        _text("modifiedWriteValue", "oneToClear") if clears else None,
    )


def _model(ports: Sequence[Port]) -> ElementTree.Element:
    view = _element("view", _text("name", _SOURCE), _text("componentInstantiationRef", _SOURCE))
    instance = _element(
        "componentInstantiation",
        _text("name", _SOURCE),
        _text("language", "verilog"),
        _text("moduleName", "narrows_core"),
        _element("fileSetRef", _text("localName", _FILES)),
    )
    return _element(
        "model",
        _element("views", view),
        _element("instantiations", instance),
        _element("ports", *map(_port, ports)),
    )


def _port(port: Port) -> ElementTree.Element:
    vector = _element("vector", _text("left", port.width - 1), _text("right", 0))
    return _element(
        "port",
        _text("name", port.name),
        _element(
            "wire",
            _text("direction", {"input": "in", "output": "out"}[port.direction]),
            _element("vectors", vector) if port.width > 1 else None,
        ),
    )


def _files(source: str) -> ElementTree.Element:
    file = _element("file", _text("name", source), _text("fileType", "verilogSource"))
    return _element("fileSet", _text("name", _FILES), file)


def _element(tag: str, *children: ElementTree.Element | None, **attributes: str) -> ElementTree.Element:
    made = ElementTree.Element(f"{{{_NAMESPACE}}}{tag}", attributes)
    made.extend(child for child in children if child is not None)
    return made


def _text(tag: str, content: Any) -> ElementTree.Element:
    made = _element(tag)
    made.text = str(content)
    return made
