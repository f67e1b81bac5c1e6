"""Reconstruction: what is exported is what was learned, inside the certificates, never worse, and always the same."""

import dataclasses
import functools

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.quantised import MacLayer
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.rebuild import Rebuilder
from narrows.sw.quantize.reconstructing import quantise_and_reconstruct
from narrows.sw.quantize.train import reconstruct
from narrows.sw.runtime.tensors import prepare_input
from trained_networks import CONFIG, random_graph

SETTINGS = QuantSettings(weights="dybit3", acts="dybit4", reconstruct=True)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = functools.partial(reconstruct.ReconstructionSettings, steps=12, batch=8, rate=5e-2)
    monkeypatch.setattr(reconstruct, "ReconstructionSettings", quick)


def samples_for(seed: int) -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng, rng.normal(0, 1, (24, 3, 8, 8))


def numbers(graph) -> list[np.ndarray]:
    macs = [layer for layer in graph.layers if isinstance(layer, MacLayer)]
    return [
        part
        for layer in macs
        for part in (*(segment.weights for segment in layer.segments), layer.bias, layer.multiplicand, layer.shift)
    ]


@pytest.mark.parametrize("curves", [False, True])
@pytest.mark.parametrize(("acc_bits", "bits"), [(12, 4), (16, 3), (20, 8)])
def test_the_golden_model_gives_what_was_learned_inside_the_accumulator(acc_bits, bits, curves, monkeypatch) -> None:
    rng, x = samples_for(acc_bits)
    graph = random_graph(rng, curves=curves)
    config = dataclasses.replace(CONFIG, acc_bits=acc_bits, rescale_bits=bits, tables=9 if curves else 0)
    levels, leave = {}, Rebuilder.leave

    def told(self, *given):
        learned = leave(self, *given)
        levels.update(learned.levels if learned else {})
        return learned

    monkeypatch.setattr(Rebuilder, "leave", told)
    blocks = []
    quantised = quantise_and_reconstruct(
        graph, x, dataclasses.replace(SETTINGS, weights="dybit4"), config, report=blocks.append
    )
    assert any(each.kept for each in blocks)
    assert not any(each.why for each in blocks)
    expected = GoldenModel(quantised, config).run(prepare_input(quantised, x))
    for name, found in levels.items():
        np.testing.assert_array_equal(found, expected[name])
    macs = [layer for layer in quantised.layers if isinstance(layer, MacLayer)]
    assert max(layer.cert_bits for layer in macs) <= acc_bits
    assert all(int(layer.multiplicand.max()) < 1 << bits for layer in macs)
    compile_graph(quantised, config)


def test_the_same_samples_give_the_same_integers_and_only_what_is_better_is_taken() -> None:
    rng, x = samples_for(5)
    graph = random_graph(rng)
    runs = []
    for _ in range(2):
        blocks = []
        quantised = quantise_and_reconstruct(graph, x, SETTINGS, CONFIG, report=blocks.append)
        runs.append((numbers(quantised), [(each.block, each.before, each.after) for each in blocks]))
    assert runs[0][1] == runs[1][1]
    assert all(np.array_equal(*pair) for pair in zip(runs[0][0], runs[1][0], strict=True))


def test_where_nothing_is_better_the_program_is_that_of_quantisation_alone(monkeypatch) -> None:
    rng, x = samples_for(6)
    graph = random_graph(rng)
    still = functools.partial(reconstruct.ReconstructionSettings, steps=0)
    monkeypatch.setattr(reconstruct, "ReconstructionSettings", still)
    blocks = []
    quantised = quantise_and_reconstruct(graph, x, SETTINGS, CONFIG, report=blocks.append)
    assert not any(each.kept for each in blocks)
    assert all(each.before == each.after for each in blocks)
    plain = quantise(graph, x, dataclasses.replace(SETTINGS, reconstruct=False), CONFIG)
    assert all(np.array_equal(*pair) for pair in zip(numbers(plain), numbers(quantised), strict=True))


def test_errors_are_parts_of_the_outputs_variance() -> None:
    rng, x = samples_for(8)
    graph = random_graph(rng)
    *others, last = graph.layers
    (term,) = last.terms
    larger = dataclasses.replace(
        last, terms=(dataclasses.replace(term, weights=16 * term.weights),), bias=16 * last.bias
    )
    errors = []
    for scores in (last, larger):
        blocks = []
        model = dataclasses.replace(graph, layers=(*others, scores))
        quantise_and_reconstruct(model, x, SETTINGS, CONFIG, report=blocks.append)
        errors.append((blocks[-1].before, blocks[-1].after))
    assert errors[1] == pytest.approx(errors[0], rel=1e-4)
    assert 0 < errors[0][0] < 1


def test_layers_that_share_a_table_are_left_as_they_are() -> None:
    rng, x = samples_for(7)
    graph = random_graph(rng, curves=True)
    config = AcceleratorConfig(**{**CONFIG.to_dict(), "tables": 1})
    blocks = []
    quantised = quantise_and_reconstruct(graph, x, SETTINGS, config, report=blocks.append)
    left = [each for each in blocks if each.why]
    assert left
    assert all(each.why.endswith("shares its table with other layers") for each in left)
    compile_graph(quantised, config)
