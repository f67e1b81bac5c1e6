"""What a model asks of a core and what a program makes of it: multiplications, cycles, bytes, widths of each layer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.cycles import CycleCount
from ...hw.spec.isa import Opcode
from ..enlarging import small_size
from ..graph import Graph
from ..layers import Mac, Product
from ..program import Program
from ..quantised import QuantisedGraph
from .timeline import Timeline, timeline

__all__ = ["LayerWork", "layer_macs", "layer_work", "step_bytes", "useful_macs", "utilisation"]


@dataclass(frozen=True, kw_only=True)
class LayerWork:
    """One layer of a program.

    ``macs`` are its multiplications with trained weights; ``cycles`` those up to its last write from the last write of
    the layer before, ``busy`` those in which the array is fed, ``stall_...`` those in which something waits, as the
    core's counters have them (`registers.Register`). ``cert_bits`` are the accumulator bits certified (max-pool: 0).
    ``weight_bytes`` and ``written_bytes`` are its weights and its output as codes, ``loaded`` and ``stored`` bytes
    are those on the bus to a backing store.
    """

    name: str
    cycles: int
    busy: int
    cert_bits: int
    macs: int = 0
    stall_drain: int = 0
    stall_walk: int = 0
    stall_load: int = 0
    stall_store: int = 0
    stall_token: int = 0
    weight_bytes: int = 0
    written_bytes: int = 0
    loaded: int = 0
    stored: int = 0


def useful_macs(graph: Graph) -> int:
    """Multiplications with trained weights, and of two tensors, that one sample needs, padding included.

    Identity, average and scaling taps are not counted, nor are the digits of wide operands.

    Parameters
    ----------
    graph : Graph
        Lowered: of `Mac`, `MaxPool` and `Product` layers only.
    """
    total = 0
    for layer in graph.layers:
        if isinstance(layer, Mac):
            height, width = small_size(graph.tensors[layer.output], layer.enlarge)
            total += sum(height * width * int(np.prod(term.weights.shape)) for term in layer.terms if not term.constant)
        if isinstance(layer, Product):
            terms = graph.tensors[layer.first][0] if layer.matrix else 1
            total += terms * int(np.prod(graph.tensors[layer.output]))
    return total


def layer_macs(graph: QuantisedGraph) -> dict[str, int]:
    """Multiplications with trained weights, and of two tensors, of each layer of a quantised graph.

    A depthwise segment whose taps are all the same is the graph's structure (identity, average, scaling) and not
    counted, as in :func:`useful_macs`.
    """
    macs = {}
    for layer in graph.layers:
        height, width = layer.size(graph.tensors[layer.output])
        trained = [segment for segment in layer.segments if segment.trained]
        macs[layer.name] = height * width * sum(segment.weights.size for segment in trained)
    return macs


def utilisation(macs: int, cycles: float, units: int) -> float:
    """Share of multiply-accumulate slots that do useful work."""
    return macs / (units * cycles)


def step_bytes(config: AcceleratorConfig) -> float:
    """Bytes that the on-chip memories give the array in a cycle: a word for each row, and one of weights."""
    return (config.rows * config.act_word_bits + config.weight_word_bits) / 8


def layer_work(program: Program, run: Timeline | None = None) -> list[LayerWork]:
    """Work of each layer in the order they run; ``run`` is the program's timeline (default: on an ideal bus)."""
    run = run or timeline(program)
    counts: dict[str, CycleCount] = {}
    moved: dict[Opcode, Counter[str]] = {Opcode.LOAD: Counter(), Opcode.STORE: Counter()}
    for step in run.steps:
        if step.opcode is Opcode.COMPUTE:
            counts[step.layer] = counts.get(step.layer, CycleCount()) + step.counts
        else:
            moved[step.opcode][step.layer] += step.moved
    macs = layer_macs(program.graph)
    work = []
    for layer in program.graph.layers:
        count, tensor, layout = counts[layer.name], program.graph.tensors[layer.output], program.layouts[layer.output]
        digits = sum(
            segment.weights.size * sum(codes is not None for codes in segment.codes(program.config.weight_digits))
            for segment in layer.segments
        )
        work.append(
            LayerWork(
                name=layer.name,
                cycles=count.cycles,
                busy=count.busy,
                cert_bits=layer.cert_bits,
                macs=macs[layer.name],
                stall_drain=count.stall_drain,
                stall_walk=count.stall_walk,
                stall_load=count.stall_load,
                stall_store=count.stall_store,
                stall_token=count.stall_token,
                weight_bytes=-(-digits * program.config.weight_bits // 8),
                written_bytes=-(-int(np.prod(tensor.shape)) * layout.planes * program.config.code_bits // 8),
                loaded=moved[Opcode.LOAD][layer.name],
                stored=moved[Opcode.STORE][layer.name],
            )
        )
    return work
