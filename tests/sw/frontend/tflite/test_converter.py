"""int8 TFLite models keep their integers: what comes out is what their arithmetic gives, to a code or two."""

import os
from pathlib import Path

import numpy as np
import pytest
import tflite
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import ModelError, UnsupportedOperator
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.runtime import prepare_input, restore_outputs
from tflite_builder import Op, Tensor, tflite_bytes

SHARED = Path(os.environ.get("NARROWS_DATA", "."))  # a folder of models and data that are not ours to ship
CONFIG = AcceleratorConfig(acc_bits=26, rescale_bits=16)
RNG = np.random.default_rng(31)
CONV = {"Padding": tflite.Padding.SAME, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
RELU = tflite.ActivationFunctionType.RELU


def integers(*shape, dtype=np.int8, most=127):
    return RNG.integers(-most, most + 1, shape).astype(dtype)


def by_channel(count):
    return RNG.uniform(0.002, 0.006, count).tolist(), [0] * count


def small_model():
    """Convolution, depthwise convolution, residual sum, maxima, dense layer, Softmax."""
    scales, zeros = by_channel(4)
    bias_scales = [0.05 * scale for scale in scales]
    tensors = [
        Tensor(name="image", shape=(1, 6, 5, 3), scale=[0.05], zero=[-7]),
        Tensor(name="w", shape=(4, 3, 3, 3), data=integers(4, 3, 3, 3), scale=scales, zero=zeros),
        Tensor(
            name="b",
            shape=(4,),
            data=integers(4, dtype=np.int32, most=900),
            scale=bias_scales,
            zero=zeros,
            kind=tflite.TensorType.INT32,
        ),
        Tensor(name="conv", shape=(1, 6, 5, 4), scale=[0.03071], zero=[-128]),
        Tensor(name="dw", shape=(1, 3, 3, 4), data=integers(1, 3, 3, 4), scale=scales, zero=zeros, axis=3),
        Tensor(name="depthwise", shape=(1, 6, 5, 4), scale=[0.04137], zero=[9]),
        Tensor(name="sum", shape=(1, 6, 5, 4), scale=[0.06193], zero=[-20]),
        Tensor(name="pooled", shape=(1, 3, 2, 4), scale=[0.06193], zero=[-20]),
        Tensor(name="shape", shape=(2,), data=np.array([-1, 24], np.int32), kind=tflite.TensorType.INT32),
        Tensor(name="flat", shape=(1, 24), scale=[0.06193], zero=[-20]),
        Tensor(name="dense_w", shape=(5, 24), data=integers(5, 24), scale=[0.004], zero=[0]),
        Tensor(name="scores", shape=(1, 5), scale=[0.05], zero=[3]),
        Tensor(name="odds", shape=(1, 5), scale=[1 / 256], zero=[-128]),
    ]
    kinds = tflite.BuiltinOperator
    pool = {"Padding": tflite.Padding.VALID, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}
    ops = [
        Op(
            kind=kinds.CONV_2D,
            inputs=(0, 1, 2),
            output=3,
            options=("Conv2DOptions", CONV | {"FusedActivationFunction": RELU}),
        ),
        Op(
            kind=kinds.DEPTHWISE_CONV_2D,
            inputs=(3, 4),
            output=5,
            options=("DepthwiseConv2DOptions", CONV | {"DepthMultiplier": 1}),
        ),
        Op(kind=kinds.ADD, inputs=(3, 5), output=6, options=("AddOptions", {})),
        Op(kind=kinds.MAX_POOL_2D, inputs=(6,), output=7, options=("Pool2DOptions", pool)),
        Op(kind=kinds.RESHAPE, inputs=(7, 8), output=9),
        Op(kind=kinds.FULLY_CONNECTED, inputs=(9, 10, -1), output=11, options=("FullyConnectedOptions", {})),
        Op(kind=kinds.SOFTMAX, inputs=(11,), output=12),
    ]
    return tensors, ops


def reference(tensors, codes):
    """Codes of every tensor, by the rule of the format: real sums of scaled codes, rounded once for each tensor."""
    real = lambda index, q: tensors[index].scale[0] * (q - tensors[index].zero[0])  # noqa: E731

    def rounded(index, values, low=-np.inf):
        tensor = tensors[index]
        q = np.rint(np.maximum(values, low) / tensor.scale[0] + tensor.zero[0])
        return np.clip(q, -128, 127)

    scale = np.array(tensors[1].scale)
    padded = np.pad(real(0, codes), ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    sums = np.einsum("nyxcij,oijc->nyxo", windows, tensors[1].data.astype(float)) * scale
    conv = rounded(3, sums + tensors[2].data * np.array(tensors[2].scale), 0.0)
    padded = np.pad(real(3, conv), ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    depthwise = rounded(5, np.einsum("nyxcij,ijc->nyxc", windows, tensors[4].data[0].astype(float)) * scale)
    total = rounded(6, real(3, conv) + real(5, depthwise))
    pooled = total[:, :6, :4].reshape(-1, 3, 2, 2, 2, 4).max(axis=(2, 4))
    flat = real(7, pooled.reshape(len(codes), -1))
    return rounded(11, flat @ tensors[10].data.T.astype(float) * tensors[10].scale[0])


def test_layers_of_a_small_model(tmp_path):
    tensors, ops = small_model()
    path = tmp_path / "small.tflite"
    path.write_bytes(tflite_bytes(tensors, ops, [0], [12]))
    graph = load_model(path)
    assert graph.notes == ("Softmax (node 'odds') is left to the host",)
    assert (graph.input.shape, graph.input.permutation) == ((6, 5, 3), (2, 0, 1))
    codes = integers(40, 6, 5, 3).astype(float)
    x = 0.05 * (codes + 7)
    expected = 0.05 * (reference(tensors, codes) - 3)
    name = graph.outputs[0].tensor
    lowered = lower(graph)
    assert np.abs(evaluate(lowered, x)[name][:, :, 0, 0] - expected).max() < 0.051
    quantised = quantise(graph, x, QuantSettings(), CONFIG)
    assert (quantised.tensors[name].format.name, quantised.tensors[name].zero) == ("uint8", 131)
    tensors = GoldenModel(quantised, CONFIG).run(prepare_input(quantised, x))
    scores = restore_outputs(quantised, tensors, raw=True)[graph.outputs[0].name]
    assert np.abs(scores - expected).max() < 0.101
    assert (np.abs(scores - expected) < 0.01).mean() > 0.9


def branched_model():
    """Two branches put together, one of them padded and leaky, then averages."""
    kinds = tflite.BuiltinOperator
    image = {"scale": [0.0517], "zero": [-11]}
    tensors = [
        Tensor(name="image", shape=(1, 4, 4, 2), **image),
        Tensor(name="amounts", shape=(4, 2), data=np.array([[0, 0], [1, 0], [0, 1], [0, 0]], np.int32), kind=2),
        Tensor(name="padded", shape=(1, 5, 5, 2), **image),
        Tensor(name="w", shape=(3, 2, 2, 2), data=integers(3, 2, 2, 2), scale=[0.0041], zero=[0]),
        Tensor(name="conv", shape=(1, 4, 4, 3), scale=[0.0613], zero=[5]),
        Tensor(name="leaky", shape=(1, 4, 4, 3), scale=[0.0613], zero=[5]),
        Tensor(name="relu6", shape=(1, 4, 4, 2), scale=[0.0233], zero=[-128]),
        Tensor(name="both", shape=(1, 4, 4, 5), scale=[0.0613], zero=[5]),
        Tensor(name="axes", shape=(2,), data=np.array([1, 2], np.int32), kind=2),
        Tensor(name="mean", shape=(1, 5), scale=[0.0311], zero=[-3]),
    ]
    conv = CONV | {"Padding": tflite.Padding.VALID}
    ops = [
        Op(kind=kinds.PAD, inputs=(0, 1), output=2),
        Op(kind=kinds.CONV_2D, inputs=(2, 3), output=4, options=("Conv2DOptions", conv)),
        Op(kind=kinds.LEAKY_RELU, inputs=(4,), output=5, options=("LeakyReluOptions", {"Alpha": 0.3})),
        Op(kind=kinds.RELU6, inputs=(0,), output=6),
        Op(kind=kinds.CONCATENATION, inputs=(5, 6), output=7, options=("ConcatenationOptions", {"Axis": 3})),
        Op(kind=kinds.MEAN, inputs=(7, 8), output=9, options=("ReducerOptions", {"KeepDims": False})),
    ]
    return tensors, ops


def test_branches_paddings_and_means(tmp_path):
    tensors, ops = branched_model()
    path = tmp_path / "branched.tflite"
    path.write_bytes(tflite_bytes(tensors, ops, [0], [9]))
    graph = load_model(path)
    codes = integers(30, 4, 4, 2).astype(float)
    x = 0.0517 * (codes + 11)

    def rounded(index, values):
        tensor = tensors[index]
        codes = np.clip(np.rint(values / tensor.scale[0] + tensor.zero[0]), -128, 127)
        return tensor.scale[0] * (codes - tensor.zero[0])

    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 0), (0, 1), (0, 0))), (2, 2), axis=(1, 2))
    conv = rounded(4, np.einsum("nyxcij,oijc->nyxo", windows, tensors[3].data.astype(float)) * 0.0041)
    leaky = rounded(5, np.where(conv < 0, 0.3 * conv, conv))
    both = rounded(7, np.concatenate([leaky, rounded(6, np.clip(x, 0, 6))], axis=3))
    expected = rounded(9, both.mean(axis=(1, 2)))
    name = graph.outputs[0].tensor
    values = evaluate(lower(graph), x)[name][:, :, 0, 0]
    np.testing.assert_allclose(values, expected, atol=0.0312)
    assert (np.abs(values - expected) < 1e-3).mean() > 0.95
    quantised = quantise(graph, x, QuantSettings(), CONFIG)
    tensors = GoldenModel(quantised, CONFIG).run(prepare_input(quantised, x))
    scores = restore_outputs(quantised, tensors, raw=True)[graph.outputs[0].name]
    assert np.abs(scores - expected).max() < 0.0623
    assert (np.abs(scores - expected) < 1e-3).mean() > 0.8


