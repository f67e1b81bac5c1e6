"""The engines by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...hw.spec.errors import among
from ..errors import InputError
from ..extras import need
from ..runtime.mapped import MAPPED
from .engine import Engine, EngineName, Simulator

if TYPE_CHECKING:
    from ...boards.board import Board
    from ...sim.cosim.core_source import WrittenOnDemand

__all__ = ["find_engine"]


def find_engine(name: str, *, simulator: str = Simulator.VERILATOR, verilog: WrittenOnDemand | None = None) -> Engine:
    """The engine of a name.

    Parameters
    ----------
    name : str
        One of `EngineName`; a board and its port: ``"ulx3s:/dev/ttyUSB0"``; or the place of a core in this computer's
        memory map: ``"uio:/dev/uio0"``, ``"mem:0x40000000"`` (`open_mapped`).
    simulator : str
    verilog : WrittenOnDemand, optional
        Both for ``rtl``: see :class:`~.rtl.RtlEngine`.

    Raises
    ------
    InputError
        If there is no such engine.
    BoardError
        If there is no such board.
    """
    match name:
        case EngineName.GOLDEN:
            from .golden import GoldenEngine

            return GoldenEngine()
        case EngineName.ISA:
            from .isa import IsaEngine

            return IsaEngine()
        case EngineName.RTL:
            need("amaranth", "simulated cores", "generator")
            from .rtl import RtlEngine

            return RtlEngine(simulator, verilog)
    board, colon, port = name.partition(":")
    if not (board and colon and port):
        raise InputError(
            f"there is no engine {name!r}: {among(name, 'engines', EngineName)}, or a board and its port such as "
            "ulx3s:/dev/ttyUSB0, or a core in this computer's memory map such as uio:/dev/uio0"
        )
    if board in MAPPED:
        from .mapped import MappedEngine

        return MappedEngine(name)
    from .port import BoardEngine

    return BoardEngine(_board(board), port)


def _board(name: str) -> Board:
    from ...boards.catalogue import find_board

    return find_board(name)
