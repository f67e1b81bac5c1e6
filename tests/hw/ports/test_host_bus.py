"""The bus behind a host port: a region, and the place of a word in it."""

from __future__ import annotations

from narrows.hw.ports.host_bus import HOST_BUS
from narrows.hw.spec.registers import REGION_BITS, Region


def test_offsets_count_the_words_of_a_region() -> None:
    members = HOST_BUS.members
    for access in ("write", "read"):
        assert members[f"{access}_region"].shape is Region
        assert members[f"{access}_offset"].shape == REGION_BITS - 2
        assert members[f"{access}_data"].shape == 32
