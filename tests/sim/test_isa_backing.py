"""LOAD and STORE on the ISA model: which words they move, and what stops them."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.isa import END, RECORDS, Opcode
from narrows.hw.spec.registers import Control, Fault, Region, Register, Status, region_address
from narrows.hw.spec.transfer import PAGE
from narrows.hw.spec.transfer_cycles import BusTiming
from narrows.sim.isa_records import MachineError
from narrows.sim.isa_transport import IsaTransport
from narrows.sim.store_size import STORE_BYTES
from narrows.sw.runtime import TransportError
from narrows.sw.runtime.transport import run_sync
from random_transfers import transfer_config

CONFIG = transfer_config(64)
ACTIVATIONS = {"memory": Region.ACTIVATIONS, "count": 2, "lines": 1}


class Machine:
    """A core with a window of two pages from byte 4096 of the store on, whose words count up."""

    def __init__(self) -> None:
        self.transport = IsaTransport(CONFIG, bus=BusTiming(latency=10))
        run_sync(self.transport.write_backing(0, np.arange(4 * PAGE // 4, dtype=np.uint32)))
        self.put(Register.PROGRAM_CONFIG, CONFIG.hash32)
        self.put(Register.WINDOW_BASE, PAGE + 17)  # low bits do not count
        self.put(Register.WINDOW_LIMIT, 2 * PAGE + 17)

    def put(self, register: Register, value: int) -> None:
        run_sync(self.transport.write(register.offset, np.array([value], dtype=np.uint32)))

    def get(self, register: Register) -> int:
        return int(run_sync(self.transport.read(register.offset, 1))[0])

    def run(self, *instructions: dict[str, int]) -> tuple[Fault, int]:
        """Fault and its index after a run of some instructions and END."""
        rows = [RECORDS[Opcode(fields["opcode"])].encode(fields) for fields in instructions] + [END.encode({})]
        words = np.array(rows, dtype=np.uint32).reshape(-1)
        run_sync(self.transport.write(region_address(CONFIG, Region.INSTRUCTIONS), words))
        self.put(Register.CONTROL, Control.CLEAR)
        self.put(Register.CONTROL, Control.START)
        status = self.get(Register.STATUS)
        assert bool(status & Status.DONE) == (status >> 8 == 0)
        return Fault(status >> 8), self.get(Register.FAULT_INDEX)

    def words(self, first: int, count: int) -> list[int]:
        """Activation words, which a core of 8 lanes has in 32 bits."""
        return run_sync(self.transport.read(region_address(CONFIG, Region.ACTIVATIONS, first), count)).tolist()


def test_lines_lie_apart_on_both_sides_and_activations_wrap() -> None:
    machine = Machine()
    load = {"opcode": Opcode.LOAD, "memory": Region.ACTIVATIONS, "address": 250, "pitch": 5, "external": 8}
    assert machine.run(load | {"count": 2, "lines": 2, "external_pitch": 64}) == (Fault.NONE, 0)
    assert machine.words(250, 2) == [PAGE // 4 + 2, PAGE // 4 + 3]
    assert [machine.words(255, 1), machine.words(0, 1)] == [[PAGE // 4 + 18], [PAGE // 4 + 19]]
    store = {"opcode": Opcode.STORE, "memory": Region.ACTIVATIONS, "address": 250, "external": PAGE, "count": 6}
    assert machine.run(store | {"lines": 1}) == (Fault.NONE, 0)
    found = run_sync(machine.transport.read_backing(2 * PAGE, 6)).tolist()
    assert found == machine.words(250, 6)


def test_a_store_is_seen_by_the_load_that_takes_its_token() -> None:
    machine = Machine()
    fill = {"opcode": Opcode.LOAD, "memory": Region.ACTIVATIONS, "address": 8, "count": 2, "lines": 1, "post_prev": 1}
    store = {"opcode": Opcode.STORE, "memory": Region.ACTIVATIONS, "address": 8, "count": 2, "lines": 1}
    back = {"opcode": Opcode.LOAD, **ACTIVATIONS, "address": 20, "external": 512, "wait_prev": 1}
    assert machine.run(fill, store | {"wait_next": 1, "post_next": 1, "external": 512}, back) == (Fault.NONE, 0)
    assert machine.words(20, 2) == machine.words(8, 2) == [PAGE // 4, PAGE // 4 + 1]


@pytest.mark.parametrize("opcode", [Opcode.LOAD, Opcode.STORE])
def test_no_instruction_reaches_beyond_the_window(opcode: Opcode) -> None:
    machine = Machine()
    last = {"opcode": opcode, **ACTIVATIONS, "external": 2 * PAGE - 8}
    assert machine.run(last) == (Fault.NONE, 0)
    assert machine.run(last, last | {"external": 2 * PAGE - 4}) == (Fault.WINDOW, 1)
    assert machine.run(last | {"lines": 2, "external_pitch": 8}) == (Fault.WINDOW, 0)
    assert machine.run(last | {"external": 0xFFFFFFFC}) == (Fault.WINDOW, 0)
    machine.put(Register.WINDOW_LIMIT, 0)
    assert machine.run(last | {"external": 0}) == (Fault.WINDOW, 0)


def test_an_answer_with_an_error_stops_the_run() -> None:
    machine = Machine()
    machine.put(Register.WINDOW_BASE, STORE_BYTES - PAGE)
    assert machine.run({"opcode": Opcode.LOAD, **ACTIVATIONS, "external": PAGE - 8}) == (Fault.NONE, 0)
    assert machine.run({"opcode": Opcode.STORE, **ACTIVATIONS, "external": PAGE}) == (Fault.BUS, 0)


@pytest.mark.parametrize(
    "change", [{"memory": Region.BLOCKS}, {"memory": Region.CHECKSUMS}, {"count": 0}, {"lines": 0}]
)
def test_what_no_unit_can_do_is_an_illegal_instruction(change: dict[str, int]) -> None:
    load = {"opcode": Opcode.LOAD, **ACTIVATIONS}
    assert Machine().run(load, load | change) == (Fault.ILLEGAL_INSTRUCTION, 1)


def test_a_token_that_never_comes_is_a_matter_for_the_watchdog() -> None:
    machine = Machine()
    waiting = {"opcode": Opcode.LOAD, **ACTIVATIONS, "wait_next": 1}
    with pytest.raises(MachineError, match="instruction 0 waits for a token that never comes"):
        machine.run(waiting)
    machine.put(Register.WATCHDOG, 1000)
    assert machine.run(waiting)[0] is Fault.WATCHDOG


def test_the_watchdog_comes_before_a_block_that_nobody_can_execute_but_waits_for_its_load() -> None:
    machine = Machine()
    load = {"opcode": Opcode.LOAD, **ACTIVATIONS, "count": 200, "post_next": 1}
    ones = ("rows", "planes", "out_height", "out_width", "block_count", "column_groups", "channel_period")
    compute = {"opcode": Opcode.COMPUTE, **dict.fromkeys(ones, 1), "wait_prev": 1}
    assert machine.run(load, compute) == (Fault.ILLEGAL_INSTRUCTION, 1)  # block 0 has no groups
    machine.put(Register.WATCHDOG, 100)
    assert machine.run(load, compute) == (Fault.WATCHDOG, 1)
    machine.put(Register.WATCHDOG, 1000)
    assert machine.run(load, compute) == (Fault.ILLEGAL_INSTRUCTION, 1)


def test_rules_that_no_core_detects_are_errors_of_the_program() -> None:
    load = {"opcode": Opcode.LOAD, "memory": Region.WEIGHTS, "count": 4, "lines": 1}
    with pytest.raises(MachineError, match="word 65 of WEIGHTS is loaded, there are 64"):
        Machine().run(load | {"address": 62})
    with pytest.raises(MachineError, match="a line begins at byte 4, not at a multiple of 16"):
        Machine().run(load | {"external": 4})


def test_the_store_is_as_large_as_it_is() -> None:
    machine = Machine()
    with pytest.raises(TransportError, match="2 words from byte 0xfffffc are not in the backing store"):
        run_sync(machine.transport.read_backing(STORE_BYTES - 4, 2))
