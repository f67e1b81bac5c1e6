"""Virtual boards that load their program from the flash behind their bitstream."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
import serial
from narrows.boards.board import Board
from narrows.boards.icebreaker import BOARD as ICEBREAKER
from narrows.boards.simulation import virtual_board
from narrows.boards.ulx3s import BOARD as ULX3S
from narrows.hw.serve.uart_streams import ANSWERED, NOT_ANSWERED
from narrows.hw.spec.answer import AnswerKind
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.engines.port import board_line
from narrows.sw.runtime import Driver, run_sync
from narrows.sw.runtime.boot import boot_image
from narrows.sw.runtime.serial_transport import SerialTransport
from narrows.sw.runtime.serving import serving_of
from random_graphs import GraphBuilder, random_chain, random_levels
from small_core import SMALL

pytestmark = pytest.mark.filterwarnings("ignore:Using platform.request:DeprecationWarning")  # pins nobody asks for

RESET_CYCLES = 4096 + 4096  # the board's, and until the flash is awake


@pytest.mark.parametrize(
    ("board", "gated"), [(ULX3S, 0), (ULX3S, 1), (ICEBREAKER, 1)], ids=["ulx3s", "ulx3s-gated", "icebreaker"]
)
def test_a_board_answers_after_power_up_and_after_a_power_cut(board: Board, gated: int) -> None:
    board = dataclasses.replace(board.with_config(dataclasses.replace(SMALL, gated=gated)), alone=True)
    program = compile_graph(random_chain(GraphBuilder(SMALL, np.random.default_rng(1)), 2), SMALL)
    sample = random_levels(program.graph, np.random.default_rng(1))
    golden = GoldenModel(program.graph, SMALL).run(sample[np.newaxis])
    with virtual_board(board, divisor=4, flash=boot_image(program, board.config)) as virtual:
        for _ in range(2):
            link = run_sync(SerialTransport.open(board_line(board, str(virtual.port), 19200)))
            driver = Driver(link, SMALL)
            run_sync(driver.attach(program))
            found = run_sync(driver.infer(sample)).outputs
            for name in program.graph.output_tensors:
                np.testing.assert_array_equal(found[name], golden[name][0])
            virtual.reset()
        assert virtual.complaints == []


@pytest.mark.parametrize(("kind", "gated"), [(None, 1), (AnswerKind.PLACE, 0)], ids=["levels-gated", "place"])
def test_a_board_serves_bare_bytes_without_a_host(kind: AnswerKind | None, gated: int) -> None:
    small = dataclasses.replace(SMALL, frame_bytes=512, gated=gated)
    board = dataclasses.replace(ULX3S.with_config(small), alone=True, serves=True)
    program = compile_graph(random_chain(GraphBuilder(small, np.random.default_rng(1)), 2), small)
    serving = serving_of(program, board.config, kind, tensor=program.graph.output_tensors[0])
    rng = np.random.default_rng(2)
    samples = np.array([random_levels(program.graph, rng) for _ in range(4)])
    golden = GoldenModel(program.graph, small).run(samples)[program.graph.output_tensors[0]]
    flash = boot_image(program, board.config, serving)
    with (
        virtual_board(board, divisor=4, flash=flash) as virtual,
        serial.Serial(str(virtual.port), 19200, timeout=120) as line,
    ):

        def told(sample: int) -> None:
            assert line.read(1) == bytes([ANSWERED])
            right = int(golden[sample].transpose(1, 2, 0).argmax()) if kind is AnswerKind.PLACE else golden[sample]
            np.testing.assert_array_equal(serving.given(line.read(serving.answer_bytes)), right)

        byte = 8 * 2 * board.config.flash_divisor
        while virtual.cycles() < RESET_CYCLES + 2 * byte * (len(flash) + 64):
            time.sleep(0.05)  # until the core has read its flash twice
        line.write(serving.frame(samples[0]) + serving.frame(samples[1]))
        told(0)
        told(1)
        line.write(serving.frame(samples[2])[:-1])  # its last byte never comes
        assert line.read(1) == bytes([NOT_ANSWERED])
        line.write(serving.frame(samples[3]))
        told(3)
        assert virtual.complaints == []
