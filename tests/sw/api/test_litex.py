"""NarrowsCore in a SoC of LiteX's, as far as Verilog; bench/litex_soc.py simulates one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import narrows
import pytest
from litex.build.generic_platform import Pins
from litex.build.sim import SimPlatform
from litex.soc.integration.soc_core import SoCMini
from migen import ClockDomain
from narrows.sw.api.litex import NarrowsCore
from narrows.sw.standalone.ports import core_ports


def soc_with(core: Any, folder: Path, **place: Any) -> tuple[SoCMini, Any]:
    platform = SimPlatform("SIM", [("clk", 0, Pins(1)), ("rst", 0, Pins(1))])

    class Soc(SoCMini):
        def __init__(self) -> None:
            self.cd_sys = ClockDomain()
            clk, rst = platform.request("clk"), platform.request("rst")
            self.comb += [self.cd_sys.clk.eq(clk), self.cd_sys.rst.eq(rst)]  # pyright: ignore[reportOperatorIssue]
            super().__init__(platform, clk_freq=int(50e6), cpu_type=None, ident="", with_uart=False, with_timer=False)
            NarrowsCore(platform, core, folder).add_to(self, **place)

    return Soc(), platform


def test_every_pin_of_the_core_is_connected_and_the_region_is_the_socs(tmp_path: Path) -> None:
    soc, platform = soc_with("tiny", tmp_path / "ip", name="net", origin=0xA000_0000)
    soc.finalize()
    verilog = platform.get_verilog(soc, name="soc").main_source
    instance = re.search(r"^narrows_core .*?^\);", verilog, re.MULTILINE | re.DOTALL)
    assert instance is not None
    connected = dict(re.findall(r"\.(\w+)\s*\((.*?)\)", instance[0]))
    core = (tmp_path / "ip" / "narrows_core.v").read_text(encoding="utf-8")
    assert set(connected) == {port.name for port in core_ports(core)} and all(connected.values())
    assert connected["clk"] == "sys_clk" and connected["rst"] == "sys_rst"
    region = soc.bus.regions["net"]
    assert (region.origin, region.size, region.cached) == (0xA000_0000, 1 << 26, False)
    assert {csr.name for csr in soc.csr.regions["net"].obj} == {"ev_status", "ev_pending", "ev_enable"}
    assert (str(tmp_path / "ip" / "narrows_core.v"), "verilog", "work") in {source[:3] for source in platform.sources}


def test_a_gated_core_has_the_socs_clock_twice(tmp_path: Path) -> None:
    soc, platform = soc_with(narrows.Config("tiny", gated=1), tmp_path)
    soc.finalize()
    verilog = platform.get_verilog(soc, name="soc").main_source
    assert re.findall(r"\.(clk|work_clk)\s*\(sys_clk\)", verilog) == ["clk", "work_clk"]


def test_a_soc_with_interrupts_gets_one_of_the_core(tmp_path: Path) -> None:
    soc, platform = soc_with("tiny", tmp_path)
    assert soc.irq.locs == {}
    soc.irq.enable()
    NarrowsCore(platform, "tiny", tmp_path).add_to(soc, name="second", origin=0xA000_0000)
    assert list(soc.irq.locs) == ["second"]
    assert soc.second.ev.irq is not None


def test_a_program_brings_its_core_and_its_data_for_the_driver(tmp_path: Path) -> None:
    digits = narrows.example()
    program = digits.model.quantize(digits.calib).compile("tiny")
    soc_with(program, tmp_path)
    assert {"narrows.h", "narrows.c", "narrows_core.h", "narrows_model.h", "narrows_model.c", "component.xml"} <= {
        path.name for path in tmp_path.iterdir()
    }
    header = (tmp_path / "narrows_core.h").read_text(encoding="utf-8")
    assert f"0x{program.config.core.hash32:08x}" in header.lower()


def test_a_core_with_a_bus_of_its_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(narrows.NarrowsError, match="has an AXI4 port"):
        soc_with(narrows.Config("tiny", backing="axi4"), tmp_path)
    assert list(tmp_path.iterdir()) == []
