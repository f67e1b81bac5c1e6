"""Small random float graphs, and networks in training with parameters all over the place."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.sw.curves import Function, X
from narrows.sw.graph import Graph
from narrows.sw.layers import Add, AveragePool, Clamp, Curve, Layer, Mac, MaxPool, Term
from narrows.sw.outputs import Output
from narrows.sw.quantised import InputSpec
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.train import TrainSettings, network_of
from narrows.sw.quantize.train.network import Network
from narrows.sw.windows import Shape, Window

__all__ = ["CONFIG", "SILU", "disturbed", "enlarging_graph", "random_graph", "random_network"]

CONFIG = dataclasses.replace(PRESETS["tiny"], tables=4)
SILU = Function("mul", (X, Function("sigmoid", (X,))))

_SAME = Window(kernel=(3, 3), pads=(1, 1, 1, 1))
_HALVED = Window(kernel=(3, 3), stride=(2, 2), pads=(0, 0, 1, 1))


def random_graph(rng: np.random.Generator, *, curves: bool = False, shape: tuple[int, int, int] = (3, 8, 8)) -> Graph:
    """Convolution, a residual block, a depthwise layer, a strided block with a convolved skip, pools, a classifier."""
    channels, tensors, layers = 5, {"x": shape}, []

    def add(layer: Layer, size: tuple[int, int, int]) -> str:
        layers.append(layer)
        tensors[layer.output] = size
        return layer.output

    def mac(source: str, outputs: int, window: Window, depthwise: bool = False) -> str:
        inputs, *size = tensors[source]
        weights = rng.normal(0, 1 / np.sqrt(9 * inputs), (outputs, 1 if depthwise else inputs, *window.kernel))
        term = Term(source=source, weights=weights, window=window, depthwise=depthwise)
        name = f"m{len(layers)}"
        bias = rng.normal(0, 0.3, outputs)
        return add(Mac(name=name, terms=(term,), bias=bias, output=name), (outputs, *window.output(*size)))

    def active(source: str) -> str:
        name = f"a{len(layers)}"
        if curves:
            return add(Curve(name=name, source=source, function=SILU, output=name), tensors[source])
        high = rng.choice([np.inf, 6.0, 1.0])
        return add(Clamp(name=name, source=source, low=0.0, high=high, output=name), tensors[source])

    def summed(first: str, second: str) -> str:
        name = f"s{len(layers)}"
        return add(Add(name=name, first=first, second=second, output=name), tensors[first])

    stem = active(mac("x", channels, _SAME))
    block = active(summed(mac(active(mac(stem, channels, _SAME)), channels, _SAME), stem))
    deep = active(mac(block, channels, _SAME, depthwise=True))
    if rng.random() < 0.5:
        name = f"p{len(layers)}"
        deep = add(
            MaxPool(name=name, source=deep, window=Window(kernel=(3, 3), pads=(1, 1, 1, 1)), output=name), tensors[deep]
        )
    skip = mac(deep, 8, Window(kernel=(1, 1), stride=(2, 2)))
    block = active(summed(mac(active(mac(deep, 8, _HALVED)), 8, _SAME), skip))
    size = tensors[block][1:]
    pool = add(
        AveragePool(name="pool", source=block, window=Window(kernel=size, stride=size), output="pool"), (8, 1, 1)
    )
    scores = mac(pool, 4, Window(kernel=(1, 1)))
    return Graph(
        name="random",
        tensors=tensors,
        input=InputSpec(tensor="x", shape=shape),
        layers=tuple(layers),
        outputs=(Output.whole(scores, (4,)),),
    )


def enlarging_graph(rng: np.random.Generator) -> Graph:
    """Two layers that enlarge 3 x 8 x 8 pixels, by 2 x 2 and by 1 x 3, and one that reads them."""
    sizes: list[tuple[str, int, tuple[int, int], Shape]] = [
        ("a", 3, (2, 2), (5, 16, 16)),
        ("b", 5, (1, 3), (4, 16, 48)),
        ("c", 4, (1, 1), (2, 16, 48)),
    ]
    layers, tensors, source = [], {"x": (3, 8, 8)}, "x"
    for name, inputs, factors, shape in sizes:
        outputs = shape[0] * factors[0] * factors[1]
        weights = rng.normal(0, 1 / np.sqrt(9 * inputs), (outputs, inputs, 3, 3))
        term = Term(source=source, weights=weights, window=_SAME)
        bias = rng.normal(0, 0.3, outputs)
        layers.append(Mac(name=name, terms=(term,), bias=bias, low=0.0, output=name, enlarge=factors))
        tensors[name], source = shape, name
    return Graph(
        name="enlarging",
        tensors=tensors,
        input=InputSpec(tensor="x", shape=(3, 8, 8)),
        layers=tuple(layers),
        outputs=(Output.whole("c", tensors["c"]),),
    )


def random_network(
    seed: int,
    *,
    curves: bool = False,
    formats: tuple[str, str] = ("dybit4", "dybit4"),
    config: AcceleratorConfig = CONFIG,
    shape: tuple[int, int, int] = (3, 8, 8),
    graph: Graph | None = None,
    **settings,
) -> tuple[Network, np.ndarray]:
    """A network as training starts it, and 24 samples."""
    rng = np.random.default_rng(seed)
    graph = graph or random_graph(rng, curves=curves, shape=shape)
    samples = rng.integers(0, 256, (24, *shape)).astype(np.float64) if seed % 2 else rng.normal(0, 1, (24, *shape))
    quantisation = QuantSettings(weights=formats[0], acts=formats[1])
    config = dataclasses.replace(config, tables=9 if curves else 0)
    return network_of(graph, samples, quantisation, config, TrainSettings(**settings)), samples


def disturbed(network: Network, seed: int) -> Network:
    """The same network with every parameter moved: as after some training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.requires_grad or name.endswith("shift"):
                reach = {"rows": 1.5, "bias": 1.0, "octaves": 0.4, "length": 0.5, "shift": 3.0}[name.rsplit(".", 1)[-1]]
                parameter.add_(reach * torch.randn(parameter.shape, generator=generator))
        fixed = {network.graph.input.tensor, *network.graph.output_tensors}
        for name in set(network.graph.tensors) - fixed:
            network.tensor(name).learn_shift(False)
        for name in fixed:
            network.tensor(name).shift.fill_(float(network.start.tensors[name].zero))
    return network
