"""Reconstruction: a block's integers learned from calibration samples, so that it gives what the float one does."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....hw.spec.config import AcceleratorConfig
from ...graph import Graph
from ...layers import Mac
from ...outputs import Output
from ...quantised import InputSpec, IntegerLayer, QuantisedGraph, QuantisedTensor
from ..blocks import Block
from ..problem import Source
from ..rebuild import Reconstructed
from ..settings import LayerFormats, QuantSettings
from .export import to_quantised
from .mac import TrainedMac
from .network import Network, Pass
from .sensitivity import sensitivities
from .settings import TrainSettings

__all__ = ["Learned", "Reconstruction", "ReconstructionSettings"]

_AT_ONCE = 64
_LAYOUT = torch.channels_last


@dataclass(frozen=True, kw_only=True)
class ReconstructionSettings:
    """How blocks are learned.

    Parameters
    ----------
    steps, batch, seed : int
    rate : float
        Largest learning rate, in levels of the weights and of the output; it rises over a tenth of the steps, then
        falls to nothing along a cosine.
    mix : float
        Part of a block's inputs that are the float model's, drawn anew in every step (QDrop, arXiv 2203.05740).
    even : float
        Part of the loss in which all values of an output count alike; in the rest each counts as much as the model's
        outputs depend on it (BRECQ, arXiv 2102.05426).
    most : float
        Largest sensitivity of a value, in the mean of all.
    judges : int
        Every so-manieth sample judges what the others taught.
    probes : int
        Random signs that sensitivities are estimated from.
    """

    steps: int = 100
    batch: int = 32
    seed: int = 1
    rate: float = 1e-2
    mix: float = 0.0
    even: float = 0.5
    most: float = 10.0
    judges: int = 8
    probes: int = 4


@dataclass(frozen=True)
class Learned:
    """A block's layers and tensors, the levels of its outputs on the calibration samples, and its errors."""

    graph: QuantisedGraph
    levels: Mapping[str, NDArray[np.float64]]
    result: Reconstructed


