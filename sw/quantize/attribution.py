"""Where the error of a program arises: what its outputs lose as one layer after the other computes in integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.tables import TABLE_TOP, look_up
from ..enlarging import enlarged
from ..graph import Graph
from ..layers import Mac, Product
from ..quantised import IntegerLayer, LevelTable, QuantisedGraph, QuantisedTensor
from . import evaluate

__all__ = ["Attribution", "LayerError", "attribute", "leftover"]

_INPUT = "(input)"
"""Stands for the layer of the input's own rounding."""

Tensors = dict[str, NDArray[np.float64]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """What a layer adds to the noise of the outputs, as parts of all of it.

    ``share`` is that of its ``weights`` and that of rounding its ``output``. ``weights`` is None where the float
    weights are not known. A part below 0 makes up for earlier errors.
    """

    layer: str
    origin: tuple[str, ...]
    share: float
    weights: float | None
    output: float


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """Errors of layers, the one that adds most first; all shares add up to 1.

    ``snr_db`` is what the whole program leaves: signal over noise, the outputs' noise each as a part of its signal.
    """

    samples: int
    snr_db: float
    layers: tuple[LayerError, ...]


def attribute(
    quantised: QuantisedGraph, x: NDArray, graph: Graph | None = None, progress: Progress | None = None
) -> Attribution:
    """Measure what each layer of a program adds to the noise of its outputs.

    Layers before it compute in integers as the program does, those behind it in floating point; what the noise of the
    outputs grows by when the layer itself goes over to integers is its share, first its weights, then its rounding.

    Parameters
    ----------
    quantised : QuantisedGraph
    x : array, shape (N, ...)
        Samples as the model takes them.
    graph : Graph, optional
        The float model as it was quantised (`prepare.prepared`). Without it layers that do not compute in integers
        have the program's weights, and the errors of weights are not seen.
    progress : callable, optional
        Called with (layers done, layers in all).
    """
    network, layers = _Network(quantised, graph, x), quantised.layers
    wanted = network.outputs(network.run({}, 0))
    name = quantised.input.tensor
    program: Tensors = {name: network.rounded(name, network.x)}

    def noise(start: int, **own: NDArray) -> float:
        """Of the outputs, where layers from a number on compute in floating point."""
        return _noise(wanted, network.outputs(network.run(program | own, start)))

    before = noise(0)
    found: list[tuple[str, tuple[str, ...], float, float]] = [(_INPUT, (), 0.0, before)]
    for done, layer in enumerate(layers):
        if progress is not None:
            progress(done, len(layers))
        unrounded, program[layer.output] = network.integers(layer, program)
        if unrounded is program[layer.output] or network.exact(layer):
            continue
        weighed = noise(done + 1, **{layer.output: network.on_grid(layer.output, unrounded)}) if graph else before
        after = noise(done + 1)
        found.append((layer.name, layer.origin, weighed - before, after - weighed))
        before = after
    if progress is not None:
        progress(len(layers), len(layers))
    total = before or 1.0
    errors = [
        LayerError(
            layer=label,
            origin=origin,
            share=_rounded(weights + output, total),
            weights=_rounded(weights, total) if graph is not None and label != _INPUT else None,
            output=_rounded(output, total),
        )
        for label, origin, weights, output in found
    ]
    snr = round(-10 * float(np.log10(max(before, 1e-30))), 2) + 0.0
    return Attribution(samples=len(x), snr_db=snr, layers=tuple(sorted(errors, key=lambda each: -each.share)))


def _rounded(part: float, total: float) -> float:
    return round(part / total, 4) + 0.0  # no minus zero


def leftover(quantised: QuantisedGraph, x: NDArray, graph: Graph) -> float:
    """Noise that a whole program leaves, each output's as a part of its signal; parameters are those of `attribute`."""
    network = _Network(quantised, graph, x)
    wanted = network.outputs(network.run({}, 0))
    name = quantised.input.tensor
    program: Tensors = {name: network.rounded(name, network.x)}
    for layer in quantised.layers:
        _, program[layer.output] = network.integers(layer, program)
    return _noise(wanted, network.outputs(program))


def _noise(wanted: list[NDArray], given: list[NDArray]) -> float:
    """Noise of all outputs, each as a part of its signal."""
    parts = [
        np.square(one - other).mean() / max(float(np.square(one).mean()), np.finfo(float).tiny)
        for one, other in zip(wanted, given, strict=True)
    ]
    return float(np.mean(parts))


class _Network:
    """A program any layer of which may compute in floating point; tensors are in steps of their levels."""

    def __init__(self, quantised: QuantisedGraph, graph: Graph | None, x: NDArray) -> None:
        self.quantised, self.graph = quantised, graph
        self.floats = {} if graph is None else graph.producers()
        spec, tensor = quantised.input, quantised.tensors[quantised.input.tensor]
        values = np.asarray(x, dtype=np.float64)
        if spec.permutation:
            values = values.transpose(0, *(axis + 1 for axis in spec.permutation))
        self.x = _levels(tensor, values.reshape(len(values), *tensor.shape))

    def run(self, known: Mapping[str, NDArray], start: int) -> Tensors:
        """All tensors, with layers from number ``start`` on in floating point; those before it are ``known``."""
        name = self.quantised.input.tensor
        tensors: Tensors = {name: self.on_grid(name, self.x)} | dict(known)
        for layer in self.quantised.layers[start:]:
            original = self.floats.get(layer.output)
            if isinstance(original, Mac | Product):
                values = self._applied(original, tensors)
                steps = _levels(self.quantised.tensors[layer.output], values)
            else:
                steps, _ = self.integers(layer, tensors)
            tensors[layer.output] = self.on_grid(layer.output, steps)
        return tensors

    def exact(self, layer: IntegerLayer) -> bool:
        """Whether a layer is there in place of a max-pool: it has no weights and no rounding of the model's."""
        return self.graph is not None and not isinstance(self.floats.get(layer.output), Mac | Product)

    def _applied(self, layer: Mac | Product, tensors: Mapping[str, NDArray]) -> NDArray[np.float64]:
        """Real values that a layer of the float model gives."""
        if isinstance(layer, Mac):
            return enlarged(layer.activated(self._sums(layer, tensors)), layer.enlarge)
        real = {each: _real(self.quantised.tensors[each], tensors[each]) for each in layer.sources}
        return evaluate.applied(layer, real, {})

    def _sums(self, layer: Mac, tensors: Mapping[str, NDArray]) -> NDArray[np.float64]:
        """Real sums of a layer of the float model."""
        real = {each: _real(self.quantised.tensors[each], tensors[each]) for each in layer.sources}
        return evaluate.sums(layer, real, {}).astype(np.float64)

    def integers(
        self, layer: IntegerLayer, tensors: Mapping[str, NDArray]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What a layer of the program makes of levels: before its last rounding, and rounded as the core does; one and
        the same where it rounds nothing."""
        values = layer.unrounded(self.quantised.tensors, tensors)
        if values is None:
            first = {name: tensors[name].transpose(1, 0, 2, 3) for name in layer.sources}
            chosen = layer.evaluator(self.quantised.tensors)(first).transpose(1, 0, 2, 3).astype(np.float64)
            return chosen, chosen
        tensor = self.quantised.tensors[layer.output]
        if layer.table is not None:
            found = self._curved(layer, tensors, values), _looked_up(layer.table, values)
            return enlarged(found[0], layer.enlarge), enlarged(found[1], layer.enlarge)
        unrounded = np.clip(enlarged(values, layer.enlarge) + tensor.zero, tensor.low, tensor.high)
        return unrounded, self.rounded(layer.output, unrounded)

    def _curved(self, layer: IntegerLayer, tensors: Mapping[str, NDArray], values: NDArray) -> NDArray[np.float64]:
        """A table's function of sums that are not rounded: the float model's, or what lies between the entries."""
        original, table = self.floats.get(layer.output), layer.table
        assert table is not None
        if not isinstance(original, Mac) or not np.square(values).any():
            places = np.clip(values + table.zero, table.low, table.high)
            return np.interp(places, np.arange(-TABLE_TOP, TABLE_TOP + 1), table.levels)
        # The step of the integers is not part of a program: the one that fits the real sums best.
        step = float((self._sums(original, tensors) * values).sum() / np.square(values).sum())
        return _levels(self.quantised.tensors[layer.output], original.activated(step * values))

    def rounded(self, name: str, steps: NDArray) -> NDArray[np.float64]:
        """Nearest levels of a tensor."""
        tensor = self.quantised.tensors[name]
        return np.clip(tensor.format.quantise(steps), tensor.low, tensor.high).astype(np.float64)

    def on_grid(self, name: str, steps: NDArray) -> NDArray[np.float64]:
        """What a trained quantiser leaves of values: its rounding is the model's own."""
        if self.graph is None or name not in self.graph.grids:
            return steps
        tensor = self.quantised.tensors[name]
        return _levels(tensor, self.graph.grids[name].round(_real(tensor, steps)))

    def outputs(self, tensors: Tensors) -> list[NDArray[np.float64]]:
        """Real elements of every output, before its head."""
        outputs = self.quantised.outputs
        return [each.elements(_real(self.quantised.tensors[each.tensor], tensors[each.tensor])) for each in outputs]


def _levels(tensor: QuantisedTensor, values: NDArray) -> NDArray[np.float64]:
    return values / tensor.scale + tensor.zero


def _real(tensor: QuantisedTensor, steps: NDArray) -> NDArray[np.float64]:
    return tensor.scale * (steps - tensor.zero)


def _looked_up(table: LevelTable, values: NDArray) -> NDArray[np.float64]:
    """What a table holds for the integers nearest to values: it is what the layer's sums are rounded to first."""
    integers = np.floor(np.clip(values + table.zero, table.low, table.high) + 0.5).astype(np.int64)
    return look_up(table.levels, np.clip(integers, -TABLE_TOP, TABLE_TOP)).astype(np.float64)
