"""The cocotb module of `decoder.v`, which plays by itself: waits until it has."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import ValueChange

__all__ = ["play"]


@cocotb.test()
async def play(top: Any) -> None:
    """Wait for the end."""
    await ValueChange(top.done)
