"""The Wishbone port against an independent bus model, with idle cycles between accesses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from narrows.hw.ports.wishbone import WishbonePort
from pin_bench import run_at_pins
from small_core import SMALL

CONFIG = dataclasses.replace(SMALL, host="wishbone")


def test_random_traffic_never_goes_wrong(tmp_path: Path) -> None:
    ports = {f"s_wb_{name}": member for name, member in WishbonePort().pins.signature.members.items()}
    result = run_at_pins(Path(__file__).with_name("wishbone_bench.py"), CONFIG, ports, tmp_path)
    assert result["transactions"] >= 500
