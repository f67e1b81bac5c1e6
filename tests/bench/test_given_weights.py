"""Networks written down for the bench: what they read of files of weights; onnxruntime agrees with their import."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from campaign.given_weights import esrgan_slim, tiny_face
from made_models import character_lstm
from narrows.sw.frontend import import_model
from narrows.sw.reference import judge
from narrows.sw.results import write_json

RNG = np.random.default_rng(61)
_CHANNELS = (3, 16, 32, 64, 128, 256, 512)


def judged(path: Path, states: dict[str, str] | None = None) -> str:
    imported = import_model(path, states=states)
    x = RNG.normal(size=(2, *imported.graph.input.shape)).astype(np.float32)
    return judge(path, imported, x, states=states).runtime


def test_a_language_model_of_characters(tmp_path: Path) -> None:
    states = {"h": "h_next", "c": "c_next"}
    assert judged(character_lstm(tmp_path / "m.onnx", 9, 8), states).startswith("onnxruntime")


def test_weights_of_bytes_have_a_scale_and_a_least_value(tmp_path: Path) -> None:
    shapes = {"conv0/filters": (3, 3, 3, 16), "conv0/bias": (16,)}
    for index in range(1, 6):
        inputs, outputs = _CHANNELS[index], _CHANNELS[index + 1]
        shapes[f"conv{index}/depthwise_filter"] = (3, 3, inputs, 1)
        shapes[f"conv{index}/pointwise_filter"] = (1, 1, inputs, outputs)
        shapes[f"conv{index}/bias"] = (outputs,)
    shapes |= {"conv8/filters": (1, 1, 512, 25), "conv8/bias": (25,)}
    quantisation = {"dtype": "uint8", "scale": 0.01, "min": -1.28}
    entries = [{"name": name, "shape": shape, "quantization": quantisation} for name, shape in shapes.items()]
    write_json(manifest := tmp_path / "manifest.json", [{"weights": entries}])
    (weights := tmp_path / "weights.bin").write_bytes(RNG.bytes(sum(int(np.prod(shape)) for shape in shapes.values())))
    assert judged(tiny_face(tmp_path / "m.onnx", (manifest, weights), 32)).startswith("onnxruntime")


def test_graphs_of_keras_are_followed_layer_by_layer(tmp_path: Path) -> None:
    def layer(kind: str, name: str, *sources: str, **config: object) -> dict:
        nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
        return {"class_name": kind, "name": name, "config": config, "inbound_nodes": nodes}

    layers = [
        layer("InputLayer", "in"),
        layer("Conv2D", "a", "in", padding="same"),
        layer("Activation", "r", "a", activation="relu"),
        layer("Add", "s", "a", "r"),
        layer("Concatenate", "j", "s", "in"),
        layer("UpSampling2D", "u", "j", size=[2, 2], interpolation="bilinear"),
        layer("Conv2D", "b", "u", padding="valid"),
    ]
    shapes = {"a/kernel": (3, 3, 3, 4), "a/bias": (4,), "b/kernel": (1, 1, 7, 3), "b/bias": (3,)}
    described = {
        "modelTopology": {"model_config": {"config": {"layers": layers}}},
        "weightsManifest": [
            {"weights": [{"name": name, "shape": shape, "dtype": "float32"} for name, shape in shapes.items()]}
        ],
    }
    write_json(model := tmp_path / "model.json", described)
    values = RNG.normal(size=sum(int(np.prod(shape)) for shape in shapes.values())).astype(np.float32)
    (weights := tmp_path / "weights.bin").write_bytes(values.tobytes())
    assert judged(esrgan_slim(tmp_path / "m.onnx", (model, weights), 8)).startswith("onnxruntime")
