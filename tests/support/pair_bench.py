"""Format pairs: random dot products of any weight and activation format on a simulated core, checked exactly.

One program is one fully connected layer whose weights and activations are drawn from all
levels of their formats, the outermost ones more often. A rescaled and clamped output shows a few bits of a sum only,
and which ones is up to the bias. So every sample gets parameters of its own: channel for channel, the bias takes the
true sum away but for a few units, and the rescaler's gain is at least 1. A dot product counts as checked when the
golden model gives other levels for the sum plus and minus one; then any other sum would give another level, since
levels never fall as sums rise. Errors by a multiple of ``2**acc_bits`` do not exist in the accumulator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.certificate import final_sum_bounds, signed_bits
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.cycles import ComputeTiming, CycleCount, RunClock
from narrows.hw.spec.digits import Digits
from narrows.hw.spec.formats import DyBit, Format, Int
from narrows.hw.spec.isa import BLOCK, decode_instruction
from narrows.hw.spec.registers import Region, region_address
from narrows.hw.spec.semantics import accumulate, rescale
from narrows.sim.cosim.inference import Progress
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.compile.params import param_words
from narrows.sw.outputs import Output
from narrows.sw.program import Program
from narrows.sw.quantised import InputSpec, MacLayer, QuantisedGraph, QuantisedTensor, Segment
from narrows.sw.runtime import Driver, Transport
from narrows.sw.runtime.windows import to_burst
from numpy.typing import NDArray

__all__ = [
    "ACTIVATION_FORMATS",
    "OUTPUT_FORMATS",
    "WEIGHT_FORMATS",
    "Batch",
    "Measured",
    "PairBench",
    "pair_passes",
]

WEIGHT_FORMATS = (DyBit(2), DyBit(4), DyBit(8), Int(2), Int(4), Int(8))
ACTIVATION_FORMATS = (*WEIGHT_FORMATS, *(kind(bits, False) for kind in (DyBit, Int) for bits in (2, 4, 8)))

OUTPUT_FORMATS = (DyBit(4), Int(8), Int(4), DyBit(8), DyBit(4, False), Int(8, False))
"""Formats that batches write, in turn; the first takes one plane, so that no pair waits for the drain."""

_COUNTERS = tuple(field.name for field in dataclasses.fields(CycleCount))


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """One program with its samples.

    ``levels`` has shape (N, C, 1, rows), ``params`` are the parameter memories (N, words, beats), ``golden`` are the
    outputs (N, O, 1, rows); ``exact`` marks those that no other sum would give.
    """

    program: Program
    levels: NDArray[np.int64]
    params: NDArray[np.uint32]
    golden: NDArray[np.int64]
    exact: NDArray[np.bool_]

    @property
    def counts(self) -> CycleCount:
        """Counters of a run, as the cycle model has them."""
        _, fields = decode_instruction(self.program.instructions[0].tolist())
        blocks = [BLOCK.decode(row.tolist()) for row in self.program.blocks]
        steps = [block["groups"] * block["tap_count"] for block in blocks]
        clock = RunClock(self.program.config)
        return clock.compute(ComputeTiming(self.program.config, fields, steps)) + clock.end()


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What a batch gave on the core: outputs of the shape of `Batch.golden`, and the counters of each run."""

    outputs: NDArray[np.int64]
    counts: tuple[CycleCount, ...]


def pair_passes(weights: Format, activations: Format, digits: Digits) -> int:
    """Passes of the base multiplier over the operands: weight digits times activation digits."""
    return digits.of_format(weights) * digits.of_format(activations)


