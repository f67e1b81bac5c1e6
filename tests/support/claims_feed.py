"""Claims about the feeder: no granule meets the one before it, and nothing is written outside the words of its
pixel."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Signal
from narrows.hw.feed.loops import paced
from narrows.hw.feed.writer import FeedWriter
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.feed import feed_planes
from prover import Claim, internals

__all__ = ["granule_claim"]


def granule_claim(config: AcceleratorConfig) -> Claim:
    """Values that leave as `FeedLoops` paces them, with any pauses between: a granule is whole only when every plane of
    the one before it is written, and each of its planes is written once, at its place. By induction of depth 1."""
    claim = Claim(f"granules of {config.rescalers} values in {config.planes} planes do not meet")
    m: Any = claim.module
    writer = FeedWriter(config)
    m.submodules.dut, inside = internals(writer)
    emits, lane = Signal(), Signal(range(config.lanes))
    pace = Module()
    may = paced(pace, config, emits, lane)
    m.submodules.pace, pacing = internals(pace)
    wishes = claim.free("wishes", 1)
    planes = claim.free("planes", writer.planes.shape(), constant=True)
    word, group, plane = (
        claim.free(name, config.act_address_bits, constant=True) for name in ("word", "group", "plane")
    )
    claim.assume(planes < config.planes)
    m.d.comb += [
        emits.eq(may & wishes),
        writer.codes.valid.eq(emits),
        writer.codes.payload.eq(claim.free("codes", len(writer.codes.payload))),
        writer.planes.eq(planes),
        writer.word.eq(word),
        writer.group.eq(group),
        writer.plane.eq(plane),
    ]
    with m.If(emits):
        m.d.sync += lane.eq(lane + 1)
    first, writing, left = inside["first"], inside["writing"], inside["left"]
    claim.show("writing", writing)
    # cycles until the next granule is whole: the rest of a pause, and a cycle for each value
    gathered, pause = lane & (config.rescalers - 1), pacing.get("left", Const(0))
    claim.claim(inside["place"] == gathered)
    claim.claim(~first | ((gathered == 0) & (pause == max(0, feed_planes(config) - config.rescalers))))
    claim.claim(~writing | (left <= pause + config.rescalers - gathered))
    claim.claim(~(first & writing & (left != 0)))
    # planes written of a granule, and granules that were whole
    count, wholes, done = Signal(8), Signal(8), Signal(8)
    with m.If(first):
        m.d.sync += [count.eq(0), wholes.eq(wholes + 1)]
    with m.If(writing):
        m.d.sync += count.eq(count + 1)
        with m.If(left == 0):
            m.d.sync += done.eq(done + 1)
        with m.If(first):
            m.d.sync += count.eq(0)
    claim.claim(~writing | (count + left == planes))
    claim.claim((done + writing)[:8] == wholes)
    # a granule's address, counted by adding: products of free values are hard on a solver
    last = config.granules - 1
    place, at = (Signal(config.act_address_bits, name=name) for name in ("offset", "at"))
    with m.If(writing):
        m.d.sync += at.eq(at + plane)
    with m.If(first):
        m.d.sync += at.eq(word + place)
        with m.If(wholes & last == last):
            m.d.sync += place.eq(place + group)
    claim.claim((inside["granule"] == wholes & last) & (inside["offset"] == place))
    claim.claim(~writing | (writer.write.address == at))
    claim.claim(~writing | (writer.write.enable == (Const(1) << (done & last))[: config.granules]))
    claim.claim(writer.write.valid == writing)
    return claim
