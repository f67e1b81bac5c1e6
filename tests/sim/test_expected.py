"""Checksums predicted from the golden model equal those of the ISA model, over formats, shapes and configurations."""

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.certificate import final_sum_bounds, signed_bits
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import parse_format
from narrows.hw.spec.semantics import output_size
from narrows.sim.expected import expected_checksums
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.outputs import Output
from narrows.sw.quantised import InputSpec, MacLayer, MaxLayer, QuantisedGraph, QuantisedTensor, Segment
from narrows.sw.runtime import Driver, run_sync

CONFIGS = {
    "even": AcceleratorConfig(
        rows=2, columns=4, lanes=4, rescalers=2, acc_bits=32, weight_words=16384, taps=1024, blocks=1024
    ),
    "deep": AcceleratorConfig(
        rows=4, columns=2, lanes=8, rescalers=1, acc_bits=32, weight_words=16384, taps=1024, blocks=1024
    ),
    "broad": AcceleratorConfig(
        rows=3, columns=16, lanes=4, rescalers=4, acc_bits=32, weight_words=8192, taps=1024, blocks=1024
    ),
}


class GraphBuilder:
    """Random graphs, layer by layer."""

    def __init__(self, rng, acts, weights, shape):
        self.rng, self.weights = rng, parse_format(weights)
        self.format = parse_format(acts)
        self.tensors, self.layers = {}, []
        self.input = self.tensor("in", shape).name

    def tensor(self, name, shape):
        low, zero = (-4, -4) if self.format.signed else (0, 0)
        if not self.rng.integers(3):
            low, zero = self.format.bottom, 0
        self.tensors[name] = QuantisedTensor(
            name=name, shape=tuple(shape), format=self.format, scale=1.0, zero=zero, low=low, high=self.format.top
        )
        return self.tensors[name]

    def mac(self, sources, channels, kernel, stride=1, pad=0, depthwise=False):
        """Segments of the same geometry for the first source, 1x1 for the others."""
        segments, shape = [], None
        for number, source in enumerate(sources):
            tensor = self.tensors[source]
            size, step, padding = (kernel, stride, pad) if not number else (1, stride, 0)
            own = depthwise and not number
            inputs = 1 if own else tensor.shape[0]
            levels = self.weights.levels
            weights = self.rng.choice(levels[np.abs(levels) <= 8], (channels, inputs, size, size))
            segments.append(
                Segment(
                    source=source,
                    weights=weights,
                    depthwise=own,
                    stride=(step, step),
                    pads=(padding, padding, padding, padding),
                )
            )
            if not number:
                shape = [channels, *(output_size(n, size, step, 2 * padding, 1) for n in tensor.shape[1:])]
        name = f"mac{len(self.layers)}"
        output = self.tensor(f"{name}_out", shape)
        low, high = final_sum_bounds([(s.weights, self.tensors[s.source].span) for s in segments])
        bits = int(np.log2(max(1, np.abs(high).max())))
        self.layers.append(
            MacLayer(
                name=name,
                segments=tuple(segments),
                bias=self.rng.integers(-300, 300, channels),
                multiplicand=self.rng.integers(8, 16, channels),
                shift=np.maximum(self.rng.integers(bits - 4, bits + 1, channels), 0),
                cert_bits=signed_bits(low, high),
                output=output.name,
            )
        )
        return output.name

    def maximum(self, source, kernel, stride, pad=0):
        tensor = self.tensors[source]
        name = f"max{len(self.layers)}"
        shape = (tensor.shape[0], *(output_size(n, kernel, stride, 2 * pad, 1) for n in tensor.shape[1:]))
        self.tensors[name] = dataclasses.replace(tensor, name=name, shape=shape)
        self.layers.append(
            MaxLayer(
                name=name,
                source=source,
                kernel=(kernel, kernel),
                stride=(stride, stride),
                pads=(pad, pad, pad, pad),
                output=name,
            )
        )
        return name

    def graph(self, *outputs):
        return QuantisedGraph(
            name="random",
            tensors=self.tensors,
            input=InputSpec(tensor="in", shape=self.tensors["in"].shape),
            layers=tuple(self.layers),
            outputs=tuple(Output.whole(name, self.tensors[name].shape) for name in outputs),
        )


def random_graph(rng, acts, weights):
    builder = GraphBuilder(
        rng, acts, weights, (int(rng.integers(1, 6)), int(rng.integers(7, 10)), int(rng.integers(7, 10)))
    )
    a = builder.mac(["in"], int(rng.integers(3, 9)), 3, pad=1)
    channels = builder.tensors[a].shape[0]
    b = builder.maximum(a, 3, int(rng.integers(1, 3)), pad=1)
    c = builder.mac([b], channels, 3, pad=1, depthwise=bool(rng.integers(2)))
    d = builder.mac([c, b], int(rng.integers(3, 9)), 3, stride=1, pad=1)
    e = builder.mac([d], 6, 3, stride=2, pad=1)
    f = builder.maximum(e, 2, 2)
    size = builder.tensors[f].shape[1:]
    g = builder.mac([f], 5, min(size))
    return builder.graph(g, f)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize(
    ("acts", "weights"), [("dybit4", "dybit4"), ("int4", "dybit3"), ("int8", "int4"), ("udybit4", "dybit4")]
)
def test_predicted_checksums_and_tensors_equal_the_isa_model(acts, weights, config, seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, acts, weights)
    program = compile_graph(graph, config)
    transport = IsaTransport(config)
    driver = Driver(transport, config)
    run_sync(driver.load(program))
    tensor = graph.tensors["in"]
    allowed = tensor.format.levels[tensor.format.levels >= tensor.low]
    samples = rng.choice(allowed, (2, *tensor.shape))
    golden = GoldenModel(graph, config).run(samples)
    for index, sample in enumerate(samples):
        result = run_sync(driver.infer(sample))
        for name, levels in result.outputs.items():
            np.testing.assert_array_equal(levels, golden[name][index])
        expected = expected_checksums(program, {name: levels[index] for name, levels in golden.items()})
        assert len(expected) == len(result.checksums) == len(graph.layers)
        for layer, predicted, checksum in zip(program.layers, expected, result.checksums, strict=False):
            assert predicted in (None, checksum), layer
            assert predicted is not None or layer.startswith("max")
    for index, layer in enumerate(program.graph.layers):
        run_sync(driver.run_until(index))
        np.testing.assert_array_equal(run_sync(driver.dump(layer.output)), golden[layer.output][-1])


def test_a_max_over_lanes_that_nobody_wrote_is_not_predicted():
    builder = GraphBuilder(np.random.default_rng(0), "dybit4", "dybit4", (3, 4, 4))
    builder.maximum(builder.mac(["in"], 4, 1), 2, 2)
    graph = builder.graph("max1")
    config = CONFIGS["deep"]  # 4 channels drain into 4 of 8 lanes
    program = compile_graph(graph, config)
    tensors = GoldenModel(graph, config).run(np.full((1, 3, 4, 4), 1))
    first, second = expected_checksums(program, {name: levels[0] for name, levels in tensors.items()})
    assert isinstance(first, int)
    assert second is None
