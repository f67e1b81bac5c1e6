"""FRAME_CORE: a small core with a frame memory, on which frames of random programs are run."""

from __future__ import annotations

from typing import Any

__all__ = ["FRAME_CORE"]

FRAME_CORE: dict[str, Any] = {
    "rows": 2,
    "columns": 2,
    "lanes": 4,
    "rescalers": 1,
    "acc_bits": 32,
    "rescale_bits": 4,
    "act_words": 2048,
    "weight_words": 4096,
    "param_words": 128,
    "blocks": 128,
    "instructions": 32,
    "frame_bytes": 1024,
    "uart_divisor": 4,
}
