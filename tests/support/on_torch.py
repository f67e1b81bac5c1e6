"""Keras on its torch backend, and packages that come with it, or a skip that says what is missing."""

from __future__ import annotations

import os
from typing import Any

import pytest

__all__ = ["keras_on_torch"]


def keras_on_torch(*packages: str) -> Any:
    """The module ``keras``; a test is skipped if it or a package is missing, or if it has begun on another backend."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="pip install 'narrows[keras]'")
    if keras.backend.backend() != "torch":
        pytest.skip(f"Keras runs on {keras.backend.backend()}: set KERAS_BACKEND=torch")
    for package in packages:
        pytest.importorskip(package, reason="pip install 'narrows[hgq2]'")
    return keras
