"""Waveforms: values at clock edges, and a crop that shows the same ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from narrows.sw.verify.waveform import Waveform, write_views

PERIOD = 10
NAMES = ["top.unit.count", "top.unit.odd"]


@pytest.fixture
def vcd(tmp_path: Path) -> Path:
    """Forty cycles of a counter, as Verilator writes them."""
    lines = ["$timescale 1ns $end", "$scope module top $end", "$var wire 1 ! clk $end", "$scope module unit $end"]
    lines += ["$var wire 8 % count [7:0] $end", "$var wire 1 & odd $end", "$var wire 4 ' $17 [3:0] $end"]
    lines += ["$upscope $end", "$upscope $end", "$enddefinitions $end", "#0", "0!", "b00000000 %", "0&", "b0000 '"]
    for cycle in range(1, 41):
        lines += [f"#{cycle * PERIOD - 5}", "1!", f"b{cycle:08b} %", f"{cycle & 1}&", f"b{cycle & 15:04b} '"]
        lines += [f"#{cycle * PERIOD}", "0!"]
    path = tmp_path / "dump.vcd"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_values_are_those_right_before_an_edge(vcd: Path) -> None:
    edges = list(Waveform(vcd).edges("top.clk", NAMES))
    assert edges[0] == (5, {"top.unit.count": 0, "top.unit.odd": 0})
    assert edges[7] == (75, {"top.unit.count": 7, "top.unit.odd": 1})


def test_temporaries_have_no_name(vcd: Path) -> None:
    assert set(Waveform(vcd).signals) == {"top.clk", *NAMES}


@pytest.mark.parametrize("seed", range(5))
def test_a_crop_shows_what_the_whole_shows(vcd: Path, tmp_path: Path, seed: int) -> None:
    begin, end = sorted(int(time) for time in np.random.default_rng(seed).integers(0, 400, 2))
    waveform, output = Waveform(vcd), tmp_path / "crop.vcd"
    waveform.crop(output, begin, end)
    whole = [edge for edge in waveform.edges("top.clk", NAMES) if begin < edge[0] < end]
    found = [edge for edge in Waveform(output).edges("top.clk", NAMES) if begin < edge[0] < end]
    assert found == whole, seed
    assert output.stat().st_size < vcd.stat().st_size


def test_views_name_the_signals_that_there_are(vcd: Path, tmp_path: Path) -> None:
    views = write_views(Waveform(vcd), tmp_path / "crop.vcd", [*NAMES, "top.nothing"], marker=75, begin=35)
    gtkwave, surfer = (view.read_text() for view in views)
    assert '[dumpfile] "crop.vcd"' in gtkwave
    assert "top.unit.count[7:0]\n" in gtkwave and "top.unit.odd\n" in gtkwave
    assert "top.nothing" not in gtkwave + surfer
    assert surfer.splitlines() == [
        "variable_add top.unit.count",
        "variable_add top.unit.odd",
        "cursor_set 75",
        "zoom_fit",
    ]
