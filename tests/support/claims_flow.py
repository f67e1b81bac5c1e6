"""Claims about the flow of pixels and tiles: groups within the array, tiles no closer than the drain can follow."""

from __future__ import annotations

from amaranth.hdl import Mux, Signal, Value
from narrows.hw.control.stepper import Stepper
from narrows.hw.control.walker import PixelWalker
from narrows.hw.drain.drain import Drain
from narrows.hw.spec.config import AcceleratorConfig
from prover import Claim, internals

__all__ = ["drain_claim", "early_claim", "group_claim", "tile_distance_claim"]


def group_claim(config: AcceleratorConfig) -> Claim:
    """A pixel group offered has 1 to ``rows`` pixels and stands until it is taken, for any images and any consumer."""
    claim = Claim(f"pixel groups of at most {config.rows} rows")
    m = claim.module
    m.submodules.dut = dut = PixelWalker(config)
    image = dut.images.payload
    rows = claim.free("rows", image.rows.shape(), constant=True)
    for name in ("out_height", "out_width", "wrap"):
        m.d.comb += image[name].eq(claim.free(name, image[name].shape()))
    enable, ready = claim.free("enable", 1), claim.free("ready", 1)
    m.d.comb += [
        image.rows.eq(rows),
        dut.images.valid.eq(claim.free("shown", 1)),
        dut.enable.eq(enable),
        dut.groups.ready.eq(ready),
    ]
    claim.assume((rows >= 1) & (rows <= config.rows))
    payload = Value.cast(dut.groups.payload)
    valid, count = claim.show("valid", dut.groups.valid), claim.show("count", dut.groups.payload.count)
    waiting = claim.delayed(valid & ~ready & enable, 1)
    claim.claim(~valid | ((count >= 1) & (count <= rows)))
    claim.claim(~waiting | (valid & (payload == claim.delayed(payload, 1))))
    return claim


def _any_stepper(claim: Claim, config: AcceleratorConfig) -> tuple[Stepper, dict[str, Signal]]:
    """A stepper with any instruction, blocks and groups, and its signals."""
    m = claim.module
    dut = Stepper(config)
    m.submodules.dut, inside = internals(dut)
    fields, block = Value.cast(dut.instruction.fields), Value.cast(dut.blocks.data)
    group = Value.cast(dut.groups.payload)
    m.d.comb += [
        dut.instruction.run.eq(claim.free("run", 1)),
        dut.stepping.go.eq(claim.free("go", 1)),
        dut.stepping.early.eq(claim.free("early", len(dut.stepping.early), constant=True)),
        dut.drain_cycles.eq(claim.free("drain_cycles", dut.drain_cycles.shape(), constant=True)),
        fields.eq(claim.free("fields", len(fields), constant=True)),
        block.eq(claim.free("block", len(block))),
        group.eq(claim.free("group", len(group))),
        dut.groups.valid.eq(claim.free("group_valid", 1)),
    ]
    claim.assume(dut.drain_cycles >= 1)
    return dut, inside


def tile_distance_claim(config: AcceleratorConfig) -> Claim:
    """From one tile's last step to the next one's there are at least ``drain_cycles``, whatever the program says."""
    claim = Claim("tiles end no closer than the drain needs")
    m = claim.module
    dut, inside = _any_stepper(claim, config)
    run, cycles = dut.instruction.run, dut.drain_cycles
    last = claim.show("last", dut.step.flags.valid & dut.step.flags.last)
    # cycles since the last tile's end; all of them have passed when nothing has ended yet
    most = (1 << len(cycles)) - 1
    since = Signal(len(cycles), name="since", init=most)
    m.d.sync += since.eq(Mux(~run, most, Mux(last, 1, Mux(since == most, most, since + 1))))
    claim.show("since", since)
    draining, left = inside["draining"], inside["drain_left"]
    claim.claim((since >= 1) & (~draining | ((left != 0) & (since < cycles))))
    claim.claim((since >= cycles) | (draining & (left + since == cycles)))
    claim.claim(~(run & last) | (since >= cycles))
    return claim


