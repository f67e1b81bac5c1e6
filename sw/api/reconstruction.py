"""show_reconstruction: what became of the blocks that were reconstructed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..listener import Listener
    from ..quantize.rebuild import Reconstructed

__all__ = ["show_reconstruction"]


def show_reconstruction(blocks: Sequence[Reconstructed], listener: Listener) -> None:
    """Tell the errors of blocks before and after; nothing of none."""
    learned = [each for each in blocks if not each.why]
    if learned:
        rows = [
            (
                each.block,
                f"{each.before:.2%}",
                f"{each.after:.2%}",
                "yes" if each.kept else "no",
                f"{each.seconds:.0f} s",
            )
            for each in learned
        ]
        listener.table(
            "error of blocks on samples held back, in their outputs' variance",
            ("block", "before", "learned", "taken", "time"),
            rows,
            texts=("block", "taken"),
        )
    for each in blocks:
        if each.why:
            listener.note(f"note: not reconstructed, {each.block}: {each.why}")
