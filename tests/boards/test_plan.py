"""Plans of all boards: sources, pins, clocks, and the commands of the open flow."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from narrows.boards import plan
from narrows.boards.board import BoardError
from narrows.boards.catalogue import BOARDS, find_board
from narrows.boards.plan import NAME, BoardPlan, plan_board
from narrows.hw.ports.usb_port import UsbPort
from narrows.hw.spec.config import PRESETS
from narrows.hw.spec.link import SPI_DIVISOR, USB_BAUD
from narrows.hw.verilog import convert

FLOWS = {
    "ice40": ("yosys", "nextpnr-ice40", "icepack"),
    "ecp5": ("yosys", "nextpnr-ecp5", "ecppack"),
    "gowin": ("yosys", "nextpnr-himbaechel-gowin", "gowin_pack"),
    "xilinx": ("vivado",),
}


CORE = "module narrows_core; endmodule\n"


@pytest.fixture(autouse=True)
def _without_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large cores take long to write, and the plan does not look at them."""
    monkeypatch.setattr(plan, "to_verilog", lambda config: f"{CORE}// {config.build32}\n")


def text(planned: BoardPlan, name: str) -> str:
    content = planned.files[name]
    return content if isinstance(content, str) else content.decode()


@pytest.mark.parametrize("name", BOARDS)
def test_a_plan_holds_the_core_and_the_commands_to_a_bitstream(name: str) -> None:
    board = find_board(name)
    planned = plan_board(board, seed=7)
    assert text(planned, "narrows_core.sv") == f"{CORE}// {board.config.build32}\n"
    assert tuple(command[0] for command in planned.commands) == FLOWS[board.family]
    if not board.vendor_only:
        placement = list(planned.commands[1])
        assert placement[placement.index("--seed") + 1] == "7"
        assert ("--placer" in placement) == (board.family == "ecp5")
        assert board.family != "ecp5" or placement[placement.index("--placer") + 1] == board.placer
        assert ("--placer-heap-timingweight" in placement) == (board.family == "ecp5")
        assert planned.bitstream in planned.commands[2]


@pytest.mark.parametrize(
    ("name", "file", "lines"),
    [
        ("icebreaker", ".pcf", ["set_io clk12_0__io 35", "set_io uart_0__rx__io 6", "set_io uart_0__tx__io 9"]),
        ("upduino", ".pcf", ["set_io clk12_0__io 20", "set_io uart_0__rx__io 38", "set_io uart_0__tx__io 28"]),
        ("ulx3s", ".lpf", ['LOCATE COMP "clk25_0__io" SITE "G2";', 'LOCATE COMP "uart_0__rx__io" SITE "M1";']),
        (
            "ulx3s-sdram",
            ".lpf",
            [
                'LOCATE COMP "sdram_0__clk__io" SITE "F19";',
                'LOCATE COMP "sdram_0__a__io[12]" SITE "G19";',
                'LOCATE COMP "sdram_0__dq__io[15]" SITE "J17";',
                'LOCATE COMP "sdram_0__we__io" SITE "T20";',
            ],
        ),
        ("orangecrab", ".lpf", ['LOCATE COMP "clk_0__io" SITE "A9";', 'LOCATE COMP "uart_0__tx__io" SITE "M18";']),
        ("tang-nano-9k", ".cst", ['IO_LOC "clk27_0__io" 52;', 'IO_LOC "uart_0__rx__io" 18;']),
        ("arty-a7-35", ".xdc", ['set_property LOC E3 [get_ports "clk100_0__io"]']),
    ],
)
def test_pins_are_the_boards(name: str, file: str, lines: list[str]) -> None:
    constraints = text(plan_board(find_board(name)), NAME + file)
    assert [line for line in lines if line not in constraints] == []


def test_the_controller_of_its_sdram_comes_with_a_core_that_has_a_bus_to_it() -> None:
    board = find_board("ulx3s-sdram")
    files = plan_board(board).files
    assert "module litedram_core" in text(plan_board(board), "litedram_core.v")
    assert "read_verilog  litedram_core.v" in str(files[f"{NAME}.ys"])
    alone = plan_board(board.with_config(dataclasses.replace(board.config, backing="none")))
    assert "litedram_core.v" not in alone.files and "sdram" not in text(alone, f"{NAME}.lpf")


def test_what_has_long_paths_of_its_own_is_synthesised_apart() -> None:
    kept = "setattr -mod -set keep_hierarchy 1 "
    usb = plan_board(find_board("ulx3s").over("usb"))
    script = text(usb, f"{NAME}.ys").splitlines()
    (module,) = [line.removeprefix(kept) for line in script if line.startswith(kept)]
    port = convert(UsbPort(find_board("ulx3s").over("usb").config), "port")
    assert f"module \\{module.replace('narrows_core.host', 'port')} (" in port, "LUNA's device"
    assert script[-4:-1] == ["setattr -mod -unset keep_hierarchy *", "flatten", "clean"]
    assert f"{kept}litedram_core" in text(plan_board(find_board("ulx3s-sdram")), f"{NAME}.ys").splitlines()
    assert "keep_hierarchy" not in text(plan_board(find_board("ulx3s")), f"{NAME}.ys")


