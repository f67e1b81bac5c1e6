"""The Wishbone port against an independent bus model, with idle cycles between accesses."""

from __future__ import annotations

from pathlib import Path

from narrows.hw.ports.wishbone import WishbonePort
from narrows.hw.spec.config import AcceleratorConfig
from pin_bench import run_at_pins

CONFIG = AcceleratorConfig(
    rows=1,
    columns=1,
    lanes=16,
    rescalers=1,
    acc_bits=12,
    rescale_bits=2,
    planes=1,
    act_words=64,
    weight_words=16,
    param_words=8,
    taps=16,
    blocks=8,
    instructions=4,
    host="wishbone",
)


def test_random_traffic_never_goes_wrong(tmp_path: Path) -> None:
    ports = {f"s_wb_{name}": member for name, member in WishbonePort().pins.signature.members.items()}
    result = run_at_pins(Path(__file__).with_name("wishbone_bench.py"), CONFIG, ports, tmp_path)
    assert result["transactions"] >= 500