class PairBench:
    """A core that runs every pair, and the layer it runs.

    Parameters
    ----------
    config : AcceleratorConfig
        With 32 accumulator bits for DyBit8 by DyBit8, and 5 planes for outputs of DyBit8.
    length : int
        Products of a dot product.
    channels : int
        Dot products of a pixel; a pixel is computed in each of the core's rows.
    """

    def __init__(self, config: AcceleratorConfig, *, length: int, channels: int) -> None:
        self.config = config
        self.length = length
        self.channels = channels
        self._verilog = CoreVerilog(config)

    @property
    def pass_steps(self) -> int:
        """Steps of one run for one pass over its operands."""
        return -(-self.length // self.config.lanes) * (self.channels // self.config.columns)

    def make_batch(
        self, weights: Format, activations: Format, *, output: Format, samples: int, rng: np.random.Generator
    ) -> Batch:
        """Random dot products of a pair: `channels` for each row and sample, those of one row in turn exact."""
        graph = self._graph(weights, activations, output, rng)
        layer, target = graph.layers[0], graph.tensors["out"]
        assert isinstance(layer, MacLayer)
        levels = _draw(rng, activations, (samples, *graph.tensors["in"].shape))
        sums = accumulate(levels, 0, layer.segments[0])
        telling = _telling_sums(layer, target)
        params, golden, exact = [], [], []
        for sample, true in enumerate(sums):
            row = (np.arange(self.channels) + sample) % self.config.rows
            biased = dataclasses.replace(layer, bias=telling.draw(rng) - true[np.arange(self.channels), 0, row])
            graph = dataclasses.replace(graph, layers=(biased,))
            right = GoldenModel(graph, self.config).run(levels[sample : sample + 1])["out"][0]
            exact.append((_levels(biased, target, true - 1) != right) & (_levels(biased, target, true + 1) != right))
            golden.append(right)
            params.append(param_words(biased, self.config))
        return Batch(
            program=compile_graph(graph, self.config),
            levels=levels,
            params=np.array(params, dtype=np.uint32),
            golden=np.array(golden),
            exact=np.array(exact),
        )

    def _graph(self, weights: Format, activations: Format, output: Format, rng: np.random.Generator) -> QuantisedGraph:
        rows, k = self.config.rows, self.config.rescale_bits
        source = QuantisedTensor(
            name="in",
            shape=(self.length, 1, rows),
            format=activations,
            scale=1.0,
            zero=0,
            low=activations.bottom,
            high=activations.top,
        )
        target = QuantisedTensor(
            name="out",
            shape=(self.channels, 1, rows),
            format=output,
            scale=1.0,
            zero=int(rng.choice([level for level in range(-3, 4) if level > output.bottom])),
            low=output.bottom,
            high=output.top,
        )
        segment = Segment(source="in", weights=_draw(rng, weights, (self.channels, self.length, 1, 1)))
        layer = MacLayer(
            name="dots",
            segments=(segment,),
            bias=np.zeros(self.channels, dtype=np.int64),
            multiplicand=rng.integers(2 ** (k - 1), 2**k, self.channels),
            shift=rng.integers(k - 2, k, self.channels),
            cert_bits=signed_bits(*final_sum_bounds([(segment.weights, source.span)])),
            output="out",
        )
        return QuantisedGraph(
            name=f"{weights} x {activations}",
            tensors={"in": source, "out": target},
            input=InputSpec(tensor="in", shape=source.shape),
            layers=(layer,),
            outputs=(Output.whole("out", target.shape),),
        )

    def run(self, batches: Sequence[Batch], *, progress: Progress | None = None) -> list[Measured]:
        """Run batches one after the other on the simulated core."""
        total = sum(len(batch.levels) for batch in batches)

        async def play(transport: Transport) -> list[Measured]:
            measured, done = [], 0
            for batch in batches:
                measured.append(await _play(transport, batch))
                done += len(batch.levels)
                if progress is not None:
                    progress(done, total)
            return measured

        return simulate(self._verilog, play).result


def _draw(rng: np.random.Generator, fmt: Format, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Levels of a format: any of them, and every fourth one of the two ends."""
    drawn = rng.choice(fmt.levels, shape)
    return np.where(rng.random(shape) < 0.25, rng.choice([fmt.bottom, fmt.top], shape), drawn)


def _levels(layer: MacLayer, target: QuantisedTensor, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """Output levels of one sample's sums (O, H, W)."""
    return rescale(
        sums[np.newaxis],
        layer.bias,
        layer.multiplicand,
        layer.shift,
        zero=target.zero,
        fmt=target.format,
        low=target.low,
        high=target.high,
    )[0]


@dataclass(frozen=True, eq=False)
class _Telling:
    """The biased sums whose level no other sum gives: of each channel the first ``counts`` of a line of ``sums``."""

    sums: NDArray[np.int64]
    counts: NDArray[np.int64]

    def draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """One for each channel."""
        return self.sums[np.arange(len(self.sums)), rng.integers(self.counts)]


def _telling_sums(layer: MacLayer, target: QuantisedTensor) -> _Telling:
    sums = np.arange(-300, 301)
    levels = _levels(layer, target, np.tile(sums, (len(layer.bias), 1))[:, np.newaxis])[:, 0]
    changes = levels[:, 1:] != levels[:, :-1]
    telling = changes[:, 1:] & changes[:, :-1]
    order = np.argsort(~telling, axis=1, kind="stable")
    return _Telling(sums[1:-1][order], telling.sum(axis=1))


async def _play(transport: Transport, batch: Batch) -> Measured:
    """Every sample with its own parameters."""
    config = batch.program.config
    driver = Driver(transport, config)
    await driver.load(batch.program)
    results = []
    for levels, params in zip(batch.levels, batch.params, strict=True):
        await transport.write(region_address(config, Region.PARAMS), to_burst(config, Region.PARAMS, params))
        results.append(await driver.infer(levels))
    return Measured(
        outputs=np.array([result.outputs["out"] for result in results]),
        counts=tuple(CycleCount(**{name: getattr(result, name) for name in _COUNTERS}) for result in results),
    )
