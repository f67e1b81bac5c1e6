"""memory_use: how much of each memory of its core a program takes."""

from __future__ import annotations

from ...hw.spec.tables import TABLE_ENTRIES
from ..program import Program

__all__ = ["memory_use"]


def memory_use(program: Program) -> dict[str, tuple[int, int]]:
    """Entries used and available of each memory of the core, by what a reader calls it."""
    config = program.config
    inside = [layout for name, layout in program.layouts.items() if name not in program.external]
    tables = {"tables": (len(program.tables) // TABLE_ENTRIES, config.tables)} if config.tables else {}
    return {
        "instructions": (len(program.instructions), config.instructions),
        "blocks": (len(program.blocks), config.blocks),
        "taps": (len(program.taps), config.taps),
        "parameter words": (len(program.params), config.param_words),
        "weight words": (len(program.weights), config.weight_words),
        "activation words": (max((layout.base + layout.size for layout in inside), default=0), config.act_words),
        **tables,
    }
