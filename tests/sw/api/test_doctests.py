"""Examples in docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = [
    path
    for tree in ("hw", "sw", "sim", "boards")
    for path in sorted((ROOT / tree).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples(source: Path) -> None:
    name = ".".join(("narrows", *source.relative_to(ROOT).with_suffix("").parts))
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_the_front_door_has_examples() -> None:
    names = {path.stem for path in SOURCES if path.parent.name == "api"}
    assert {"config", "load", "model", "program", "quantised"} <= names
