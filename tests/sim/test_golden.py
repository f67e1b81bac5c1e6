"""The golden model executes graphs exactly and refuses numbers that do not fit their widths."""

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import Int
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import WidthError


@pytest.fixture
def graph(tiny_program):
    return tiny_program.graph


@pytest.fixture
def config(tiny_program):
    return tiny_program.config


def with_conv(graph, **changes):
    conv = dataclasses.replace(graph.layers[0], **changes)
    return dataclasses.replace(graph, layers=(conv, graph.layers[1]))


def test_every_tensor_equals_a_loop_over_the_definition(graph, config, tiny_levels):
    result = GoldenModel(graph, config).run(tiny_levels[np.newaxis])
    conv, out = graph.layers[0], graph.tensors["features"]
    weights = conv.segments[0].weights
    padded = np.full((3, 7, 8), graph.tensors["image"].zero)
    padded[:, 1:-1, 1:-1] = tiny_levels
    expected = np.zeros((6, 5, 6), dtype=np.int64)
    for o in range(6):
        for y in range(5):
            for x in range(6):
                acc = int((weights[o] * padded[:, y : y + 3, x : x + 3]).sum())
                real = (acc + int(conv.bias[o])) * int(conv.multiplicand[o]) / 2 ** int(conv.shift[o]) + out.zero
                levels = out.format.levels.tolist()
                expected[o, y, x] = max(out.low, min(levels, key=lambda level: (abs(level - real), -level)))
    np.testing.assert_array_equal(result["features"][0], expected)
    pooled = expected[:, :4].reshape(6, 2, 2, 3, 2).max(axis=(2, 4))
    np.testing.assert_array_equal(result["pooled"][0], pooled)
    np.testing.assert_array_equal(result["image"][0], tiny_levels)
    assert len(np.unique(expected)) > 5


def test_samples_do_not_depend_on_their_batch(graph, config):
    tensor = graph.tensors["image"]
    levels = np.random.default_rng(2).choice(
        tensor.format.levels[tensor.format.levels >= tensor.low], (37, *tensor.shape)
    )
    model = GoldenModel(graph, config)
    together = model.run(levels)
    assert together["pooled"].shape == (37, 6, 2, 3)
    for index in (0, 15, 16, 36):
        np.testing.assert_array_equal(model.run(levels[index : index + 1])["pooled"][0], together["pooled"][index])
    assert model.run(levels[:0])["pooled"].shape == (0, 6, 2, 3)


def test_only_the_tensors_asked_for_are_kept(graph, config, tiny_levels):
    model, levels = GoldenModel(graph, config), tiny_levels[np.newaxis]
    everything = model.run(levels)
    for keep in ([], ["pooled"], ["image", "features"]):
        some = model.run(levels, keep)
        assert some.keys() == set(keep)
        for name, tensor in some.items():
            np.testing.assert_array_equal(tensor, everything[name], strict=True)


def test_a_wrong_shape_is_refused(graph, config, tiny_levels):
    with pytest.raises(ValueError, match=r"input levels must have the shape \(N, \*\(3, 5, 6\)\), not \(3, 5, 6\)"):
        GoldenModel(graph, config).run(tiny_levels)


def test_numbers_that_are_not_levels_are_refused(graph, config, tiny_levels):
    with pytest.raises(ValueError, match="5 is not a level of dybit4"):
        GoldenModel(graph, config).run(np.full_like(tiny_levels, 5)[np.newaxis])


def test_levels_beyond_the_span_are_refused(graph, config, tiny_levels):
    with pytest.raises(ValueError, match="input levels must be -4 to 16: the certificates count on it"):
        GoldenModel(graph, config).run(np.full_like(tiny_levels, -6)[np.newaxis])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cert_bits": 17}, "layer conv: its certificate asks for 17 accumulator bits, the configuration has 16"),
        ({"bias": np.array([0, 0, 1 << 15, 0, 0, 0])}, "layer conv, channel 2: bias 32768 does not fit 16 bits"),
        (
            {"bias": np.array([0, -(1 << 15) - 1, 0, 0, 0, 0])},
            "layer conv, channel 1: bias -32769 does not fit 16 bits",
        ),
        ({"multiplicand": np.array([8, 15, 16, 8, 8, 8])}, "layer conv, channel 2: multiplicand 16 is not 8 to 15"),
        ({"multiplicand": np.array([7, 15, 8, 8, 8, 8])}, "layer conv, channel 0: multiplicand 7 is not 8 to 15"),
        ({"shift": np.array([0, 0, 0, 0, 0, 22])}, "layer conv, channel 5: shift 22 is not 0 to 21"),
        ({"shift": np.array([0, -1, 0, 0, 0, 0])}, "layer conv, channel 1: shift -1 is not 0 to 21"),
    ],
)
def test_parameters_that_do_not_fit_their_fields_are_named(graph, config, changes, message):
    with pytest.raises(WidthError, match=f"^{message}$"):
        GoldenModel(with_conv(graph, **changes), config)


def test_an_output_of_too_many_planes_is_named(graph, config):
    features = dataclasses.replace(graph.tensors["features"], high=3, low=-3)
    GoldenModel(dataclasses.replace(graph, tensors=graph.tensors | {"features": features}), config)
    narrow = AcceleratorConfig(**config.to_dict() | {"planes": 1})
    wide = dataclasses.replace(features, format=Int(8), high=100)
    with pytest.raises(WidthError, match="layer conv: its output needs 3 planes, the configuration writes 1"):
        GoldenModel(dataclasses.replace(graph, tensors=graph.tensors | {"features": wide}), narrow)


def test_a_certificate_that_weights_and_sources_exceed_is_named(graph, config):
    enough = graph.layers[0].cert_bits
    GoldenModel(with_conv(graph, cert_bits=enough), config)
    with pytest.raises(WidthError, match=rf"^layer conv, channel \d: final sum -?\d+ does not fit {enough - 1} bits$"):
        GoldenModel(with_conv(graph, cert_bits=enough - 1), config)


def test_a_result_of_the_wrong_shape_is_named(graph, config, tiny_levels):
    features = dataclasses.replace(graph.tensors["features"], shape=(6, 5, 5))
    model = GoldenModel(dataclasses.replace(graph, tensors=graph.tensors | {"features": features}), config)
    with pytest.raises(
        ValueError, match=r"layer conv gives the shape \(6, 5, 6\), its output features has \(6, 5, 5\)"
    ):
        model.run(tiny_levels[np.newaxis])
