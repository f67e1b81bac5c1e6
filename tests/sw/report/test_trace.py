"""A trace says the timeline's cycles, each unit in its row; slices of the timeline begin and end where they should."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit
from narrows.hw.spec.isa import Opcode
from narrows.hw.spec.transfer_cycles import BusTiming
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.costs.timeline import Row, Slice, timeline
from narrows.sw.program import Program
from narrows.sw.report.trace import chrome_trace
from narrows.sw.runtime import run_sync
from narrows.sw.runtime.samples import run_samples
from random_graphs import CONFIGS, GraphBuilder

BUS = BusTiming(latency=40, pace=3)
CONFIG = CONFIGS["square"]


@pytest.fixture(params=["program", "streamed"])
def either(request: pytest.FixtureRequest) -> Program:
    return request.getfixturevalue(request.param)


def test_every_slice_is_an_event_with_its_own_cycles(either: Program) -> None:
    run = timeline(either, BUS)
    events = chrome_trace(either, run)["traceEvents"]
    rows = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert rows[0] == "layers"
    told = [
        (rows[event["tid"]], event["args"]["instruction"], event["ts"], event["ts"] + event["dur"])
        for event in events
        if event["ph"] == "X" and event["tid"] != 0
    ]
    assert told == [(str(item.row), item.index, item.begin, item.end) for item in run.slices]


def test_layers_follow_each_other_and_add_up_to_the_run(either: Program) -> None:
    run = timeline(either, BUS)
    events = [event for event in chrome_trace(either, run)["traceEvents"] if event["ph"] == "X" and event["tid"] == 0]
    computes = [step for step in run.steps if step.opcode is Opcode.COMPUTE]
    ends = np.cumsum([step.counts.cycles for step in computes]).tolist()
    assert [event["ts"] + event["dur"] for event in events] == ends == [step.end for step in computes]
    assert [event["ts"] for event in events] == [0, *ends[:-1]]
    assert [event["name"] for event in events] == [step.layer for step in computes]
    assert [event["args"]["busy"] for event in events] == [step.counts.busy for step in computes]


def test_transfers_say_memory_layer_and_bytes(streamed: Program) -> None:
    run = timeline(streamed, BUS)
    events = chrome_trace(streamed, run)["traceEvents"]
    moved = [event for event in events if event["ph"] == "X" and "bytes" in event["args"]]
    steps = {step.index: step for step in run.steps if step.opcode is not Opcode.COMPUTE}
    assert {event["args"]["instruction"] for event in moved} == set(steps)
    for event in moved:
        step = steps[event["args"]["instruction"]]
        assert event["args"]["bytes"] == step.moved > 0
        assert event["name"].startswith(f"{step.opcode.name} ") and event["name"].endswith(f" ({step.layer})")


def layer_of(tiles: tuple[int, int], config: AcceleratorConfig = CONFIG) -> tuple[Program, dict[Row, Slice], int]:
    """A layer of pixel groups and column groups, many steps each; its slices, and the cycle of its last write."""
    pixels, columns = tiles
    build = GraphBuilder(config, np.random.default_rng(1))
    source = build.tensor((16, 3, config.rows * pixels + 2), DyBit(4))
    segment = build.segment(source, config.columns * columns, kernel=(3, 3), levels=DyBit(4).levels)
    build.mac([segment], (1, config.rows * pixels), DyBit(4))
    program = compile_graph(build.graph(["t1"]), config)
    run = timeline(program)
    shape = program.graph.tensors["t0"].shape
    record = run_sync(run_samples(IsaTransport(config), program, np.zeros((1, *shape), dtype=np.int64)))
    assert run.cycles == record.cycles[0]
    return program, {item.row: item for item in run.slices}, run.steps[0].end


def test_the_only_tile_is_rescaled_when_the_array_has_done_it() -> None:
    _, slices, end = layer_of((1, 1))
    assert slices[Row.ARRAY].end == slices[Row.RESCALER].begin
    assert slices[Row.RESCALER].end == end


@pytest.mark.parametrize("tiles", [(2, 1), (1, 2), (3, 2)])
def test_rescalers_begin_with_the_first_tile_and_the_array_ends_with_the_last(tiles: tuple[int, int]) -> None:
    _, one, _ = layer_of((1, 1))
    _, slices, end = layer_of(tiles)
    array, rescaler = slices[Row.ARRAY], slices[Row.RESCALER]
    steps = 9 * 16 // CONFIG.lanes  # of a tile: its 3 x 3 taps of 16 channels
    assert rescaler.begin - array.begin == one[Row.RESCALER].begin - one[Row.ARRAY].begin
    assert array.end - rescaler.begin == (tiles[0] * tiles[1] - 1) * steps
    assert rescaler.end == end
    assert end - array.end == one[Row.RESCALER].end - one[Row.ARRAY].end


def test_a_max_pool_takes_all_its_cycles() -> None:
    build = GraphBuilder(CONFIG, np.random.default_rng(2))
    source = build.tensor((4, 4, 4), DyBit(4))
    build.max(source, (2, 2), kernel=(2, 2), stride=(2, 2), pads=(0, 0, 0, 0), dilation=(1, 1))
    run = timeline(compile_graph(build.graph(["t1"]), CONFIG))
    (only,) = run.slices
    (step,) = run.steps
    assert (only.row, only.begin, only.end) == (Row.MAX_POOL, step.begin, step.end)
    assert step.end == step.counts.cycles
