"""Model files of other tools, told by their content: what they are, and how they become files that are read here."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["foreign_hint"]

_TORCH = 'import torch; torch.onnx.export(model.eval(), (torch.zeros(1, 3, 32, 32),), "model.onnx")'
_TORCH_PROGRAM = 'import torch; torch.onnx.export(torch.export.load("{path}"), f="model.onnx", dynamo=True)'
_KERAS = 'import keras; keras.saving.load_model("{path}", compile=False).export("model.onnx", format="onnx")'
_SAVED_MODEL = 'open("model.tflite", "wb").write(tf.lite.TFLiteConverter.from_saved_model("{path}").convert())'
_COREML = "export the model that it was converted from, with torch.onnx.export or tf.lite.TFLiteConverter"
_WEIGHTS = f"weights alone, without a model: load them into the model's code and export that: {_TORCH}"
_JS = 'tensorflowjs_converter --input_format={kind} --output_format={target} "{path}" out, then '
_FROM_LAYERS = _JS.format(kind="tfjs_layers_model", target="keras_saved_model", path="{path}")
_FROM_LAYERS += 'open("model.tflite", "wb").write(tf.lite.TFLiteConverter.from_saved_model("out").convert())'
_FROM_GRAPH = "a TensorFlow.js graph model, which no tool turns back: export the model that it was converted from"

_HEAD = 4096
"""Bytes from a file's beginning that tell what it is."""

_MOST_TEXT = 1 << 26


def foreign_hint(path: Path) -> str | None:
    """What a file or folder is and the way from there to one that is read; None if it is of no format known here.

    Parameters
    ----------
    path : Path
        Anything; a file that cannot be read is none.
    """
    try:
        found = _of_folder(path) if path.is_dir() else _of_file(path)
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    return None if found is None else found.replace("{path}", str(path))


def _of_folder(path: Path) -> str | None:
    if (path / "saved_model.pb").exists():
        return f"a TensorFlow SavedModel: convert it: import tensorflow as tf; {_SAVED_MODEL}"
    if (path / "Manifest.json").exists():
        return f"a Core ML package: {_COREML}"
    if (path / "model.json").exists():
        return foreign_hint(path / "model.json")
    return "a folder, not a model: give the model's file"


def _of_file(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for begins, says in _BEGINNINGS:
        if head.startswith(begins):
            return says if isinstance(says, str) else says(path)
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < _MOST_TEXT:
        return f"a safetensors file: {_WEIGHTS}"
    if head.lstrip()[:1] == b"{":
        return _of_json(path)
    if head.lstrip()[:5].lower() in (b"<html", b"<!doc"):
        return "a web page, not the model that was to be downloaded: download the file itself"
    if head.lstrip()[:5] == b"<?xml" and b"<net " in head:
        return "an OpenVINO model: export the model that it was converted from as ONNX"
    if path.suffix in (".mlmodel", ".mlpackage"):
        return f"a Core ML model: {_COREML}"
    if path.name == "saved_model.pb":
        return foreign_hint(path.parent)
    return None


def _of_zip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    inner = {name.partition("/")[2] for name in names}
    if "config.json" in names and any(name.endswith(".weights.h5") for name in names):
        return f"a Keras model: export it: {_KERAS}"
    if {"archive_format", "models/model.json"} & inner or "serialized_exported_program.json" in names:
        return f"an exported PyTorch program: export it again: {_TORCH_PROGRAM}"
    if "data.pkl" in inner and any(name.startswith("code/") for name in inner):
        return f'a TorchScript model: export it: model = torch.jit.load("{{path}}"); {_TORCH}'
    if "data.pkl" in inner:
        return f"a PyTorch file: build or load the model and export it: {_TORCH}"
    if "manifest.json" in names:
        return "compiled already, or packed by another tool: give the model's own file"
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of arrays, not a model: such files are for --calib and --input"
    return "a ZIP archive, not a model: unpack it first"


def _of_json(path: Path) -> str | None:
    if path.stat().st_size > _MOST_TEXT:
        return None
    try:
        content = json.loads(path.read_bytes())
    except (RecursionError, ValueError):
        return None
    if not isinstance(content, dict) or not {"modelTopology", "weightsManifest"} & set(content):
        return None
    return _FROM_GRAPH if content.get("format") == "graph-model" else f"a TensorFlow.js layers model: {_FROM_LAYERS}"


def _of_hdf5(path: Path) -> str:
    if path.name.endswith(".weights.h5"):
        return "weights of a Keras model alone: build the model, load them and export it: model.export('model.onnx')"
    return f"a Keras model in HDF5: export it: {_KERAS}"


_BEGINNINGS: tuple[tuple[bytes, str | Callable[[Path], str]], ...] = (
    (b"PK\x03\x04", _of_zip),
    (b"\x89HDF\r\n\x1a\n", _of_hdf5),
    (b"\x80\x02", f"a PyTorch file (or another pickle): build or load the model and export it: {_TORCH}"),
    (b"\x80\x04", f"a pickle: build or load the model and export it: {_TORCH}"),
    (b"\x80\x05", f"a pickle: build or load the model and export it: {_TORCH}"),
    (b"GGUF", "a GGUF file, of a language model: such models do not fit these cores"),
    (b"\x1f\x8b", "compressed: unpack it first"),
    (b"version https://git-lfs", "only a pointer of Git LFS: fetch the file itself (git lfs pull)"),
)
"""First bytes of formats."""
