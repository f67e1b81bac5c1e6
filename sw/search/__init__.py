"""Hardware-aware search: formats of every layer and widths of the core, against accuracy, cycles and look-up tables."""

from __future__ import annotations

__all__: list[str] = []
