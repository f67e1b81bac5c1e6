"""The image of a backing store: equal rows once, everything aligned, each word as the host's window shows it."""

from __future__ import annotations

import dataclasses

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Region, region_beats, region_stride
from narrows.sw.compile.store_image import StoreImage, aligned
from narrows.sw.compile.tables import Blank

CONFIG = AcceleratorConfig(rows=2, columns=2, lanes=4, rescalers=2, backing="axi4", bus_bits=32)


def rows(region: Region, count: int, seed: int) -> np.ndarray:
    size = (count, region_beats(CONFIG, region))
    return np.random.default_rng(seed).integers(0, 1 << 32, size, dtype=np.uint32)


def test_equal_rows_of_one_memory_lie_there_once() -> None:
    image = StoreImage(CONFIG)
    first, second = rows(Region.WEIGHTS, 5, 1), rows(Region.PARAMS, 3, 2)
    places = [image.place(Region.WEIGHTS, first), image.place(Region.PARAMS, second)]
    assert [place % 64 for _, place in places] == [0, 0]
    size = image.size
    assert [image.place(Region.WEIGHTS, first.copy()), image.place(Region.PARAMS, second)] == places
    assert image.size == size and image.place(Region.WEIGHTS, first[:4]) != places[0]
    words = image.words()
    for region, content, (_, place) in zip((Region.WEIGHTS, Region.PARAMS), (first, second), places, strict=True):
        beats = region_stride(CONFIG, region) // 4
        found = words[place // 4 : place // 4 + len(content) * beats].reshape(len(content), beats)
        assert (found[:, : content.shape[1]] == content).all() and not found[:, content.shape[1] :].any()


def test_words_of_more_than_64_bytes_begin_at_multiples_of_their_own() -> None:
    wide = dataclasses.replace(CONFIG, columns=24, lanes=16)  # 192 bytes of weights in 256
    image = StoreImage(wide)
    assert region_stride(wide, Region.WEIGHTS) == 256 == aligned(wide, 1) == aligned(wide, 256)
    image.place(Region.PARAMS, rows(Region.PARAMS, 3, 1)[:, : region_beats(wide, Region.PARAMS)])
    assert image.place(Region.WEIGHTS, Blank("a", 4))[1] == 256


def test_rows_that_are_not_known_take_room_of_their_own() -> None:
    image = StoreImage(CONFIG)
    some, others = Blank("a", 4), Blank("b", 4)
    assert image.place(Region.WEIGHTS, some)[1] == image.place(Region.WEIGHTS, Blank("a", 4))[1] == 0
    assert image.place(Region.WEIGHTS, others)[1] == image.size // 2
    assert not image.words().any()
