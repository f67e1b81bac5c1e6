"""Sizes of backing stores."""

import pytest
from narrows.sim.store_size import STORE_BYTES, STORE_BYTES_MOST, store_bytes
from narrows.sw.errors import CapacityError


@pytest.mark.parametrize(
    ("window", "size"),
    [
        (0, STORE_BYTES),
        (STORE_BYTES, STORE_BYTES),
        (STORE_BYTES + 1, 2 * STORE_BYTES),
        (42 << 20, 64 << 20),
        (STORE_BYTES_MOST, STORE_BYTES_MOST),
    ],
)
def test_a_store_holds_the_window(window, size):
    assert store_bytes(window) == size


def test_a_window_beyond_all_stores_is_refused():
    with pytest.raises(CapacityError, match="keeps 257 MiB in the backing store, simulators have at most 256"):
        store_bytes(STORE_BYTES_MOST + 4096)
