"""StoreImage: what a backing store holds when a program begins."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import Opcode
from ...hw.spec.registers import Region, region_stride
from ...hw.spec.transfer import MEMORIES
from .tables import Blank

__all__ = ["StoreImage", "aligned"]

_ALIGNMENT = 64  # bytes, at least: what buses and memory chips like


def aligned(config: AcceleratorConfig, size: int) -> int:
    """So many bytes and those up to where something else may begin: a word of any memory begins at a multiple of its
    stride."""
    strides = (region_stride(config, region) for region in MEMORIES[Opcode.LOAD])
    alignment = max(_ALIGNMENT, *strides)  # all are powers of two
    return -(-size // alignment) * alignment


@dataclass
class StoreImage:
    """What the window begins with: rows of memories, each run once."""

    config: AcceleratorConfig
    chunks: list[bytes] = field(default_factory=list)
    places: dict[Hashable, int] = field(default_factory=dict)
    size: int = 0

    def place(self, region: Region, rows: NDArray[np.uint32] | Blank) -> tuple[Hashable, int]:
        """Key of some rows, of shape (n, region_beats), and the byte at which they begin."""
        padded = np.zeros((len(rows), region_stride(self.config, region) // 4), dtype=np.uint32)
        if isinstance(rows, Blank):
            content, key = padded.tobytes(), (rows, region)
        else:
            padded[:, : rows.shape[1]] = rows
            content = padded.astype("<u4").tobytes()
            key = hashlib.blake2b(content + bytes([region])).digest()
        if key not in self.places:
            self.places[key] = self.size
            content = content.ljust(aligned(self.config, len(content)), b"\0")
            self.chunks.append(content)
            self.size += len(content)
        return key, self.places[key]

    def words(self) -> NDArray[np.uint32]:
        """The whole image."""
        return np.frombuffer(b"".join(self.chunks), dtype="<u4").astype(np.uint32)
