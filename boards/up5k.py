"""The core for the iCE40UP5K: the smallest form, with weights and activations in the four single-port memories."""

from __future__ import annotations

from ..hw.spec.config import AcceleratorConfig

__all__ = ["UP5K_CORE", "UP5K_MEMORIES"]

UP5K_CORE = AcceleratorConfig(
    rows=2,
    columns=2,
    lanes=4,
    rescalers=1,
    act_words=16384,
    weight_words=16384,
    param_words=1024,
    taps=256,
    blocks=32,
    instructions=16,
    dsp_lanes=4,
    prefetch=0,
    max_pool=0,
    counters=0,
    memories="single",
)
"""16 units on all eight hard multipliers. More could not be fed: two memories give two activation words of 16 bits a
cycle, the other two a weight word of 32."""

UP5K_MEMORIES = "SPRAM: 64 KB of weights, 32 KB of activations"
