"""Coroutines over transports that never suspend run without an event loop."""

import asyncio

import pytest
from narrows.sw.runtime import run_sync


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
