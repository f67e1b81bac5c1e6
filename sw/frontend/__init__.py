"""Frontends: model files of other tools become the typed float graph."""

from __future__ import annotations

from .onnx_graph import Imported, import_model, load_model

__all__ = ["Imported", "import_model", "load_model"]
