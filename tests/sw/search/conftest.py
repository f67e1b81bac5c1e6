"""A measurer whose answers are arithmetic, so that a search can be judged."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.search.measure import Cost, Measured, Worth
from narrows.sw.search.space import Knob, Point, Space

DIGITS = {"dybit4": 1, "int6": 2, "int8": 3}
LOSS = {"dybit4": 0.04, "int6": 0.01, "int8": 0.0}


@dataclass
class FakeMeasurer:
    """Two layers, the second of three times the work; the first's activations are three times as touchy."""

    config: AcceleratorConfig = field(default_factory=AcceleratorConfig)
    equalise: bool = False
    measured: list[Point] = field(default_factory=list)

    def cost(self, point: Point) -> Cost:
        cycles = 100 * self._digits(point, "a") + 300 * self._digits(point, "b")
        return Cost(cycles=cycles, array_luts=1000.0, luts=3000.0 + point.acc_bits, speedup=3600 / cycles)

    def worth(self, point: Point, x: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> Worth | None:
        self.measured.append(point)
        if point.formats[Knob("a", "weights")] == "int8" and point.acc_bits < 16:
            return None
        error = sum(LOSS[name] * (3 if knob == Knob("a", "acts") else 1) for knob, name in point.formats.items())
        return Worth(accuracy=0.9 - error, error=float(np.sqrt(error)))

    def measure(self, point: Point, x: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> Measured | None:
        worth = self.worth(point, x, labels, scores)
        return None if worth is None else Measured(point=point, cost=self.cost(point), worth=worth)

    def float_scores(self, x: np.ndarray) -> np.ndarray:
        return np.tile([0.0, 1.0], (len(x), 1))

    @staticmethod
    def _digits(point: Point, layer: str) -> int:
        return DIGITS[point.formats[Knob(layer, "weights")]] * DIGITS[point.formats[Knob(layer, "acts")]]


@pytest.fixture
def measurer() -> FakeMeasurer:
    return FakeMeasurer()


@pytest.fixture
def space() -> Space:
    return Space(
        knobs=tuple(Knob(layer, kind) for layer in "ab" for kind in ("weights", "acts")),
        weights=("dybit4", "int6", "int8"),
        acts=("dybit4", "int6", "int8"),
        acc_bits=(12, 16),
        rescale_bits=(4,),
        bases=("dybit4",),
        shapes=((4, 4, 16),),
    )
