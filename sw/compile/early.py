"""with_early_steps: says in each COMPUTE how many of its steps need not wait for the last writes of the one before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.early import safe_steps
from ...hw.spec.isa import COMPUTE, Opcode, blocks_of, decode_instruction

__all__ = ["with_early_steps"]


def with_early_steps(
    config: AcceleratorConfig,
    instructions: NDArray[np.uint32],
    blocks: NDArray[np.uint32],
    taps: NDArray[np.uint32],
) -> NDArray[np.uint32]:
    """Instructions with the field ``early`` of each COMPUTE but the first (`spec.early.safe_steps`), for cores that
    issue steps early; for others as they are.

    Parameters
    ----------
    config : AcceleratorConfig
    instructions, blocks, taps : arrays of uint32, shape (records, words)
    """
    if not config.issues_early:
        return instructions
    rows, before = instructions.copy(), None
    for row in rows:
        opcode, fields = decode_instruction(row.tolist())
        if opcode is not Opcode.COMPUTE:
            continue
        own = blocks_of(fields, blocks, taps)
        if before is not None:
            early = safe_steps(config, *before, fields, own)
            row[:] = COMPUTE.encode({**fields, "early": early})
        before = fields, sum(block.steps for block in own)
    return rows
