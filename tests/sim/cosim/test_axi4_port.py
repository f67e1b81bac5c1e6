"""The master port against an independent AXI4 memory model, with pauses and back-pressure on every channel."""

from __future__ import annotations

from pathlib import Path

from narrows.hw.memory.axi4 import Axi4
from narrows.hw.ports.axi_lite import AxiLite
from pin_bench import run_at_pins
from random_transfers import transfer_config

CONFIG = transfer_config(64, lanes=4, columns=2, banks=1)
IDENTIFIERS = {"arid": "output", "awid": "output", "rid": "input", "bid": "input"}
"""What the memory model asks for and the port does without: all answers come in order."""


def test_random_programs_with_pauses_are_exact(tmp_path: Path) -> None:
    ports = {f"s_axil_{name}": member for name, member in AxiLite().flip().members.items()}
    ports |= {f"m_axi_{name}": member for name, member in Axi4(data_width=CONFIG.bus_bits).members.items()}
    spare = {f"m_axi_{name}": way for name, way in IDENTIFIERS.items()}
    result = run_at_pins(Path(__file__).with_name("axi4_bench.py"), CONFIG, ports, tmp_path, spare=spare)
    assert result["programs"] == 3
