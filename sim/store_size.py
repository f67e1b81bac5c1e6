"""How large the memory behind a core's bus is in the models and simulators of it."""

from __future__ import annotations

from ..sw.errors import CapacityError

__all__ = ["STORE_BYTES", "STORE_BYTES_MOST", "store_bytes"]

STORE_BYTES = 1 << 24
"""Bytes of a backing store unless a program needs more; beyond, the bus answers with an error."""

STORE_BYTES_MOST = 1 << 28
"""Bytes of the largest: the commands of `bench.v` hold so many addresses."""


def store_bytes(window: int) -> int:
    """Size of a store for a program's window of so many bytes: a power of two.

    Raises
    ------
    CapacityError
        If there is none so large.
    """
    if window > STORE_BYTES_MOST:
        raise CapacityError(
            f"the program keeps {-(-window >> 20)} MiB in the backing store, simulators have at most "
            f"{STORE_BYTES_MOST >> 20}: run it on the golden model"
        )
    return max(STORE_BYTES, 1 << (window - 1).bit_length())
