"""Coroutines over transports that never suspend run without an event loop."""

import asyncio

import numpy as np
import pytest
from narrows.sw.runtime import Transport, run_sync


async def answer():
    return 42


async def refuse():
    raise KeyError("no")


def test_the_result_of_a_coroutine_is_returned():
    assert run_sync(answer()) == 42


def test_its_exception_is_passed_on():
    with pytest.raises(KeyError, match="no"):
        run_sync(refuse())


def test_a_coroutine_that_suspends_is_refused():
    with pytest.raises(RuntimeError, match="the coroutine suspended: await it in the event loop of its transport"):
        run_sync(asyncio.sleep(0))


def test_a_frame_is_words_like_any_other():
    written = []

    class Plain(Transport):
        async def write(self, address, values):
            written.append((address, values.tolist()))

        async def read(self, address, count):
            raise AssertionError

        async def wait(self, timeout_cycles):
            raise AssertionError

    run_sync(Plain().write_frame(0x40, np.array([1, 2], dtype=np.uint32)))
    assert written == [(0x40, [1, 2])]
