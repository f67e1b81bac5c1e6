"""PieceWrite: what the loader writes to a memory."""

from __future__ import annotations

from amaranth.lib.wiring import In, Out, Signature

from ..spec.config import AcceleratorConfig
from ..spec.isa import Opcode
from ..spec.transfer import MEMORIES, pieces_per_word

__all__ = ["PieceWrite"]


class PieceWrite(Signature):
    """From the loader to a memory: where ``valid`` and ``ready`` are high, ``data`` is stored as piece ``piece`` of
    word ``word``. A piece is a beat of the bus, or a word where a beat holds several.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        pieces = max(pieces_per_word(config, region) for region in MEMORIES[Opcode.LOAD])
        super().__init__(
            {
                "valid": Out(1),
                "ready": In(1, init=1),
                "word": Out(16),
                "piece": Out(range(max(pieces, 2))),
                "data": Out(config.bus_bits),
            }
        )
