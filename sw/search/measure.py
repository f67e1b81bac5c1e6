"""Measurer: what a point costs, from the cycle model and the cost table, and what it is worth, on some samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ..compile import compile_graph
from ..costs.arrays import CostTable, cost_table
from ..costs.propose import with_memories_of
from ..costs.timeline import timeline
from ..costs.work import useful_macs
from ..errors import CapacityError, CertificateError
from ..graph import Graph
from ..passes import lower
from ..program import Program
from ..quantised import QuantisedGraph
from ..quantize import QuantSettings, quantise
from ..quantize.evaluate import evaluate
from .cycles import CycleTable
from .space import Point

__all__ = ["Cost", "Measured", "Measurer", "Run", "Worth", "accuracy", "speedup"]

Run = Callable[[QuantisedGraph, AcceleratorConfig, NDArray], NDArray]
"""What computes a quantised graph's first output, of shape (N, ...) in the model's order, on samples."""

_AT_ONCE = 250  # samples: all tensors of so many are in memory


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cycles of a sample; look-up tables of the array, and of array and rescalers together.

    ``speedup`` is how many times faster the array is than plain 8-bit integer multipliers in as many look-up tables,
    one multiplication a unit in every cycle without any loss.
    """

    cycles: int
    array_luts: float
    luts: float
    speedup: float


@dataclass(frozen=True, kw_only=True)
class Worth:
    """Share of samples answered right, and the error of the output: its RMSE over the RMS of the float output."""

    accuracy: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A point with its cost and its worth, after so many ``epochs`` of training."""

    point: Point
    cost: Cost
    worth: Worth
    epochs: int = 0


class Measurer:
    """Prices points of one model, and measures them.

    Parameters
    ----------
    graph : Graph
        As a frontend makes it.
    config : AcceleratorConfig
        What points leave open.
    calibration : array, shape (N, ...)
        Samples that scales are chosen on.
    run : callable
        See `Run`.
    equalise : bool
        Whether channels are equalised (`QuantSettings`).
    """

    def __init__(
        self, graph: Graph, config: AcceleratorConfig, calibration: NDArray, run: Run, *, equalise: bool = False
    ) -> None:
        self.equalise = equalise
        self.graph, self.calibration, self._run = graph, calibration, run
        self.config, self.lowered, self.costs = config, lower(graph), cost_table()
        self._cycles = CycleTable(self.lowered, config)

    @property
    def macs(self) -> int:
        """Multiplications with trained weights for a sample."""
        return useful_macs(self.lowered)

    def cost(self, point: Point) -> Cost:
        """What a point costs, to within some percent; nothing is quantised for it.

        Raises
        ------
        CapacityError
            If no core of its shape holds the model.
        """
        return self._priced(point.config(self.config), self._cycles.cycles(point))

    def _priced(self, config: AcceleratorConfig, cycles: int) -> Cost:
        array = self.costs.array(config)
        return Cost(
            cycles=cycles,
            array_luts=array,
            luts=array + self.costs.rescalers(config),
            speedup=speedup(self.macs, cycles, array, self.costs),
        )

    def settings(self, point: Point) -> QuantSettings:
        """What a point is quantised with."""
        return replace(point.settings, equalise=self.equalise)

    def quantised(self, point: Point) -> QuantisedGraph:
        """The model in a point's formats.

        Raises
        ------
        CertificateError
            If its sums do not fit the point's accumulator.
        """
        return quantise(self.graph, self.calibration, self.settings(point), point.config(self.config))

    def program(self, point: Point, quantised: QuantisedGraph) -> Program:
        """The program of a point: its core has the configuration's memories if they hold it, or else what it needs.

        Raises
        ------
        CapacityError
            If no core of its shape holds the model.
        """
        roomy = compile_graph(quantised, point.config(self.config))
        return compile_graph(quantised, with_memories_of(roomy, self.config).config)

    def measure(self, point: Point, x: NDArray, labels: NDArray, scores: NDArray) -> Measured | None:
        """A point's worth on samples, and its cost with the cycles of the program that it is compiled to.

        None if it cannot be certified, or if no core of its shape holds it. Parameters are those of `worth`.
        """
        try:
            quantised = self.quantised(point)
            program = self.program(point, quantised)
        except (CertificateError, CapacityError):
            return None
        return self.measure_program(point, program, x, labels, scores)

    def measure_program(
        self, point: Point, program: Program, x: NDArray, labels: NDArray, scores: NDArray, *, epochs: int = 0
    ) -> Measured:
        """What a point's program costs and is worth; parameters are those of `worth`, and how long it was trained."""
        cost = self._priced(program.config, timeline(program).cycles)
        found = self._worth(point, program.graph, x, labels, scores)
        return Measured(point=point, cost=cost, worth=found, epochs=epochs)

    def worth(self, point: Point, x: NDArray, labels: NDArray, scores: NDArray) -> Worth | None:
        """What a point answers on samples of shape (N, ...); None if it cannot be certified.

        Parameters
        ----------
        x, labels : array
        scores : array, shape (N, ...)
            Of the float model (`float_scores`).
        """
        try:
            quantised = self.quantised(point)
        except (CertificateError, CapacityError):
            return None
        return self._worth(point, quantised, x, labels, scores)

    def _worth(self, point: Point, quantised: QuantisedGraph, x: NDArray, labels: NDArray, scores: NDArray) -> Worth:
        config = point.config(self.config)
        parts = [self._run(quantised, config, x[first : first + _AT_ONCE]) for first in range(0, len(x), _AT_ONCE)]
        given = np.concatenate(parts).reshape(len(x), -1)
        wanted = scores.reshape(len(x), -1)
        deviation = np.sqrt(np.square(given - wanted).mean() / max(np.square(wanted).mean(), np.finfo(float).tiny))
        return Worth(accuracy=accuracy(given, labels), error=float(deviation))

    def float_scores(self, x: NDArray) -> NDArray[np.float64]:
        """First output of the float model, without its head, of shape (N, classes) in the model's order."""
        output = self.lowered.outputs[0]
        batches = (evaluate(self.lowered, x[first : first + _AT_ONCE]) for first in range(0, len(x), _AT_ONCE))
        values = np.concatenate([output.elements(tensors[output.tensor]) for tensors in batches])
        return values.reshape(len(x), -1).astype(np.float64)


def accuracy(scores: NDArray, labels: NDArray) -> float:
    """Share of samples whose largest score, of shape (N, classes), is that of their label."""
    return float((scores.argmax(axis=1) == labels).mean())


def speedup(macs: int, cycles: int, luts: float, costs: CostTable) -> float:
    """Cycles of plain 8-bit integers in as many look-up tables, all busy in every cycle, over ``cycles``."""
    return macs * costs.integer_unit / luts / cycles
