"""CycleTable: cycles of points, layer by layer from programs of made-up weights that had the same formats there."""

from __future__ import annotations

from collections.abc import Iterator

from ...hw.spec.config import AcceleratorConfig
from ..costs.estimate import estimate
from ..costs.propose import with_memories_of
from ..costs.timeline import timeline
from ..costs.work import layer_work
from ..errors import CapacityError
from ..graph import Graph
from ..layers import Mac, Product
from .space import Knob, Point

__all__ = ["CycleTable"]

_Key = tuple[object, ...]


class CycleTable:
    """Cycles of a model's layers by core, formats of weights and sources, and format of what they write.

    A search asks for thousands of points that differ in one layer; a program is only made where a layer's formats have
    not been seen together. Cycles are those of the core that is made in the end (`with_memories_of`).

    Parameters
    ----------
    graph : Graph
        Lowered.
    config : AcceleratorConfig
        What points leave open.
    """

    def __init__(self, graph: Graph, config: AcceleratorConfig) -> None:
        self._graph, self._config = graph, config
        self._layers: dict[_Key, int] = {}
        self._around: dict[_Key, int] = {}

    def cycles(self, point: Point) -> int:
        """Cycles of a sample.

        Raises
        ------
        CapacityError
            If no core of the point's shape holds the model.
        """
        core = (point.base, point.shape)
        keys = [(core, *key) for key in self._keys(point)]
        if core not in self._around or not all(key in self._layers for key in keys):
            config = point.config(self._config)
            found = estimate(self._graph, config, point.settings)
            if found.program is None or found.program.config.has_backing != config.has_backing:
                shape = " x ".join(map(str, point.shape))
                raise CapacityError(f"no core of {shape} holds the model: {'; '.join(found.problems)}")
            program = with_memories_of(found.program, self._config)
            run = timeline(program)
            works = {work.name: work.cycles for work in layer_work(program, run)}
            self._layers |= {key: works.get(layer.name, 0) for key, layer in zip(keys, self._graph.layers, strict=True)}
            self._around[core] = run.cycles - sum(works.values())
        return self._around[core] + sum(self._layers[key] for key in keys)

    def _keys(self, point: Point) -> Iterator[_Key]:
        formats: dict[str, str] = {}
        for layer in self._graph.layers:
            sources = tuple(formats.get(name, "") for name in layer.sources)
            if isinstance(layer, Mac | Product):
                formats[layer.output] = point.formats.get(Knob(layer.name, "acts"), "")
                weights = point.formats.get(Knob(layer.name, "weights"), "")
                yield layer.name, weights, sources, formats[layer.output]
            else:
                formats[layer.output] = sources[0]
                yield layer.name, "", sources, sources[0]
