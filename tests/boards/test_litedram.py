"""The generated SDRAM controller: what is asked of LiteDRAM, what initialises the chip, what is refused."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from typing import Any

import pytest
from narrows.boards.board import BoardError
from narrows.boards.litedram import generate_litedram, sdram_controller
from narrows.boards.ulx3s import BOARD as ULX3S
from narrows.boards.ulx3s_sdram import BOARD
from narrows.hw.spec.sdram import AS4C32M16
from narrows.sw.errors import ToolMissing

CORE = generate_litedram(AS4C32M16, device=BOARD.device, clock_mhz=100)


def test_the_controller_has_the_chips_pins_and_a_bus_as_wide() -> None:
    head, form = CORE.verilog.split(");")[0], r"^ +(input|output|inout) +wire +(?:\[(\d+):0\])? +(\w+),?$"
    found = re.findall(form, head, re.MULTILINE)
    ports = {name: (direction, int(high or 0) + 1) for direction, high, name in found}
    assert ports["sdram_dq"] == ("inout", 16)
    assert ports["sdram_a"] == ("output", 13) and ports["sdram_ba"] == ("output", 2)
    assert ports["user_port_0_araddr"] == ("input", 26) and ports["user_port_0_rdata"] == ("output", 16)


def test_the_same_chip_gives_the_same_verilog() -> None:
    generate_litedram.cache_clear()
    assert generate_litedram(AS4C32M16, device=BOARD.device, clock_mhz=100) == CORE
    assert "//" not in CORE.verilog and "Date" not in CORE.verilog


def test_the_chip_is_started_as_its_standard_says() -> None:
    command, address, issue = (
        {write.adr for write in CORE.writes if write.data == data} for data in (0b1011, 1 << 10, 1)
    )
    assert len(command) == len(address) == 1
    commands, now, waits = [], {}, []
    for write in CORE.writes:
        now[write.adr] = write.data
        if write.adr in issue and now.get(*command) and write.adr not in address | command and write.wait:
            commands.append((now[next(iter(command))], now[next(iter(address))]))
            waits.append(write.wait)
    precharge, refresh, mode = 0b1011, 0b1101, 0b1111
    assert commands == [(precharge, 1 << 10), *[(refresh, 0)] * 8, (mode, 0x20)]
    assert waits == [3, *[7] * 8, 4]
    assert CORE.writes[0].wait == 20_000, "200 microseconds"


def test_without_the_packages_there_is_one_line_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    generate_litedram.cache_clear()
    find = importlib.util.find_spec

    def lost(name: str, *arguments: Any) -> Any:
        return None if name == "litedram" else find(name, *arguments)

    monkeypatch.setattr(importlib.util, "find_spec", lost)
    with pytest.raises(
        ToolMissing, match=r"^boards with SDRAM need the package litedram: pip install 'narrows\[sdram\]'$"
    ):
        generate_litedram(AS4C32M16, device=BOARD.device, clock_mhz=100)


@pytest.mark.parametrize("mhz", [50, 70, 150])
def test_clocks_that_miss_the_chips_data_are_refused(mhz: float) -> None:
    with pytest.raises(BoardError, match=f"the SDRAM takes no clock of {mhz:g} MHz: choose 77 to 131"):
        dataclasses.replace(BOARD, clock_mhz=mhz, baud=1_000_000)
    on_chip = dataclasses.replace(BOARD.config, backing="none")
    assert dataclasses.replace(BOARD, clock_mhz=mhz, baud=1_000_000, config=on_chip).config.backing == "none"


def test_a_bus_of_128_bits_is_refused() -> None:
    with pytest.raises(BoardError, match="bus_bits must be 32 or 64 before an SDRAM of 16 bits, not 128"):
        BOARD.with_config(dataclasses.replace(BOARD.config, bus_bits=128))


def test_only_a_board_with_a_chip_has_a_core_with_a_bus() -> None:
    assert BOARD.config.backing == "axi4" and sdram_controller(BOARD) is not None
    assert ULX3S.with_config(BOARD.config).config.backing == "none" and sdram_controller(ULX3S) is None
