"""Claims about the feeder: no granule meets the one before it, and nothing is written outside the words of its
pixel."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Signal
from narrows.hw.feed.loops import paced
from narrows.hw.feed.writer import FeedWriter
from narrows.hw.spec.config import AcceleratorConfig
from prover import Claim, internals

__all__ = ["granule_claim"]


def granule_claim(config: AcceleratorConfig) -> Claim:
    """Values that leave as `FeedLoops` paces them, with any pauses between: a granule is whole only when every plane of
    the one before it is written, and each of its planes is written once, at its place."""
    claim = Claim(f"granules of {config.rescalers} values in {config.planes} planes do not meet")
    m: Any = claim.module
    writer = FeedWriter(config)
    m.submodules.dut, inside = internals(writer)
    emits, lane = Signal(), Signal(range(config.lanes))
    may = paced(m, config, emits, lane)
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
    claim.claim((done == wholes) | (writing & (done + 1 == wholes)))
    granule = (done & (config.granules - 1))[: max(1, (config.granules - 1).bit_length())]
    at = word + group * (done >> (config.granules - 1).bit_length()) + plane * count
    claim.claim(~writing | (writer.write.address == at[: config.act_address_bits]))
    claim.claim(~writing | (writer.write.enable == (Const(1) << granule)[: config.granules]))
    claim.claim(writer.write.valid == writing)
    return claim