def test_activation_functions_become_tables(tmp_path):
    tensors = [
        Tensor(name="image", shape=(1, 4, 4, 2), scale=[0.0517], zero=[-11]),
        Tensor(name="swish", shape=(1, 4, 4, 2), scale=[0.0301], zero=[-110]),
        Tensor(name="tanh", shape=(1, 4, 4, 2), scale=[1 / 128], zero=[0]),
    ]
    kinds = tflite.BuiltinOperator
    ops = [Op(kind=kinds.HARD_SWISH, inputs=(0,), output=1), Op(kind=kinds.TANH, inputs=(1,), output=2)]
    tensors.append(Tensor(name="pooled", shape=(1, 2, 2, 2), scale=[1 / 128], zero=[0]))
    pool = {"Padding": tflite.Padding.VALID, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}
    ops.append(Op(kind=kinds.MAX_POOL_2D, inputs=(2,), output=3, options=("Pool2DOptions", pool)))
    path = tmp_path / "curves.tflite"
    path.write_bytes(tflite_bytes(tensors, ops, [0], [3]))
    graph = lower(load_model(path))
    x = 0.0517 * (integers(20, 4, 4, 2).astype(float) + 11)
    swish = 0.0301 * (np.clip(np.rint(x * np.clip(x / 6 + 0.5, 0, 1) / 0.0301 - 110), -128, 127) + 110)
    tanh = np.clip(np.rint(128 * np.tanh(swish)), -128, 127) / 128
    expected = tanh.reshape(-1, 2, 2, 2, 2, 2).max(axis=(2, 4)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(evaluate(graph, x)[graph.outputs[0].tensor], expected.reshape(-1, 2, 2, 2), atol=0.0079)


def test_unknown_operators_are_named(tmp_path):
    tensors, ops = small_model()
    ops = [Op(kind=tflite.BuiltinOperator.L2_NORMALIZATION, inputs=(0,), output=3)]
    path = tmp_path / "resized.tflite"
    path.write_bytes(tflite_bytes(tensors, ops, [0], [3]))
    with pytest.raises(UnsupportedOperator) as caught:
        load_model(path)
    assert str(caught.value) == "operator L2_NORMALIZATION (node 'conv') is not supported: normalise on the host"


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "none.tflite"
    with pytest.raises(ModelError, match=r"^cannot read .*none\.tflite: no such file$"):
        load_model(path)
    path.write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"holds no TFLite model; convert the model again$"):
        load_model(path)


