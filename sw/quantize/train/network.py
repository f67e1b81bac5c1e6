"""A quantised graph in training: one layer for each of its layers, computing on offsets from zero levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ....hw.spec.config import AcceleratorConfig
from ...errors import InputError
from ...graph import Graph
from ...layers import Mac, MaxPool, Product
from ...quantised import LevelTable, MacLayer, QuantisedGraph, QuantisedTensor
from ..settings import QuantSettings
from .convolution import convolve, max_pool
from .float_network import scores_of
from .kernels import RoundTo, round_exactly, round_sums
from .lookup import look_up
from .mac import ConstantMac, Operands, TrainedMac
from .settings import TrainSettings
from .tensor import Clamped, TrainedTensor

__all__ = ["Network", "Pass", "Step", "sums"]


@dataclass(frozen=True)
class Step:
    """What a multiply-accumulate layer computed with in a pass, and its table of levels if it has one."""

    operands: Operands
    drained: Clamped
    table: LevelTable | None


@dataclass(frozen=True)
class Pass:
    """A forward pass: offsets by tensor, tensors as they were, layers by name, and the sum of their excesses."""

    offsets: Mapping[str, Tensor]
    clamped: Mapping[str, Clamped]
    steps: Mapping[str, Step]

    @property
    def unrest(self) -> Tensor:
        """Mean square distance of weights from their levels, summed over layers."""
        return torch.stack([step.operands.unrest for step in self.steps.values()]).sum()

    @property
    def excess(self) -> Tensor:
        """What the penalty is made of, summed over layers."""
        return torch.stack([step.operands.excess for step in self.steps.values()]).sum()


class Network(nn.Module):
    """The network that a quantised graph stands for, with everything learnable that it leaves open.

    It starts as that graph, bit for bit; with A2Q and A2Q+ its weights are projected instead. What `run` computes is
    what the golden model computes, on every code, if sums and products fit the mantissa of the type of its input:
    ``exact`` passes always do.

    Parameters
    ----------
    graph : Graph
        Lowered.
    start : QuantisedGraph
        Quantised from it.
    quantisation : QuantSettings
        What ``start`` was made with.
    config : AcceleratorConfig
    settings : TrainSettings
    integers : mapping of QuantisedTensor
        What is looked up, by the names of layers with a table (`start.looked_up`).

    Raises
    ------
    InputError
        If the model comes quantised: its integers are trained already; or multiplies two tensors.
    """

    def __init__(
        self,
        graph: Graph,
        start: QuantisedGraph,
        quantisation: QuantSettings,
        config: AcceleratorConfig,
        settings: TrainSettings,
        integers: Mapping[str, QuantisedTensor],
    ) -> None:
        super().__init__()
        self._integers_at_start = integers
        if graph.grids:
            raise InputError(
                f"model {graph.name!r} comes with integers that were trained already: compile it instead, or train it "
                "with --requantise"
            )
        if products := [layer.name for layer in graph.layers if isinstance(layer, Product)]:
            raise InputError(
                f"model {graph.name!r} multiplies two tensors (layer {products[0]!r}), which training does not know "
                "yet: compile it instead"
            )
        self.graph, self.start, self.config, self.settings = graph, start, config, settings
        quantisation = quantisation.for_layers(graph.layers)
        self.tensors, self.layers = nn.ModuleList(), nn.ModuleList()
        self._tensor_of: dict[str, int] = {}
        self._integers: dict[str, int] = {}
        name = graph.input.tensor
        self._add(name, TrainedTensor(start.tensors[name], -np.inf, np.inf, fixed=True, ends=True))
        for layer, started in zip(graph.layers, start.layers, strict=True):
            if isinstance(layer, MaxPool):
                self._tensor_of[layer.output] = self._tensor_of[layer.source]
                continue
            assert isinstance(layer, Mac), "the graph is lowered"
            assert isinstance(started, MacLayer), "the start is made of the same graph"
            self._add_mac(layer, started, quantisation)

    def _add(self, name: str, tensor: TrainedTensor) -> None:
        self._tensor_of[name] = len(self.tensors)
        self.tensors.append(tensor)

    def _add_mac(self, layer: Mac, started: MacLayer, quantisation: QuantSettings) -> None:
        output = self.start.tensors[layer.output]
        drained = self._integers_at_start.get(layer.name, output)
        sources = [self.tensor(source) for source in layer.sources]
        starts = [source.start for source in sources]
        tensor = TrainedTensor(output, layer.low, layer.high)
        outputs = self.graph.output_tensors
        constant = all(term.constant for term in layer.terms)
        if constant:
            self.layers.append(ConstantMac(started, starts))
            if len(sources) > 1:
                for each in (tensor, *sources):
                    each.octaves.requires_grad_(False)
            tensor.octaves = sources[0].octaves  # the gain between them is fixed, so they grow together
        else:
            edge = self.graph.input.tensor in layer.sources or layer.output in outputs
            fmt = quantisation.weight_format(layer.name, edge=edge)
            self.layers.append(TrainedMac(layer, started, starts, drained, fmt, self.config, self.settings))
        self._add(layer.output, tensor)
        if started.table is not None:
            integers = TrainedTensor(drained, -np.inf, np.inf, ends=True)
            if constant:
                integers.octaves, tensor.octaves = sources[0].octaves, nn.Parameter(torch.zeros(()))
            self._integers[layer.name] = len(self.tensors)
            self.tensors.append(integers)

    def tensor(self, name: str) -> TrainedTensor:
        """The tensor of a name; a max-pool's output is its source."""
        found = self.tensors[self._tensor_of[name]]
        assert isinstance(found, TrainedTensor)
        return found

    def learn_shifts(self, learn: bool) -> None:
        """Let zero levels between layers be learned, or keep them from now on."""
        for name in self._tensor_of:
            if name != self.graph.input.tensor and name not in self.graph.output_tensors:
                self.tensor(name).learn_shift(learn)

    def run(self, offsets: Tensor, *, exact: bool = False) -> Pass:
        """A forward pass.

        Parameters
        ----------
        offsets : Tensor, shape (N, C, H, W)
            Of the input: levels less its zero level. Their type is that of the computation.
        exact : bool
            Sums in float64, everything behind them in int64, no gradients.
        """
        name = self.graph.input.tensor
        values = {name: offsets.double() if exact else offsets}
        clamped = {name: self.tensor(name).clamped()}
        steps: dict[str, Step] = {}
        macs = iter(self.layers)
        for layer in self.graph.layers:
            if isinstance(layer, MaxPool):
                values[layer.output] = max_pool(values[layer.source], layer.window)
                clamped[layer.output] = clamped[layer.source]
                continue
            assert isinstance(layer, Mac)
            mac = next(macs)
            assert isinstance(mac, TrainedMac | ConstantMac)
            output = self.tensor(layer.output)
            now = output.clamped()
            integers = self.tensors[self._integers[layer.name]] if layer.name in self._integers else None
            drained = integers.clamped() if isinstance(integers, TrainedTensor) else now
            operands = mac.operands([clamped[source] for source in layer.sources], drained)
            total = _sums(layer, operands, values)
            rounder = (integers if isinstance(integers, TrainedTensor) else output).rounding(self.settings.compiled)
            rounded = _rounded(total, operands, drained, rounder, exact)
            table = None
            if isinstance(integers, TrainedTensor):
                assert layer.curve is not None, "only curves are looked up"
                rounded, now, table = look_up(layer.curve, rounded, drained, integers, now, output)
            values[layer.output], clamped[layer.output] = rounded, now
            steps[layer.name] = Step(operands, drained, table)
        return Pass(values, clamped, steps)

    def real(self, done: Pass, name: str) -> Tensor:
        """Real values of a tensor in a pass, float32."""
        return done.offsets[name].float() * done.clamped[name].scale.float()

    def scores(self, done: Pass) -> Tensor:
        """Real values of the first output, without its head, float32, of shape (N, scores) in the model's order."""
        output = self.graph.outputs[0]
        return scores_of(output, self.real(done, output.tensor))


def sums(layer: Mac, done: Pass) -> Tensor:
    """Sums of a layer's terms in a pass, without its bias, in units of its accumulator: (N, O, H, W)."""
    return _sums(layer, done.steps[layer.name].operands, done.offsets)


def _sums(layer: Mac, operands: Operands, values: Mapping[str, Tensor]) -> Tensor:
    total: Tensor | None = None
    for term, weights in zip(layer.terms, operands.weights, strict=True):
        part = convolve(values[term.source], weights, term)
        total = part if total is None else total + part
    assert total is not None, "a layer has terms"
    return total


def _rounded(sums: Tensor, operands: Operands, drained: Clamped, to: RoundTo, exact: bool) -> Tensor:
    if not exact:
        return round_sums(sums, operands.bias, operands.gain.real, drained.zero, drained.low, drained.high, to)
    gain = operands.gain
    ends = int(drained.zero), int(drained.low), int(drained.high)
    return round_exactly(sums.long(), operands.bias.long(), gain.multiplicand, gain.shift, *ends, to).double()
