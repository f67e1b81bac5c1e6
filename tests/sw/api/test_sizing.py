"""Cores sized for a board's FPGA."""

from __future__ import annotations

import narrows
import pytest
from narrows.boards.catalogue import BOARDS
from narrows.sw.api.sizing import fpga_target
from narrows.sw.costs.cells import DEVICES, estimate_cells
from narrows.sw.errors import InputError


def test_the_fpga_of_every_ecp5_board_is_known() -> None:
    found = {name: fpga_target(board) for name, board in BOARDS.items() if board.family == "ecp5"}
    assert found == {
        "ulx3s": "ecp5-85k",
        "ulx3s-1024": "ecp5-85k",
        "ulx3s-bytes": "ecp5-85k",
        "ulx3s-sdram": "ecp5-85k",
        "orangecrab": "ecp5-25k",
    }
    with pytest.raises(InputError, match=r"^cells of a iCE40UP5K-SG48 are not estimated: leave out fps, .*ecp5-25k$"):
        fpga_target(BOARDS["icebreaker"])


def test_a_core_for_a_boards_fpga_at_a_rate() -> None:
    model, board = narrows.example().model, BOARDS["ulx3s"]
    slow, fast = (narrows.Config.for_model(model, board="ulx3s", fps=fps).core for fps in (500, 20_000))
    assert estimate_cells(slow).luts < estimate_cells(fast).luts
    assert estimate_cells(fast).fits(DEVICES["ecp5-85k"])
    cycles = model.doctor(narrows.Config(fast)).cycles
    assert 1e6 * board.clock_mhz / cycles >= 20_000
    with pytest.raises(narrows.NarrowsError, match="no configuration makes 1e\\+07 samples a second on ecp5-85k"):
        narrows.Config.for_model(model, board="ulx3s", fps=10_000_000)
