"""What goes beside a core: constraints, register map and header say what the contract says."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.isa import BLOCK, COMPUTE, TAP
from narrows.hw.spec.registers import Region, core_registers, region_address, region_depth, region_stride
from narrows.sw.cli import run
from narrows.sw.standalone.bundle import standalone_files
from narrows.sw.standalone.header import core_header
from narrows.sw.standalone.ports import Port, core_ports

CONFIG = PRESETS["tiny"]
VERILOG = """module other(a);
  input a;
endmodule
module narrows_core(rst, irq, host_adr, clk);
  input clk;
  wire clk;
  input rst;
  output irq;
  reg [3:0] state;
  input [23:0] host_adr;
endmodule
"""


def macros(header: str) -> dict[str, str]:
    return {name: value.split(" /*")[0] for name, value in re.findall(r"^#define NARROWS_(\w+) (.*)$", header, re.M)}


def test_ports_are_those_of_the_module() -> None:
    assert core_ports(VERILOG) == (
        Port(name="clk", direction="input", width=1),
        Port(name="rst", direction="input", width=1),
        Port(name="host_adr", direction="input", width=24),
        Port(name="irq", direction="output", width=1),
    )
    with pytest.raises(ValueError, match="no module narrows_core"):
        core_ports("module other; endmodule")


def test_every_register_memory_and_field_is_in_the_header() -> None:
    found = macros(core_header(CONFIG))
    assert int(found["CONFIG"].rstrip("u"), 16) == CONFIG.hash32
    for register in core_registers(CONFIG):
        assert int(found[f"REG_{register.name}"]) == register.offset
    for region in {region for region in Region if region_depth(CONFIG, region)} - {Region.REGISTERS}:
        assert int(found[f"{region.name}_BASE"].rstrip("u"), 16) == region_address(CONFIG, region)
        assert int(found[f"{region.name}_WORDS"].rstrip("u")) == region_depth(CONFIG, region)
        assert int(found[f"{region.name}_STRIDE"].rstrip("u")) == region_stride(CONFIG, region)
    assert "TABLES_BASE" not in found and "FRAME_BASE" not in found and "REG_WINDOW_BASE" not in found
    for record in (COMPUTE, BLOCK, TAP):
        for field in record.of_cores(dynamic=False):
            place = found[f"{record.name}_{field.name.upper()}"]
            assert tuple(map(int, place.split(", "))) == (field.word, field.lsb, field.width)


@pytest.mark.parametrize("dynamic", [0, 1])
def test_the_register_map_names_every_register_and_field(dynamic: int) -> None:
    config = dataclasses.replace(CONFIG, dynamic=dynamic)
    text = standalone_files(config, VERILOG, name="ip", mhz=50)["ip.md"]
    for register in core_registers(config):
        assert f"| `0x{register.offset:02X}` | {register.name} |" in text
    for record in (COMPUTE, BLOCK, TAP):
        for field in record.fields:
            line = f"| {field.word} | {field.lsb + field.width - 1}:{field.lsb} | {field.name} | "
            assert (line in text) == (not field.dynamic or bool(dynamic))
    assert "| `host_adr` | input | 24 |" in text


def test_constraints_name_the_clock_and_every_pin() -> None:
    files = standalone_files(CONFIG, VERILOG, name="ip", mhz=80)
    assert "create_clock -name clk -period 12.500 [get_ports {clk}]" in files["ip.sdc"]
    assert "[get_ports {rst host_adr}]" in files["ip.sdc"] and "[get_ports {irq}]" in files["ip.sdc"]
    assert files["ip.lpf"].startswith('FREQUENCY PORT "clk" 80 MHZ;\n')
    assert files["ip.lpf"].count("LOCATE") == 1 + 1 + 24 + 1


def test_both_clocks_of_a_gated_core_are_one() -> None:
    gated = VERILOG.replace("  input clk;\n", "  input clk;\n  input work_clk;\n")
    files = standalone_files(dataclasses.replace(CONFIG, gated=1), gated, name="ip", mhz=80)
    (clock,) = [line for line in files["ip.sdc"].splitlines() if line.startswith("create_clock")]
    assert clock.startswith("create_clock -name clk -period 12.500 ")
    assert set(clock[clock.index("{") + 1 : -2].split()) == {"clk", "work_clk"}
    assert "work_clk" not in files["ip.sdc"].split("set_input_delay")[1]
    assert {'FREQUENCY PORT "clk" 80 MHZ;', 'FREQUENCY PORT "work_clk" 80 MHZ;'} <= set(files["ip.lpf"].splitlines())


@pytest.mark.parametrize(
    ("wrapper", "pin", "more"),
    [
        ("axi", "s_axil_awvalid", set()),
        ("wishbone", "s_wb_stb", set()),
        ("spi", "spi_sck", {"narrows_spi.h", "narrows_spi.c"}),
        ("bare", "host_valid", set()),
    ],
)
def test_the_wrapper_chooses_the_port_and_writes_what_goes_beside(
    wrapper: str, pin: str, more: set[str], tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text('preset = "tiny"\nhost = "uart"\n')
    output = tmp_path / "ip.v"
    options = ["--config", str(tmp_path / "mine.toml"), "--wrapper", wrapper, "-o", str(output)]
    assert run(["verilog", *options]) == 0
    ports = core_ports(output.read_text())
    assert pin in {port.name for port in ports}
    described = (tmp_path / "component.xml").read_text(encoding="utf-8")
    assert [name for name in ("ip.v", *(port.name for port in ports)) if f">{name}<" not in described] == []
    beside = {path.name for path in tmp_path.iterdir()} - {"ip.v", "mine.toml"}
    assert beside == {"ip.sdc", "ip.lpf", "ip.md", "component.xml", "narrows_core.h", "narrows.h", "narrows.c"} | more


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_the_driver_compiles_for_every_preset(tmp_path: Path) -> None:
    for number, (name, config) in enumerate(PRESETS.items()):
        folder = tmp_path / name
        folder.mkdir()
        for file, text in standalone_files(config, VERILOG, name="ip", mhz=50).items():
            (folder / file).write_text(text)
        standard = ("-std=c99", "-std=c11")[number % 2]
        flags = ["-Wall", "-Wextra", "-Werror", "-pedantic", standard]
        subprocess.run(["cc", *flags, "-c", "narrows.c", "-o", "narrows.o"], cwd=folder, check=True)
