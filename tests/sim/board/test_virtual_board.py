"""A virtual board under the ordinary serial driver: noise, lost bytes, hosts that leave, power that fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import serial
from narrows.boards.board import Board
from narrows.boards.icebreaker import BOARD as ICEBREAKER
from narrows.boards.simulation import board_verilog, virtual_board
from narrows.boards.ulx3s import BOARD as ULX3S
from narrows.boards.ulx3s_sdram import BOARD as ULX3S_SDRAM
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.link import SPI_DIVISOR, Command
from narrows.hw.spec.registers import Control, Register
from narrows.sim.board import VirtualBoard
from narrows.sim.board.build import bench_of
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.engines.port import board_line
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, TransportError, run_sync
from narrows.sw.runtime.serial_frames import encode_request
from narrows.sw.runtime.serial_transport import SerialTransport
from numpy.typing import NDArray
from random_graphs import GraphBuilder, random_chain, random_levels
from small_core import SMALL

pytestmark = pytest.mark.filterwarnings("ignore:Using platform.request:DeprecationWarning")  # pins nobody asks for

DIVISOR = 4
BAUD = 19200
SLOW = {"usb": 4800, "sdram": 2400}  # of boards that take longer to simulate


_MOST_RUNS = 40


class Bench:
    """A virtual board with a small core, and what a program gives on it."""

    def __init__(self, board: Board, virtual: VirtualBoard) -> None:
        self.board, self.virtual = board, virtual
        config = board.config
        self.program: Program = compile_graph(random_chain(GraphBuilder(config, np.random.default_rng(1)), 2), config)
        self.sample: NDArray[np.int64] = random_levels(self.program.graph, np.random.default_rng(1))
        golden = GoldenModel(self.program.graph, config).run(self.sample[np.newaxis])
        self.expected = {name: golden[name][0] for name in self.program.graph.output_tensors}

    def link(self, sequence: int = 0) -> SerialTransport:
        kind = "sdram" if self.board.sdram else self.board.link
        line = board_line(self.board, str(self.virtual.port), SLOW.get(kind, BAUD))
        return run_sync(SerialTransport.open(line, sequence=sequence))

    def check(self, link: SerialTransport, runs: int = 1) -> None:
        """Load and run the program; every level must be the golden model's."""
        driver = Driver(link, self.program.config)
        for _ in range(runs):
            run_sync(driver.load(self.program))
            found = run_sync(driver.infer(self.sample)).outputs
            for name, expected in self.expected.items():
                np.testing.assert_array_equal(found[name], expected)

    def check_until_repeated(self, link: SerialTransport) -> None:
        """Check again and again, as trouble comes at random, until frames had to be sent twice."""
        for _ in range(_MOST_RUNS):
            self.check(link, runs=2)
            if link.repeated:
                break


def bench(board: Board, config: AcceleratorConfig = SMALL) -> Iterator[Bench]:
    board = board.with_config(config)
    with virtual_board(board, divisor=DIVISOR) as virtual:
        yield Bench(board, virtual)


@pytest.fixture(scope="module")
def ulx3s() -> Iterator[Bench]:
    yield from bench(ULX3S)


@pytest.fixture(scope="module")
def icebreaker() -> Iterator[Bench]:
    yield from bench(ICEBREAKER)


@pytest.fixture(scope="module")
def spi() -> Iterator[Bench]:
    yield from bench(dataclasses.replace(ICEBREAKER, link="spi"))


@pytest.fixture(scope="module")
def sdram() -> Iterator[Bench]:
    yield from bench(ULX3S_SDRAM, dataclasses.replace(SMALL, backing="axi4", bus_bits=32, instructions=256))


@pytest.fixture(scope="module")
def usb() -> Iterator[Bench]:
    yield from bench(dataclasses.replace(ULX3S, link="usb"), dataclasses.replace(SMALL, frame_bytes=1024))


@pytest.mark.parametrize(
    ("name", "divisor"),
    [("ulx3s", DIVISOR), ("icebreaker", DIVISOR), ("spi", SPI_DIVISOR), ("sdram", DIVISOR), ("usb", 1)],
)
def test_a_program_agrees_with_the_golden_model(name: str, divisor: int, request: pytest.FixtureRequest) -> None:
    board: Bench = request.getfixturevalue(name)
    link = board.link()
    assert link.info.divisor == divisor
    board.check(link)
    assert link.repeated == 0
    assert board.virtual.cycles() > 0
    assert board.virtual.complaints == []


def test_what_the_host_leaves_in_the_sdram_stays_there_until_it_looks(sdram: Bench) -> None:
    link, rng = sdram.link(), np.random.default_rng(6)
    places = [0, 0x7FC, 0x10000, (64 << 20) - 4 * 40]
    values = [rng.integers(0, 1 << 32, 40, dtype=np.uint32) for _ in places]
    for place, value in zip(places, values, strict=True):
        run_sync(link.write_backing(place, value))
    sdram.virtual.cycles()
    for place, value in zip(places, values, strict=True):
        np.testing.assert_array_equal(run_sync(link.read_backing(place, 40)), value)
    assert link.repeated == 0 and sdram.virtual.complaints == []


def test_the_leds_show_reset_and_the_end_of_a_run(ulx3s: Bench) -> None:
    link = ulx3s.link()
    ulx3s.check(link)
    assert ulx3s.virtual.leds == 0b11
    run_sync(link.write(Register.CONTROL.offset, np.array([Control.CLEAR], dtype=np.uint32)))
    assert ulx3s.virtual.cycles() and ulx3s.virtual.leds & 1