class Reconstruction:
    """Blocks of one model, learned one after the other, each on what those before it give in integers.

    Parameters
    ----------
    graph : Graph
        Lowered and equalised.
    x : array, shape (N, C, H, W)
        Real inputs of it.
    found : list of Block
    quantisation : QuantSettings
        By the names of the graph's layers.
    config : AcceleratorConfig
    settings : ReconstructionSettings, optional
    """

    def __init__(
        self,
        graph: Graph,
        x: NDArray,
        found: list[Block],
        quantisation: QuantSettings,
        config: AcceleratorConfig,
        settings: ReconstructionSettings | None = None,
    ) -> None:
        self.graph, self.quantisation, self.config = graph, quantisation, config
        self.settings = settings or ReconstructionSettings()
        self.generator = torch.Generator().manual_seed(self.settings.seed)
        names = list(dict.fromkeys(name for block in found for name in block.outputs))
        self.weights = sensitivities(
            graph,
            torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)),
            names,
            probes=self.settings.probes,
            generator=self.generator,
        )

    def learn(
        self,
        block: Block,
        layers: tuple[IntegerLayer, ...],
        tensors: Mapping[str, QuantisedTensor],
        integers: Mapping[str, QuantisedTensor],
        given: tuple[Source, NDArray],
        wanted: Mapping[str, NDArray],
    ) -> Learned:
        """The block as it was learned, and its errors before and after.

        Parameters
        ----------
        block : Block
        layers, tensors
            Of the block as post-training quantisation made it.
        integers : mapping of QuantisedTensor
            What is looked up, by the names of layers with a table.
        given : (Source, array)
            Its source on all calibration samples: levels, and the float model's values.
        wanted : mapping of array, shape (N, C, H, W)
            The float model's values of its outputs.
        """
        began = time.perf_counter()
        source, floats = given
        start = self._start(block, layers, tensors)
        network = self._network(block, start, integers)
        offsets = torch.from_numpy(source.levels.astype(np.float32) - np.float32(source.tensor.zero))
        real = torch.from_numpy(np.asarray(floats, dtype=np.float32) / np.float32(source.tensor.scale))
        goals = {name: torch.from_numpy(np.ascontiguousarray(wanted[name])).float() for name in block.outputs}
        judge = torch.arange(len(offsets)) % self.settings.judges == self.settings.judges - 1
        teach = ~judge if judge.any() else torch.ones_like(judge)
        judge = judge if judge.any() else teach
        before = self._error(network, offsets, goals, judge)
        self._learn(network, block, offsets, real, goals, teach.nonzero()[:, 0])
        after = self._error(network, offsets, goals, judge)
        result = Reconstructed(block=block.name, before=before, after=after, seconds=time.perf_counter() - began)
        return Learned(to_quantised(network), self._levels(network, offsets), result)

    @torch.no_grad()
    def _levels(self, network: Network, offsets: Tensor) -> dict[str, NDArray[np.float64]]:
        parts = [network.run(part, exact=True) for part in offsets.split(_AT_ONCE)]
        zeros = {name: float(parts[0].clamped[name].zero) for name in network.graph.output_tensors}
        return {
            name: np.concatenate([done.offsets[name].numpy() for done in parts]) + zero for name, zero in zeros.items()
        }

    def _start(
        self, block: Block, layers: tuple[IntegerLayer, ...], tensors: Mapping[str, QuantisedTensor]
    ) -> QuantisedGraph:
        names = [block.source, *(layer.output for layer in layers)]
        return QuantisedGraph(
            name=block.name,
            tensors={name: tensors[name] for name in names},
            input=InputSpec(tensor=block.source, shape=tensors[block.source].shape),
            layers=layers,
            outputs=tuple(Output.whole(name, tensors[name].shape) for name in block.outputs),
        )

    def _network(self, block: Block, start: QuantisedGraph, integers: Mapping[str, QuantisedTensor]) -> Network:
        """The block alone; where it begins and ends, nothing else is meant by a network's ends."""
        part = Graph(
            name=block.name,
            tensors={name: tensor.shape for name, tensor in start.tensors.items()},
            input=start.input,
            layers=block.layers,
            outputs=start.outputs,
        )
        formats = {}
        for layer in block.layers:
            if isinstance(layer, Mac):
                edge = self.graph.input.tensor in layer.sources or layer.output in self.graph.output_tensors
                formats[layer.name] = LayerFormats(weights=self.quantisation.weight_format(layer.name, edge=edge).name)
        settings = TrainSettings(seed=self.settings.seed, learn_shift=False)
        quantisation = replace(self.quantisation, layers=formats)
        network = Network(part, start, quantisation, self.config, settings, integers)
        network.requires_grad_(False)
        return network

    def _distance(
        self, network: Network, done: Pass, goals: Mapping[str, Tensor], index: Tensor, *, even: float
    ) -> Tensor:
        """Mean square distance of outputs, each value weighed, in the outputs' variances."""
        parts = []
        for name, all_goals in goals.items():
            goal, weights = all_goals[index], self.weights[name][index].clamp(max=self.settings.most)
            weights = even + (1 - even) * weights
            spread = (all_goals - all_goals.mean((0, 2, 3), keepdim=True)).square().mean().clamp(min=1e-12)
            parts.append((weights * (network.real(done, name) - goal).square()).mean() / spread)
        return torch.stack(parts).mean()

    @torch.no_grad()
    def _error(self, network: Network, offsets: Tensor, goals: Mapping[str, Tensor], which: Tensor) -> float:
        total = 0.0
        index = which.nonzero()[:, 0]
        for part in index.split(_AT_ONCE):
            done = network.run(offsets[part], exact=True)
            total += float(self._distance(network, done, goals, part, even=self.settings.even)) * len(part)
        return total / len(index)

    def _learn(
        self,
        network: Network,
        block: Block,
        offsets: Tensor,
        real: Tensor,
        goals: Mapping[str, Tensor],
        samples: Tensor,
    ) -> None:
        settings = self.settings
        learned = [mac for mac in network.layers if isinstance(mac, TrainedMac) and not mac.layer.copies]
        parameters = [part for mac in learned for part in (mac.rows, mac.bias)]
        for part in parameters:
            part.requires_grad_(True)
        optimiser = torch.optim.Adam(parameters, lr=settings.rate, betas=(0.9, 0.99), eps=1e-12)
        mixed = settings.mix and block.source != self.graph.input.tensor
        for step in range(settings.steps):
            rising, falling = (step + 1) / (0.1 * settings.steps), 0.5 + 0.5 * math.cos(math.pi * step / settings.steps)
            optimiser.param_groups[0]["lr"] = settings.rate * min(rising, falling)
            index = samples[torch.randperm(len(samples), generator=self.generator)[: settings.batch]]
            given = offsets[index]
            if mixed:
                given = torch.where(
                    torch.rand(given.shape, generator=self.generator) < settings.mix, real[index], given
                )
            done = network.run(given.contiguous(memory_format=_LAYOUT))
            loss = self._distance(network, done, goals, index, even=settings.even)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        for part in parameters:
            part.requires_grad_(False)
