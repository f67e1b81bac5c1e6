"""of_proto: a model that is in memory as ONNX has it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .model import Model

if TYPE_CHECKING:
    from ..frontend.onnx_file import Shapes

__all__ = ["of_proto"]


def of_proto(proto: Any, shapes: Shapes | None = None, states: Mapping[str, str] | None = None) -> Model:
    """The model of an `onnx.ModelProto`, kept in a file for as long as it lives."""
    folder = Path(tempfile.mkdtemp(prefix="narrows-model-"))
    path = folder / f"{_file_name(proto.graph.name)}.onnx"
    path.write_bytes(proto.SerializeToString())
    model = Model(path, shapes, states=states)
    weakref.finalize(model, shutil.rmtree, folder, ignore_errors=True)
    return model


def _file_name(name: str) -> str:
    plain = "".join(character if character.isalnum() or character in "-_" else "_" for character in name)
    return plain[:60] or "model"