@pytest.mark.parametrize("name", ["ulx3s", "spi"])
def test_noise_on_the_line_does_not_reach_the_result(name: str, request: pytest.FixtureRequest) -> None:
    board: Bench = request.getfixturevalue(name)
    link = board.link()
    board.virtual.set_noise(3e-6)
    try:
        board.check_until_repeated(link)
    finally:
        board.virtual.set_noise(0)
    assert link.repeated > 0


@pytest.mark.parametrize("name", ["ulx3s", "spi"])
def test_what_is_lost_does_not_reach_the_result(name: str, request: pytest.FixtureRequest) -> None:
    board: Bench = request.getfixturevalue(name)
    link = board.link()
    board.virtual.set_drops(2e-4)
    try:
        board.check_until_repeated(link)
    finally:
        board.virtual.set_drops(0)
    assert link.repeated > 0


def test_usb_itself_mends_what_is_harmed_or_lost(usb: Bench) -> None:
    link = usb.link()
    usb.virtual.set_noise(1e-5)
    usb.virtual.set_drops(2e-2)
    try:
        usb.check(link, runs=3)
    finally:
        usb.virtual.set_noise(0)
        usb.virtual.set_drops(0)
    assert link.repeated == 0


@pytest.mark.parametrize("name", ["ulx3s", "usb"])
def test_a_host_that_leaves_in_mid_transfer_is_followed_by_another(name: str, request: pytest.FixtureRequest) -> None:
    board: Bench = request.getfixturevalue(name)
    board.check(board.link())
    frame = encode_request(Command.WRITE, sequence=77, address=0x10, words=np.arange(90, dtype=np.uint32))
    with serial.Serial(str(board.virtual.port), BAUD) as port:
        port.write(frame[:200])
        port.flush()
    board.check(board.link(sequence=40))


def test_a_host_that_leaves_its_adapter_in_mid_transfer_is_followed_by_another(spi: Bench) -> None:
    spi.check(spi.link())
    frame = encode_request(Command.WRITE, sequence=77, address=0x10, words=np.arange(90, dtype=np.uint32))
    with serial.Serial(str(spi.virtual.port), BAUD) as port:
        port.write(bytes([0x13]) + len(frame).to_bytes(3, "little") + bytes(3) + frame[:200])
        port.flush()
        assert spi.virtual.cycles() and spi.virtual.cycles(), "it has looked at that before another host comes"
    spi.check(spi.link(sequence=40))


@pytest.mark.parametrize("name", ["ulx3s", "spi", "usb"])
def test_a_reset_in_mid_run_is_noticed_and_survived(name: str, request: pytest.FixtureRequest) -> None:
    board: Bench = request.getfixturevalue(name)
    link = board.link()
    board.check(link)
    run_sync(link.write(Register.CONTROL.offset, np.array([Control.START], dtype=np.uint32)))
    board.virtual.reset()
    with pytest.raises(TransportError, match="the core was reset: open the link and load the program again"):
        run_sync(link.wait(1000))
    board.check(board.link())


@pytest.mark.parametrize("name", ["ulx3s", "usb"])
def test_a_reset_in_mid_transfer_is_survived(name: str, request: pytest.FixtureRequest) -> None:
    board: Bench = request.getfixturevalue(name)
    board.check(board.link())
    frame = encode_request(Command.WRITE, sequence=77, address=0x10, words=np.arange(90, dtype=np.uint32))
    with serial.Serial(str(board.virtual.port), BAUD) as port:
        port.write(10 * frame)
        board.virtual.reset()
    board.check(board.link(sequence=40))


def test_pins_tell_what_they_are() -> None:
    ports = {
        "clk25_0__io": "input",
        "uart_0__rx__io": "input",
        "uart_0__tx__io": "output",
        "led_0__io": "output",
        "button_0__io": "input",
    }
    text = bench_of(top_of(ports), "mine", "uart")
    assert ".clk25_0__io(clk), .uart_0__rx__io(rx), .uart_0__tx__io(tx), .led_0__io(leds[0])" in text
    assert ".button_0__io(1'b1)" in text
    del ports["uart_0__rx__io"]
    with pytest.raises(ValueError, match="mine has 0 pins rx, not one"):
        bench_of(top_of(ports), "mine", "uart")
    with pytest.raises(ValueError, match="mine has 0 pins cs_n, not one"):
        bench_of(top_of(ports), "mine", "spi")
    with pytest.raises(ValueError, match="mine has 0 pins d_p, not one"):
        bench_of(top_of(ports), "mine", "usb")
    with pytest.raises(ValueError, match="no module other"):
        bench_of(top_of(ports), "other", "uart")


def top_of(ports: dict[str, str]) -> str:
    declared = "".join(f"  {direction} {name};\n" for name, direction in ports.items())
    return f"module mine({', '.join(ports)});\n{declared}endmodule\n"


def test_boards_keep_their_pins_apart_from_the_speed_of_simulation() -> None:
    verilog: Any = board_verilog(ULX3S.with_config(SMALL), divisor=7)
    assert "// uart_divisor = 7\n" in verilog
    board = dataclasses.replace(ULX3S, baud=round(ULX3S.clock_mhz * 1e6) // 9)
    assert "// uart_divisor = 9\n" in board_verilog(board.with_config(SMALL))
