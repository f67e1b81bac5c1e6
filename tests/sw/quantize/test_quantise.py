"""Quantised graphs respect every width of the configuration and stay close to the float graph."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from narrows.hw.spec.certificate import final_sum_bounds, signed_bits
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import CapacityError, CertificateError, InputError, ModelError
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.quantised import MacLayer
from narrows.sw.quantize import LayerFormats, QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.quantize.planned import planned_format
from narrows.sw.runtime.tensors import prepare_input, restore_outputs
from onnx import helper

SHARED = Path(os.environ.get("NARROWS_DATA", "."))  # a folder of models and data that are not ours to ship
RNG = np.random.default_rng(8)
DATA = digits()


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def node(kind, *inputs, output="y", **attributes):
    return helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **attributes)


@pytest.fixture(scope="module")
def digits_graph():
    with digits_model() as path:
        return load_model(path)


def mac_layers(quantised):
    return [layer for layer in quantised.layers if isinstance(layer, MacLayer)]


def check_widths(graph, config):
    for layer in graph.layers:
        output = graph.tensors[layer.output]
        assert config.digits.count(output.levels) <= config.planes
        assert {output.zero, output.low, output.high} <= set(output.format.levels.tolist())
        if not isinstance(layer, MacLayer):
            continue
        bounds = final_sum_bounds([(s.weights, graph.tensors[s.source].span) for s in layer.segments])
        assert layer.cert_bits == signed_bits(*bounds) <= config.acc_bits
        assert (layer.multiplicand >> (config.rescale_bits - 1) == 1).all()
        assert layer.shift.min() >= 0 and layer.shift.max() <= config.shift_max
        assert np.abs(layer.bias).max() < 1 << (config.bias_width - 1)


def signal_to_noise(graph, quantised, config, x):
    """In dB, of the first output, float against golden model."""
    output = quantised.outputs[0]
    tensors = GoldenModel(quantised, config).run(prepare_input(quantised, x))
    result = restore_outputs(quantised, tensors, raw=True)[output.name]
    expected = output.elements(evaluate(lower(graph), x)[output.tensor])
    return 10 * np.log10(expected.var() / np.square(expected - result).mean())


def accuracy(quantised, config):
    levels = prepare_input(quantised, DATA.test_x)
    scores = GoldenModel(quantised, config).run(levels)["scores"].reshape(len(levels), -1)
    return np.mean(scores.argmax(axis=1) == DATA.test_y)


def test_digits_in_four_bits_lose_less_than_half_a_point(digits_graph):
    config = AcceleratorConfig(acc_bits=16, rescale_bits=4)
    quantised = quantise(digits_graph, DATA.calib_x, QuantSettings(), config)
    check_widths(quantised, config)
    scores = evaluate(lower(digits_graph), DATA.test_x)["scores"].reshape(len(DATA.test_y), -1)
    reference = np.mean(scores.argmax(axis=1) == DATA.test_y)
    assert reference >= 0.985
    assert accuracy(quantised, config) >= reference - 0.005
    tensor = quantised.tensors[quantised.input.tensor]
    assert (tensor.format.name, tensor.scale) == ("uint5", 1.0)


def test_quantising_twice_gives_the_same(digits_graph):
    first, second = (quantise(digits_graph, DATA.calib_x[:64], QuantSettings(), AcceleratorConfig()) for _ in range(2))
    assert first.tensors == second.tensors
    for one, other in zip(mac_layers(first), mac_layers(second), strict=True):
        for field in ("bias", "multiplicand", "shift"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
        for a, b in zip(one.segments, other.segments, strict=True):
            np.testing.assert_array_equal(a.weights, b.weights)


@pytest.mark.parametrize(
    ("weights", "acts", "config", "least"),
    [
        ("dybit4", "udybit4", {}, 0.98),
        ("dybit4", "int4", {}, 0.98),
        ("int4", "uint4", {}, 0.98),
        ("dybit4", "dybit4", {"acc_bits": 12}, 0.98),
        ("dybit4", "dybit4", {"acc_bits": 13, "bias_bits": 8}, 0.98),
        ("dybit4", "dybit4", {"rescale_bits": 2}, 0.98),
        ("dybit4", "dybit4", {"rescale_bits": 32, "acc_bits": 28}, 0.98),
        ("dybit4", "dybit4", {"planes": 1}, 0.98),
        ("dybit4", "dybit4", {"planes": 2}, 0.98),
        ("dybit3", "dybit3", {"planes": 1}, 0.97),
        ("dybit2", "dybit4", {}, 0.95),
        ("int8", "int8", {"acc_bits": 24}, 0.985),
        ("dybit8", "dybit8", {"acc_bits": 28, "planes": 5}, 0.985),
        ("int8", "udybit4", {"acc_bits": 20}, 0.985),
    ],
)
def test_formats_and_widths(weights, acts, config, least, digits_graph):
    config = AcceleratorConfig(**config)
    quantised = quantise(digits_graph, DATA.calib_x, QuantSettings(weights=weights, acts=acts), config)
    check_widths(quantised, config)
    assert accuracy(quantised, config) >= least


def test_edge_weights_take_the_format_asked_for(digits_graph):
    quantised = quantise(digits_graph, DATA.calib_x, QuantSettings(edge_weights="int8"), AcceleratorConfig(acc_bits=20))
    largest = {layer.name: np.abs(layer.segments[0].weights).max() for layer in mac_layers(quantised)}
    assert largest["stem.0"] > 16 and largest["classify"] > 16
    assert largest["first.0"] <= 16 and largest["second.0"] <= 16


def test_layers_take_the_formats_asked_for(digits_graph):
    layers = {"first.0": LayerFormats(weights="int6", acts="uint5"), "second.0": LayerFormats(acts="int8")}
    quantised = quantise(digits_graph, DATA.calib_x, QuantSettings(layers=layers), AcceleratorConfig(acc_bits=24))
    largest = {layer.name: np.abs(layer.segments[0].weights).max() for layer in mac_layers(quantised)}
    assert largest["first.0"] > 16 and largest["second.0"] <= 16
    formats = {layer.name: quantised.tensors[layer.output].format.name for layer in mac_layers(quantised)}
    assert [formats[name] for name in ("stem.0", "first.0", "second.0")] == ["dybit4", "uint5", "int8"]


def test_formats_of_a_layer_that_is_not_there(digits_graph):
    with pytest.raises(InputError, match=r"^formats for layer 'third': the layers are .*first\.0"):
        quantise(digits_graph, DATA.calib_x, QuantSettings(layers={"third": LayerFormats()}), AcceleratorConfig())


def test_averages_have_no_gain_error(digits_graph):
    config = AcceleratorConfig()
    quantised = quantise(digits_graph, DATA.calib_x, QuantSettings(), config)
    layer = next(layer for layer in mac_layers(quantised) if layer.name.endswith("GlobalAveragePool"))
    (segment,) = layer.segments
    source, output = quantised.tensors[segment.source], quantised.tensors[layer.output]
    gain = segment.weights[:, 0, 0, 0] * layer.multiplicand / 2.0**layer.shift * output.scale / source.scale
    np.testing.assert_allclose(gain, 1 / 16, rtol=1e-12)
    assert config.digits.count(segment.weights) == 1


@pytest.mark.parametrize(
    ("acts", "size"),
    [
        ("int8", 20.0),  # integers coarser than what a level of the source changes
        ("dybit4", 0.02),  # and finer
    ],
)
def test_gain_errors_before_a_shared_table_take_no_digits_that_nobody_sees(acts, size, onnx_model):
    rng = np.random.default_rng(3)
    constants = {"w": rng.normal(size=(4, 2, 3, 3)), "u": size * rng.normal(size=(4, 4, 1, 1))}
    constants["v"] = rng.normal(size=(3, 4, 1, 1))
    nodes = [
        node("Conv", "x", "w", output="c"),
        node("Relu", "c", output="r"),
        node("Gelu", "r", output="a"),
        node("Add", "a", "r", output="s"),
        node("Conv", "s", "u", output="d"),
        node("Gelu", "d", output="e"),
        node("Conv", "e", "v"),
    ]
    constants = {name: value.astype(np.float32) for name, value in constants.items()}
    graph = load_model(onnx_model(nodes, (1, 2, 6, 5), constants, opset=20))
    config = AcceleratorConfig(rows=2, columns=4, lanes=4, rescalers=2, acc_bits=24, rescale_bits=8, tables=1)
    quantised = quantise(graph, rng.normal(size=(32, 2, 6, 5)), QuantSettings(weights="int8", acts=acts), config)
    (looked_up,) = (layer for layer in mac_layers(quantised) if layer.name == "Gelu_a")
    assert looked_up.table is not None
    assert config.weight_digits.count(looked_up.segments[0].weights) == 1


GRAPHS = {
    "grouped": (
        [node("Conv", "x", "w", "b", group=2, pads=[1, 1, 1, 1])],
        (1, 4, 8, 8),
        {"w": normal(6, 2, 3, 3), "b": normal(6)},
    ),
    "depthwise": (
        [node("Conv", "x", "w", "b", group=4, strides=[2, 2])],
        (1, 4, 9, 9),
        {"w": normal(4, 1, 3, 3), "b": normal(4)},
    ),
    "dense": (
        [node("Flatten", "x", output="f"), node("Gemm", "f", "w", "b")],
        (1, 2, 3, 4),
        {"w": normal(24, 5), "b": normal(5)},
    ),
    "affine_before_padding": (
        [node("Sub", "x", "m", output="s"), node("Conv", "s", "w", pads=[1, 1, 1, 1])],
        (1, 2, 8, 8),
        {"m": np.float32(0.5), "w": normal(3, 2, 3, 3)},
    ),
    "sum_of_tensors": (
        [
            node("Conv", "x", "w", output="c"),
            node("Relu", "c", output="r"),
            node("Conv", "x", "v", output="d"),
            node("Relu", "d", output="s"),
            node("Add", "r", "s", output="a"),
            node("Sub", "a", "r"),
        ],
        (1, 2, 8, 8),
        {"w": normal(4, 2, 3, 3), "v": normal(4, 2, 3, 3)},
    ),
    "average_with_padding": (
        [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)],
        (1, 3, 6, 6),
        {},
    ),
    "enlarged": (
        [
            node("Conv", "x", "w", "b", pads=[1, 1, 1, 1], output="c"),
            node("Relu", "c", output="r"),
            node("MaxPool", "r", output="p", kernel_shape=[2, 2], strides=[2, 2]),
            node("ConvTranspose", "p", "t", strides=[2, 2], output="u"),
            node("LeakyRelu", "u", alpha=0.25, output="l"),
            node("Concat", "l", "r", axis=1, output="j"),
            node("Conv", "j", "k", pads=[1, 1, 1, 1]),
        ],
        (1, 2, 6, 6),
        {"w": normal(4, 2, 3, 3), "b": normal(4), "t": normal(4, 3, 2, 2), "k": normal(2, 7, 3, 3)},
    ),
    "leaky_by_a_hundredth": (
        [node("Conv", "x", "w", output="c"), node("LeakyRelu", "c", alpha=0.01)],
        (1, 2, 6, 6),
        {"w": normal(3, 2, 3, 3)},
    ),
    "leaky_by_next_to_nothing": (
        [node("Conv", "x", "w", output="c"), node("LeakyRelu", "c", alpha=1e-4)],
        (1, 2, 6, 6),
        {"w": normal(3, 2, 3, 3)},
    ),
    "two_outputs": ([node("Conv", "x", "w", output="c"), node("Relu", "c")], (1, 2, 6, 6), {"w": normal(3, 2, 3, 3)}),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_eight_bit_layers_follow_the_float_ones(case, onnx_model):
    nodes, shape, constants = GRAPHS[case]
    graph = load_model(onnx_model(nodes, shape, constants, outputs=("y", "c") if case == "two_outputs" else ("y",)))
    config = AcceleratorConfig(acc_bits=24, rescale_bits=6)
    x = np.random.default_rng(9).normal(size=(64, *shape[1:]))
    quantised = quantise(graph, x, QuantSettings(weights="int8", acts="int8"), config)
    check_widths(quantised, config)
    assert signal_to_noise(graph, quantised, config, x) > 28


def test_grouped_weights_keep_their_zeros(onnx_model):
    nodes, shape, constants = GRAPHS["grouped"]
    graph = load_model(onnx_model(nodes, shape, constants))
    quantised = quantise(graph, normal(64, *shape[1:]), QuantSettings(), AcceleratorConfig())
    weights = mac_layers(quantised)[0].segments[0].weights
    assert not weights[:3, 2:].any() and not weights[3:, :2].any()


def test_channels_without_weights_give_their_bias(onnx_model):
    weights, bias = normal(5, 2, 3, 3), normal(5)
    weights[1], weights[3] = 0, 1e-9 * weights[3]
    graph = load_model(onnx_model([node("Conv", "x", "w", "b")], (1, 2, 6, 6), {"w": weights, "b": bias}))
    config = AcceleratorConfig()
    x = normal(32, 2, 6, 6)
    quantised = quantise(graph, x, QuantSettings(), config)
    check_widths(quantised, config)
    values = restore_outputs(quantised, GoldenModel(quantised, config).run(prepare_input(quantised, x)))["y"]
    scale = quantised.tensors["y"].scale
    for channel in (1, 3):
        np.testing.assert_allclose(values[:, channel], bias[channel], atol=scale)


def test_dead_calibration_data_do_no_harm(onnx_model):
    graph = load_model(onnx_model(*GRAPHS["dense"]))
    config = AcceleratorConfig()
    check_widths(quantise(graph, np.zeros((3, 2, 3, 4)), QuantSettings(), config), config)


def test_too_narrow_an_accumulator_is_refused_with_the_width_it_takes(digits_graph):
    config = AcceleratorConfig(acc_bits=12, bias_bits=24)
    with pytest.raises(
        CertificateError,
        match=r"^layer 'first.0', output channel \d+: its sums need at least 13 accumulator "
        "bits, the configuration has 12: set acc_bits to 13 or more, or use narrower "
        "weights or activations$",
    ):
        quantise(digits_graph, DATA.calib_x, QuantSettings(weights="int8", acts="int8", axe=False), config)


def test_greedy_rounding_fits_accumulators_that_rounding_to_nearest_does_not(digits_graph):
    config = AcceleratorConfig(acc_bits=12, bias_bits=24)
    with pytest.raises(CertificateError):
        quantise(digits_graph, DATA.calib_x, QuantSettings(weights="int7", acts="int7", axe=False), config)
    quantised = quantise(digits_graph, DATA.calib_x, QuantSettings(weights="int7", acts="int7"), config)
    check_widths(quantised, config)
    assert accuracy(quantised, config) > 0.96


def test_corrected_biases_keep_the_means_of_the_float_model(digits_graph):
    config = AcceleratorConfig(acc_bits=16, rescale_bits=8)
    floats = evaluate(lower(digits_graph), DATA.calib_x)["scores"].mean(axis=(0, 2, 3))

    def missed(settings):
        quantised = quantise(digits_graph, DATA.calib_x, settings, config)
        levels = GoldenModel(quantised, config).run(prepare_input(quantised, DATA.calib_x))["scores"]
        tensor = quantised.tensors["scores"]
        return np.abs(tensor.scale * (levels - tensor.zero).mean(axis=(0, 2, 3)) - floats).max()

    formats = {"weights": "dybit3", "acts": "dybit3"}
    corrected, plain = (missed(QuantSettings(**formats, bias_correction=on)) for on in (True, False))
    assert corrected < 0.1 < 0.3 < plain


def test_equalising_changes_the_levels_but_not_the_answers(digits_graph):
    config = AcceleratorConfig()
    plain, equalised = (
        quantise(digits_graph, DATA.calib_x, QuantSettings(equalise=on), config) for on in (False, True)
    )
    assert any(
        (old.segments[0].weights != new.segments[0].weights).any()
        for old, new in zip(mac_layers(plain), mac_layers(equalised), strict=True)
    )
    assert accuracy(equalised, config) > 0.98


def test_too_narrow_a_bias_is_refused(digits_graph):
    config = AcceleratorConfig(acc_bits=20, bias_bits=8)
    with pytest.raises(
        CertificateError,
        match=r"^layer .*, output channel \d+: its bias does not fit 8 bits at any scale that "
        "the accumulator allows: set bias_bits or acc_bits higher$",
    ):
        quantise(digits_graph, DATA.calib_x, QuantSettings(weights="int8", acts="int8"), config)


def test_tensors_of_more_planes_than_the_core_writes_are_refused(digits_graph):
    with pytest.raises(
        CapacityError,
        match=r"in int8 needs 3 digit planes, the core writes at most 2: use narrower "
        r"activations, or set planes to 3$",
    ):
        quantise(digits_graph, DATA.calib_x[:32], QuantSettings(acts="int8"), AcceleratorConfig(planes=2, acc_bits=24))


def test_formats_that_the_core_does_not_round_to_are_refused(digits_graph):
    with pytest.raises(
        CapacityError,
        match=r"^layer 'stem.0' writes e2m1, the core rounds to integers and dybit: use another format, or generate "
        r"the core with rounds_to = 'dybit\+e2m1'$",
    ):
        quantise(digits_graph, DATA.calib_x[:32], QuantSettings(acts="e2m1"), AcceleratorConfig())


@pytest.mark.parametrize("rounds_to", ["", "e2m1+dybit4"])
def test_a_core_of_e2m1_keeps_the_digits(digits_graph, rounds_to):
    config = AcceleratorConfig(base="e2m1", acc_bits=18, rescale_bits=4, rounds_to=rounds_to)
    graph = quantise(digits_graph, DATA.calib_x, QuantSettings(weights="e2m1", acts="e2m1"), config)
    assert {graph.tensors[layer.output].format.name for layer in mac_layers(graph)[:-1]} == {"e2m1", "int8"}
    assert accuracy(graph, config) > 0.97


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((4, 8, 8)), r"calibration data must have shape \(samples, 1, 8, 8\), not \(4, 8, 8\)"),
        (np.zeros((0, 1, 8, 8)), r"calibration data must have shape \(samples, 1, 8, 8\), not \(0, 1, 8, 8\)"),
        (np.full((2, 1, 8, 8), np.nan), "calibration data hold NaN or infinity: remove those samples"),
        (np.full((2, 1, 8, 8), "a"), "calibration data must be numbers, not <U1: give an array of real numbers"),
    ],
)
def test_bad_calibration_data_are_refused(data, message, digits_graph):
    with pytest.raises(InputError, match=f"^{message}$"):
        quantise(digits_graph, data, QuantSettings(), AcceleratorConfig())


@pytest.mark.parametrize("behind", ["Relu", "GlobalMaxPool", "MaxPool"])
def test_a_mean_by_channel_is_taken_off_each_channel(behind, onnx_model, run_onnx):
    # one gain for all channels as in an average, but each has its own bias
    attributes = {"kernel_shape": [2, 2]} if behind == "MaxPool" else {}
    nodes = [node("Sub", "x", "mean", output="s"), node(behind, "s", **attributes)]
    mean = np.array([0.485, -1.2, 2.4], np.float32).reshape(3, 1, 1)
    path = onnx_model(nodes, (1, 3, 6, 5), {"mean": mean})
    x = np.random.default_rng(17).normal(size=(16, 3, 6, 5)).astype(np.float32)
    config = AcceleratorConfig(acc_bits=24, rescale_bits=8)
    quantised = quantise(load_model(path), x, QuantSettings(weights="int8", acts="int8"), config)
    (found,) = restore_outputs(quantised, GoldenModel(quantised, config).run(prepare_input(quantised, x))).values()
    expected = run_onnx(path, x)
    assert np.sqrt(np.square(found - expected).mean() / np.square(expected).mean()) < 0.02


@pytest.mark.parametrize("size", [1e16, 1e30, 3e38])
def test_values_that_no_network_has_are_refused(size, onnx_model):
    weights = np.full((2, 3, 1, 1), size, dtype=np.float32)
    graph = load_model(onnx_model([helper.make_node("Conv", ["x", "w"], ["y"])], (1, 3, 4, 4), {"w": weights}))
    samples = np.random.default_rng(1).normal(size=(4, 3, 4, 4)).astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ModelError, match="sums up to"):
        quantise(graph, samples, QuantSettings(), AcceleratorConfig())


def test_progress_counts_every_layer(digits_graph):
    calls = []
    quantise(digits_graph, DATA.calib_x[:16], QuantSettings(), AcceleratorConfig(), lambda *call: calls.append(call))
    assert [done for _, done, _ in calls] == list(range(8))
    assert {total for _, _, total in calls} == {7}


def test_graph_is_left_as_it_was(digits_graph):
    before = dataclasses.replace(digits_graph)
    quantise(digits_graph, DATA.calib_x[:16], QuantSettings(), AcceleratorConfig())
    assert digits_graph == before


REAL = {
    "resnet8_float": ("cifar10_test_first5000.npz", 400, 0.865),
    "dscnn_float": ("kws_first500.npz", 500, 0.895),
}


@pytest.mark.parametrize("name", REAL)
def test_real_models_keep_their_accuracy_in_eight_bits(name):
    data, count, least = REAL[name]
    path = SHARED / "models" / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    archive = np.load(SHARED / "data" / data)
    if name == "dscnn_float":
        x = (archive["x_int8"].astype(float) - 83) * 0.5847029089927673
    else:
        x = archive["x"].astype(float)
    config = AcceleratorConfig(acc_bits=24, rescale_bits=8)
    quantised = quantise(load_model(path), x[-64:], QuantSettings(weights="int8", acts="int8"), config)
    output = quantised.outputs[0].tensor
    scores = GoldenModel(quantised, config).run(prepare_input(quantised, x[:count]))[output].reshape(count, -1)
    assert np.mean(scores.argmax(axis=1) == archive["y"].ravel()[:count]) >= least


@pytest.mark.parametrize(
    ("acc_bits", "settings", "name"),
    [
        (20, {}, "int8"),
        (12, {}, "int6"),
        (12, {"fine_averages": False}, "dybit4"),
        (20, {"layers": {"/mean/GlobalAveragePool": LayerFormats(acts="dybit3")}}, "dybit3"),
        (20, {"acts": "dybit8"}, "dybit8"),
    ],
)
def test_averages_over_whole_images_are_as_fine_as_their_readers_have_room_for(acc_bits, settings, name, digits_graph):
    lowered = lower(digits_graph)
    layer = next(layer for layer in lowered.layers if layer.name == "/mean/GlobalAveragePool")
    config = AcceleratorConfig(acc_bits=acc_bits, planes=5)
    assert planned_format(layer, lowered, QuantSettings(**settings), config).name == name


def test_few_large_levels_beside_small_values_leave_both_their_weights(onnx_model):
    """A one-hot input and a state of an LSTM: products of one sum have one scale."""
    rng = np.random.default_rng(5)
    nodes = [
        helper.make_node("Conv", ["x", "small"], ["s"]),
        helper.make_node("Conv", ["x", "v"], ["a"]),
        helper.make_node("Conv", ["s", "w"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    constants = {
        "small": 0.01 * rng.normal(size=(16, 12, 1, 1)).astype(np.float32),
        "v": rng.normal(size=(8, 12, 1, 1)).astype(np.float32),
        "w": 100 * rng.normal(size=(8, 16, 1, 1)).astype(np.float32),
    }
    graph = load_model(onnx_model(nodes, (1, 12, 1, 1), constants))
    x = np.eye(12, dtype=np.float32)[rng.integers(0, 12, 64)].reshape(-1, 12, 1, 1)
    config = AcceleratorConfig(rows=2, columns=4, lanes=4, rescalers=2, acc_bits=28, rescale_bits=8)
    quantised = quantise(graph, x, QuantSettings(weights="int8", acts="int8"), config)
    result = restore_outputs(quantised, GoldenModel(quantised, config).run(prepare_input(quantised, x)))["y"]
    expected = evaluate(lower(graph), x)["y"]
    noise = np.square(expected - result.reshape(expected.shape)).mean()
    assert 10 * np.log10(expected.var() / noise) > 30


def test_a_constant_of_ones_beside_a_tensor_is_no_place_of_an_exchange(onnx_model) -> None:
    """Its layer has weights of no integers: it is quantised like any other."""
    nodes = [
        helper.make_node("Concat", ["x", "ones"], ["both"], "concat", axis=1),
        helper.make_node("Conv", ["both", "w"], ["y"], "conv"),
    ]
    weights = np.random.default_rng(5).normal(size=(4, 3, 1, 1)).astype(np.float32)
    constants = {"ones": np.ones((1, 1, 4, 4), dtype=np.float32), "w": weights}
    graph = load_model(onnx_model(nodes, (1, 2, 4, 4), constants))
    x = np.random.default_rng(6).normal(size=(16, 2, 4, 4)).astype(np.float32)
    config = AcceleratorConfig(acc_bits=24)
    quantised = quantise(graph, x, QuantSettings(weights="int8", acts="int8"), config)
    tensor = quantised.tensors[quantised.outputs[0].tensor]
    levels = GoldenModel(quantised, config).run(prepare_input(quantised, x))[tensor.name]
    wanted = np.einsum("oc,nchw->nohw", weights[:, :, 0, 0], np.concatenate([x, np.ones((16, 1, 4, 4))], axis=1))
    given = (levels - tensor.zero) * tensor.scale
    assert np.square(given - wanted).mean() < 1e-3 * np.square(wanted).mean()
