"""Boot images: what is encoded is decoded, runs are short, and no damage goes unseen."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from narrows.hw.spec.boot import BOOT_MAGIC, REPEAT, BootError, decode_image, encode_image, image_tag, most_words
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.registers import Region, region_depth, region_stride
from numpy.typing import NDArray


def words(*values: int) -> NDArray[np.uint32]:
    return np.array(values, dtype=np.uint32)


def as_words(image: bytes) -> list[int]:
    return np.frombuffer(image, dtype="<u4").tolist()


def test_an_image_is_what_the_definition_says() -> None:
    image = encode_image([(0x400004, words(1, 2)), (0x1800000, words(7, 0, 0, 0, 0, 0, 8))])
    body = [0x400004, 2, 1, 2, 0x1800000, 1, 7, 0x1800004 | REPEAT, 5, 0, 0x1800018, 1, 8]
    assert as_words(image)[:-1] == [BOOT_MAGIC, len(body), *body]
    assert as_words(image)[-1] == zlib.crc32(image[:-4])
    assert image_tag(image) == zlib.crc32(image[:-4]) >> 8
    assert image[:4] == b"nrb1"


@pytest.mark.parametrize("seed", range(20))
def test_what_is_encoded_is_decoded(seed: int) -> None:
    rng, memory, expected = np.random.default_rng(seed), {}, {}
    bursts = []
    for _ in range(int(rng.integers(1, 8))):
        runs = [np.full(int(rng.integers(1, 12)), rng.integers(0, 3), dtype=np.uint32) for _ in range(6)]
        burst = np.concatenate(runs) if rng.random() < 0.7 else rng.integers(0, 1 << 32, 9, dtype=np.uint32)
        bursts.append((4 * int(rng.integers(0, 1 << 24)), burst))
    image = encode_image(bursts)
    for into, writes in ((expected, bursts), (memory, decode_image(image + b"\xff" * 5))):
        for address, burst in writes:
            into |= {address + 4 * place: int(word) for place, word in enumerate(burst)}
    assert memory == expected, seed


def test_a_run_is_one_record_however_long() -> None:
    assert len(encode_image([(0, np.zeros(1 << 17, dtype=np.uint32))])) == 4 * (2 + 3 + 1)


def test_an_empty_image_and_an_empty_burst() -> None:
    assert decode_image(encode_image([])) == []
    assert decode_image(encode_image([(0, words())])) == []


def test_no_flipped_bit_and_no_cut_goes_unseen() -> None:
    image = encode_image([(0x400000, words(1, 2, 3)), (0x1800000, words(*[5] * 9))])
    for bit in range(8 * len(image)):
        flipped = bytearray(image)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BootError):
            decode_image(bytes(flipped))
    for size in range(len(image)):
        with pytest.raises(BootError):
            decode_image(image[:size])


@pytest.mark.parametrize("body", [[0], [0, 2, 1], [0, 0], [REPEAT, 5]])
def test_a_record_beyond_the_end_is_told(body: list[int]) -> None:
    image = words(BOOT_MAGIC, len(body), *body).tobytes()
    with pytest.raises(BootError, match="malformed"):
        decode_image(image + zlib.crc32(image).to_bytes(4, "little"))


def test_an_address_between_words_is_refused() -> None:
    with pytest.raises(ValueError, match="address 0x2 is not a multiple of 4"):
        encode_image([(2, words(1))])


def test_an_image_has_at_most_twice_the_words_of_all_memories() -> None:
    config = AcceleratorConfig(boot=1, flash_divisor=2)
    words = sum(region_depth(config, region) * region_stride(config, region) // 4 for region in Region)
    assert most_words(config) == 2 * words
