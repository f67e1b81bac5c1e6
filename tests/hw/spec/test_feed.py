"""Feed: loops give what `TensorLayout.pack` gives, and what a core cannot be fed with is refused."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
from feed_cases import feed_case
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.feed import FEED_SHAPE, FEED_STEP, FeedError, feed_words, laid_out, plan_feed
from narrows.hw.spec.isa import Record
from narrows.hw.spec.layout import TensorLayout, Unfold

CONFIG = AcceleratorConfig(frame_bytes=64)
LAYOUT = TensorLayout(channels=2, height=4, width=4, lanes=16, planes=1)


@pytest.mark.parametrize("seed", range(300))
def test_every_word_of_a_layout_gets_its_codes(seed: int) -> None:
    case = feed_case(random.Random(seed))
    addresses, words = laid_out(case.plan.words, case.codes, case.memory, case.config)
    found = dict(zip(addresses.tolist(), words.tolist(), strict=True))
    packed = case.layout.pack(case.levels, case.config.digits)
    places = case.layout.addresses() % case.config.act_words
    for place, codes in zip(places.reshape(-1).tolist(), packed.reshape(-1, case.config.lanes).tolist(), strict=True):
        assert found[place] == codes, place


def test_bytes_of_a_frame_come_in_either_order() -> None:
    values = np.arange(32).reshape(2, 4, 4) - 16
    pixels = plan_feed(LAYOUT, (2, 4, 4), CONFIG).frame(values)
    channels = plan_feed(LAYOUT, (2, 4, 4), CONFIG, order="chw").frame(values)
    assert pixels[:4].tolist() == [240, 0, 241, 1]
    assert channels.tolist() == [*range(240, 256), *range(16)]


def test_the_last_word_of_a_frame_is_filled_up() -> None:
    assert feed_words(np.array([1, 2, 3, 4, 5], dtype=np.uint8)).tolist() == [0x04030201, 5]


@pytest.mark.parametrize(
    ("layout", "shape", "changes", "message"),
    [
        (LAYOUT, (2, 4, 4), {"frame_bytes": 0}, "no frame memory: generate it with frame_bytes"),
        (LAYOUT, (3, 5, 5), {}, r"75 bytes is larger than the core's frame memory \(frame_bytes 64\)"),
        (dataclasses.replace(LAYOUT, planes=4), (2, 4, 4), {}, "4 digit planes, the core's feeder writes 3"),
    ],
)
def test_what_a_core_cannot_be_fed_with_is_refused(
    layout: TensorLayout, shape: tuple[int, int, int], changes: dict[str, int], message: str
) -> None:
    with pytest.raises(FeedError, match=message):
        plan_feed(layout, shape, dataclasses.replace(CONFIG, **changes))


def test_a_kernel_that_reaches_too_far_is_refused() -> None:
    unfold = Unfold(channels=1, height=4, width=4, kernel=(1, 3), stride=(1, 1), pad=(0, 130), dilation=(1, 1), fill=0)
    layout = TensorLayout(channels=3, height=4, width=4, lanes=16, planes=1, unfold=unfold)
    with pytest.raises(FeedError, match="reaches too far"):
        plan_feed(layout, (1, 4, 4), CONFIG)


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(FeedError, match="'hwc' or 'chw', not 'whc'"):
        plan_feed(LAYOUT, (2, 4, 4), CONFIG, order="whc")


@pytest.mark.parametrize(
    ("record", "bits"),
    [
        (FEED_STEP, {"count": 16, "word": 16, "byte": 16, "pixel": 1, "end": 1, "column": 16, "line": 16}),
        (FEED_SHAPE, {"columns": 16, "lines": 16, "group": 16, "plane": 16, "fill": 32, "planes": 4}),
    ],
    ids=["step", "shape"],
)
def test_fields_have_their_bits_and_no_others(record: Record, bits: dict[str, int]) -> None:
    assert {field.name: field.width for field in record.fields} == bits
    for field in record.fields:
        value = -1 if field.signed else (1 << field.width) - 1
        found = record.decode(record.encode({field.name: value}))
        assert {name: each for name, each in found.items() if each} == {field.name: value}
