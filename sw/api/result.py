"""Result: what an engine gave for samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..runtime import accuracy, clamped_share, restore_outputs
from .html import table_html

if TYPE_CHECKING:
    from ..engines import Engine, EngineRun
    from ..quantised import QuantisedGraph

__all__ = ["Result"]


class Result(dict[str, NDArray[Any]]):
    """Real values of each output, of shape (N, ...), by the model's names.

    Attributes
    ----------
    engine : str
        What computed them.
    run : EngineRun
        Levels, counters and checksums as the engine gave them.
    clamped : float
        Share of the input's values that lie beyond the range that calibration chose.
    """

    def __init__(
        self, values: Mapping[str, NDArray[Any]], *, engine: str, run: EngineRun, graph: QuantisedGraph, clamped: float
    ) -> None:
        super().__init__(values)
        self.engine = engine
        self.run = run
        self.clamped = clamped
        self._graph = graph

    @classmethod
    def of(cls, graph: QuantisedGraph, values: NDArray[Any], run: EngineRun, engine: Engine, *, raw: bool) -> Result:
        """What an engine's run gives of samples ``values`` (N, ...); ``raw``: before softmax and the like."""
        return cls(
            restore_outputs(graph, run.outputs, raw=raw),
            engine=str(engine.name),
            run=run,
            graph=graph,
            clamped=clamped_share(graph, values),
        )

    @property
    def samples(self) -> int:
        """How many."""
        return len(next(iter(self.run.outputs.values())))

    @property
    def cycles(self) -> float | None:
        """Clock cycles of a sample, on average; None of an engine that counts none."""
        return float(self.run.cycles.mean()) if len(self.run.cycles) else None

    def accuracy(self, labels: ArrayLike) -> float:
        """Share of samples whose first answer is the label; labels are class numbers of shape (N,)."""
        return accuracy(self._graph, self.run.outputs, np.asarray(labels))

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}{list(values.shape[1:])}" for name, values in self.items())
        return f"Result({self.engine}, {self.samples} samples, {shapes})"

    def _repr_html_(self) -> str:
        rows = [(name, list(values.shape), values.dtype) for name, values in self.items()]
        return table_html(repr(self), ("output", "shape", "type"), rows)
