"""KINDS: every kind of integer layer, by what program files call it."""

from __future__ import annotations

from .layer import IntegerLayer
from .mac import MacLayer
from .max import MaxLayer

__all__ = ["KINDS"]

KINDS: dict[str, type[IntegerLayer]] = {kind.kind: kind for kind in (MacLayer, MaxLayer)}
