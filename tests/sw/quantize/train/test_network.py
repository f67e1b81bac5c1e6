import dataclasses

import numpy as np
import pytest
import torch
from narrows.hw.spec.config import PRESETS
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.errors import InputError
from narrows.sw.grids import Grid
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.train import TrainSettings, to_quantised
from narrows.sw.quantize.train.float_network import FloatNetwork
from narrows.sw.quantize.train.network import Network
from narrows.sw.runtime.tensors import prepare_input
from trained_networks import CONFIG, disturbed, enlarging_graph, random_graph, random_network

ACCUMULATORS = ["fitted", "a2q", "a2q+"]


def wrong_codes(network, samples, *, exact):
    """Tensors in which a pass of the network and the golden model on the exported graph differ."""
    graph = to_quantised(network)
    levels = prepare_input(graph, samples)
    expected = GoldenModel(graph, network.config).run(levels)
    zero = graph.tensors[graph.input.tensor].zero
    with torch.no_grad():
        done = network.run(torch.tensor(levels - zero).float(), exact=exact)
    return [
        name
        for name, offsets in done.offsets.items()
        if not np.array_equal(offsets.double().numpy() + graph.tensors[name].zero, expected[name])
    ]


@pytest.mark.parametrize("exact", [True, False])
class TestEveryCodeIsTheGoldenModels:
    @pytest.mark.parametrize("accumulator", ACCUMULATORS)
    @pytest.mark.parametrize("seed", range(4))
    def test_wherever_the_parameters_are(self, seed, accumulator, exact):
        network, samples = random_network(seed, accumulator=accumulator)
        assert wrong_codes(disturbed(network, seed), samples, exact=exact) == []

    @pytest.mark.parametrize("seed", range(3))
    def test_with_looked_up_functions(self, seed, exact):
        network, samples = random_network(seed, curves=True)
        assert wrong_codes(disturbed(network, seed), samples, exact=exact) == []

    @pytest.mark.parametrize(
        "formats", [("int4", "int4"), ("dybit2", "dybit4"), ("dybit3", "udybit4"), ("int3", "uint3")]
    )
    def test_in_other_formats(self, formats, exact):
        network, samples = random_network(5, formats=formats)
        assert wrong_codes(disturbed(network, 5), samples, exact=exact) == []

    def test_where_layers_enlarge(self, exact):
        network, samples = random_network(7, graph=enlarging_graph(np.random.default_rng(7)))
        assert wrong_codes(disturbed(network, 7), samples, exact=exact) == []

    def test_with_plainly_narrowed_gains(self, exact):
        network, samples = random_network(6, rescaling="narrow")
        assert wrong_codes(disturbed(network, 6), samples, exact=exact) == []


def test_exact_passes_are_exact_where_float32_is_not():
    config = dataclasses.replace(CONFIG, acc_bits=24, rescale_bits=32)
    network, samples = random_network(7, formats=("int8", "int8"), config=config)
    assert wrong_codes(disturbed(network, 7), samples, exact=True) == []


class TestStart:
    def test_it_starts_as_the_quantised_graph_bit_for_bit(self):
        network, _ = random_network(8)
        for made, start in zip(to_quantised(network).layers, network.start.layers, strict=True):
            for ours, theirs in zip(getattr(made, "segments", ()), getattr(start, "segments", ()), strict=True):
                np.testing.assert_array_equal(ours.weights, theirs.weights)
            for name in ("bias", "multiplicand", "shift"):
                np.testing.assert_array_equal(getattr(made, name, None), getattr(start, name, None))

    def test_with_functions_it_starts_with_the_same_tables(self):
        network, _ = random_network(9, curves=True)
        for made, start in zip(to_quantised(network).layers, network.start.layers, strict=True):
            if getattr(start, "table", None) is not None:
                np.testing.assert_array_equal(made.table.levels, start.table.levels)

    def test_models_that_come_quantised_are_refused(self):
        network, _ = random_network(0)
        graph = dataclasses.replace(network.graph, grids={"x": Grid(scale=1.0, zero=0, low=0, high=255)})
        with pytest.raises(InputError, match="trained already: compile it instead"):
            Network(graph, network.start, QuantSettings(), CONFIG, TrainSettings(), {})


@pytest.mark.parametrize("accumulator", ACCUMULATORS)
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_certificates_hold_at_any_width_that_is_asked_for(accumulator, bits):
    network, _ = random_network(bits, accumulator=accumulator, acc_bits=bits)
    graph = to_quantised(disturbed(network, bits))
    learned = [layer for layer in graph.layers if layer.name.startswith("m")]
    assert learned and max(layer.cert_bits for layer in learned) <= bits


def test_what_is_exported_compiles():
    network, _ = random_network(10)
    program = compile_graph(to_quantised(disturbed(network, 10)), dataclasses.replace(PRESETS["tiny"], act_words=8192))
    assert len(program.graph.layers) == len(network.graph.layers)


def test_the_float_network_computes_what_the_float_graph_says():
    from narrows.sw.quantize.evaluate import evaluate

    for curves in (False, True):
        rng = np.random.default_rng(3)
        graph = lower(random_graph(rng, curves=curves))
        x = rng.normal(0, 1, (6, 3, 8, 8))
        order = rng.permutation(int(np.prod(graph.tensors[graph.outputs[0].tensor])))
        graph = dataclasses.replace(graph, outputs=(dataclasses.replace(graph.outputs[0], order=order),))
        expected = evaluate(graph, x)[graph.outputs[0].tensor].reshape(6, -1)[:, order]
        np.testing.assert_allclose(FloatNetwork(graph)(torch.tensor(x).float()).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("curves", [False, True])
@pytest.mark.parametrize("accumulator", ["free", *ACCUMULATORS])
def test_every_parameter_that_is_learned_gets_a_gradient(accumulator, curves):
    network, samples = random_network(11, curves=curves, accumulator=accumulator)
    network.learn_shifts(True)
    levels = prepare_input(network.start, samples) - network.start.tensors["x"].zero
    done = network.run(torch.tensor(levels).float())
    (network.scores(done).square().mean() + done.excess).backward()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
