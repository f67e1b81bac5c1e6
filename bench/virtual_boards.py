"""Programs on virtual boards through the serial driver, against the golden model.

    python bench/virtual_boards.py --data ../shared --json virtual_boards.json

Simulates each board's own top with its own core (`narrows board simulate`), loads the digits and, with ``--data`` (a
folder with models/dscnn_float.onnx and data/kws_first500.npz), the keyword-spotting network DS-CNN in 4-bit codes, and
compares every output. ``--noise`` and ``--drops`` make the line worse. For the digits a core without a max-pool unit
gets one, and ordinary memories with it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from narrows.boards.board import Board
from narrows.boards.catalogue import find_board
from narrows.boards.simulation import virtual_board
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.engines.port import board_line
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.results import write_json
from narrows.sw.runtime import prepare_input, run_sync
from narrows.sw.runtime.samples import run_samples
from narrows.sw.runtime.serial_transport import SerialTransport
from numpy.typing import NDArray

_DIVISOR = 4


def main() -> int:
    """Run everything; 1 if a level differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", nargs="+", default=["icebreaker", "ulx3s"], metavar="NAME")
    parser.add_argument("--link", default="uart", choices=("uart", "spi"), help="how the board is connected")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where DS-CNN and its samples are")
    parser.add_argument("--digits", type=int, default=5, metavar="N", help="images (default 5)")
    parser.add_argument("--noise", type=float, default=0.0, help="share of cycles in which the line is turned over")
    parser.add_argument("--drops", type=float, default=0.0, help="share of bytes that are lost")
    parser.add_argument(
        "--baud",
        type=int,
        default=9600,
        help="what the driver believes: less where the simulation is slow (default 9600)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what happened")
    options = parser.parse_args()
    rows = []
    for name in options.boards:
        board = dataclasses.replace(find_board(name), link=options.link)
        rows.append(_digits(board, options))
        if options.data is not None:
            rows.append(_dscnn(board, options))
    write_json(options.json, rows)
    return int(any(row["mismatches"] for row in rows))


def _digits(board: Board, options: argparse.Namespace) -> dict[str, Any]:
    pooling = dataclasses.replace(
        board.config, max_pool=1, memories="dual", act_words=2048, weight_words=4096, param_words=256
    )
    board = board if board.config.max_pool else board.with_config(pooling)
    data = digits()
    with digits_model() as path:
        program = _compiled(path, data.calib_x[:64], board)
    return _run(board, "digits", program, data.test_x[: options.digits], options)


def _dscnn(board: Board, options: argparse.Namespace) -> dict[str, Any]:
    stored = np.load(options.data / "data" / "kws_first500.npz")["x_int8"]
    samples = ((stored.astype(np.float32) - 83) * 0.5847029).reshape(-1, 49, 10, 1)
    program = _compiled(options.data / "models" / "dscnn_float.onnx", samples[:100], board)
    return _run(board, "DS-CNN", program, samples[100:101], options)


def _compiled(model: Path, calibration: NDArray[Any], board: Board) -> Program:
    config = board.config
    settings = QuantSettings(weights=config.weight_format, acts=config.act_format)
    return compile_graph(quantise(lower(load_model(model)), calibration, settings, config), config)


def _run(
    board: Board, model: str, program: Program, samples: NDArray[Any], options: argparse.Namespace
) -> dict[str, Any]:
    levels = prepare_input(program.graph, samples)
    golden = GoldenModel(program.graph, program.config).run(levels)
    with virtual_board(board, divisor=_DIVISOR) as virtual:
        started = time.perf_counter()
        link = run_sync(SerialTransport.open(board_line(board, str(virtual.port), options.baud)))
        virtual.set_noise(options.noise)
        virtual.set_drops(options.drops)
        record = run_sync(run_samples(link, program, levels))
        simulated, seconds = virtual.cycles(), time.perf_counter() - started
    row = {
        "board": board.name,
        "link": board.link,
        "model": model,
        "samples": len(levels),
        "mismatches": sum(int((found != golden[name]).sum()) for name, found in record.outputs.items()),
        "cycles": float(record.cycles.mean()),
        "repeated": link.repeated,
        "simulated_cycles": simulated,
        "seconds": round(seconds, 1),
        "config": board.config.to_dict(),
    }
    print(json.dumps({name: value for name, value in row.items() if name != "config"}), flush=True)  # noqa: T201
    return row


if __name__ == "__main__":
    sys.exit(main())
