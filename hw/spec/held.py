"""latched_rows, latch_steps: how words of activations become the held word (`docs/machine.md`, dynamic weights)."""

from __future__ import annotations

from .config import AcceleratorConfig

__all__ = ["latch_steps", "latched_rows"]


def latched_rows(config: AcceleratorConfig) -> int:
    """Words that a step latches, each for a column of its own, where they are not alike."""
    return min(config.rows, config.columns)


def latch_steps(config: AcceleratorConfig) -> int:
    """Steps that latch a word for every column."""
    return -(-config.columns // config.rows)
