"""The host port against an independent AXI4-Lite bus model, with pauses and back-pressure on every channel."""

from __future__ import annotations

from pathlib import Path

from narrows.hw.ports.axi_lite import AxiLite
from pin_bench import run_at_pins
from small_core import SMALL


def test_random_traffic_with_pauses_never_goes_wrong(tmp_path: Path) -> None:
    ports = {f"s_axil_{name}": member for name, member in AxiLite().flip().members.items()}
    result = run_at_pins(Path(__file__).with_name("axi_bench.py"), SMALL, ports, tmp_path)
    assert result["transactions"] >= 500
