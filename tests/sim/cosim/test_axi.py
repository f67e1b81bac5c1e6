"""The host port against an independent AXI4-Lite bus model, with pauses and back-pressure on every channel."""

from __future__ import annotations

from pathlib import Path

from narrows.hw.ports.axi_lite import AxiLite
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
)


def test_random_traffic_with_pauses_never_goes_wrong(tmp_path: Path) -> None:
    ports = {f"s_axil_{name}": member for name, member in AxiLite().flip().members.items()}
    result = run_at_pins(Path(__file__).with_name("axi_bench.py"), CONFIG, ports, tmp_path)
    assert result["transactions"] >= 500
