"""Which files are TFLite models."""

from __future__ import annotations

from pathlib import Path

import pytest
from narrows.sw.frontend.model_file import is_tflite


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("m.tflite", b"\x1c\0\0\0TFL3", True),
        ("m.bin", b"\x1c\0\0\0TFL3", True),
        ("m.bin", b"TFL3\x1c\0\0\0", False),
        ("m.bin", b"\0\x1c\0\0\0TFL", False),
        ("m.tflite", b"\x08\x07", False),
        ("m.tflite", b"", True),
        ("m.onnx", b"\x08\x07", False),
        ("none.tflite", None, True),
        ("none.onnx", None, False),
    ],
)
def test_the_content_decides_and_then_the_name(name: str, content: bytes | None, found: bool, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert is_tflite(path) == found
