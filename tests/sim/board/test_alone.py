"""Virtual boards that load their program from the flash behind their bitstream."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.boards.board import Board
from narrows.boards.icebreaker import BOARD as ICEBREAKER
from narrows.boards.simulation import virtual_board
from narrows.boards.ulx3s import BOARD as ULX3S
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.engines.port import board_line
from narrows.sw.runtime import Driver, run_sync
from narrows.sw.runtime.boot import boot_image
from narrows.sw.runtime.serial_transport import SerialTransport
from random_graphs import GraphBuilder, random_chain, random_levels

pytestmark = pytest.mark.filterwarnings("ignore:Using platform.request:DeprecationWarning")  # pins nobody asks for

SMALL = AcceleratorConfig(
    rows=1,
    columns=1,
    lanes=4,
    rescalers=1,
    acc_bits=32,
    act_words=1024,
    weight_words=4096,
    param_words=128,
    blocks=128,
    instructions=32,
)


@pytest.mark.parametrize("board", [ULX3S, ICEBREAKER], ids=["ulx3s", "icebreaker"])
def test_a_board_answers_after_power_up_and_after_a_power_cut(board: Board) -> None:
    board = dataclasses.replace(board.with_config(SMALL), alone=True)
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
