"""Quantisation of a float graph: layer by layer, each on what the layers before it really compute in integers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.certificate import final_sum_bounds, signed_bits
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.exact import exact_sums
from ...hw.spec.formats import Format, Int
from ...hw.spec.semantics import accumulate_products, max_pool
from ...hw.spec.tables import look_up
from ..cores import one_thread
from ..curves import Function
from ..enlarging import enlarged
from ..errors import CapacityError, ModelError
from ..graph import Graph
from ..heap import kept_heap
from ..integer.segments import exact_sources
from ..layers import Layer, Mac, MaxPool, Product
from ..quantised import IntegerLayer, MacLayer, QuantisedGraph, QuantisedTensor, Segment
from ..roundings import check_rounding
from . import evaluate
from .calibration import checked_samples
from .grid import ScaleGrid
from .kept import is_kept, keep
from .levels import drained_levels, level_type, nearest_levels
from .lookup import choose_integers, integers_of_grid, level_table
from .outputs import kept_output
from .planned import planned_format, planned_input
from .prepare import prepared
from .problem import Problem, Source, problems
from .products import product_layer
from .rebuild import Rebuild, Rebuilder
from .search import Solution, solve
from .settings import QuantSettings
from .sharing import share_tables
from .tensors import LARGEST, Choice, choose, describe, on_grid
from .trained import settings_beside

__all__ = ["quantise"]

Progress = Callable[[str, int, int], None]


def quantise(
    graph: Graph,
    calibration: NDArray,
    settings: QuantSettings,
    config: AcceleratorConfig,
    progress: Progress | None = None,
    rebuild: Rebuild | None = None,
) -> QuantisedGraph:
    """Integer graph whose every sum fits the accumulator of ``config`` by certificate, and whose rescaling is exact.

    Parameters
    ----------
    graph : Graph
        As a frontend makes it.
    calibration : array, shape (N, *input shape)
        Samples as the model takes them; some hundred do.
    settings : QuantSettings
        Number formats; in a model that comes quantised, those of single layers alone (`settings_beside`).
    config : AcceleratorConfig
        Widths to respect: accumulator, bias, multiplicand, digit planes.
    progress : callable, optional
        Called with (layer's name, layers done, layers in all).
    rebuild : callable, optional
        Gives the `Rebuilder` for the graph, the samples and the settings that are used; see `quantise_and_reconstruct`.

    Raises
    ------
    InputError
        If the calibration data do not fit the model, or the settings name a layer that it does not have.
    CertificateError
        If a layer's sums cannot fit the accumulator.
    CapacityError
        If a tensor needs more digit planes than the core writes, or the layers more tables of levels than it has.
    """
    samples = checked_samples(graph, calibration)
    with one_thread(), kept_heap():
        ready = prepared(graph, samples, settings)
        beside = settings_beside(ready, settings)
        rebuilder = None if rebuild is None else rebuild(ready, samples, beside)
        return _Quantiser(ready, samples, beside, config, rebuilder).run(progress or (lambda name, done, total: None))


class _Quantiser:
    """State of one run: every tensor so far, with float values and levels of those that layers still read."""

    def __init__(
        self,
        graph: Graph,
        samples: NDArray,
        settings: QuantSettings,
        config: AcceleratorConfig,
        rebuilder: Rebuilder | None = None,
    ) -> None:
        self.graph, self.config, self.rebuilder = graph, config, rebuilder
        macs = [layer for layer in graph.layers if isinstance(layer, Mac | Product)]
        settings.check_layers(macs)
        self.settings = settings.for_layers(macs)
        self.outputs = graph.output_tensors
        self.shared = share_tables(graph, samples, config, self._format)
        x = evaluate.model_input(graph, samples)
        self.floats: dict[str, NDArray[np.float32]] = {}
        self.tensors: dict[str, QuantisedTensor] = {}
        self.sources: dict[str, Source] = {}
        self._start(graph.input.tensor, x, lambda _: planned_input(graph, samples, settings))
        for name, values in self._taken_over(samples).items():
            self._start(name, values, functools.partial(choose, fmt=self._format(self._writer(name))))
        self.updated = {state.update: state.tensor for state in graph.states}
        self.ones = _ones(graph)
        self.layers: list[IntegerLayer] = []

    def _start(self, name: str, values: NDArray, choose_one: Callable[[NDArray], Choice]) -> None:
        """A tensor that no layer writes."""
        if (grid := self.graph.grids.get(name)) is not None:
            tensor = on_grid(name, self.graph.tensors[name], grid, -np.inf, np.inf, self.config.digits)
        else:
            tensor = describe(name, self.graph.tensors[name], choose_one(values), -np.inf, np.inf)
        self.floats[name] = evaluate.rounded(self.graph, name, values)
        self.tensors[name] = tensor
        self.sources[name] = Source(tensor, nearest_levels(tensor, values).astype(level_type(tensor)))

    def _taken_over(self, samples: NDArray) -> dict[str, NDArray]:
        """What each state holds in each frame: values of the float network, since no layer is in integers yet."""
        names = {state.tensor for state in self.graph.states}
        walked = evaluate.walk(self.graph, samples) if names else ()
        return {each.name: each.values for each in walked if each.name in names}

    def _writer(self, name: str) -> Mac:
        """The copy whose output a state takes over (`passes.own_updates`)."""
        update = next(state.update for state in self.graph.states if state.tensor == name)
        layer = self.graph.producers()[update]
        assert isinstance(layer, Mac), "lowering gives every state a copy of its own"
        return layer

    def run(self, progress: Progress) -> QuantisedGraph:
        total, last = len(self.graph.layers), self.graph.last_readers()
        for done, layer in enumerate(self.graph.layers):
            progress(layer.name, done, total)
            if self.rebuilder is not None:
                self.rebuilder.enter(layer, self.sources, self.floats)
            if isinstance(layer, Mac):
                self._mac(layer)
            elif isinstance(layer, MaxPool):
                self._max(layer)
            elif isinstance(layer, Product):
                self._product(layer)
            else:
                raise TypeError(f"layer {layer.name!r} is a {type(layer).__name__}: lower the graph first")
            self.layers[-1] = replace(self.layers[-1], origin=layer.origin)
            self.tensors[layer.output] = self.sources[layer.output].tensor
            if self.rebuilder is not None:
                self._rebuild(self.rebuilder, layer)
            for name in {*layer.sources, layer.output}:
                if last.get(name, layer) is layer:
                    del self.sources[name], self.floats[name]
        progress("", total, total)
        return QuantisedGraph(
            name=self.graph.name,
            tensors=self.tensors,
            input=self.graph.input,
            layers=tuple(self.layers),
            outputs=self.graph.outputs,
            states=tuple(
                replace(each, initial=nearest_levels(self.tensors[each.tensor], each.initial))
                for each in self.graph.states
            ),
        )

    def _rebuild(self, rebuilder: Rebuilder, layer: Layer) -> None:
        """Let the block that ends with a layer be reconstructed."""
        found = rebuilder.leave(layer, self.layers, self.tensors, self.floats)
        if found is None:
            return
        self.layers[-len(found.graph.layers) :] = found.graph.layers
        self.tensors |= found.graph.tensors
        for name, levels in found.levels.items():
            tensor = self.tensors[name]
            self.sources[name] = Source(tensor, levels.astype(level_type(tensor)))

    def _written(self, tensor: QuantisedTensor) -> QuantisedTensor:
        needed = self.config.digits.count(tensor.levels)
        if needed > self.config.planes:
            raise CapacityError(
                f"tensor {tensor.name!r} in {tensor.format} needs {needed} digit planes, the core writes at "
                f"most {self.config.planes}: use narrower activations, or set planes to {needed}"
            )
        return tensor

    def _max(self, layer: MaxPool) -> None:
        window, source = layer.window, self.sources[layer.source]
        tensor = self._written(replace(source.tensor, name=layer.output, shape=self.graph.tensors[layer.output]))
        levels = max_pool(
            source.levels, kernel=window.kernel, stride=window.stride, pads=window.pads, dilation=window.dilation
        )
        self.sources[layer.output] = Source(tensor, levels)
        self.floats[layer.output] = evaluate.max_pool(self.floats[layer.source], window, -np.inf)
        self.layers.append(layer.max_layer())

    def _product(self, layer: Product) -> None:
        values, shape = evaluate.applied(layer, self.floats, {}), self.graph.tensors[layer.output]
        grid, state = self.graph.grids.get(layer.output), self.updated.get(layer.output)
        if state is not None:
            tensor = replace(self.tensors[state], name=layer.output)
        elif grid is not None:
            tensor = on_grid(layer.output, shape, grid, -np.inf, np.inf, self.config.digits)
        elif layer.copies:
            source = self.tensors[layer.second]
            ends = min(source.low, source.zero), max(source.high, source.zero)
            tensor = replace(source, name=layer.output, shape=shape, low=ends[0], high=ends[1])
        else:
            tensor = describe(layer.output, shape, choose(values, self._format(layer)), -np.inf, np.inf)
        check_rounding(layer.name, tensor.format, self.config)
        fixed = grid is not None or state is not None or layer.copies
        quantised, tensor = product_layer(layer, self.tensors, self._written(tensor), self.config, fixed=fixed)
        first, second = (self.sources[name] for name in layer.sources)
        acc = accumulate_products(
            first.levels, first.tensor.zero, second.levels, second.tensor.zero, depthwise=not layer.matrix
        )
        drain = quantised.drain(self.tensors | {layer.output: tensor})
        sums = acc.transpose(1, 0, 2, 3).astype(np.float64)
        levels = drained_levels(drain, sums, level_type(tensor)).transpose(1, 0, 2, 3)
        self.layers.append(quantised)
        self.sources[layer.output] = Source(tensor, levels)
        self.floats[layer.output] = evaluate.rounded(self.graph, layer.output, values)

    def _mac(self, layer: Mac) -> None:
        sums = evaluate.sums(layer, self.floats, self.graph.grids)
        values = enlarged(layer.activated(sums), layer.enlarge)
        largest = float(np.maximum(-sums.min(initial=0.0), sums.max(initial=0.0)))
        if not largest < LARGEST:
            what = f"layer {layer.name!r} sums up to {largest:.3g} on the calibration samples"
            raise ModelError(f"{what}: train or export the model again")
        tensor, error = self._output(layer, values)
        grid = self.graph.grids.get(layer.output)
        drained, table = tensor, None
        if layer.curve is not None:
            drained = self._looked_up(layer, layer.curve, sums)
            shared = self.shared.get(layer.name)
            if self.rebuilder is not None:
                self.rebuilder.looks_up(layer, drained, shared=shared is not None)
            table = shared.levels(drained) if shared else level_table(layer.curve, drained, tensor, grid)
            used = look_up(table.levels, np.arange(drained.low, drained.high + 1))
            tensor = replace(tensor, low=int(used.min()), high=int(used.max()))
            finest = max(drained.scale, self._step(layer)) if _is_average(layer) else drained.scale
            error, grid = finest**2 / 12, layer.grid
        check_rounding(layer.name, drained.format, self.config)
        if is_kept(layer, self.graph) or layer.output in self.ones:
            quantised = keep(layer, self.tensors, drained, grid, self.config, sums, exact=self.settings.exact)
            acc = self._accumulate(quantised.segments)
        else:
            quantised, acc = self._learned(layer, sums, drained, error)
        quantised = replace(quantised, table=table, enlarge=layer.enlarge)
        drain = quantised.drain(self.tensors | {layer.output: tensor})
        levels = enlarged(drained_levels(drain, acc, level_type(tensor)).transpose(1, 0, 2, 3), layer.enlarge)
        self.layers.append(quantised)
        self.sources[layer.output] = Source(tensor, levels)
        self.floats[layer.output] = evaluate.rounded(self.graph, layer.output, values)

    def _looked_up(self, layer: Mac, function: Function, sums: NDArray) -> QuantisedTensor:
        """The integers that stand for a layer's sums in its table."""
        shape = self.graph.tensors[layer.output]
        if layer.grid is not None:
            return integers_of_grid(layer.output, shape, function, layer.grid)
        if (shared := self.shared.get(layer.name)) is not None:
            return replace(shared.integers, name=layer.output, shape=shape)
        scales = self._exact_scales(layer) if _is_average(layer) else None
        return choose_integers(layer.output, shape, function, sums, scales)

    def _accumulate(self, segments: tuple[Segment, ...]) -> NDArray[np.floating]:
        """Final sums of shape (O, N, oH, oW)."""
        levels = [self.sources[segment.source].levels.transpose(1, 0, 2, 3) for segment in segments]
        return exact_sums(segments, exact_sources(segments, self.tensors), levels)

    def _learned(
        self, layer: Mac, sums: NDArray, tensor: QuantisedTensor, error: float
    ) -> tuple[MacLayer, NDArray[np.floating]]:
        """Weights on the levels that lose least, and biases that keep the means; and the integer sums."""
        grid = (ScaleGrid.of if self.settings.absorb else ScaleGrid.free)(tensor.scale, self.config)
        edge = self.graph.input.tensor in layer.sources or layer.output in self.outputs
        fmt = self.settings.weight_format(layer.name, edge=edge)
        solutions = [
            (
                problem,
                solve(
                    problem,
                    grid,
                    fmt,
                    self.config,
                    output_scale=tensor.scale,
                    output_error=error,
                    layer=layer.name,
                    axe=self.settings.axe,
                ),
            )
            for problem in problems(layer, self.sources, sums)
        ]
        segments = self._segments(layer, solutions)
        choice = np.zeros(len(layer.bias), dtype=np.int64)
        for problem, solution in solutions:
            choice[problem.channels] = solution.choice

        acc = self._accumulate(segments)
        if self.settings.bias_correction:
            wanted = sums.mean(axis=(0, 2, 3), dtype=np.float64) / grid.scales[choice] - acc.mean(
                axis=(1, 2, 3), dtype=np.float64
            )
        else:
            zeros = [self.sources[s.source].tensor.zero * s.weights.sum(axis=(1, 2, 3)) for s in segments]
            wanted = layer.bias / grid.scales[choice] - np.sum(zeros, axis=0)
        if _is_average(layer) and np.ptp(layer.bias) == 0:
            for scale in np.unique(choice):  # channels treated alike can take each other's places in the array
                wanted[choice == scale] = wanted[choice == scale].mean()
        limit = 1 << (self.config.bias_width - 1)
        bias = np.clip(np.rint(wanted), -limit, limit - 1).astype(np.int64)
        bounds = final_sum_bounds([(s.weights, self.sources[s.source].tensor.span) for s in segments])
        quantised = MacLayer(
            name=layer.name,
            segments=segments,
            bias=bias,
            multiplicand=grid.multiplicands[choice],
            shift=grid.shifts[choice],
            cert_bits=signed_bits(*bounds),
            output=layer.output,
        )
        return quantised, acc

    def _output(self, layer: Mac, values: NDArray) -> tuple[QuantisedTensor, float]:
        """The output tensor and the mean square error of rounding to it."""
        shape = self.graph.tensors[layer.output]
        if (state := self.updated.get(layer.output)) is not None:
            tensor = replace(self.tensors[state], name=layer.output)
            return self._written(tensor), tensor.scale**2 / 12
        if (grid := self.graph.grids.get(layer.output)) is not None:
            tensor = on_grid(layer.output, shape, grid, layer.low, layer.high, self.config.digits)
            return self._written(tensor), grid.scale**2 / 12
        if layer.output in self.ones:
            return describe(layer.output, shape, Choice(Int(2), 1.0, 0, 0.0), 0.0, 1.0), 0.0
        if layer.output in self.outputs and layer.curve is None and is_kept(layer, self.graph):
            choice = kept_output(layer, self.tensors, values, self.config)
            return describe(layer.output, shape, choice, layer.low, layer.high), choice.error
        if (shared := self.shared.get(layer.name)) is not None:
            return self._written(describe(layer.output, shape, shared.choice, -np.inf, np.inf)), shared.choice.error
        readers = [reader for reader in self.graph.layers if layer.output in reader.sources]
        if layer.output not in self.outputs and readers and all(isinstance(reader, MaxPool) for reader in readers):
            values = np.concatenate(
                [evaluate.max_pool(values, r.window, -np.inf).ravel() for r in readers if isinstance(r, MaxPool)]
            )
        choice = choose(values, self._format(layer))
        if _is_average(layer) and layer.curve is None:
            scales = self._exact_scales(layer)
            choice = replace(choice, scale=float(scales[np.abs(np.log(scales / choice.scale)).argmin()]))
        tensor = describe(layer.output, shape, choice, layer.low, layer.high)
        return self._written(tensor), choice.error

    def _format(self, layer: Mac | Product) -> Format:
        return planned_format(layer, self.graph, self.settings, self.config)

    def _exact_scales(self, layer: Mac) -> NDArray[np.float64]:
        """Scales at which weights of 1 and a k-bit multiplicand give an average without a gain error."""
        return self._step(layer) / ScaleGrid.of(1.0, self.config).scales

    def _step(self, layer: Mac) -> float:
        """What one level of its source changes in an average."""
        return abs(float(layer.terms[0].weights.flat[0])) * self.sources[layer.terms[0].source].tensor.scale

    @staticmethod
    def _segments(layer: Mac, solutions: list[tuple[Problem, Solution]]) -> tuple[Segment, ...]:
        """Levels of all channels, back in the places of each term's weights."""
        weights = [np.zeros(term.weights.shape, dtype=np.int64) for term in layer.terms]
        constants = [index for index, term in enumerate(layer.terms) if term.constant]
        for problem, solution in solutions:
            size = len(problem.channels) // len(problem.places)
            for group, places in enumerate(problem.places):
                own, start = slice(group * size, (group + 1) * size), 0
                rows = problem.channels[own, np.newaxis]
                for index, where in places:
                    term = layer.terms[index]
                    taps = term.weights[0, 0].size
                    part = solution.weights[own, start : start + len(where) * taps]
                    start += len(where) * taps
                    columns = np.zeros_like(where) if term.depthwise else where
                    weights[index][rows, columns] = part.reshape(size, len(where), *term.window.kernel)
            for row, index in enumerate(constants):
                weights[index][problem.channels] = solution.constants[row][:, np.newaxis, np.newaxis, np.newaxis]
        return tuple(term.segment(levels) for term, levels in zip(layer.terms, weights, strict=True))


def _ones(graph: Graph) -> set[str]:
    """Tensors of zeros and ones by which products copy, and of the 1 that these see: exact in integers of one digit.

    What anything else reads is none: a sum of such a tensor and of others wants finer steps.
    """
    placed = {layer.first for layer in graph.layers if isinstance(layer, Product) and layer.copies}
    makers = [layer for layer in graph.layers if isinstance(layer, Mac) and layer.output in placed]
    seen = {name for layer in makers for name in layer.sources}
    single = {
        layer.output
        for layer in graph.layers
        if isinstance(layer, Mac) and layer.output in seen and not any(term.weights.any() for term in layer.terms)
    }
    others = {
        name
        for layer in graph.layers
        if layer.output not in placed
        for name in layer.sources
        if not (isinstance(layer, Product) and layer.copies and name == layer.first)
    }
    return (placed | single) - others - {*graph.ends, *graph.grids}


def _is_average(layer: Mac) -> bool:
    """Whether a layer only weighs all values of each channel alike."""
    return len(layer.terms) == 1 and layer.terms[0].constant and np.ptp(layer.terms[0].weights) == 0
