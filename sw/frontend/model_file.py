"""A model's file as an ONNX model, whatever its name says: ONNX as it is, TFLite converted, others refused."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto

from ..errors import ModelError
from .foreign import foreign_hint
from .tflite import tflite_to_onnx
from .tflite.file import IDENTIFIER

__all__ = ["is_tflite", "load_onnx"]

_ONNX = b"\x08"
"""First byte of ONNX files: of the field that holds their version, which all exporters write first."""


def is_tflite(path: Path) -> bool:
    """Whether a file is a TFLite model: by its content, and else by its name if it is nothing else."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError:
        return path.suffix == ".tflite"
    return head[4:8] == IDENTIFIER or (path.suffix == ".tflite" and not head.startswith(_ONNX))


def load_onnx(path: Path) -> ModelProto:
    """The model as the file has it, unchecked.

    Raises
    ------
    ModelError, UnsupportedOperator
        If it is of another format, which the message names with the lines that export it, or as
        :func:`~.tflite.tflite_to_onnx` raises them.
    Exception
        Whatever protobuf and the file system raise.
    """
    if not path.exists():
        raise ModelError(f"cannot read {path}: no such file")
    if (hint := foreign_hint(path)) is not None:
        raise ModelError(f"cannot read {path}: it is {hint}")
    return tflite_to_onnx(path) if is_tflite(path) else onnx.load(path)
