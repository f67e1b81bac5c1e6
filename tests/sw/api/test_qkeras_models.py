"""Models of QKeras: the file says what QKeras predicts, and the golden model does; what has no form is one line."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import narrows
import numpy as np
import onnx
import pytest
from narrows.sw.api.qkeras_models import from_qkeras
from narrows.sw.errors import UnsupportedOperator
from qkeras_kept import kept_model

KEPT = Path(__file__).parent / "qkeras_net.npz"


def codes_of(model: Any, x: Any) -> Any:
    program = narrows.from_keras(model).quantize(x).compile(narrows.Config("medium", acc_bits=24, rescale_bits=16))
    (found,) = program.run(x).values()
    return np.rint(found * 16)


def test_predictions_are_those_that_qkeras_gave() -> None:
    with np.load(KEPT) as kept:
        x, wanted = kept["x"], np.rint(kept["y"] * 16)
        found = codes_of(kept_model(kept), x)
    assert np.unique(wanted).size > 10
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda calls: setattr(calls["bent"].quantizer, "negative_slope", 0.5), "quantiser of 'bent' has a sigmoid or"),
        (
            lambda calls: setattr(calls["held"].quantizer, "alpha", "auto"),
            r"'held' scales each input anew \(alpha='auto'",
        ),
        (lambda calls: setattr(calls["first"], "data_format", "channels_first"), "'first' has channels first"),
        (lambda calls: setattr(calls["three"], "activation", SimpleNamespace(__name__="elu")), "the activation elu"),
        (lambda calls: setattr(calls["last"], "__class__", type("QLSTM", (), {})), "'last' is a QLSTM: of QKeras and"),
        (lambda calls: setattr(calls["norm"], "axis", [1]), "'norm' normalises along another axis"),
    ],
)
def test_what_has_no_form_is_one_line(change: Any, says: str) -> None:
    with np.load(KEPT) as kept:
        model = kept_model(kept)
    change({layer.name: layer for layer in model.layers})
    with pytest.raises(UnsupportedOperator, match=says) as caught:
        from_qkeras(model)
    assert "\n" not in str(caught.value)


def test_a_model_without_a_known_input_is_refused() -> None:
    with pytest.raises(narrows.NarrowsError, match="model net must have one input of a known shape"):
        from_qkeras(SimpleNamespace(name="net", inputs=None))


@pytest.mark.filterwarnings("default")  # TensorFlow's and QKeras' own
@pytest.mark.parametrize("alpha", ["auto", "auto_po2", None, 0.5])
def test_the_file_gives_what_qkeras_predicts(alpha: Any) -> None:
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    keras = pytest.importorskip("tf_keras", reason="pip install 'narrows[qkeras]'")
    q = pytest.importorskip("qkeras", reason="pip install 'narrows[qkeras]'", exc_type=ImportError)
    pytest.importorskip("qonnx")
    from narrows.sw.reference.runtimes import Qonnx

    keras.utils.set_random_seed(3)
    bits, relu, layers = q.quantized_bits, q.quantized_relu, keras.layers
    image = layers.Input((8, 8, 1))
    seen = q.QActivation(bits(8, 0, keep_negative=False))(image)
    first = q.QConv2D(6, 3, padding="same", kernel_quantizer=bits(4, 0, alpha=alpha), bias_quantizer=bits(8, 2))(seen)
    bent = q.QActivation(relu(4, 1))(q.QBatchNormalization()(first))
    each = q.QDepthwiseConv2D(3, strides=2, padding="same", depthwise_quantizer=bits(5, 0, alpha=alpha))(bent)
    narrow = q.QActivation("quantized_bits(6, 1, 1)")(each)
    three = q.QConv2D(6, 1, kernel_quantizer=q.ternary(alpha="auto"), activation=relu(4, 2))(narrow)
    held = q.QActivation(bits(7, 2))(layers.Concatenate()([narrow, three]))
    folded = q.QConv2DBatchnorm(4, 3, strides=2, kernel_quantizer=bits(6, 1, alpha=1), bias_quantizer=bits(9, 2))(held)
    two = q.QActivation(q.binary(alpha=1.0))(folded)
    dense = q.QDense(5, kernel_quantizer=q.quantized_po2(4), bias_quantizer=bits(8, 2))(layers.Flatten()(two))
    net = keras.Model(image, q.QActivation(bits(8, 3))(dense))
    x = np.random.default_rng(0).uniform(0, 1, (20, 8, 8, 1)).astype(np.float32)
    theirs = net.predict(x, verbose=0)
    model = narrows.load(net)
    file = Qonnx(onnx.load(model.path))
    ours = np.concatenate([next(iter(file.run(each[np.newaxis], None).values())) for each in x])
    assert np.unique(theirs).size > 5
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
