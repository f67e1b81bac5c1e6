"""The timeline counts as the machine does, and no unit does two things at once."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from narrows.hw.spec.isa import Opcode
from narrows.hw.spec.transfer_cycles import BusTiming
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.costs.timeline import Row, timeline
from narrows.sw.costs.work import layer_macs, layer_work, useful_macs
from narrows.sw.program import Program
from narrows.sw.report.charts import stays
from narrows.sw.report.trace import chrome_trace
from narrows.sw.runtime import run_sync
from narrows.sw.runtime.samples import run_samples

BUS = BusTiming(latency=40, pace=3)
COUNTERS = ("busy", "stall_drain", "stall_walk", "stall_load", "stall_store", "stall_token")


@pytest.fixture(params=["program", "streamed"])
def either(request: pytest.FixtureRequest) -> Program:
    return request.getfixturevalue(request.param)


def test_layers_add_up_to_the_machine_s_counters(either: Program) -> None:
    shape = either.graph.tensors[either.graph.input.tensor].shape
    transport = IsaTransport(either.config, bus=BUS)
    record = run_sync(run_samples(transport, either, np.zeros((1, *shape), dtype=np.int64)))
    run = timeline(either, BUS)
    layers = layer_work(either, run)
    assert run.cycles == record.cycles[0]
    behind_the_last_write = run.cycles - sum(layer.cycles for layer in layers)
    assert 0 < behind_the_last_write < 40
    for name in COUNTERS:
        assert sum(getattr(layer, name) for layer in layers) == getattr(record, name)[0], name


def test_a_unit_does_one_thing_at_a_time_within_the_run(either: Program) -> None:
    run = timeline(either, BUS)
    for row in Row:
        mine = [item for item in run.slices if item.row is row]
        assert all(one.end <= other.begin for one, other in pairwise(mine)), row
    assert all(0 <= item.begin < item.end <= run.cycles for item in run.slices)
    assert [step.index for step in run.steps] == list(range(len(either.instructions) - 1))


def test_rescalers_work_while_the_array_does(program: Program) -> None:
    slices = {item.row: item for item in timeline(program).slices if item.index == 0}
    array, rescaler = slices[Row.ARRAY], slices[Row.RESCALER]
    assert array.begin < rescaler.begin < array.end < rescaler.end


def test_a_layer_begins_when_its_weights_are_there(streamed: Program) -> None:
    run = timeline(streamed, BUS)
    loads = [step for step in run.steps if step.opcode is Opcode.LOAD]
    assert loads
    first = min(step.begin for step in run.steps if step.opcode is Opcode.COMPUTE)
    assert first > loads[0].end
    assert sum(layer.loaded for layer in layer_work(streamed, run)) == sum(step.moved for step in loads)


def test_structure_is_no_useful_work_in_the_quantised_graph_either(graph, program: Program) -> None:
    assert sum(layer_macs(program.graph).values()) == useful_macs(graph)


def test_a_trace_has_a_row_for_each_unit_and_a_slice_for_each_instruction(either: Program) -> None:
    run = timeline(either, BUS)
    trace = json.loads(json.dumps(chrome_trace(either, run)))
    named = {event["tid"]: event["args"]["name"] for event in trace["traceEvents"] if event["name"] == "thread_name"}
    slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert set(named.values()) >= {"layers", "array", "rescaler", "max-pool"}
    assert ("loader" in named.values()) == either.config.has_backing
    assert {event["args"]["instruction"] for event in slices if "instruction" in event["args"]} == set(
        range(len(run.steps))
    )
    for tid in named:
        mine = sorted((event for event in slices if event["tid"] == tid), key=lambda event: event["ts"])
        assert all(one["ts"] + one["dur"] <= other["ts"] for one, other in pairwise(mine)), named[tid]


def test_nothing_lies_where_something_else_does(either: Program) -> None:
    found = stays(either, timeline(either, BUS))
    for number, one in enumerate(found):
        assert one.begin < one.done and one.first < one.end
        for other in found[:number]:
            if one.memory is other.memory and {one.name, other.name} <= set(either.graph.tensors):
                apart = one.end <= other.first or other.end <= one.first
                assert apart or one.done <= other.begin + 1 or other.done <= one.begin + 1, (one, other)
