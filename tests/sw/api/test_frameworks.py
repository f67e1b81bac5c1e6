"""Models of torch and Keras: what is loaded computes what the framework's own model does."""

from __future__ import annotations

import narrows
import numpy as np
import pytest
from narrows.sw.errors import InputError, ModelError, ToolMissing
from on_torch import keras_on_torch

RNG = np.random.default_rng(3)


def network(torch):
    nn = torch.nn
    torch.manual_seed(1)
    layers = (nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    return nn.Sequential(*layers)


def test_a_torch_module_is_a_model() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    module = network(torch).train()
    x = RNG.normal(size=(64, 1, 6, 6)).astype(np.float32)
    model = narrows.load(module, torch.zeros(5, 1, 6, 6))
    assert module.training  # left as it was
    program = model.quantize(x, weights="int8", acts="int8").compile("tiny")
    (output,) = program.run(x).values()
    expected = module.eval()(torch.from_numpy(x)).detach().numpy()
    noise = np.square(output - expected).mean() / np.square(expected).mean()
    assert noise < 1e-2


def test_a_torch_module_needs_an_example_and_an_exportable_body() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    with pytest.raises(InputError, match="needs an example"):
        narrows.load(network(torch))

    class Odd(torch.nn.Module):
        def forward(self, x):
            return x.numpy().tolist()

    with pytest.raises(ModelError, match="torch cannot export Odd"):
        narrows.from_torch(Odd(), torch.zeros(1, 2))


def test_a_framework_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolMissing, match=r"pip install 'narrows\[torch\]'"):
        narrows.from_torch(None, None)
    with pytest.raises(ToolMissing, match=r"pip install 'narrows\[keras\]'"):
        narrows.from_keras(None)


@pytest.mark.filterwarnings("default")  # torch's and Keras' own
def test_a_keras_model_is_a_model() -> None:
    keras = keras_on_torch()
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(3)]
    )
    x = RNG.normal(size=(64, 6, 6, 1)).astype(np.float32)
    program = narrows.load(model).quantize(x, weights="int8", acts="int8").compile("tiny")
    (output,) = program.run(x).values()
    expected = np.asarray(model.predict(x, verbose=0))
    assert np.square(output - expected).mean() / np.square(expected).mean() < 1e-2