def test_a_board_that_serves_has_its_uart_for_frames_and_leds_for_answers() -> None:
    board = dataclasses.replace(find_board("ulx3s"), alone=True, serves=True)
    assert (board.config.host, board.config.streams, board.config.boot) == ("bare", 1, 1)
    assert board.config.digest == find_board("ulx3s").config.digest, "the same programs run"
    pins = text(plan_board(board), f"{NAME}.lpf")
    assert [pin for pin in ("uart_0__rx", "uart_0__tx", "led_7__io") if f'"{pin}' not in pins] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alone": False}, "serves without a host only alone"),
        ({"link": "usb"}, "with frames and answers on its uart"),
        ({"config": dataclasses.replace(find_board("ulx3s").config, frame_bytes=0)}, "set frame_bytes"),
    ],
)
def test_a_board_that_cannot_serve_says_why(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BoardError, match=message):
        dataclasses.replace(find_board("ulx3s"), **{"alone": True, "serves": True} | changes)


@pytest.mark.parametrize(
    ("name", "select", "leds"), [("icebreaker", 11, ["led_1"]), ("upduino", 16, ["led_0", "led_1"])]
)
def test_spi_goes_over_the_lines_of_the_flash(name: str, select: int, leds: list[str]) -> None:
    board = find_board(name).over("spi")
    pins = text(plan_board(board), f"{NAME}.pcf").splitlines()
    spi = [f"cs_n__io {select}", "sck__io 15", "copi__io 14", "cipo__io 17"]
    assert [line for line in pins if "spi" in line] == [f"set_io spi_0__{pin}" for pin in spi]
    assert [line.split()[1][:5] for line in pins if "led" in line] == leds, "no LED where its pin selects the core"
    assert not any("uart" in line for line in pins)
    divisor = board.config.uart_divisor  # of the slower clock, and nobody's
    assert board.config == dataclasses.replace(find_board(name).config, host="spi", uart_divisor=divisor)
    assert board.bits_per_second == board.clock_mhz * 1e6 / SPI_DIVISOR


@pytest.mark.parametrize(("name", "sites"), [("ulx3s", ("D15", "E15", "B12")), ("orangecrab", ("N1", "M2", "N2"))])
def test_usb_goes_over_the_boards_own_connector_with_clocks_of_its_own(name: str, sites: tuple[str, ...]) -> None:
    board = find_board(name).over("usb")
    lines = text(plan_board(board), f"{NAME}.lpf").splitlines()
    pins = ("d_p", "d_n", "pullup")
    assert [line for line in lines if line.startswith("LOCATE") and "usb" in line] == [
        f'LOCATE COMP "usb_0__{pin}__io" SITE "{site}";' for pin, site in zip(pins, sites, strict=True)
    ]
    clocks = [line.split('"')[1::2] + line.split()[-2:-1] for line in lines if line.startswith("FREQUENCY NET")]
    assert clocks == [
        ["pll.out", f"{board.clock_mhz * 1e6:.1f}"],
        ["usb_clocks.clk_48", "48000000.0"],
        ["usb_clocks.clk_12", "12000000.0"],
    ]
    own = find_board(name).config
    assert board.config == dataclasses.replace(own, host="usb", uart_divisor=board.config.uart_divisor)
    assert board.bits_per_second == USB_BAUD


def test_a_link_that_a_board_does_not_have_is_refused() -> None:
    with pytest.raises(BoardError, match="Radiona ULX3S, 85F has no spi to its host: choose uart or usb"):
        find_board("ulx3s").over("spi")


def test_a_link_has_a_clock_of_its_own_where_the_board_says_so() -> None:
    board = dataclasses.replace(find_board("icebreaker"), link_clocks=(("spi", 27),))
    assert [board.over(link).clock_mhz for link in ("uart", "spi")] == [board.clock_mhz, 27]
    slow = dataclasses.replace(board, clock_mhz=15)
    assert slow.over("spi").clock_mhz == 15


@pytest.mark.parametrize("name", BOARDS)
def test_the_uart_keeps_to_its_speed(name: str) -> None:
    board = find_board(name)
    assert abs(board.clock_mhz * 1e6 / board.config.uart_divisor / board.baud - 1) < 0.015
    assert board.config.host == "uart"


def test_another_core_takes_the_boards_port_and_cells() -> None:
    board = find_board("icebreaker").with_config(PRESETS["tiny"])
    assert board.config == dataclasses.replace(PRESETS["tiny"], host="uart", uart_divisor=10, fabric="ice40")


def test_a_speed_that_the_clock_does_not_give_is_refused() -> None:
    with pytest.raises(BoardError, match="3000000 baud cannot be made of 7 MHz: choose another baud"):
        dataclasses.replace(find_board("icebreaker"), clock_mhz=7, baud=3_000_000)


def test_an_unknown_board_is_refused_with_the_names_of_the_others() -> None:
    with pytest.raises(BoardError, match="there is no board 'ice': the boards are icebreaker, upduino, ulx3s"):
        find_board("ice")
