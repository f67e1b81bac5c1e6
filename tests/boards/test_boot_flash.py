"""Boards that are alone: their core, their flash's pins and commands, and boards that cannot be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from narrows.boards.board import BoardError
from narrows.boards.catalogue import BOARDS
from narrows.boards.plan import NAME, plan_board
from narrows.boards.simulation import board_verilog

pytestmark = pytest.mark.filterwarnings("ignore:Using platform.request:DeprecationWarning")  # pins nobody asks for

SMALL = {"rows": 1, "columns": 1, "lanes": 4, "rescalers": 1, "act_words": 1024, "weight_words": 256}


@pytest.mark.parametrize(("name", "offset", "divisor"), [("ulx3s", 0x300000, 2), ("icebreaker", 0x20000, 1)])
def test_a_core_that_is_alone_boots_from_the_boards_flash(name: str, offset: int, divisor: int) -> None:
    board = dataclasses.replace(BOARDS[name], alone=True)
    config = board.config
    assert (config.boot, config.flash_offset, config.flash_divisor) == (1, offset, divisor)
    assert config.digest == BOARDS[name].config.digest
    assert dataclasses.replace(board, alone=False).config == BOARDS[name].config
    assert board.boot_flash is not None
    assert offset < board.boot_flash.size


def test_the_clock_of_the_flash_follows_that_of_the_core() -> None:
    board = dataclasses.replace(BOARDS["ulx3s"], alone=True)
    divisors = {
        mhz: dataclasses.replace(board, clock_mhz=mhz, baud=1_000_000).config.flash_divisor for mhz in (50, 66, 67, 133)
    }
    assert divisors == {50: 1, 66: 1, 67: 2, 133: 3}


def test_an_ecp5_clocks_its_flash_through_its_own_cell_and_reads_its_bitstream_fast() -> None:
    board = dataclasses.replace(BOARDS["ulx3s"], alone=True)
    board = board.with_config(dataclasses.replace(board.config, **SMALL))
    plan = plan_board(board)
    constraints = str(plan.files[f"{NAME}.lpf"])
    for pin, site in (("cs", "R2"), ("copi", "W2"), ("cipo", "V2"), ("hold", "W1"), ("wp", "Y2")):
        assert f'LOCATE COMP "spi_flash_0__{pin}__io" SITE "{site}"' in constraints
    assert "--freq" in plan.commands[-1] and "62.0" in plan.commands[-1]
    assert "USRMCLK" in board_verilog(board)
    plain = dataclasses.replace(board, alone=False)
    assert "--freq" not in plan_board(plain).commands[-1]
    assert "USRMCLK" not in board_verilog(plain)


def test_program_and_bitstream_have_commands_of_their_own() -> None:
    flash = BOARDS["icebreaker"].boot_flash
    assert flash is not None
    assert flash.commands(Path("a.bin"), Path("b.boot")) == (
        ("openFPGALoader", "-b", "ice40_generic", "-f", "-o", "0x20000", "b.boot"),
        ("openFPGALoader", "-b", "ice40_generic", "-f", "-o", "0x0", "a.bin"),
    )
    assert flash.configuration_ms(875) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("orangecrab", {}, "OrangeCrab r0.2, 25F has no flash that its core could load a program from"),
        ("icebreaker", {"link": "spi"}, "has its spi and its flash on the same pins: choose another link"),
        ("ulx3s-sdram", {}, "a core that is alone has no backing store: choose backing = 'none'"),
    ],
)
def test_boards_that_cannot_be_alone_say_why(name: str, changes: dict[str, str], message: str) -> None:
    with pytest.raises(BoardError, match=message):
        dataclasses.replace(BOARDS[name], alone=True, **changes)
