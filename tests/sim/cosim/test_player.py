"""CosimTransport: what a bench is told to play, and what of its answer reaches the job."""

from __future__ import annotations

from typing import Any

import numpy as np
from narrows.sim.cosim.player import Command, CosimTransport
from narrows.sw.runtime import run_sync


class Bench:
    """Keeps what it is to play; its answer is one word behind which nothing happened in 9 cycles."""

    def __init__(self) -> None:
        self.played: list[list[int]] = []

    def play(self, words: Any) -> str:
        self.played.append(words.tolist())
        return "".join(f"{word:08x}" for word in (7, 0, 9, 0, 0, 0, 0, 0))


def test_flips_are_queued_bit_by_bit_in_front_of_a_read() -> None:
    bench = Bench()
    transport = CosimTransport(bench)  # pyright: ignore[reportArgumentType]
    run_sync(transport.strike([(1, 20, 3), (4, 50, 6)], cycles=30))
    run_sync(transport.pause(5))
    assert bench.played == []
    assert run_sync(transport.read(0x44)).tolist() == [7]
    assert transport.cycles == 9
    queued = [Command.STRIKE << 28 | 2, 30, 1, 20, 3, 4, 50, 6, Command.PAUSE << 28, 5, Command.READ << 28 | 0x44, 1]
    assert bench.played == [queued]
    run_sync(transport.write(0x10, np.array([1, 2])))
    run_sync(transport.read(0x10, 1))
    assert bench.played[1:] == [[Command.WRITE << 28 | 0x10, 2, 1, 2, Command.READ << 28 | 0x10, 1]], (
        "no more than once"
    )
