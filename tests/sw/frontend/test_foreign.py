"""Files of other tools are told by their content, and refused with the lines that export them."""

import json
import pickle
import zipfile

import numpy as np
import onnx
import pytest
from narrows.sw.errors import ModelError
from narrows.sw.frontend import load_model
from narrows.sw.frontend.foreign import foreign_hint
from narrows.sw.frontend.model_file import is_tflite
from tflite_builder import Op, Tensor, tflite_bytes


def packed(*names):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"{}")

    return write


def holding(content):
    return lambda path: path.write_bytes(content)


def folder(*names):
    def write(path):
        path.mkdir()
        for name in names:
            (path / name).write_bytes(b"\x08\x01")

    return write


SAFE = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
LAYERS = json.dumps({"format": "layers-model", "modelTopology": {}, "weightsManifest": []}).encode()
CASES = {
    "state.pth": (packed("state/data.pkl", "state/data/0"), "it is a PyTorch file", "torch.onnx.export(model.eval(), "),
    "old.pt": (holding(pickle.dumps({}, protocol=2)), "it is a PyTorch file", "torch.onnx.export(model.eval(), "),
    "script.pt": (packed("m/data.pkl", "m/code/m.py"), "it is a TorchScript model", 'torch.jit.load("'),
    "new.pt2": (packed("new/archive_format", "new/data/w"), "it is an exported PyTorch program", 'torch.export.load("'),
    "old.pt2": (packed("serialized_exported_program.json"), "it is an exported PyTorch program", "dynamo=True"),
    "m.keras": (packed("config.json", "model.weights.h5"), "it is a Keras model", '.export("model.onnx"'),
    "m.h5": (holding(b"\x89HDF\r\n\x1a\n" + bytes(40)), "it is a Keras model in HDF5", "keras.saving.load_model("),
    "saved": (folder("saved_model.pb"), "it is a TensorFlow SavedModel", "TFLiteConverter.from_saved_model("),
    "m.mlpackage": (folder("Manifest.json"), "it is a Core ML package", "export the model that it was converted from"),
    "m.mlmodel": (holding(b"\x08\x05\x12\x00"), "it is a Core ML model", "export the model that it was converted from"),
    "model.json": (holding(LAYERS), "it is a TensorFlow.js layers model", "--input_format=tfjs_layers_model"),
    "m.safetensors": (holding(len(SAFE).to_bytes(8, "little") + SAFE), "it is a safetensors file", "torch.onnx.export"),
    "data.npz": (packed("x.npy"), "it is an archive of arrays", "--calib"),
    "pointer.onnx": (holding(b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS", "git lfs pull"),
    "page.onnx": (holding(b"<!DOCTYPE html><html>"), "it is a web page", "download the file itself"),
}


@pytest.mark.parametrize("suffix", ["own", ".onnx", ".tflite"])
@pytest.mark.parametrize("name", CASES)
def test_files_of_other_tools(name, suffix, tmp_path):
    write, what, lines = CASES[name]
    known_by_name = name in ("m.mlmodel", "saved", "m.mlpackage")
    path = tmp_path / (name if suffix == "own" or known_by_name else f"model{suffix}")
    write(path)
    with pytest.raises(ModelError) as caught:
        load_model(path)
    said = str(caught.value)
    assert said.startswith(f"cannot read {path}: it is ") and "\n" not in said
    assert what.removeprefix("it is ") in said and lines in said


def test_saved_model_by_its_inner_file(tmp_path):
    folder("saved_model.pb")(tmp_path / "saved")
    assert "SavedModel" in str(foreign_hint(tmp_path / "saved" / "saved_model.pb"))


def small_onnx():
    info = onnx.helper.make_tensor_value_info
    weights = onnx.numpy_helper.from_array(np.ones((2, 3), np.float32), "w")
    node = onnx.helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    graph = onnx.helper.make_graph([node], "g", [info("x", 1, (1, 3))], [info("y", 1, (1, 2))], [weights])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]).SerializeToString()


def small_tflite():
    tensors = [
        Tensor(name="x", shape=(1, 3), kind=0),
        Tensor(name="w", shape=(2, 3), data=np.ones((2, 3), np.float32), kind=0),
        Tensor(name="y", shape=(1, 2), kind=0),
    ]
    return tflite_bytes(tensors, [Op(kind=9, inputs=(0, 1, -1), output=2)], [0], [2])


@pytest.mark.parametrize("content", [small_onnx(), small_tflite()], ids=["onnx", "tflite"])
@pytest.mark.parametrize("suffix", [".onnx", ".tflite", ".bin", ""])
def test_the_content_decides_not_the_name(content, suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    assert is_tflite(path) == (content[4:8] == b"TFL3")
    graph = load_model(path)
    assert [output.name for output in graph.outputs] == ["y"]


def test_models_are_not_foreign(tmp_path):
    for content in (small_onnx(), small_tflite(), b"", b"nothing known"):
        (tmp_path / "model").write_bytes(content)
        assert foreign_hint(tmp_path / "model") is None
    assert foreign_hint(tmp_path / "absent") is None
