"""Boards: cycles are those of the network compiled for the board's core; estimates those of the program's own."""

from __future__ import annotations

import dataclasses

import pytest
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.hw.spec.transfer_cycles import BusTiming
from narrows.sw.compile import compile_graph
from narrows.sw.costs.cells import DEVICES, estimate_cells
from narrows.sw.costs.timeline import timeline
from narrows.sw.program import Program
from narrows.sw.report.board_fits import BoardCore, board_fits, core_fit, sample_bytes

BUS = BusTiming(latency=40)


def board(name: str, config: AcceleratorConfig, target: str | None = "ecp5-25k", link: str = "uart") -> BoardCore:
    return BoardCore(
        name=name, device="an FPGA", config=config, mhz=50, link=link, bits_per_second=1_000_000, target=target
    )


def test_a_network_on_other_cores(program: Program) -> None:
    small = dataclasses.replace(PRESETS["tiny"], act_words=64)
    boards = [
        board("own", program.config),
        board("tiny", PRESETS["tiny"], target=None, link="spi"),
        board("small", small, link="usb"),
    ]
    own, tiny, lacking = board_fits(program, 7299, boards, BUS)
    assert own.cycles == timeline(program).cycles
    assert own.answers == 50e6 / own.cycles
    assert own.line_answers == 1e6 / (10 * sample_bytes(program, program.config))
    other = compile_graph(program.graph, PRESETS["tiny"])
    assert tiny.cycles == timeline(other).cycles > own.cycles
    assert tiny.line_answers == 1e6 / (8 * sample_bytes(other, PRESETS["tiny"]))
    assert tiny.core is None
    assert lacking.cycles == 0 and "act_words" in lacking.lacking and lacking.line_answers is None


def test_a_core_on_devices(program: Program) -> None:
    fit = core_fit(program.config, 1000, "ecp5-25k")
    cells = estimate_cells(program.config)
    assert (fit.luts, fit.brams) == (cells.luts, cells.brams)
    assert (fit.device_luts, fit.device_brams) == (DEVICES["ecp5-25k"].luts, DEVICES["ecp5-25k"].brams)
    assert fit.fits
    assert fit.answers == pytest.approx(1000 * fit.mhz)
    assert not core_fit(dataclasses.replace(PRESETS["large"], act_words=65536), 1000, "ecp5-25k").fits


def test_bytes_of_a_sample(program: Program) -> None:
    framed = dataclasses.replace(program.config, frame_bytes=1024)
    assert sample_bytes(program, framed) == 64, "an image of 8 x 8"
    layout = program.layouts[program.graph.input.tensor]
    assert sample_bytes(program, program.config) % layout.size == 0
