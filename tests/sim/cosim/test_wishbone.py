"""The Wishbone port against an independent bus model, with idle cycles between accesses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from narrows.hw.ports.wishbone import Wishbone
from narrows.hw.spec.registers import ADDRESS_BITS
from pin_bench import run_at_pins
from small_core import SMALL

CONFIG = dataclasses.replace(SMALL, host="wishbone")


def test_random_traffic_never_goes_wrong(tmp_path: Path) -> None:
    bus = Wishbone(addr_width=ADDRESS_BITS - 2, data_width=32, granularity=8, features={"err"}).flip()
    ports = {f"s_wb_{name}": member for name, member in bus.members.items()}
    result = run_at_pins(Path(__file__).with_name("wishbone_bench.py"), CONFIG, ports, tmp_path)
    assert result["transactions"] >= 500
