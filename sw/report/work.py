"""What a model asks of a core and what a program makes of it: multiplications, cycles, widths of each layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...hw.spec.cycles import ComputeTiming, RunClock
from ...hw.spec.isa import BLOCK, Opcode, decode_instruction
from ..graph import Graph, Mac
from ..program import Program
from ..quantised import MacLayer

__all__ = ["LayerWork", "layer_work", "useful_macs", "utilisation"]


@dataclass(frozen=True, kw_only=True)
class LayerWork:
    """One layer of a program: cycles, cycles in which the array is fed, accumulator bits certified (max-pool: 0)."""

    name: str
    cycles: int
    busy: int
    cert_bits: int


def useful_macs(graph: Graph) -> int:
    """Multiplications with trained weights that one sample needs, padding included.

    Identity, average and scaling taps are not counted, nor are the digits of wide operands.

    Parameters
    ----------
    graph : Graph
        Lowered: of `Mac` and `MaxPool` layers only.
    """
    total = 0
    for layer in graph.layers:
        if isinstance(layer, Mac):
            _, height, width = graph.tensors[layer.output]
            total += sum(height * width * int(np.prod(term.weights.shape)) for term in layer.terms if not term.constant)
    return total


def utilisation(macs: int, cycles: float, units: int) -> float:
    """Share of multiply-accumulate slots that do useful work."""
    return macs / (units * cycles)


def layer_work(program: Program) -> list[LayerWork]:
    """Cycles and widths of each layer, in the order they run."""
    bits = {layer.name: layer.cert_bits for layer in program.graph.layers if isinstance(layer, MacLayer)}
    work: dict[str, LayerWork] = {}
    clock = RunClock(program.config)
    for name, words in zip(program.layers, program.instructions, strict=True):
        opcode, fields = decode_instruction(words.tolist())
        if opcode is not Opcode.COMPUTE:
            continue
        first = fields["first_block"]
        blocks = [BLOCK.decode(row.tolist()) for row in program.blocks[first : first + fields["block_count"]]]
        timing = ComputeTiming(program.config, fields, [block["groups"] * block["tap_count"] for block in blocks])
        count = clock.compute(timing)
        before = work.get(name, LayerWork(name=name, cycles=0, busy=0, cert_bits=bits.get(name, 0)))
        work[name] = LayerWork(
            name=name, cycles=before.cycles + count.cycles, busy=before.busy + count.busy, cert_bits=before.cert_bits
        )
    return list(work.values())