@pytest.mark.parametrize("part", [0.01, 0.1, 0.5, 0.9])
def test_truncated_files_are_refused(part, tmp_path):
    path = tmp_path / "cut.tflite"
    content = tflite_bytes(*small_model(), [0], [12])
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "layers"), [("pretrainedResnet_quant", 14), ("kws_ref_model", 11), ("ad01_int8", 10), ("vww_96_int8", 29)]
)
def test_real_models_keep_all_their_integers(name, layers):
    path = SHARED / "models" / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    graph = lower(load_model(path))
    assert len(graph.layers) == layers
    assert all(layer.output in graph.grids for layer in graph.layers)
    terms = [term for layer in graph.layers for term in getattr(layer, "terms", ())]
    assert all(term.constant or term.step is not None for term in terms)


def test_keyword_spotting_keeps_its_accuracy():
    path, data = SHARED / "models" / "kws_ref_model.tflite", SHARED / "data" / "kws_first500.npz"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    archive = np.load(data)
    graph = load_model(path)
    grid = lower(graph).grids[graph.input.tensor]
    x = grid.scale * (archive["x_int8"].astype(float) - grid.zero)
    quantised = quantise(graph, x[:16], QuantSettings(), CONFIG)
    name = quantised.outputs[0].tensor
    scores = GoldenModel(quantised, CONFIG).run(prepare_input(quantised, x))[name].reshape(len(x), -1)
    assert (scores.argmax(axis=1) == archive["y"]).mean() >= 0.895


def test_a_clamp_between_two_grids_is_one_layer(tmp_path):
    tensors = [
        Tensor(name="x", shape=(1, 3, 3, 2), scale=[0.0313], zero=[-25]),
        Tensor(name="clamped", shape=(1, 3, 3, 2), scale=[0.0406], zero=[-17]),
    ]
    path = tmp_path / "clamp.tflite"
    op = Op(kind=tflite.BuiltinOperator.RELU_N1_TO_1, inputs=(0,), output=1)
    path.write_bytes(tflite_bytes(tensors, [op], [0], [1]))
    graph = lower(load_model(path))
    (layer,) = graph.layers
    assert (layer.low, layer.high, graph.grids[layer.output].scale) == (-1.0, 1.0, float(np.float32(0.0406)))
    x = 0.0313 * (integers(20, 3, 3, 2).astype(float) + 25)
    quantised = quantise(graph, x, QuantSettings(), CONFIG)
    levels = GoldenModel(quantised, CONFIG).run(prepare_input(quantised, x))[layer.output]
    real = 0.0406 * (levels - quantised.tensors[layer.output].zero)
    assert np.abs(real - np.clip(x, -1, 1)).max() < 0.0204  # no image operator: the sample's own order