def early_claim(config: AcceleratorConfig) -> Claim:
    """Before ``go`` there are at most ``early`` steps of an instruction, and none of them is a tile's last one."""
    claim = Claim("early steps are as many as the instruction says")
    m = claim.module
    dut, inside = _any_stepper(claim, config)
    run, early = dut.instruction.run, dut.stepping.early
    step = claim.show("step", dut.step.flags.valid)
    went = Signal(name="went")  # in a cycle before
    issued = Signal(len(early) + 1, name="issued")
    waits = run & ~went
    m.d.sync += [went.eq(run & (went | dut.stepping.go)), issued.eq(Mux(waits, issued + step, 0))]
    claim.show("issued", issued)
    left, begun = inside["early_left"], inside["begun"]
    claim.claim((inside["early_some"] == (left != 0)) & (inside["early_one"] == (left == 1)))
    claim.claim(begun | ((issued == 0) & ~step & ~inside["running"] & ~inside["jobs.valid"]))
    claim.claim(~(waits & begun) | (issued + left == early))
    claim.claim(~(waits & step) | ((issued < early) & ~dut.step.flags.last))
    return claim


def drain_claim(config: AcceleratorConfig) -> Claim:
    """Tiles apart by as many cycles as the drain needs never meet one that is busy with the tile before."""
    claim = Claim(f"drain of {config.rows} rows of {config.tile_granules} granules is never overrun")
    m = claim.module
    dut = Drain(config)
    m.submodules.dut, inside = internals(dut)
    run, done = claim.free("run", 1), claim.free("done", 1)
    count = claim.free("count", dut.count.shape())
    fields = Value.cast(dut.instruction.fields)
    m.d.comb += [
        dut.instruction.run.eq(run),
        dut.results.done.eq(done),
        dut.count.eq(count),
        fields.eq(claim.free("fields", len(fields), constant=True)),
    ]
    planes = dut.instruction.fields.planes
    claim.assume((planes >= 1) & (planes <= config.planes) & (count >= 1) & (count <= config.rows))
    cycles, late = planes * config.tile_granules, (config.drain_rows - 1).bit_length()
    left = Signal(range(config.rows * config.tile_granules * config.planes + 2), name="left")
    m.d.sync += left.eq(
        Mux(~run, 0, Mux(done, ((count + config.drain_rows - 1) >> late) * cycles, Mux(left == 0, 0, left - 1)))
    )
    claim.show("left", left)
    # what the stepper promises: a tile comes at the earliest in the cycle in which the one before is written last
    claim.assume(~done | (left <= 1))
    claim.assume(~done | (inside["started"] & run))
    busy, plane, rows_left = (claim.show(name, inside[name]) for name in ("busy", "plane", "rows_left"))
    granule = (dut.params.address - inside["tile_params"])[: len(dut.params.address)]
    claim.claim((busy == (left != 0)) & (~busy | inside["started"]))
    claim.claim(~inside["started"] | (inside["last_plane"] == planes - 1))
    claim.claim(~busy | (inside["plane_end"] == (plane == planes - 1)))
    claim.claim(~busy | ((inside["moves"] == inside["plane_end"]) & (granule == inside["granule_index"])))
    claim.claim(~busy | (inside["last_granule"] == (granule == config.tile_granules - 1)))
    claim.claim(~busy | (inside["last_row"] == (rows_left < config.drain_rows)))
    claim.claim(~busy | ((plane < planes) & (granule < config.tile_granules) & (rows_left < config.rows)))
    written = granule * planes + plane
    claim.claim(~busy | (left + written == ((rows_left >> late) + 1) * cycles))
    claim.claim(~busy | (inside["tile_end"] == (left == 1)))
    return claim
