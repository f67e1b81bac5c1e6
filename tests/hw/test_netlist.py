"""What a core's netlist must not have: paths from pin to pin without a register, memories without contents."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import defaultdict
from pathlib import Path

import pytest
from narrows.hw.ports.axi_lite import AxiLitePort
from narrows.hw.ports.bare_port import BarePort
from narrows.hw.ports.wishbone import WishbonePort
from narrows.hw.verilog import convert, to_verilog
from narrows.sw.toolchain.programs import run_tool
from small_core import SMALL

CORES = {
    "axi": dataclasses.replace(SMALL, backing="axi4", bus_bits=32),
    "wishbone": dataclasses.replace(SMALL, host="wishbone"),
    "bare": dataclasses.replace(SMALL, host="bare", memories="single", max_pool=0, rescalers=1),
    "spi": dataclasses.replace(SMALL, host="spi"),
}
REGISTERS = re.compile(r"\$.*(ff|mem|latch|scopeinfo|print|check)", re.IGNORECASE)


def pin_to_pin(verilog: str, top: str, folder: Path) -> set[tuple[str, str]]:
    """Pairs of an input and an output that depends on it within a cycle, in the netlist that Yosys reads."""
    (folder / "core.v").write_text(verilog, encoding="utf-8")
    script = (
        f"read_verilog core.v; hierarchy -check -top {top}; proc; flatten; memory -nomap; opt_clean; write_json n.json"
    )
    run_tool("yosys", ["-q", "-p", script], folder)
    module = json.loads((folder / "n.json").read_text(encoding="utf-8"))["modules"][top]
    leads: dict[int, set[int]] = defaultdict(set)
    for cell in module["cells"].values():
        if REGISTERS.match(cell["type"]):
            continue
        bits = {way: [] for way in ("input", "output")}
        for port, way in cell["port_directions"].items():
            bits[way] += [bit for bit in cell["connections"][port] if isinstance(bit, int)]
        for bit in bits["input"]:
            leads[bit].update(bits["output"])
    owners = {
        way: {bit: name for name, port in module["ports"].items() if port["direction"] == way for bit in port["bits"]}
        for way in ("input", "output")
    }
    found = set()
    for first, pin in owners["input"].items():
        reached, open_bits = {first}, [first]
        while open_bits:
            for bit in leads[open_bits.pop()] - reached:
                reached.add(bit)
                open_bits.append(bit)
        found |= {(pin, owners["output"][bit]) for bit in reached if bit in owners["output"]}
    return found


def test_a_path_is_found(tmp_path: Path) -> None:
    verilog = (
        "module m(input clk, a, b, output x, output reg y); assign x = a ^ y; always @(posedge clk) y <= b; endmodule"
    )
    assert pin_to_pin(verilog, "m", tmp_path) == {("a", "x")}


@pytest.mark.parametrize("kind", [AxiLitePort, WishbonePort, BarePort])
def test_no_path_leads_through_a_port(kind: type[AxiLitePort | WishbonePort | BarePort], tmp_path: Path) -> None:
    found = pin_to_pin(convert(kind(), "port"), "port", tmp_path)
    assert {(one, other) for one, other in found if one.startswith("pins") and other.startswith("pins")} == set()


@pytest.mark.parametrize("name", CORES)
def test_no_path_leads_through_a_core(name: str, tmp_path: Path) -> None:
    assert pin_to_pin(to_verilog(CORES[name]), "narrows_core", tmp_path) == set()


@pytest.mark.parametrize("name", CORES)
def test_every_memory_has_contents_from_the_start(name: str) -> None:
    found = 0
    for module in re.split(r"^module ", to_verilog(CORES[name]), flags=re.MULTILINE)[1:]:
        for memory in re.findall(r"^\s*(?:\(\*.*\*\)\s*)?reg \[[^]]*\] (\\?\S+) *\[", module, re.MULTILINE):
            assert re.search(rf"{re.escape(memory)} ?\[\w+\] = ", module), f"memory {memory} of {module[:40]}"
            found += 1
    assert found >= 2, "block RAMs share one module"
